// Tag actions: of services by ARN in the two older versions, of functions by lists in 2023-03-30 (`/tags-v2`).
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { FunctionRow, ServiceRow, TagRow } from '../../store/rows.ts';
import type { FcAction } from '../action.ts';
import { fcError } from '../errors.ts';
import { commit } from '../ports.ts';
import { queryValue } from '../received.ts';
import type { FcCall } from './call.ts';
import { fc3Name, getFunction, getService, parseFc3Name } from './names.ts';
import { collectPage, type FcPage, pageToken, readFcPage, readToken } from './pages.ts';
import { mergeTags, queryList, readQueryTags, readTagMap, readTags, type WantedTag } from './tag-lists.ts';
import { type FcRecord, type FcValue, fcRecord, fcText } from './types.ts';

/** `acs:fc:<region>:<account>:<resource>`, or only the resource. Errors: CrossAccountAccessDenied. Source: sdk. */
function resourceOf(call: FcCall, arn: string): string {
  const match = /^acs:fc:([^:]*):([^:]*):(.*)$/s.exec(arn);
  if (match === null) return arn;
  const { accountId } = call.deps.account;
  if (match[2] !== '' && match[2] !== accountId) {
    throw fcError('CrossAccountAccessDenied', `the resource belongs to account '${(match[2] ?? '').slice(0, 50)}'`);
  }
  return match[3] ?? '';
}

function taggedServiceName(call: FcCall, arn: string): string {
  const name = /^services\/([^/]+)$/.exec(resourceOf(call, arn))?.[1];
  if (name === undefined) {
    throw fcError(
      'InvalidArgument',
      `ResourceArn is set to an invalid value (allowed: services/<name>, actual: '${arn.slice(0, 200)}')`,
    );
  }
  return name;
}

function tagMap(tags: readonly TagRow[]): Readonly<Record<string, string>> {
  return Object.fromEntries(tags.map(({ key, value }) => [key, value]));
}

export const tagResource: FcAction = async (call) => {
  const serviceName = taggedServiceName(call, fcText(call.body, 'resourceArn'));
  const added = readTagMap(fcRecord(call.body, 'tags') ?? {});
  if (added.length === 0) throw fcError('InvalidArgument', 'Tags is required');
  await commit(call.deps, async (tx) => {
    const service = await getService(tx, serviceName);
    await tx.rows.services.update({ ...service, tags: mergeTags(service.tags ?? [], added) });
  });
  return { kind: 'empty' };
};

/** Errors: InvalidArgument when neither keys nor `all` are given. */
function untagged(tags: readonly TagRow[], keys: readonly string[], isAll: boolean): readonly TagRow[] {
  if (isAll) return [];
  if (keys.length === 0) throw fcError('InvalidArgument', 'TagKeys is required unless All is true');
  return tags.filter(({ key }) => !keys.includes(key));
}

function textsIn(value: FcValue | undefined): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

export const untagResource: FcAction = async (call) => {
  const serviceName = taggedServiceName(call, fcText(call.body, 'resourceArn'));
  const keys = textsIn(call.body['tagKeys']);
  await commit(call.deps, async (tx) => {
    const service = await getService(tx, serviceName);
    const tags = untagged(service.tags ?? [], keys, call.body['all'] === true);
    await tx.rows.services.update({ ...service, tags });
  });
  return { kind: 'empty' };
};

/** The ARN is answered as it came. Source: sdk. */
export const getResourceTags: FcAction = async (call) => {
  const resourceArn = queryValue(call.received.query, 'resourceArn') ?? '';
  const name = taggedServiceName(call, resourceArn);
  const { tags = [] } = await call.deps.store.read((tx) => getService(tx, name));
  return { kind: 'json', value: { resourceArn, tags: tagMap(tags) } };
};

function arnOf(call: FcCall, resource: string): string {
  const { accountId, regionId } = call.deps.account;
  return `acs:fc:${regionId}:${accountId}:${resource}`;
}

export const listTaggedResources: FcAction = async (call) => {
  const page = readFcPage(call.received);
  const found = await call.deps.store.read((tx) =>
    collectPage<ServiceRow>(page, {
      fetch: (startKey, limit) => tx.rows.services.list({ limit, ...(startKey === null ? {} : { startKey }) }),
      keyOf: (row) => row.serviceName,
      keep: (row) => (row.tags ?? []).length > 0,
    }),
  );
  const resources = found.rows.map((row) => ({
    resourceArn: arnOf(call, `services/${row.serviceName}`),
    tags: tagMap(row.tags ?? []),
  }));
  return { kind: 'json', value: { resources, nextToken: found.nextToken } };
};

/** Written `function`, `Function` or `FUNCTION`. Source: sdk. */
function requireFunctionType(type: string): void {
  if (type.toLowerCase() === 'function') return;
  throw fcError(
    'InvalidArgument',
    `ResourceType is set to an invalid value (allowed: function, actual: '${type.slice(0, 50)}')`,
  );
}

const resourcesAtOnce = 50;

function checkIds(ids: readonly string[]): readonly string[] {
  if (ids.length > 0 && ids.length <= resourcesAtOnce) return ids;
  throw fcError('InvalidArgument', `ResourceId is set to an invalid value: 1-${resourcesAtOnce} are allowed`);
}

