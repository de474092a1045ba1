// Actions on API groups.
import { randomHex } from '../../base/ids.ts';
import { stageNames } from '../../model/api.ts';
import type { PublishedGroup } from '../../model/published.ts';
import type { WriteTransaction } from '../../store/port.ts';
import type { GroupRow } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';
import { byAge, getGroup, hasTags, isAsked, isLike, paged, quotas, readTags, scan, tagInfos, utc } from './lookup.ts';

/** The one instance that groups live on. Source: docs for the form of the id. */
const instance = { InstanceId: 'api-shared-vpc-001', InstanceType: 'VPC_SHARED' } as const;
/** Requests a second that a group allows. Source: docs (cloudapi.md 2). */
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

function publishGroup(tx: WriteTransaction, group: GroupRow): Promise<void> {
  const published: PublishedGroup = {
    groupId: group.groupId,
    regionId: group.regionId,
    subDomain: group.subDomain,
    basePath: group.basePath,
    domains: [],
    isClassic: false,
  };
  return tx.publish('group', group.groupId, published);
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

/** What a listing shows of a group. */
function attributes(group: GroupRow): object {
  return {
    ...summary(group),
    ...instance,
    RegionId: group.regionId,
    CreatedTime: utc(group.createdAt),
    ModifiedTime: utc(group.modifiedAt),
    TrafficLimit: groupTrafficLimit,
    BillingStatus: 'NORMAL',
    IllegalStatus: 'NORMAL',
    HttpsPolicy: 'HTTPS2_TLS1_0',
    Tags: tagInfos(group.tags),
  };
}

export const describeApiGroup: RpcAction = async ({ args, deps }) => {
  const group = await deps.store.read((tx) => getGroup(tx, args.text('GroupId')));
  return {
    ...attributes(group),
    Status: 'NORMAL',
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
  return { ...page.totals, ApiGroupAttributes: page.rows.map(attributes) };
};

/** Options that would change what the gateway does, and that it does not do. */
const unsupportedOptions = [
  'CompatibleFlags',
  'CustomAppCodeConfig',
  'CustomTraceConfig',
  'CustomerConfigs',
  'DefaultDomain',
  'FilterAppCodeForBackend',
  'PassthroughHeaders',
  'RpcPattern',
  'RpsLimitForServerless',
  'SupportSSE',
  'UserLogConfig',
];

export const modifyApiGroup: RpcAction = async ({ args, deps }) => {
  for (const name of unsupportedOptions) {
    if ((args.optionalText(name) ?? '') !== '') {
      throw openApiError('UnsupportedParameter', `The parameter ${name} is not supported by this server.`);
    }
  }
  const groupName = args.optionalText('GroupName') ?? '';
  const description = args.optionalText('Description');
  const basePath = args.optionalText('BasePath');
  const group = await commit(deps, async (tx) => {
    const old = await getGroup(tx, args.text('GroupId'));
    const changed: GroupRow = {
      ...old,
      groupName: groupName === '' ? old.groupName : groupName,
      description: description ?? old.description,
      basePath: basePath === null || basePath === '' ? old.basePath : readBasePath(basePath),
      tags: args.isGiven('Tag') ? readTags(args) : old.tags,
      modifiedAt: deps.clock.now(),
    };
    await refuseTakenName(tx, changed.groupName, old.groupId);
    await tx.rows.groups.update(changed);
    await publishGroup(tx, changed);
    return changed;
  });
  return { ...summary(group) };
};

/** An unknown group id still succeeds. Source: docs (cloudapi.md 3). */
export const deleteApiGroup: RpcAction = async ({ args, deps }) => {
  const groupId = args.text('GroupId');
  await commit(deps, async (tx) => {
    const group = await tx.rows.groups.get(groupId);
    if (group === null) return;
    if ((await tx.rows.apis.count('groupId', groupId)) > 0) {
      throw openApiError('DependencyViolationApi', `The group ${groupId} still has APIs; delete them first.`);
    }
    await tx.rows.groups.delete(groupId);
    await tx.publish('group', groupId, null);
  });
  return {};
};
