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
const droppedKeywords: ReadonlySet<string> = new Set(['$async', '$id', '$schema']);
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
 * So is `$async`, a word of the library alone: its check would answer later, and what it finds would end the process.
 */
function modernise(schema: unknown, depth = 0): unknown {
  if (depth > depthLimit) throw new SchemaError(`it is nested deeper than ${depthLimit} levels`);
  if (Array.isArray(schema)) return schema.map((item) => modernise(item, depth + 1));
  if (!isObject(schema)) return schema;
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(schema)) {
    if (droppedKeywords.has(name) || (name === 'id' && typeof value === 'string')) continue;
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

/** Loads the validator. The function it gives throws SchemaError. */
export async function loadJsonSchemas(): Promise<CompileSchema> {
  const [{ compileDraft7 }, compilePattern] = await Promise.all([import('./json-schema-validator.ts'), loadPatterns()]);
  const regExp = Object.assign(
    (source: string) => {
      const pattern = compilePattern(source);
      return { test: (text: string) => pattern.matchesPart(text) };
    },
    { code: 'unused: nothing is compiled to a file' },
  );
  return (text) => {
    if (text.length > textLimit) throw new SchemaError(`it is longer than ${textLimit} characters`);
    let check: ReturnType<typeof compileDraft7>;
    try {
      const schema: unknown = JSON.parse(text);
      if (!isObject(schema)) throw new SchemaError('it is no JSON object');
      check = compileDraft7(modernise(schema) as object, text.length, regExp);
    } catch (cause) {
      throw new SchemaError(cause instanceof Error ? cause.message.slice(0, 300) : String(cause), { cause });
    }
    return (value) => {
      try {
        return check(value);
      } catch {
        return 'is nested too deeply'; // RangeError: the stack is full, or too many references; checks throw nothing else.
      }
    };
  };
}
