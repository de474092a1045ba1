// Actions on limits of instances: on-demand configurations of FC 2 (one a qualifier) and concurrency configurations of FC 3
// (one a function).
import { randomHex } from '../../base/ids.ts';
import { latest } from '../../model/function.ts';
import { scalingKey } from '../../model/scaling.ts';
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { InstanceLimitRow } from '../../store/rows.ts';
import type { FcAction } from '../action.ts';
import { fcError } from '../errors.ts';
import { commit } from '../ports.ts';
import { queryValue } from '../received.ts';
import type { FcAnswer, FcCall } from './call.ts';
import { checkIfMatch, fc3Name, getFunction, namedFunction } from './names.ts';
import { collectPage, readFcPage } from './pages.ts';
import { checkQualifier } from './qualifiers.ts';
import { refuseSetting } from './setting-rules.ts';
import { fcNumber } from './types.ts';

/** More than any installation has. Source: assumed. */
const highest = 1_000_000;

function isFc3(call: FcCall): boolean {
  return call.version === '2023-03-30';
}

/** `services/S.Q/functions/F`. Source: sdk. */
function resourceOf({ serviceName, functionName, qualifier }: InstanceLimitRow): string {
  return `services/${serviceName ?? ''}.${qualifier ?? latest}/functions/${functionName}`;
}

function show({ deps }: FcCall, row: InstanceLimitRow): Readonly<Record<string, unknown>> {
  if (row.qualifier !== null) return { resource: resourceOf(row), maximumInstanceCount: row.maximum };
  const { regionId, accountId } = deps.account;
  const functionArn = `acs:fc:${regionId}:${accountId}:functions/${fc3Name(row)}`;
  return { functionArn, reservedConcurrency: row.maximum };
}

function answer(call: FcCall, row: InstanceLimitRow): FcAnswer {
  return { kind: 'json', value: show(call, row), etag: row.etag };
}

/** Null when there is none. Errors: ServiceNotFound, FunctionNotFound. */
async function find(tx: ReadTransaction, call: FcCall): Promise<InstanceLimitRow | null> {
  const { key } = await getFunction(tx, namedFunction(call));
  return await tx.rows.instanceLimits.get(scalingKey({ functionKey: key, qualifier: qualifierOf(call) }));
}

function qualifierOf(call: FcCall): string | null {
  return isFc3(call) ? null : call.qualifier;
}

async function get(tx: ReadTransaction, call: FcCall): Promise<InstanceLimitRow> {
  const row = await find(tx, call);
  if (row !== null) return row;
  // One code for both generations. Source: sdk.
  const name = isFc3(call) ? 'ConcurrencyConfig' : 'OnDemandConfig';
  throw fcError('OnDemandConfigNotFound', `${name} of function '${call.path['functionName'] ?? ''}' does not exist`);
}

function readMaximum(call: FcCall): number {
  const name = isFc3(call) ? 'reservedConcurrency' : 'maximumInstanceCount';
  const spelled = isFc3(call) ? 'ReservedConcurrency' : 'MaximumInstanceCount';
  const maximum = fcNumber(call.body, name);
  if (maximum === null) throw fcError('InvalidArgument', `${spelled} is required`);
  if (!Number.isInteger(maximum) || maximum < 0 || maximum > highest) {
    refuseSetting(spelled, `0-${highest}`, maximum);
  }
  return maximum;
}

export const putInstanceLimit: FcAction = async (call) => {
  const { deps } = call;
  const maximum = readMaximum(call);
  const changed = await commit(deps, async (tx) => {
    const of = await getFunction(tx, namedFunction(call));
    const qualifier = qualifierOf(call);
    if (qualifier !== null) await checkQualifier(tx, of, qualifier);
    const old = await find(tx, call);
    checkIfMatch(call.received, old?.etag ?? '');
    const { key: functionKey, serviceName, functionName } = of;
    const row = { functionKey, serviceName, functionName, qualifier, maximum, etag: randomHex(16) };
    if (old === null) await tx.rows.instanceLimits.insert(row);
    else await tx.rows.instanceLimits.update(row);
    await tx.publish('instanceLimit', scalingKey(row), { functionKey, qualifier, maximum });
    return row;
  });
  return answer(call, changed);
};

export const getInstanceLimit: FcAction = async (call) =>
  answer(call, await call.deps.store.read((tx) => get(tx, call)));

export const deleteInstanceLimit: FcAction = async (call) => {
  await commit(call.deps, async (tx) => {
    const row = await get(tx, call);
    checkIfMatch(call.received, row.etag);
    await removeInstanceLimit(tx, row);
  });
  return { kind: 'empty' };
};

export async function removeInstanceLimit(tx: WriteTransaction, row: InstanceLimitRow): Promise<void> {
  await tx.rows.instanceLimits.delete(scalingKey(row));
  await tx.publish('instanceLimit', scalingKey(row), null);
}

/** FC 2 lists by prefix of the resource, FC 3 by function. An empty list of FC 2 is null. Source: sdk. */
export const listInstanceLimits: FcAction = async (call) => {
  const { received } = call;
  const page = readFcPage(received);
  const functionName = queryValue(received.query, 'functionName') ?? '';
  const isListed = (row: InstanceLimitRow) =>
    isFc3(call)
      ? row.qualifier === null && (functionName === '' || fc3Name(row) === functionName)
      : row.qualifier !== null && resourceOf(row).startsWith(page.prefix);
  const found = await call.deps.store.read((tx) =>
    collectPage(page, {
      fetch: (startKey, limit) => tx.rows.instanceLimits.list({ limit, ...(startKey === null ? {} : { startKey }) }),
      keyOf: scalingKey,
      keep: isListed,
    }),
  );
  const configs = found.rows.map((row) => show(call, row));
  const isNothing = configs.length === 0 && !isFc3(call);
  return { kind: 'json', value: { configs: isNothing ? null : configs, nextToken: found.nextToken } };
};
