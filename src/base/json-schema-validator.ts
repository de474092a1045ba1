// The library that validates by JSON Schema, as we want it. Loaded by json-schema.ts when the first schema needs it.
import { _, Ajv, type CodeKeywordDefinition, type Options } from 'ajv';

type RegExpEngine = NonNullable<NonNullable<Options['code']>['regExp']>;

/** What is wrong first; null when nothing is. Throws RangeError where it would take too long, or more stack than there is. */
export type Draft7Check = (value: unknown) => string | null;

/** References followed in one check, and characters of the schema: together they bound its time. */
const leastSteps = 20_000;
const stepsTimesCharacters = 200_000_000;

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text that is equal for equal JSON values. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
}

function create(options: Options): Ajv {
  const ajv = new Ajv({ strict: false, validateFormats: false, logger: false, ...options });
  // The library compares each item with each other one: a long list would hold up everyone.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    errors: false,
    validate: (isWanted: boolean, items: unknown[]) => !isWanted || new Set(items.map(canonical)).size === items.length,
  });
  return ajv;
}

/** Compiles the schema of schemas once, which takes longer than most schemas do. It keeps nothing of what it checks. */
const draft7 = create({});

/** Calls `step` before each reference that a check follows. */
function countReferences(ajv: Ajv, step: () => void): void {
  const known = ajv.getKeyword('$ref');
  if (typeof known !== 'object' || !('code' in known)) throw new Error('the library follows $ref in another way');
  const reference = known as CodeKeywordDefinition;
  ajv.removeKeyword('$ref');
  ajv.addKeyword({
    ...reference,
    code: (context, ...more) => {
      context.gen.code(_`${context.gen.scopeValue('func', { ref: step })}()`);
      reference.code(context, ...more);
    },
  });
}

/**
 * A check by a schema of draft 7; `characters` is how long it is. Throws an error of the library where it is none.
 *
 * References are called, not copied to where they are used, which makes a short schema long, and counted: those that name the
 * next twice, or themselves twice, take twice the time with each level.
 */
export function compileDraft7(schema: object, characters: number, regExp: RegExpEngine): Draft7Check {
  void draft7.validateSchema(schema, true); // a promise only where the schema of schemas is `$async`
  const limit = Math.max(leastSteps, stepsTimesCharacters / characters);
  let steps = 0;
  // One a schema, so that nothing of it stays when the schema goes.
  const ajv = create({ code: { regExp }, validateSchema: false, inlineRefs: false });
  countReferences(ajv, () => {
    steps += 1;
    if (steps > limit) throw new RangeError(`more than ${limit} references`);
  });
  const check = ajv.compile(schema);
  return (value) => {
    steps = 0;
    if (check(value)) return null;
    const [first] = check.errors ?? [];
    return `${first?.instancePath ?? ''} ${first?.message ?? 'is not as the schema says'}`.trim();
  };
}
