// The parameters of one RPC call, read and checked by the catalogue: what the actions work on.
import type { RpcParameters } from '../../wire/rpc-parameters.ts';
import type { RpcCatalogue, RpcOperation, RpcParameter } from '../catalogue.ts';
import { openApiError } from '../errors.ts';
import { type NestedRecord, type NestedValue, readNested } from './nested.ts';

type ArgumentValue = NestedValue;

/** Values by canonical name. A getter for a name that the catalogue does not make mandatory has a form with a fallback. */
export class Arguments {
  readonly #values: ReadonlyMap<string, ArgumentValue>;
  /** Names that the caller gave itself, not defaults. */
  readonly #given: ReadonlySet<string>;

  constructor(values: ReadonlyMap<string, ArgumentValue>, given: ReadonlySet<string>) {
    this.#values = values;
    this.#given = given;
  }

  isGiven(name: string): boolean {
    return this.#given.has(name);
  }

  optionalText(name: string): string | null {
    const value = this.#values.get(name);
    return typeof value === 'string' ? value : null;
  }

  text(name: string): string {
    const value = this.optionalText(name);
    if (value === null || value === '') throw openApiError(`Missing${name}`, `${name} is mandatory for this action.`);
    return value;
  }

  /** Errors: Invalid{name} for a number that is too long to be told exactly. */
  optionalNumber(name: string): number | null {
    const value = this.#values.get(name);
    if (typeof value === 'string' && value !== '')
      refuse(name, `must be a whole number below 2^53, not '${show(value)}'`);
    return typeof value === 'number' ? value : null;
  }

  number(name: string): number {
    const value = this.optionalNumber(name);
    if (value === null) throw openApiError(`Missing${name}`, `${name} is mandatory for this action.`);
    return value;
  }

  /** The decimal digits of a whole number, however long it is: account ids are beyond 2^53. */
  optionalDigits(name: string): string | null {
    const value = this.#values.get(name);
    return value === undefined ? null : String(value);
  }

  optionalBoolean(name: string): boolean | null {
    const value = this.#values.get(name);
    return typeof value === 'boolean' ? value : null;
  }

  /** The items of a comma list, empty ones dropped. */
  csv(name: string): string[] {
    const items = (this.optionalText(name) ?? '').split(',').map((item) => item.trim());
    return items.filter((item) => item !== '');
  }

  /** A JSON parameter or flattened list; null when it was not given. */
  nested(name: string): NestedValue | null {
    return this.#values.get(name) ?? null;
  }

  /** A flattened list of records, or a JSON list of objects. */
  records(name: string): readonly NestedRecord[] {
    const value = this.#values.get(name);
    if (!Array.isArray(value)) return [];
    return value.filter((item): item is NestedRecord => typeof item === 'object' && !Array.isArray(item));
  }
}

const namePattern = /^[\p{Script=Han}A-Za-z][\p{Script=Han}A-Za-z0-9_-]*$/u;

function refuse(name: string, detail: string): never {
  throw openApiError(`Invalid${name}`, `The parameter ${name} ${detail}.`);
}

function show(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}

function checkText(name: string, text: string, rule: RpcParameter): string {
  const characters = [...text];
  /** CJK counts double in an app's name. Source: docs. */
  const wide = name === 'AppName' ? characters.filter((character) => /\p{Script=Han}/u.test(character)).length : 0;
  const length = characters.length + wide;
  if (rule.min !== undefined && length < rule.min)
    refuse(name, `must have at least ${rule.min} characters, not ${length}`);
  if (rule.max !== undefined && length > rule.max)
    refuse(name, `must have at most ${rule.max} characters, not ${length}`);
  if (rule.maxBytes !== undefined && Buffer.byteLength(text) > rule.maxBytes)
    refuse(name, `must have at most ${rule.maxBytes} bytes`);
  if (rule.chars && !namePattern.test(text)) {
    refuse(name, `may hold CJK, letters, digits, '_' and '-' and must start with a letter, not '${show(text)}'`);
  }
  if (rule.csv && rule.maxItems !== undefined && text.split(',').length > rule.maxItems) {
    refuse(name, `may hold at most ${rule.maxItems} items`);
  }
  if (rule.enum === undefined) return text;
  const words = rule.csv ? text.split(',') : [text];
  return words.map((word) => canonicalWord(name, word, rule.enum ?? [])).join(',');
}