/** By name, `functions/<name>` or ARN. */
function functionOf(tx: ReadTransaction, call: FcCall, resourceId: string): Promise<FunctionRow> {
  return getFunction(tx, parseFc3Name(resourceOf(call, resourceId).replace(/^functions\//, '')));
}

async function changeTags(
  tx: WriteTransaction,
  call: FcCall,
  { ids, change }: { ids: readonly string[]; change: (tags: readonly TagRow[]) => readonly TagRow[] },
): Promise<void> {
  for (const id of ids) {
    const row = await functionOf(tx, call, id);
    await tx.rows.functions.update({ ...row, tags: change(row.tags ?? []) });
  }
}

export const tagResources: FcAction = async (call) => {
  const body: FcRecord = call.body;
  requireFunctionType(fcText(body, 'ResourceType'));
  const ids = checkIds(textsIn(body['ResourceId']));
  const added = readTags(body['Tag'] ?? []);
  if (added.length === 0) throw fcError('InvalidArgument', 'Tag is required');
  await commit(call.deps, (tx) => changeTags(tx, call, { ids, change: (tags) => mergeTags(tags, added) }));
  return { kind: 'empty' };
};

export const untagResources: FcAction = async (call) => {
  const { received } = call;
  requireFunctionType(queryValue(received.query, 'ResourceType') ?? '');
  const ids = checkIds(queryList(received, 'ResourceId'));
  const keys = queryList(received, 'TagKey');
  const isAll = (queryValue(received.query, 'All') ?? '').toLowerCase() === 'true';
  await commit(call.deps, (tx) => changeTags(tx, call, { ids, change: (tags) => untagged(tags, keys, isAll) }));
  return { kind: 'empty' };
};

type TagEntry = { readonly id: string; readonly name: string; readonly tag: TagRow };

/** The place of an entry among all: by function, then by tag. Neither holds the separator. */
function placeOf({ name, tag }: TagEntry): string {
  return `${name}\u0000${tag.key}`;
}

/** The entries of one function that are asked for. */
function entriesOf(row: FunctionRow, id: string, wanted: readonly WantedTag[]): TagEntry[] {
  const tags = row.tags ?? [];
  const isWanted = ({ key, value }: TagRow) =>
    wanted.length === 0 || wanted.some((tag) => tag.key === key && (tag.value === '' || tag.value === value));
  return tags.filter(isWanted).map((tag) => ({ id, name: row.key, tag }));
}

type TagQuery = { readonly ids: readonly string[]; readonly wanted: readonly WantedTag[]; readonly page: FcPage };

/** One entry more than the page holds, if there are so many. */
async function findEntries(tx: ReadTransaction, call: FcCall, { ids, wanted, page }: TagQuery): Promise<TagEntry[]> {
  const isDue = (entry: TagEntry) => page.startKey === null || placeOf(entry) >= page.startKey;
  if (ids.length > 0) {
    const entries: TagEntry[] = [];
    for (const id of ids) entries.push(...entriesOf(await functionOf(tx, call, id), id, wanted));
    entries.sort((left, right) => (placeOf(left) < placeOf(right) ? -1 : 1));
    return entries.filter(isDue).slice(0, page.limit + 1);
  }
  const startKey = page.startKey?.split('\u0000')[0];
  const { rows } = await collectPage<FunctionRow>(
    { limit: page.limit + 1, prefix: '', startKey: startKey ?? null },
    {
      fetch: (start, limit) => tx.rows.functions.list({ limit, ...(start === null ? {} : { startKey: start }) }),
      keyOf: (row) => row.key,
      keep: (row) => entriesOf(row, '', wanted).some(isDue),
    },
  );
  const idOf = (row: FunctionRow) => arnOf(call, `functions/${fc3Name(row)}`);
  return rows
    .flatMap((row) => entriesOf(row, idOf(row), wanted))
    .filter(isDue)
    .slice(0, page.limit + 1);
}

/** Parameters in capitals; asked for by ids, they are answered as they came. Source: sdk. */
function readTagPage(call: FcCall): FcPage {
  const { query } = call.received;
  const limit = Number(queryValue(query, 'Limit') || '50');
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) {
    throw fcError('InvalidArgument', `Limit is set to an invalid value (allowed: 1-100)`);
  }
  const token = queryValue(query, 'NextToken') ?? '';
  return { limit, prefix: '', startKey: token === '' ? null : readToken(token) };
}

export const listTagResources: FcAction = async (call) => {
  const { received } = call;
  requireFunctionType(queryValue(received.query, 'ResourceType') ?? '');
  const page = readTagPage(call);
  const ids = queryList(received, 'ResourceId');
  if (ids.length > 0) checkIds(ids);
  const wanted = readQueryTags(received, 'Tag');
  const found = await call.deps.store.read((tx) => findEntries(tx, call, { ids, wanted, page }));
  const next = found[page.limit];
  const entries = found.slice(0, page.limit).map(({ id, tag }) => ({
    ResourceType: 'function',
    ResourceId: id,
    TagKey: tag.key,
    TagValue: tag.value,
  }));
  return {
    kind: 'json',
    value: {
      RequestId: received.requestId,
      TagResources: entries,
      NextToken: next === undefined ? undefined : pageToken(placeOf(next)),
    },
  };
};
