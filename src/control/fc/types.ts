// Reads request bodies and shapes answers of Function Compute by the catalogue's schemas: keys in any case in, canonical out.
import type { FcCatalogue, FcType } from '../catalogue.ts';
import { fcError } from '../errors.ts';

export type FcValue = string | number | boolean | readonly FcValue[] | FcRecord;
export type FcRecord = { readonly [name: string]: FcValue };
type Schemas = FcCatalogue['schemas'];

export function isFcRecord(value: unknown): value is FcRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text member; `` when absent. */
export function fcText(record: FcRecord, name: string): string {
  const value = record[name];
  return typeof value === 'string' ? value : '';
}

/** A number member; null when absent. */
export function fcNumber(record: FcRecord, name: string): number | null {
  const value = record[name];
  return typeof value === 'number' ? value : null;
}

/** An object member; null when absent. */
export function fcRecord(record: FcRecord, name: string): FcRecord | null {
  const value = record[name];
  return isFcRecord(value) ? value : null;
}

function wrongType(where: string, expected: string): never {
  throw fcError('InvalidArgument', `${where} is set to an invalid value: it must be ${expected}`);
}

function isMembers(type: Exclude<FcType, string>): type is { readonly [member: string]: FcType } {
  return !('array' in type) && !('map' in type) && !('json' in type);
}

/** The members of a schema or of an in-place object; null when `type` is no object with known members. */
function membersOf(schemas: Schemas, type: FcType): Readonly<Record<string, FcType>> | null {
  if (typeof type === 'string') return Object.hasOwn(schemas, type) ? (schemas[type] ?? null) : null;
  return isMembers(type) ? type : null;
}

function readScalar(type: string, value: unknown, where: string): FcValue {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : wrongType(where, 'a string');
    case 'number':
      return typeof value === 'number' ? value : wrongType(where, 'a number');
    case 'boolean':
      return typeof value === 'boolean' ? value : wrongType(where, 'a boolean');
    default:
      return value as FcValue;
  }
}

/**
 * Reads a JSON value as `type`: keys match without case, unknown ones are ignored, null means absent.
 * Errors: InvalidArgument naming the member. Source: sdk.
 */
export function readFcValue(schemas: Schemas, type: FcType, value: unknown, where: string): FcValue {
  const members = membersOf(schemas, type);
  if (members !== null) return readRecord(schemas, members, value, where);
  if (typeof type === 'string') return readScalar(type, value, where);
  if ('array' in type) {
    if (!Array.isArray(value)) return wrongType(where, 'a list');
    const item = type.array as FcType;
    return value.map((member, at) => readFcValue(schemas, item, member, `${where}[${at}]`));
  }
  if ('map' in type) {
    if (!isFcRecord(value)) return wrongType(where, 'an object');
    const item = type.map as FcType;
    const entries = Object.entries(value).map(
      ([name, member]) => [name, readFcValue(schemas, item, member, `${where}.${name}`)] as const,
    );
    return Object.fromEntries(entries);
  }
  return value as FcValue;
}

function readRecord(
  schemas: Schemas,
  members: Readonly<Record<string, FcType>>,
  value: unknown,
  where: string,
): FcRecord {
  if (!isFcRecord(value)) return wrongType(where === '' ? 'the request body' : where, 'an object');
  const canonical = new Map(Object.keys(members).map((name) => [name.toLowerCase(), name]));
  const entries: [string, FcValue][] = [];
  for (const [given, member] of Object.entries(value)) {
    const name = canonical.get(given.toLowerCase());
    if (name === undefined || member === null || member === undefined) continue;
    const type = members[name];
    if (type !== undefined) {
      const key = lowerFirstKey(name);
      entries.push([key, readFcValue(schemas, type, member, where === '' ? name : `${where}.${name}`)]);
    }
  }
  return Object.fromEntries(entries);
}

/** The catalogue spells a few members as one client does; answers never do. `Key` and `Value` of tags stay. */
function lowerFirstKey(name: string): string {
  return name === 'InstanceConcurrency' || name === 'Code' ? `${name.charAt(0).toLowerCase()}${name.slice(1)}` : name;
}

/** Reads a parsed JSON body by its schema. Errors: InvalidArgument naming the member. */
export function readFcBody(catalogue: FcCatalogue, type: FcType, json: unknown): FcRecord {
  const record = readFcValue(catalogue.schemas, type, json, '');
  return isFcRecord(record) ? record : {};
}

/** Brings a result to its schema: canonical members only; absent ones are left out, nulls stay. */
export function shapeFcAnswer(catalogue: FcCatalogue, type: FcType, value: unknown): unknown {
  if (value === null || value === undefined) return value;
  const members = membersOf(catalogue.schemas, type);
  if (members !== null) {
    if (!isFcRecord(value)) return value;
    const entries = Object.entries(members)
      .filter(([name]) => value[name] !== undefined)
      .map(([name, member]) => [name, shapeFcAnswer(catalogue, member, value[name])] as const);
    return Object.fromEntries(entries);
  }
  if (typeof type === 'string') return value;
  if ('array' in type && Array.isArray(value)) {
    const item = type.array as FcType;
    return value.map((member) => shapeFcAnswer(catalogue, item, member));
  }
  return value;
}
