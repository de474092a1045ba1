// What the three kinds of policies have in common: they are bound to an API in a stage, at once and without publishing. Used by
// traffic-controls.ts, ip-controls.ts and signature-keys.ts.
import type { StageName } from '../../model/api.ts';
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { PolicyBindingRow, PolicyKind } from '../../store/rows.ts';
import type { RpcCall } from '../action.ts';
import { openApiError, type Thing } from '../errors.ts';
import { commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';
import { getApi, getGroup, paged, quotas, readStage, utc } from './lookup.ts';

/** Policies of one kind that there may be. Source: assumed. */
export const policyLimit = 1_000;

/** What differs between the kinds. Names of parameters and answers are the wire's. */
export type PolicyType = {
  readonly kind: PolicyKind;
  readonly thing: Extract<Thing, 'TrafficControl' | 'IpControl' | 'Signature'>;
  /** `TrafficControlId`, with `TrafficControlName` beside it. */
  readonly idName: string;
  /** The policy's name; null when there is no such policy. */
  nameOf(tx: ReadTransaction, policyId: string): Promise<string | null>;
};

export function notFound({ thing, idName }: PolicyType, id: string): Error {
  return openApiError(
    `NotFound${thing}`,
    `Cannot find resource [${thing}] according to your specified ${idName} ${id.slice(0, 100)}.`,
  );
}

function bindingKey(apiId: string, stage: StageName, kind: PolicyKind): string {
  return `${apiId}/${stage}/${kind}`;
}

/** Tells the data processes what an API is bound to in a stage. */
async function publishBindings(tx: WriteTransaction, apiId: string, stage: StageName): Promise<void> {
  const place = `${apiId}/${stage}`;
  const rows = await tx.rows.policyBindings.list({ prefix: `${place}/`, limit: 3 });
  const idOf = (kind: PolicyKind) => rows.find((row) => row.kind === kind)?.policyId ?? null;
  const value = {
    apiId,
    stage,
    trafficControlId: idOf('trafficControl'),
    ipControlId: idOf('ipControl'),
    signatureId: idOf('signatureKey'),
  };
  await tx.publish('policies', place, rows.length === 0 ? null : value);
}

function readApiIds(args: Arguments): string[] {
  const apiIds = args.csv('ApiIds');
  if (apiIds.length === 0) throw openApiError('MissingApiIds', 'ApiIds is mandatory for this action.');
  return apiIds;
}

/** Set…Apis: in force at once; takes the place of another policy of the kind. Source: docs; the latter assumed. */
export async function bindApis(type: PolicyType, { args, deps }: RpcCall): Promise<object> {
  const stage = readStage(args);
  const groupId = args.text('GroupId');
  const policyId = args.text(type.idName);
  await commit(deps, async (tx) => {
    await getGroup(tx, groupId);
    if ((await type.nameOf(tx, policyId)) === null) throw notFound(type, policyId);
    for (const apiId of readApiIds(args)) {
      await getApi(tx, apiId, groupId);
      const row: PolicyBindingRow = { apiId, groupId, stage, kind: type.kind, policyId, boundAt: deps.clock.now() };
      if (!(await tx.rows.policyBindings.update(row))) await tx.rows.policyBindings.insert(row);
      await publishBindings(tx, apiId, stage);
    }
  });
  return {};
}

/** Remove…Apis: repeating it, or naming an API that is bound to another policy, changes nothing. Source: assumed. */
export async function unbindApis(type: PolicyType, { args, deps }: RpcCall): Promise<object> {
  const stage = readStage(args);
  const groupId = args.text('GroupId');
  const policyId = args.text(type.idName);
  await commit(deps, async (tx) => {
    await getGroup(tx, groupId);
    if ((await type.nameOf(tx, policyId)) === null) throw notFound(type, policyId);
    for (const apiId of readApiIds(args)) {
      await getApi(tx, apiId, groupId);
      const key = bindingKey(apiId, stage, type.kind);
      if ((await tx.rows.policyBindings.get(key))?.policyId !== policyId) continue;
      await tx.rows.policyBindings.delete(key);
      await publishBindings(tx, apiId, stage);
    }
  });
  return {};
}

/** Everything that an API is bound to goes with it. */
export async function unbindEverything(tx: WriteTransaction, apiId: string): Promise<void> {
  for (const row of await tx.rows.policyBindings.list({ prefix: `${apiId}/`, limit: 9 })) {
    await tx.rows.policyBindings.delete(bindingKey(row.apiId, row.stage, row.kind));
    await publishBindings(tx, row.apiId, row.stage);
  }
}

/** Source: docs: a policy is not deleted while it is bound. */
export async function refuseBound(tx: ReadTransaction, type: PolicyType, policyId: string): Promise<void> {
  const bound = await tx.rows.policyBindings.count('policy', `${type.kind} ${policyId}`);
  if (bound === 0) return;
  throw openApiError(
    `DependencyViolation${type.thing}`,
    `The ${type.thing} ${policyId} is bound to ${bound} APIs; unbind them first.`,
  );
}

/** Bindings of one policy at most that a listing looks at. */
const bindingLimit = 3 * quotas.apisInGroup * quotas.groups;

/** DescribeApisBy…: the APIs that a policy is bound to. */
export async function apisOfPolicy(type: PolicyType, { args, deps }: RpcCall): Promise<Record<string, unknown>> {
  const policyId = args.text(type.idName);
  return deps.store.read(async (tx) => {
    if ((await type.nameOf(tx, policyId)) === null) throw notFound(type, policyId);
    const rows = await tx.rows.policyBindings.find('policy', `${type.kind} ${policyId}`, bindingLimit);
    const page = paged(args, rows);
    const ApiInfos: object[] = [];
    for (const row of page.rows) {
      const api = await getApi(tx, row.apiId, null);
      const group = await getGroup(tx, row.groupId);
      ApiInfos.push({
        ApiId: api.apiId,
        ApiName: api.definition.apiName,
        Description: api.description,
        Visibility: api.visibility,
        GroupId: group.groupId,
        GroupName: group.groupName,
        RegionId: group.regionId,
        StageName: row.stage,
        BoundTime: utc(row.boundAt),
      });
    }
    return { ...page.totals, ApiInfos };
  });
}

/** DescribeApi…s: the bindings of a group's APIs in a stage. Gives the rows under `listName`. */
export async function policiesOfGroup(
  type: PolicyType,
  listName: string,
  { args, deps }: RpcCall,
): Promise<Record<string, unknown>> {
  const stage = readStage(args);
  const asked = new Set(args.csv('ApiIds'));
  return deps.store.read(async (tx) => {
    const group = await getGroup(tx, args.text('GroupId'));
    const all = await tx.rows.policyBindings.find('groupId', group.groupId, 9 * quotas.apisInGroup);
    const found = all.filter(
      (row) => row.kind === type.kind && row.stage === stage && (asked.size === 0 || asked.has(row.apiId)),
    );
    const page = paged(args, found);
    const items: object[] = [];
    for (const row of page.rows) {
      const api = await getApi(tx, row.apiId, null);
      items.push({ ApiId: api.apiId, ApiName: api.definition.apiName, ...(await showBinding(type, tx, row)) });
    }
    return { ...page.totals, [listName]: items };
  });
}

async function showBinding(type: PolicyType, tx: ReadTransaction, row: PolicyBindingRow): Promise<object> {
  const name = await type.nameOf(tx, row.policyId);
  return {
    [type.idName]: row.policyId,
    [type.idName.replace(/Id$/, 'Name')]: name,
    BoundTime: utc(row.boundAt),
  };
}

/** The binding of one API in a stage, or null. */
export async function bindingOfApi(
  type: PolicyType,
  { args, deps }: RpcCall,
): Promise<{ readonly id: string; readonly name: string; readonly boundAt: string } | null> {
  const stage = readStage(args);
  return deps.store.read(async (tx) => {
    const api = await getApi(tx, args.text('ApiId'), args.text('GroupId'));
    const row = await tx.rows.policyBindings.get(bindingKey(api.apiId, stage, type.kind));
    if (row === null) return null;
    const name = (await type.nameOf(tx, row.policyId)) ?? '';
    return { id: row.policyId, name, boundAt: utc(row.boundAt) };
  });
}