function canonicalWord(name: string, word: string, known: readonly string[]): string {
  const found = known.find((candidate) => candidate.toLowerCase() === word.trim().toLowerCase());
  return found ?? refuse(name, `must be one of ${known.join(', ')}, not '${show(word)}'`);
}

/** A `long` that no number holds stays text, for optionalDigits(). */
function readNumber(name: string, text: string, rule: RpcParameter): number | string {
  const trimmed = text.trim();
  const number = /^-?\d+$/.test(trimmed) ? Number(trimmed) : Number.NaN;
  if (rule.type === 'long' && /^\d{16,19}$/.test(trimmed) && !Number.isSafeInteger(number)) return trimmed;
  if (!Number.isSafeInteger(number)) refuse(name, `must be a whole number, not '${show(text)}'`);
  if (rule.minValue !== undefined && number < rule.minValue)
    refuse(name, `must be at least ${rule.minValue}, not ${number}`);
  if (rule.maxValue !== undefined && number > rule.maxValue)
    refuse(name, `must be at most ${rule.maxValue}, not ${number}`);
  return number;
}

function readBoolean(name: string, text: string): boolean {
  const word = text.toLowerCase();
  if (word === 'true') return true;
  if (word === 'false') return false;
  return refuse(name, `must be true or false, not '${show(text)}'`);
}

function readList(parameters: RpcParameters, name: string, rule: RpcParameter): NestedValue | undefined {
  if (rule.fields === undefined) {
    const items = parameters.list(name);
    if (rule.maxItems !== undefined && items.length > rule.maxItems)
      refuse(name, `may hold at most ${rule.maxItems} items`);
    return items.length === 0 ? undefined : items;
  }
  const fields = Object.keys(rule.fields);
  const items = parameters.objects(name).map((item): NestedRecord => {
    const entries = Object.entries(item).map(([member, value]): [string, string] => {
      return [fields.find((field) => field.toLowerCase() === member.toLowerCase()) ?? member, value];
    });
    return Object.fromEntries(entries);
  });
  if (rule.maxItems !== undefined && items.length > rule.maxItems)
    refuse(name, `may hold at most ${rule.maxItems} items`);
  return items.length === 0 ? undefined : items;
}

function readScalar(catalogue: RpcCatalogue, name: string, text: string, rule: RpcParameter): NestedValue | undefined {
  const schema = rule.json?.replace('[]', '') ?? '';
  if (rule.json !== undefined && catalogue.schemas?.[schema] !== undefined) {
    return isNothing(text) ? undefined : readNested(catalogue.schemas, rule.json, text, name);
  }
  switch (rule.type) {
    case 'integer':
    case 'long':
    case 'number':
      return isNothing(text) ? undefined : readNumber(name, text, rule);
    case 'boolean':
      return isNothing(text) ? undefined : readBoolean(name, text);
    default:
      if (text === '' || (rule.enum !== undefined && isNothing(text))) return text === '' ? '' : undefined;
      return checkText(name, text, rule);
  }
}

/** pop-core sends JavaScript's null and undefined as words. Source: sdk. */
function isNothing(text: string): boolean {
  return text === '' || text === 'null' || text === 'undefined';
}

/**
 * Reads the parameters of one operation.
 * Errors: Missing{Name}, Invalid{Name}, and those of the nested JSON. Unknown parameters are ignored, as the service does.
 */
export function readArguments(catalogue: RpcCatalogue, operation: RpcOperation, parameters: RpcParameters): Arguments {
  const values = new Map<string, NestedValue>();
  const given = new Set<string>();
  for (const [name, rule] of Object.entries(operation.params)) {
    const text = parameters.get(name);
    const value =
      rule.type === 'list'
        ? readList(parameters, name, rule)
        : text === undefined
          ? undefined
          : readScalar(catalogue, name, text, rule);
    if (value !== undefined) {
      if (rule.required && value === '') throw openApiError(`Missing${name}`, `${name} is mandatory for this action.`);
      values.set(name, value);
      given.add(name);
    } else if (rule.required) {
      throw openApiError(`Missing${name}`, `${name} is mandatory for this action.`);
    } else if (rule.default !== undefined) {
      values.set(name, rule.default);
    }
  }
  return new Arguments(values, given);
}
