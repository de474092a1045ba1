// ListInstances: the instances that a function has running, as the data process tells.
import { latest } from '../../model/function.ts';
import type { InstanceFact } from '../../model/scaling.ts';
import type { FcAction } from '../action.ts';
import { queryValue } from '../received.ts';
import type { FcCall } from './call.ts';
import { getFunction, namedFunction } from './names.ts';
import { checkQualifier } from './qualifiers.ts';
import { refuseSetting } from './setting-rules.ts';
import { queryList } from './tag-lists.ts';

const limitMost = 1000;
const limitDefault = 20;

/** Of LATEST the version id is 0. Source: docs; `status` and `resourceType` assumed. */
function show({ version }: FcCall, fact: InstanceFact): Readonly<Record<string, unknown>> {
  const versionId = fact.versionId === latest ? '0' : fact.versionId;
  if (version !== '2023-03-30') return { instanceId: fact.instanceId, versionId };
  return {
    instanceId: fact.instanceId,
    versionId,
    qualifier: fact.qualifier,
    status: 'Running',
    createdTimeMs: fact.startedAt,
  };
}

function readLimit({ received }: FcCall): number {
  const text = queryValue(received.query, 'limit') ?? '';
  const limit = text === '' ? limitDefault : Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= limitMost) return limit;
  return refuseSetting('Limit', `1-${limitMost}`, text);
}

function readTime({ received }: FcCall, name: string, fallback: number): number {
  const text = queryValue(received.query, name) ?? '';
  if (text === '') return fallback;
  return /^\d{1,16}$/.test(text) ? Number(text) : refuseSetting(name, 'milliseconds', text);
}

/** Without a qualifier: all that the function has. Instances that have ended are not remembered. */
export const listInstances: FcAction = async (call) => {
  const { deps, received, path } = call;
  const asked = queryValue(received.query, 'qualifier') ?? path['qualifier'] ?? '';
  const functionKey = await deps.store.read(async (tx) => {
    const row = await getFunction(tx, namedFunction(call));
    if (asked !== '') await checkQualifier(tx, row, asked);
    return row.key;
  });
  const [ids, statuses] = [queryList(received, 'instanceIds'), queryList(received, 'instanceStatus')];
  const limit = readLimit(call);
  const [from, until] = [readTime(call, 'startTimeMs', 0), readTime(call, 'endTimeMs', Number.POSITIVE_INFINITY)];
  const startKey = queryValue(received.query, 'startKey') ?? '';
  const { instances } = await deps.instancesNow({ functionKey, qualifier: asked === '' ? null : asked });
  const listed = instances
    .filter(({ instanceId, startedAt }) => {
      const isAsked = ids.length === 0 || ids.includes(instanceId);
      return isAsked && instanceId >= startKey && startedAt >= from && startedAt <= until;
    })
    .filter(() => statuses.length === 0 || statuses.includes('Running'))
    .sort((left, right) => (left.instanceId < right.instanceId ? -1 : 1));
  return {
    kind: 'json',
    value: { instances: listed.slice(0, limit).map((fact) => show(call, fact)), requestId: received.requestId },
  };
};
