// Tags as they come and as rows hold them; and the lists that a query may hold. Used by the tag actions and the listings.
import type { TagRow } from '../../store/rows.ts';
import { fcError } from '../errors.ts';
import { queryValue, type Received } from '../received.ts';
import { type FcValue, fcText, isFcRecord } from './types.ts';

/** Tags of one thing. Source: docs (20; the lengths assumed). */
const tagLimit = 20;
const keyLimit = 128;
const valueLimit = 256;

function refuse(name: string, rule: string): never {
  throw fcError('InvalidArgument', `${name} is set to an invalid value: ${rule}`);
}

/** A JSON text in the query; `fallback` when it is absent or empty. Errors: InvalidArgument. */
function queryJson(received: Received, name: string, fallback: unknown): unknown {
  const text = queryValue(received.query, name) ?? '';
  if (text === '') return fallback;
  try {
    return JSON.parse(text);
  } catch {
    return refuse(name, 'it must be JSON');
  }
}

/**
 * A list of texts, in each form that clients send: repeated (`a=1&a=2`), flattened (`a.1=1&a.2=2`), or one JSON text (`a=["1","2"]`).
 * Source: sdk.
 */
export function queryList(received: Received, name: string): string[] {
  const values = received.query.filter(([key]) => key === name || key.startsWith(`${name}.`)).map(([, value]) => value);
  const [first = ''] = values;
  if (values.length > 1 || !first.startsWith('[')) return values.filter((value) => value !== '');
  const list = queryJson(received, name, []);
  if (!Array.isArray(list) || !list.every((value) => typeof value === 'string')) {
    return refuse(name, 'it must be a list of strings');
  }
  return list;
}

/** Tags that something must have; an empty value means any. */
export type WantedTag = { readonly key: string; readonly value: string };

/** `[{"Key":..,"Value":..}]` in the query. */
export function readQueryTags(received: Received, name: string): readonly WantedTag[] {
  const list = queryJson(received, name, []);
  if (!Array.isArray(list)) return refuse(name, 'it must be a list');
  return list.map((item: FcValue) => {
    if (!isFcRecord(item) || fcText(item, 'Key') === '') return refuse(name, 'each needs a Key');
    return { key: fcText(item, 'Key'), value: fcText(item, 'Value') };
  });
}

export function hasTags(row: { readonly tags?: readonly TagRow[] }, wanted: readonly WantedTag[]): boolean {
  const tags = row.tags ?? [];
  return wanted.every(({ key, value }) => tags.some((tag) => tag.key === key && (value === '' || tag.value === value)));
}

function checkTag(key: string, value: string): TagRow {
  if (key === '' || key.length > keyLimit) refuse('TagKey', `it must have 1-${keyLimit} characters`);
  if (value.length > valueLimit) refuse('TagValue', `it must have at most ${valueLimit} characters`);
  return { key, value };
}

/** `[{Key, Value}]` of a body. Errors: InvalidArgument. */
export function readTags(list: FcValue): readonly TagRow[] {
  if (!Array.isArray(list)) return [];
  const tags = list.map((item: FcValue) =>
    isFcRecord(item) ? checkTag(fcText(item, 'Key'), fcText(item, 'Value')) : refuse('Tag', 'it must be an object'),
  );
  return mergeTags([], tags);
}

/** `{key: value}` of a body. Errors: InvalidArgument. */
export function readTagMap(map: Readonly<Record<string, FcValue>>): readonly TagRow[] {
  return Object.entries(map).map(([key, value]) => checkTag(key, String(value)));
}

/** `added` over `tags`, in the order of keys. Errors: LimitExceededError. */
export function mergeTags(tags: readonly TagRow[], added: readonly TagRow[]): readonly TagRow[] {
  const merged = new Map(tags.map(({ key, value }) => [key, value]));
  for (const { key, value } of added) merged.set(key, value);
  if (merged.size > tagLimit) throw fcError('LimitExceededError', `a resource can have at most ${tagLimit} tags`);
  return [...merged].map(([key, value]) => ({ key, value })).sort((left, right) => (left.key < right.key ? -1 : 1));
}
