// Compiles what an API declares about a parameter into one check. Called by the gateway's mapping-plan.ts, at an API's first request, and by
// control/, which refuses defaults that the gateway would not take from a client.
import { comparable, type ExactNumber } from '../base/exact-number.ts';
import { type CompileSchema, loadJsonSchemas, type SchemaCheck, SchemaError } from '../base/json-schema.ts';
import { type CompilePattern, loadPatterns, PatternError } from '../base/safe-pattern.ts';
import type { ApiDefinition, RequestParameter } from './api.ts';

/** What is wrong with a value, in words for `Invalid parameter … {Reason}`; null when nothing is. */
export type ValueCheck = (value: string) => string | null;

/** A definition that cannot be compiled: the API answers X500AM. */
export class BadDefinition extends Error {
  override readonly name = 'BadDefinition';
}

/** Values longer than this are not put to a regular expression: they are refused. In characters. Source: assumed. */
const regexValueLimit = 8192;

const integer = /^[+-]?\d{1,19}$/;
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?$/;
const longLimit = 2n ** 63n;

function exactInteger(value: string): bigint {
  return BigInt(value.startsWith('+') ? value.slice(1) : value);
}

/** Longs beyond 2^53 are compared as they are: as numbers, neighbours of a bound would be equal to it. */
function exactNumber(value: string): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : exactInteger(value);
}

/** Of Float and Double the bound is rounded as the value is, or the bound itself would be refused. */
function rangeChecks(type: string, minValue: ExactNumber | null, maxValue: ExactNumber | null): ValueCheck[] {
  const isLong = type === 'long';
  const numberOf = isLong ? exactNumber : Number;
  const boundOf = isLong ? comparable : Number;
  const checks: ValueCheck[] = [];
  if (minValue !== null) {
    const least = boundOf(minValue);
    checks.push((value) => (numberOf(value) >= least ? null : `is less than ${minValue}`));
  }
  if (maxValue !== null) {
    const most = boundOf(maxValue);
    checks.push((value) => (numberOf(value) <= most ? null : `exceeds maximum ${maxValue}`));
  }
  return checks;
}

const typeChecks: Readonly<Record<string, ValueCheck>> = {
  int: (value) =>
    integer.test(value) && Number(value) >= -(2 ** 31) && Number(value) < 2 ** 31 ? null : 'is not an Int',
  long: (value) => {
    if (!integer.test(value)) return 'is not a Long';
    const number = exactInteger(value);
    return number >= -longLimit && number < longLimit ? null : 'is not a Long';
  },
  float: (value) => (decimal.test(value) ? null : 'is not a Float'),
  double: (value) => (decimal.test(value) ? null : 'is not a Double'),
  boolean: (value) => (/^(true|false)$/i.test(value) ? null : 'is not a Boolean'),
};
const numericTypes: ReadonlySet<string> = new Set(['int', 'long', 'float', 'double']);

/** What compiles patterns and schemas; null when the definition has none. */
export type Engines = { readonly pattern: CompilePattern | null; readonly schema: CompileSchema | null };

const noEngines: Engines = { pattern: null, schema: null };

/** The engines that a definition needs; at once when it needs none. */
export function enginesFor({ parameters, request }: ApiDefinition): Engines | Promise<Engines> {
  const needsPatterns = parameters.some((parameter) => parameter.regularExpression);
  const needsSchemas = Boolean(request.bodySchema) || parameters.some((parameter) => parameter.jsonScheme);
  return needsPatterns || needsSchemas ? loadEngines(needsPatterns, needsSchemas) : noEngines;
}

async function loadEngines(needsPatterns: boolean, needsSchemas: boolean): Promise<Engines> {
  return {
    pattern: needsPatterns ? await loadPatterns() : null,
    schema: needsSchemas ? await loadJsonSchemas() : null,
  };
}

function compilePattern({ name }: RequestParameter, source: string, { pattern: compile }: Engines): ValueCheck {
  if (compile === null) throw new Error('the engine of patterns was not loaded');
  try {
    const pattern = compile(source);
    return (value) => {
      if (value.length > regexValueLimit) return 'is too long to be matched';
      return pattern.matchesAll(value) ? null : 'does not match the regular expression';
    };
  } catch (cause) {
    if (!(cause instanceof PatternError)) throw cause;
    throw new BadDefinition(`the regular expression of parameter ${name} cannot be used: ${cause.message}`, { cause });
  }
}

