// Actions on API groups.
import { randomHex } from '../../base/ids.ts';
import { stageNames } from '../../model/api.ts';
import type { WriteTransaction } from '../../store/port.ts';
import type { GroupRow } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { type ControlDeps, commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';
import { showDomain } from './domains.ts';
import { readGroupOptions } from './group-options.ts';
import { publishGroup, withdrawDomains } from './group-publishing.ts';
import {
  byAge,
  getGroup,
  hasTags,
  instance,
  isAsked,
  isLike,
  paged,
  quotas,
  readTags,
  scan,
  scanLimit,
  tagInfos,
  utc,
} from './lookup.ts';
import { withdrawStages } from './stages.ts';

/** Requests a second that a group of the service allows. Source: docs. */
const groupTrafficLimit = 500;

/** `/` or `/prefix` without a trailing slash. Errors: InvalidBasePath. */
function readBasePath(given: string | null): string {
  if (given === null || given === '' || given === '/') return '/';
  const path = given.endsWith('/') ? given.slice(0, -1) : given;
  if (!/^(\/[A-Za-z0-9._~-]+)+$/.test(path)) {
    throw openApiError('InvalidBasePath', `The parameter BasePath must be like /v1, not '${given.slice(0, 100)}'.`);
  }
  return path;
}

async function refuseTakenName(tx: WriteTransaction, name: string, except: string): Promise<void> {
  const same = await tx.rows.groups.find('groupName', name, 2);
  if (same.some((group) => group.groupId !== except)) {
    throw openApiError('DuplicateGroupName', `The GroupName ${name} is taken by another group.`);
  }
}

function refuseOtherInstance(args: Arguments): void {
  const asked = args.optionalText('InstanceId') ?? '';
  if (asked !== '' && asked !== instance.InstanceId) {
    throw openApiError(
      'NotFoundInstance',
      `Cannot find resource [Instance] according to your specified InstanceId ${asked}.`,
    );
  }
}

/** Groups without a domain of their own are few, more once another has one. Source: docs. */
async function refuseOneMoreUnbound(tx: WriteTransaction, groups: readonly GroupRow[]): Promise<void> {
  let unbound = 0;
  for (const { groupId } of groups) if ((await tx.rows.domains.count('groupId', groupId)) === 0) unbound++;
  const most = unbound < groups.length ? quotas.unboundGroupsBesideBound : quotas.unboundGroups;
  if (unbound < most) return;
  throw openApiError(
    'ExceedLimitApiGroup',
    `There may be at most ${most} API groups without a domain of their own: bind one (SetDomain).`,
  );
}

export const createApiGroup: RpcAction = async ({ args, deps }) => {
  refuseOtherInstance(args);
  const groupId = randomHex(16);
  const now = deps.clock.now();
  const group: GroupRow = {
    groupId,
    groupName: args.text('GroupName'),
    description: args.optionalText('Description') ?? '',
    basePath: readBasePath(args.optionalText('BasePath')),
    subDomain: `${groupId}-${deps.account.regionId}.alicloudapi.com`,
    regionId: deps.account.regionId,
    stages: stageNames.map((stageName) => ({ stageId: randomHex(16), stageName, description: '' })),
    tags: readTags(args),
    createdAt: now,
    modifiedAt: now,
  };
  await commit(deps, async (tx) => {
    await refuseTakenName(tx, group.groupName, groupId);
    const all = await tx.rows.groups.list({ limit: quotas.groups });
    if (all.length >= quotas.groups) {
      throw openApiError('ExceedLimitApiGroup', `There may be at most ${quotas.groups} API groups.`);
    }
    if (deps.settings.limitsUnboundGroups) await refuseOneMoreUnbound(tx, all);
    await tx.rows.groups.insert(group);
    await publishGroup(tx, group);
  });
  return { ...summary(group), ...instance, TagStatus: group.tags.length > 0 };
};

function summary(group: GroupRow): object {
  return {
    GroupId: group.groupId,
    GroupName: group.groupName,
    Description: group.description,
    BasePath: group.basePath,
    SubDomain: group.subDomain,
  };
}

/** By which callers of the intranet reach it. */
function vpcDomainOf({ groupId, regionId }: GroupRow): string {
  return `${groupId}-${regionId}-vpc.alicloudapi.com`;
}

/** What a listing shows of a group. */
function attributes(group: GroupRow, { settings }: ControlDeps): object {
  return {
    ...summary(group),
    ...instance,
    RegionId: group.regionId,
    CreatedTime: utc(group.createdAt),
    ModifiedTime: utc(group.modifiedAt),
    TrafficLimit: Number(group.options?.RpsLimitForServerless ?? settings.groupLimitPerSecond ?? groupTrafficLimit),
    BillingStatus: 'NORMAL',
    IllegalStatus: 'NORMAL',
    HttpsPolicy: group.network?.httpsPolicy ?? settings.httpsPolicy,
    Tags: tagInfos(group.tags),
  };
}

export const describeApiGroup: RpcAction = async ({ args, deps }) => {
  const { group, domains } = await deps.store.read(async (tx) => {
    const group = await getGroup(tx, args.text('GroupId'));
    return { group, domains: await tx.rows.domains.find('groupId', group.groupId, scanLimit) };
  });
  return {
    ...attributes(group, deps),
    Status: 'NORMAL',
    CompatibleFlags: group.isClassic === true ? 'classic' : undefined,
    VpcDomain: group.network?.hasIntranetDomain === false ? undefined : vpcDomainOf(group),
    DisableInnerDomain: group.network?.hasOwnDomain === false,
    ...group.options,
    CustomDomains: domains.map(showDomain),
    StageItems: group.stages.map((stage) => ({
      StageId: stage.stageId,
      StageName: stage.stageName,
      Description: stage.description,
    })),
  };
};

export const describeApiGroups: RpcAction = async ({ args, deps }) => {
  const all = await deps.store.read((tx) =>
    scan(
      (page) => tx.rows.groups.list(page),
      (group) => group.groupId,
    ),
  );
  const tags = readTags(args);
  const found = all.filter(
    (group) =>
      isAsked(group.groupId, args.optionalText('GroupId')) &&
      isLike(group.groupName, args.optionalText('GroupName')) &&
      isAsked(group.basePath, args.optionalText('BasePath')) &&
      isAsked(instance.InstanceId, args.optionalText('InstanceId')) &&
      hasTags(group.tags, tags),
  );
  const page = paged(args, byAge(found, args));
  return { ...page.totals, ApiGroupAttributes: page.rows.map((group) => attributes(group, deps)) };
};

/**
 * The switch to errors as classic-network instances answer them: `classic`, and `none` to undo it; null when not given.
 * Source: assumed; the service has flags of its own here, none of which is served.
 */
function readCompatibleFlags(args: Arguments): boolean | null {
  const text = args.optionalText('CompatibleFlags') ?? '';
  if (text === '') return null;
  if (text === 'classic' || text === 'none') return text === 'classic';
  throw openApiError(
    'UnsupportedParameter',
    `The parameter CompatibleFlags may be classic or none, not '${text.slice(0, 100)}'.`,
  );
}

function readSwitch(args: Arguments, name: string): boolean | null {
  const text = (args.optionalText(name) ?? '').toLowerCase();
  if (text === '') return null;
  if (text === 'true' || text === 'false') return text === 'true';
  throw openApiError(`Invalid${name}`, `The parameter ${name} must be true or false, not '${text.slice(0, 100)}'.`);
}

/** The name that documents of a group use; it must be one of its own. Source: docs for the name, the rule assumed. */
async function checkDefaultDomain(tx: WriteTransaction, { groupId, subDomain, options }: GroupRow): Promise<void> {
  const name = options?.DefaultDomain?.toLowerCase();
  if (name === undefined || name === subDomain) return;
  if ((await tx.rows.domains.get(name))?.groupId === groupId) return;
  throw openApiError('InvalidDefaultDomain', `The domain ${name.slice(0, 100)} is not bound to the group ${groupId}.`);
}

export const modifyApiGroup: RpcAction = async ({ args, deps }) => {
  if ((args.optionalText('RpcPattern') ?? '') !== '') {
    throw openApiError('UnsupportedParameter', 'The parameter RpcPattern is not supported by this server.');
  }
  const groupName = args.optionalText('GroupName') ?? '';
  const description = args.optionalText('Description');
  const isClassic = readCompatibleFlags(args);
  const stripsAppCode = readSwitch(args, 'FilterAppCodeForBackend');
  const basePath = args.optionalText('BasePath');
  const group = await commit(deps, async (tx) => {
    const old = await getGroup(tx, args.text('GroupId'));
    const changed: GroupRow = {
      ...old,
      groupName: groupName === '' ? old.groupName : groupName,
      description: description ?? old.description,
      basePath: basePath === null || basePath === '' ? old.basePath : readBasePath(basePath),
      ...(isClassic === null ? {} : { isClassic }),
      ...(stripsAppCode === null ? {} : { stripsAppCode }),
      options: readGroupOptions(args, old.options ?? {}),
      tags: args.isGiven('Tag') ? readTags(args) : old.tags,
      modifiedAt: deps.clock.now(),
    };
    await refuseTakenName(tx, changed.groupName, old.groupId);
    await checkDefaultDomain(tx, changed);
    await tx.rows.groups.update(changed);
    await publishGroup(tx, changed);
    return changed;
  });
  return { ...summary(group) };
};

/** An unknown group id still succeeds. Source: docs. */
export const deleteApiGroup: RpcAction = async ({ args, deps }) => {
  const groupId = args.text('GroupId');
  await commit(deps, async (tx) => {
    const group = await tx.rows.groups.get(groupId);
    if (group === null) return;
    if ((await tx.rows.apis.count('groupId', groupId)) > 0) {
      throw openApiError('DependencyViolationApi', `The group ${groupId} still has APIs; delete them first.`);
    }
    await withdrawDomains(tx, groupId);
    await withdrawStages(tx, group);
    for (const model of await tx.rows.models.find('groupId', groupId, scanLimit))
      await tx.rows.models.delete(model.modelId);
    await tx.rows.groups.delete(groupId);
    await tx.publish('group', groupId, null);
  });
  return {};
};
