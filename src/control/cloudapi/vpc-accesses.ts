// Actions on VPC access grants: the names by which APIs reach places in a VPC. Where such a place is, the operator says (--vpc-target).
import { randomHex } from '../../base/ids.ts';
import type { ReadTransaction } from '../../store/port.ts';
import type { ApiRow, DeploymentRow, GroupRow, VpcAccessRow } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';
import { takeOffline } from './deployments.ts';
import {
  byAge,
  deploymentKey,
  getGroup,
  hasTags,
  isAsked,
  isLike,
  paged,
  readTags,
  scan,
  tagInfos,
  utc,
} from './lookup.ts';

/** Source: assumed. */
const accessLimit = 1000;

function readPort(args: Arguments): number {
  const port = args.number('Port');
  if (port < 1 || port > 65_535) {
    throw openApiError('InvalidPort', `The parameter Port must be 1 to 65535, not ${port}.`);
  }
  return port;
}

function placeOf(row: Pick<VpcAccessRow, 'vpcId' | 'instanceId' | 'port'>): string {
  return `${row.vpcId} ${row.instanceId} ${row.port}`;
}

function allAccesses(tx: ReadTransaction): Promise<VpcAccessRow[]> {
  return scan(
    (page) => tx.rows.vpcAccesses.list(page),
    (row) => row.name,
  );
}

/** Source: docs; the form of ids and names, and one grant for each place, are assumed. */
export const setVpcAccess: RpcAction = async ({ args, deps }) => {
  const name = args.text('Name');
  for (const text of [name, args.text('VpcId'), args.text('InstanceId')]) {
    if (!/^[^\s/=,]{1,256}$/.test(text)) {
      throw openApiError(
        'InvalidName',
        `Name, VpcId and InstanceId may hold no blank, '/', '=' or ',': '${text.slice(0, 100)}'.`,
      );
    }
  }
  const hostHeader = args.optionalText('VpcTargetHostName') ?? '';
  const row: VpcAccessRow = {
    vpcAccessId: `vpc-access-${randomHex(8)}`,
    name,
    vpcId: args.text('VpcId'),
    instanceId: args.text('InstanceId'),
    port: readPort(args),
    hostHeader: hostHeader === '' ? null : hostHeader,
    description: args.optionalText('Description') ?? '',
    tags: readTags(args),
    createdAt: deps.clock.now(),
  };
  await commit(deps, async (tx) => {
    if ((await tx.rows.vpcAccesses.get(name)) !== null) {
      throw openApiError('DuplicateVpcAccessName', `The Name ${name} is taken by another VPC access grant.`);
    }
    if ((await tx.rows.vpcAccesses.count('place', placeOf(row))) > 0) {
      throw openApiError('RepeatedVpcAccess', `There is a VPC access grant for ${placeOf(row)} already.`);
    }
    if ((await allAccesses(tx)).length >= accessLimit) {
      throw openApiError('ExceedLimitVpcAccess', `There may be at most ${accessLimit} VPC access grants.`);
    }
    await tx.rows.vpcAccesses.insert(row);
    const { vpcId, instanceId, port } = row;
    await tx.publish('vpcAccess', name, { name, vpcId, instanceId, port, hostHeader: row.hostHeader });
  });
  return { VpcAccessId: row.vpcAccessId };
};

/** Live APIs, each with the grant of those given that it names. */
async function liveUsersOf(
  tx: ReadTransaction,
  accesses: readonly VpcAccessRow[],
): Promise<(DeploymentRow & { readonly access: VpcAccessRow })[]> {
  const byName = new Map(accesses.map((access) => [access.name, access]));
  const all = await scan(
    (page) => tx.rows.deployments.list(page),
    (row) => deploymentKey(row.apiId, row.stage),
  );
  return all.flatMap((row) => {
    const access = byName.get(accessNameOf(row.api));
    return access === undefined ? [] : [{ ...row, access }];
  });
}

/** Empty: it names none. */
function accessNameOf({ definition: { backend } }: ApiRow): string {
  return backend.kind === 'vpc' ? (backend.vpc.accessName ?? '') : '';
}

