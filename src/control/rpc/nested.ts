// Reads a parameter that holds JSON (RequestConfig, RequestParameters ...) by the catalogue's schema: keys and enumerations in any
// case, numbers and booleans also as text (whole ones that would be rounded stay digits), empty text as absent, unknown keys dropped. Called while arguments are parsed.
import { type ExactNumber, parseJsonExactly, readExactNumber } from '../../base/exact-number.ts';
import type { NestedField, NestedSchema } from '../catalogue.ts';
import { openApiError } from '../errors.ts';

export type NestedValue = string | number | boolean | readonly NestedValue[] | NestedRecord;
export type NestedRecord = { readonly [name: string]: NestedValue };
type Schemas = Readonly<Record<string, NestedSchema>>;

function invalid(key: string, where: string, detail: string): never {
  throw openApiError(`Invalid${key}`, `The parameter ${where} ${detail}.`);
}

function show(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}

function readNumber(value: unknown, key: string, where: string): ExactNumber {
  const number = typeof value === 'number' ? value : typeof value === 'string' ? readExactNumber(value) : Number.NaN;
  return Number.isFinite(Number(number)) ? number : invalid(key, where, `must be a number, not '${show(value)}'`);
}

function readInteger(value: unknown, key: string, where: string): number {
  const number = readNumber(value, key, where);
  if (typeof number === 'number' && Number.isSafeInteger(number)) return number;
  return invalid(key, where, `must be a whole number, not '${show(value)}'`);
}

function readBoolean(value: unknown, key: string, where: string): boolean {
  const text = String(value).toLowerCase();
  if (text === 'true' || text === 'open') return true;
  if (text === 'false' || text === 'closed') return false;
  return invalid(key, where, `must be true or false, not '${show(value)}'`);
}

function readText(value: unknown, field: NestedField, key: string, where: string): string {
  if (Array.isArray(value) && field.type === 'csv') return value.map((item) => String(item)).join(',');
  if (typeof value === 'object') return invalid(key, where, `must be a text, not '${show(value)}'`);
  const text = String(value);
  if (field.enum === undefined) return text;
  const canonical = (word: string): string => {
    const found = field.enum?.find((known) => known.toLowerCase() === word.trim().toLowerCase());
    return found ?? invalid(key, where, `must be one of ${field.enum?.join(', ')}, not '${show(word)}'`);
  };
  return field.type === 'csv' ? text.split(',').map(canonical).join(',') : canonical(text);
}

function readList(value: unknown, key: string, where: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return invalid(key, where, `must be a list, not '${show(value)}'`);
}

function readField(schemas: Schemas, field: NestedField, value: unknown, key: string, where: string): NestedValue {
  switch (field.type) {
    case 'string':
    case 'csv':
      return readText(value, field, key, where);
    case 'integer':
    case 'integer|string':
      return readInteger(value, key, where);
    case 'long':
    case 'number':
      return readNumber(value, key, where);
    case 'boolean':
      return readBoolean(value, key, where);
    case 'array': {
      const members = Object.entries(field.items ?? {}).map(([name, type]): [string, NestedField] => [name, { type }]);
      const schema: NestedSchema = Object.fromEntries(members);
      return readList(value, key, where).map((item, at) => readRecord(schemas, schema, item, key, `${where}[${at}]`));
    }
    default: {
      const schema = schemas[field.type];
      if (schema === undefined) throw new Error(`the catalogue names no schema ${field.type}`);
      return readRecord(schemas, schema, value, key, where);
    }
  }
}

function readRecord(schemas: Schemas, schema: NestedSchema, value: unknown, key: string, where: string): NestedRecord {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return invalid(key, where, `must be an object, not '${show(value)}'`);
  }
  const given = new Map(Object.entries(value).map(([name, member]) => [name.toLowerCase(), member]));
  const record: Record<string, NestedValue> = {};
  for (const [name, field] of Object.entries(schema)) {
    const member: unknown = given.get(name.toLowerCase());
    if (member === undefined || member === null || member === '') {
      if (field.required) throw openApiError(`Missing${name}`, `The parameter ${where}.${name} is mandatory.`);
      if (field.default !== undefined) record[name] = field.default;
      continue;
    }
    record[name] = readField(schemas, field, member, name, `${where}.${name}`);
  }
  return record;
}

/**
 * Reads the JSON text of parameter `name` as schema `type` (`RequestConfig`, `RequestParameter[]`).
 *
 * Errors: Invalid{name} for text that is no JSON, Invalid{Key} and Missing{Key} for members; the message names the place.
 * Source: docs.
 */
export function readNested(schemas: Schemas, type: string, text: string, name: string): NestedValue {
  let value: unknown;
  try {
    value = parseJsonExactly(text);
  } catch {
    return invalid(name, name, 'is not valid JSON');
  }
  if (!type.endsWith('[]')) return readField(schemas, { type }, value, name, name);
  const item = type.slice(0, -2);
  return readList(value, name, name).map((member, at) =>
    readField(schemas, { type: item }, member, name, `${name}[${at}]`),
  );
}
