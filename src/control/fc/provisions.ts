// Actions on provisioned instances: provision configurations of the three versions, and FC 3's scaling configurations. A
// qualifier of a function has one of the two at most.
import { scalingKey } from '../../model/scaling.ts';
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { FunctionRow, ProvisionRow } from '../../store/rows.ts';
import type { FcAction } from '../action.ts';
import { fcError } from '../errors.ts';
import { commit } from '../ports.ts';
import { queryValue } from '../received.ts';
import type { FcCall } from './call.ts';
import { fc3Name, getFunction, namedFunction } from './names.ts';
import { collectPage, readFcPage } from './pages.ts';
import { provisionOf, readWanted } from './provision-settings.ts';
import { checkQualifier } from './qualifiers.ts';

type Kind = ProvisionRow['kind'];
type Place = Pick<ProvisionRow, 'functionKey' | 'serviceName' | 'functionName' | 'qualifier'>;

function placeOf(call: FcCall, { key: functionKey, serviceName, functionName }: FunctionRow): Place {
  return { functionKey, serviceName, functionName, qualifier: call.qualifier };
}

/** Whom a configuration is for. Source: sdk (`account#service#qualifier#function`). */
function nameOf({ deps, version }: FcCall, place: Place): Readonly<Record<string, unknown>> {
  const { accountId, regionId } = deps.account;
  const { serviceName, functionName, qualifier } = place;
  if (version === '2023-03-30') {
    return { functionArn: `acs:fc:${regionId}:${accountId}:functions/${fc3Name(place)}/${qualifier}` };
  }
  return { resource: `${accountId}#${serviceName ?? ''}#${qualifier}#${functionName}` };
}

/** The configuration as given, and what there is of it now. Without one: zeroes. Source: sdk. */
async function show(call: FcCall, kind: Kind, place: Place, row: ProvisionRow | null) {
  const { functionKey, qualifier } = place;
  const now = await call.deps.instancesNow({ functionKey, qualifier });
  const wanted = row === null ? null : provisionOf(row);
  const current = wanted === null ? 0 : Math.min(now.instances.length, Math.max(now.target, wanted.target));
  const common = { ...row?.settings, ...nameOf(call, place), currentError: now.problem };
  if (kind === 'scaling') {
    const on = wanted?.allowsOnDemand ?? true;
    const counts = { currentInstances: current, targetInstances: now.target, minInstances: wanted?.target ?? 0 };
    return { scheduledPolicies: [], horizontalScalingPolicies: [], ...common, ...counts, enableOnDemandScaling: on };
  }
  const target = wanted?.target ?? 0;
  const lists = { scheduledActions: [], targetTrackingPolicies: [], alwaysAllocateCPU: false };
  return { ...lists, ...common, target, defaultTarget: target, current };
}

async function find(
  tx: ReadTransaction,
  call: FcCall,
): Promise<{ readonly place: Place; readonly row: ProvisionRow | null }> {
  const of = await getFunction(tx, namedFunction(call));
  await checkQualifier(tx, of, call.qualifier);
  const place = placeOf(call, of);
  return { place, row: await tx.rows.provisions.get(scalingKey(place)) };
}

/** Source: docs. */
function refuseOther(kind: Kind, row: ProvisionRow | null): void {
  if (row === null || row.kind === kind) return;
  throw kind === 'scaling'
    ? fcError('ProvisionConfigExist', 'the qualifier has a provision configuration; delete it first')
    : fcError('ResidentScalingConfigExists', 'the qualifier has a scaling configuration; delete it first');
}

const put =
  (kind: Kind): FcAction =>
  async (call) => {
    const { deps, body } = call;
    const wanted = readWanted(kind, body);
    // Nothing is to be kept: that is no configuration. Source: sdk (`target: 0` removes it).
    const isNothing =
      wanted.target === 0 && wanted.schedules.length === 0 && wanted.tracking.length === 0 && wanted.allowsOnDemand;
    const { place, row } = await commit(deps, async (tx) => {
      const found = await find(tx, call);
      refuseOther(kind, found.row);
      const changed: ProvisionRow = { ...found.place, kind, settings: body, modifiedAt: deps.clock.now() };
      if (isNothing) {
        if (found.row !== null) await removeProvision(tx, found.row);
        return { ...found, row: null };
      }
      if (found.row === null) await tx.rows.provisions.insert(changed);
      else await tx.rows.provisions.update(changed);
      await tx.publish('provision', scalingKey(changed), provisionOf(changed));
      return { ...found, row: changed };
    });
    return { kind: 'json', value: await show(call, kind, place, row) };
  };

const get =
  (kind: Kind): FcAction =>
  async (call) => {
    const { place, row } = await call.deps.store.read((tx) => find(tx, call));
    return { kind: 'json', value: await show(call, kind, place, row?.kind === kind ? row : null) };
  };

const list =
  (kind: Kind, member: 'provisionConfigs' | 'scalingConfigs'): FcAction =>
  async (call) => {
    const { deps, received, version } = call;
    const page = readFcPage(received);
    const asked = (name: string) => queryValue(received.query, name) ?? '';
    const fits = (name: string, value: string) => asked(name) === '' || asked(name) === value;
    const isListed = (row: ProvisionRow) => {
      if (row.kind !== kind || !fits('qualifier', row.qualifier)) return false;
      if (version === '2023-03-30') return fits('functionName', fc3Name(row));
      return row.serviceName !== null && fits('serviceName', row.serviceName);
    };
    const found = await deps.store.read((tx) =>
      collectPage(page, {
        fetch: (startKey, limit) => tx.rows.provisions.list({ limit, ...(startKey === null ? {} : { startKey }) }),
        keyOf: scalingKey,
        keep: isListed,
      }),
    );
    const shown = await Promise.all(found.rows.map((row) => show(call, kind, row, row)));
    return { kind: 'json', value: { [member]: shown, nextToken: found.nextToken } };
  };

/** Also when there is none. */
const drop =
  (kind: Kind): FcAction =>
  async (call) => {
    await commit(call.deps, async (tx) => {
      const { row } = await find(tx, call);
      if (row?.kind === kind) await removeProvision(tx, row);
    });
    return { kind: 'empty' };
  };

export async function removeProvision(tx: WriteTransaction, row: ProvisionRow): Promise<void> {
  await tx.rows.provisions.delete(scalingKey(row));
  await tx.publish('provision', scalingKey(row), null);
}

export const putProvisionConfig = put('provision');
export const getProvisionConfig = get('provision');
export const listProvisionConfigs = list('provision', 'provisionConfigs');
export const deleteProvisionConfig = drop('provision');
export const putScalingConfig = put('scaling');
export const getScalingConfig = get('scaling');
export const listScalingConfigs = list('scaling', 'scalingConfigs');
export const deleteScalingConfig = drop('scaling');