/** Answers the live APIs that lose their backend. Source: docs; NeedBatchWork takes them offline with it (source: assumed). */
export const removeVpcAccess: RpcAction = async ({ args, deps }) => {
  const isBatch = args.optionalBoolean('NeedBatchWork') === true;
  const place = { vpcId: args.text('VpcId'), instanceId: args.text('InstanceId'), port: readPort(args) };
  const users = await commit(deps, async (tx) => {
    const [row] = await tx.rows.vpcAccesses.find('place', placeOf(place), 1);
    if (row === undefined) {
      throw openApiError('NotFoundVpcAccess', `Cannot find resource [VpcAccess] for ${placeOf(place)}.`);
    }
    const found = await liveUsersOf(tx, [row]);
    const shown: object[] = [];
    for (const { apiId, groupId, stage } of found) {
      const StageId = stageIdOf(await getGroup(tx, groupId), stage);
      shown.push({ ApiId: apiId, GroupId: groupId, StageId });
    }
    if (isBatch) for (const { apiId, stage } of found) await takeOffline(tx, apiId, stage);
    await tx.rows.vpcAccesses.delete(row.name);
    await tx.publish('vpcAccess', row.name, null);
    return shown;
  });
  return { Apis: users };
};

export const describeVpcAccesses: RpcAction = async ({ args, deps }) => {
  const all = await deps.store.read(allAccesses);
  const name = args.optionalText('Name');
  const tags = readTags(args);
  const isExact = args.optionalBoolean('AccurateQuery') === true;
  const found = all.filter(
    (row) =>
      (isExact ? isAsked(row.name, name) : isLike(row.name, name)) &&
      isAsked(row.vpcAccessId, args.optionalText('VpcAccessId')) &&
      isAsked(row.vpcId, args.optionalText('VpcId')) &&
      isAsked(row.instanceId, args.optionalText('InstanceId')) &&
      isAsked(String(row.port), args.optionalText('Port')) &&
      hasTags(row.tags, tags),
  );
  const page = paged(args, byAge(found, args));
  return {
    ...page.totals,
    VpcAccessAttributes: page.rows.map((row) => ({
      VpcAccessId: row.vpcAccessId,
      Name: row.name,
      VpcId: row.vpcId,
      InstanceId: row.instanceId,
      Port: row.port,
      VpcTargetHostName: row.hostHeader,
      Description: row.description,
      RegionId: deps.account.regionId,
      CreatedTime: utc(row.createdAt),
      Tags: tagInfos(row.tags),
    })),
  };
};

function stageIdOf({ stages }: GroupRow, stage: string): string | undefined {
  return stages.find(({ stageName }) => stageName === stage)?.stageId;
}

/** Live APIs by the grant that they name; without a name those of every grant. Source: docs, the latter assumed. */
export const describeApisByVpcAccess: RpcAction = async ({ args, deps }) => {
  const asked = args.optionalText('VpcName') ?? '';
  return deps.store.read(async (tx) => {
    const accesses = (await allAccesses(tx)).filter(({ name }) => isAsked(name, asked));
    if (asked !== '' && accesses.length === 0) {
      throw openApiError('NotFoundVpcAccess', `Cannot find resource [VpcAccess] named ${asked}.`);
    }
    const users = await liveUsersOf(tx, accesses);
    const page = paged(args, users);
    const infos: object[] = [];
    for (const { access, api, stage } of page.rows) {
      const group = await getGroup(tx, api.groupId);
      infos.push({
        ApiId: api.apiId,
        ApiName: api.definition.apiName,
        Description: api.description,
        GroupId: api.groupId,
        GroupName: group.groupName,
        Method: api.definition.request.method,
        Path: api.definition.request.path,
        StageName: stage,
        StageId: stageIdOf(group, stage),
        RegionId: group.regionId,
        VpcName: access.name,
        VpcId: access.vpcId,
        InstanceId: access.instanceId,
        Port: access.port,
      });
    }
    return { ...page.totals, ApiVpcAccessInfos: infos };
  });
};
