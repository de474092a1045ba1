// JSON Schemas that other people wrote (draft 4 to 7). Used by gateway/ (values and bodies) and control/ (models).
// The validator is loaded when the first schema needs it.
import { loadPatterns } from './safe-pattern.ts';

/** What is wrong with a value, e.g. `/age must be >= 0`; null when nothing is. */
export type SchemaCheck = (value: unknown) => string | null;

/** A text that is no JSON Schema, or one that would have to be fetched. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError';
}

export type CompileSchema = (text: string) => SchemaCheck;

/** Longest schema, in characters. */
const textLimit = 64 * 1024;
const depthLimit = 64;

type JsonObject = { readonly [name: string]: unknown };

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Keywords whose value is a schema, a list of schemas, or schemas by name. */
const schemaKeywords: ReadonlySet<string> = new Set([
  'additionalItems',
  'additionalProperties',
  'allOf',
  'anyOf',
  'contains',
  'else',
  'if',
  'items',
  'not',
  'oneOf',
  'propertyNames',
  'then',
]);
const mapKeywords: ReadonlySet<string> = new Set([
  '$defs',
  'definitions',
  'dependencies',
  'patternProperties',
  'properties',
]);

/**
 * The same schema in the words of draft 7: draft 4 has `exclusiveMinimum: true` beside `minimum`, and `id`.
 * Names of schemas are dropped, so that two schemas cannot clash; `$ref` works within the document (`#/definitions/x`).
 */
function modernise(schema: unknown, depth = 0): unknown {
  if (depth > depthLimit) throw new SchemaError(`it is nested deeper than ${depthLimit} levels`);
  if (Array.isArray(schema)) return schema.map((item) => modernise(item, depth + 1));
  if (!isObject(schema)) return schema;
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(schema)) {
    if (name === '$schema' || name === '$id' || (name === 'id' && typeof value === 'string')) continue;
    if (schemaKeywords.has(name)) result[name] = modernise(value, depth + 1);
    else if (mapKeywords.has(name) && isObject(value)) {
      result[name] = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, modernise(item, depth + 1)]));
    } else result[name] = value;
  }
  for (const [exclusive, bound] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    if (typeof result[exclusive] !== 'boolean') continue;
    if (result[exclusive] && bound in result) {
      result[exclusive] = result[bound];
      delete result[bound];
    } else delete result[exclusive];
  }
  return result;
}

/** A text that is equal for equal JSON values. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
}

/** Loads the validator. The function it gives throws SchemaError. */
export async function loadJsonSchemas(): Promise<CompileSchema> {
  const [{ Ajv }, compilePattern] = await Promise.all([import('ajv'), loadPatterns()]);
  const regExp = Object.assign(
    (source: string) => {
      const pattern = compilePattern(source);
      return { test: (text: string) => pattern.matchesPart(text) };
    },
    { code: 'unused: nothing is compiled to a file' },
  );
  return (text) => {
    if (text.length > textLimit) throw new SchemaError(`it is longer than ${textLimit} characters`);
    // One validator a schema, so that nothing of it stays when the schema goes.
    const ajv = new Ajv({ strict: false, validateFormats: false, logger: false, code: { regExp } });
    // The library compares each item with each other one: a long list would hold up everyone.
    ajv.removeKeyword('uniqueItems');
    ajv.addKeyword({
      keyword: 'uniqueItems',
      type: 'array',
      schemaType: 'boolean',
      errors: false,
      validate: (isWanted: boolean, items: unknown[]) =>
        !isWanted || new Set(items.map(canonical)).size === items.length,
    });
    let check: ReturnType<typeof ajv.compile>;
    try {
      const schema: unknown = JSON.parse(text);
      if (!isObject(schema)) throw new SchemaError('it is no JSON object');
      check = ajv.compile(modernise(schema) as object);
    } catch (cause) {
      throw new SchemaError(cause instanceof Error ? cause.message.slice(0, 300) : String(cause), { cause });
    }
    return (value) => {
      try {
        if (check(value)) return null;
      } catch {
        return 'is nested too deeply'; // RangeError: the stack is full; checks throw nothing else.
      }
      const [first] = check.errors ?? [];
      return `${first?.instancePath ?? ''} ${first?.message ?? 'is not as the schema says'}`.trim();
    };
  };
}
