// Compiles what an API declares about a parameter into one check. Called once for each change by compile-api.ts.
import type { RequestParameter } from '../model/api.ts';

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

const typeChecks: Readonly<Record<string, ValueCheck>> = {
  int: (value) =>
    integer.test(value) && Number(value) >= -(2 ** 31) && Number(value) < 2 ** 31 ? null : 'is not an Int',
  long: (value) => {
    if (!integer.test(value)) return 'is not a Long';
    const number = BigInt(value.startsWith('+') ? value.slice(1) : value);
    return number >= -longLimit && number < longLimit ? null : 'is not a Long';
  },
  float: (value) => (decimal.test(value) ? null : 'is not a Float'),
  double: (value) => (decimal.test(value) ? null : 'is not a Double'),
  boolean: (value) => (/^(true|false)$/i.test(value) ? null : 'is not a Boolean'),
};
const numericTypes: ReadonlySet<string> = new Set(['int', 'long', 'float', 'double']);

function compilePattern(parameter: RequestParameter, source: string): ValueCheck {
  let pattern: RegExp;
  try {
    pattern = new RegExp(`^(?:${source})$`);
  } catch (cause) {
    throw new BadDefinition(`the regular expression of parameter ${parameter.name} cannot be compiled`, { cause });
  }
  return (value) => {
    if (value.length > regexValueLimit) return 'is too long to be matched';
    return pattern.test(value) ? null : 'does not match the regular expression';
  };
}

function isJson(value: string): boolean {
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false; // SyntaxError is JSON.parse's only failure.
  }
}

/**
 * One check for all that is declared; null when everything is allowed.
 *
 * Ranges and lengths are inclusive, lengths in characters; a regular expression must match the whole value; enum
 * members are compared as text. Errors: BadDefinition.
 * Source: docs (gateway.md 3.6); the wordings and full match are assumed. A JSON schema is not applied yet: the value
 * must be JSON.
 */
export function compileCheck(parameter: RequestParameter): ValueCheck | null {
  const checks: ValueCheck[] = [];
  const type = parameter.type.toLowerCase();
  const typeCheck = typeChecks[type];
  if (typeCheck !== undefined) checks.push(typeCheck);
  const { minValue, maxValue, minLength, maxLength } = parameter;
  if (numericTypes.has(type)) {
    if (minValue !== null) checks.push((value) => (Number(value) >= minValue ? null : `is less than ${minValue}`));
    if (maxValue !== null) checks.push((value) => (Number(value) <= maxValue ? null : `exceeds maximum ${maxValue}`));
  } else if (type === 'string') {
    if (minLength !== null) {
      checks.push((value) => (countCharacters(value) >= minLength ? null : `is shorter than ${minLength}`));
    }
    if (maxLength !== null) {
      checks.push((value) => (countCharacters(value) <= maxLength ? null : `is longer than ${maxLength}`));
    }
    if (parameter.regularExpression) checks.push(compilePattern(parameter, parameter.regularExpression));
    if (parameter.jsonScheme) checks.push((value) => (isJson(value) ? null : 'is not JSON'));
  }
  if (parameter.enumValue) {
    const members = new Set(parameter.enumValue.split(',').map((member) => member.trim()));
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