/** Errors: BadDefinition. `whose` names what the schema describes. */
export function compileSchema(whose: string, text: string, { schema: compile }: Engines): SchemaCheck {
  if (compile === null) throw new Error('the engine of schemas was not loaded');
  try {
    return compile(text);
  } catch (cause) {
    if (!(cause instanceof SchemaError)) throw cause;
    throw new BadDefinition(`the JSON schema of ${whose} cannot be used: ${cause.message}`, { cause });
  }
}

/** Parses a text as JSON; undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // SyntaxError is JSON.parse's only failure.
  }
}

function compileScheme({ name }: RequestParameter, text: string, engines: Engines): ValueCheck {
  const check = compileSchema(`parameter ${name}`, text, engines);
  return (value) => {
    const parsed = parseJson(value);
    return parsed === undefined ? 'is not JSON' : check(parsed);
  };
}

/** The type of the values that are checked: of an Array that of its items. */
function checkedType({ type, itemType }: RequestParameter): string {
  return type.toLowerCase() === 'array' ? (itemType ?? 'String') : type;
}

/** What is wrong with a value's form, whatever else it may be; null for types that take any text. */
export function typeCheckOf(parameter: RequestParameter): ValueCheck | null {
  return typeChecks[checkedType(parameter).toLowerCase()] ?? null;
}

/** The members of an EnumValue. */
export function enumMembers(enumValue: string): string[] {
  return enumValue.split(',').map((member) => member.trim());
}

/**
 * One check for all that is declared; null when everything is allowed. Of an Array it is put to each item.
 *
 * Ranges and lengths are inclusive, lengths in characters; a regular expression must match the whole value; enum
 * members are compared as text. Errors: BadDefinition.
 * Source: docs; the wordings and full match are assumed. A text with a JSON schema is
 * parsed as JSON and checked by it.
 */
export function compileCheck(parameter: RequestParameter, engines: Engines): ValueCheck | null {
  const checks: ValueCheck[] = [];
  const type = checkedType(parameter).toLowerCase();
  const typeCheck = typeCheckOf(parameter);
  if (typeCheck !== null) checks.push(typeCheck);
  const { minValue, maxValue, minLength, maxLength } = parameter;
  if (numericTypes.has(type)) {
    checks.push(...rangeChecks(type, minValue, maxValue));
  } else if (type === 'string') {
    if (minLength !== null) {
      checks.push((value) => (countCharacters(value) >= minLength ? null : `is shorter than ${minLength}`));
    }
    if (maxLength !== null) {
      checks.push((value) => (countCharacters(value) <= maxLength ? null : `is longer than ${maxLength}`));
    }
    if (parameter.regularExpression) checks.push(compilePattern(parameter, parameter.regularExpression, engines));
    if (parameter.jsonScheme) checks.push(compileScheme(parameter, parameter.jsonScheme, engines));
  }
  if (parameter.enumValue) {
    const members = new Set(enumMembers(parameter.enumValue));
    checks.push((value) => (members.has(value) ? null : 'is not one of the allowed values'));
  }
  if (checks.length === 0) return null;
  return (value) => {
    for (const check of checks) {
      const reason = check(value);
      if (reason !== null) return reason;
    }
    return null;
  };
}

/** Longest text about what a parameter may be, in characters. */
const expectedLimit = 500;

/** What compileCheck() checks, for whoever sent something else: `a value of type Int, at most 120`. */
export function expectedOf(parameter: RequestParameter): string {
  const { minValue, maxValue, minLength, maxLength, regularExpression, jsonScheme, enumValue } = parameter;
  const type = checkedType(parameter);
  const isArray = parameter.type.toLowerCase() === 'array';
  const parts = [isArray ? `${type} values` : `a value of type ${type}`];
  if (numericTypes.has(type.toLowerCase())) {
    if (minValue !== null) parts.push(`at least ${minValue}`);
    if (maxValue !== null) parts.push(`at most ${maxValue}`);
  } else if (type.toLowerCase() === 'string') {
    if (minLength !== null) parts.push(`at least ${minLength} characters`);
    if (maxLength !== null) parts.push(`at most ${maxLength} characters`);
    if (regularExpression) parts.push(`all of it matching ${regularExpression}`);
    if (jsonScheme) parts.push('JSON by its schema');
  }
  if (enumValue) parts.push(`one of ${enumValue}`);
  return parts.join(', ').slice(0, expectedLimit);
}

/** Code points; only texts with surrogate pairs have fewer of them than UTF-16 units. */
function countCharacters(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit < 0xdc00) {
      const next = text.charCodeAt(i + 1);
      if (next >= 0xdc00 && next < 0xe000) {
        count--;
        i++;
      }
    }
  }
  return count;
}
