// Wrong parameters to every operation that is served, made from the catalogues and sent through official SDKs: each is refused with the
// code of its kind, in words that name the parameter, nothing of a refused call is kept, and no call is an internal error.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { loadRpcCatalogue, type NestedField, type NestedSchema, type RpcParameter } from '../src/control/catalogue.ts';
import { listOperations } from '../src/control/registry.ts';
import { Cleanup } from '../tests/harness/server.ts';
import { outcomeOf } from './kit/calls.ts';
import { createSampler } from './kit/odd.ts';
import { at } from './kit/read.ts';
import { World } from './kit/world.ts';

const cleanup = new Cleanup();
after(() => cleanup.run());
const world = await World.start(cleanup);
const served = (await listOperations()).filter(({ status }) => status !== 'refused');

type Params = Readonly<Record<string, unknown>>;

/** The service is not there to fail by itself. */
const internal = /^(InternalError|InternalServerError|ServiceUnavailable|UnknownError|E[A-Z]+)$/;

describe('CloudAPI 2016-07-14:', async () => {
  const { operations, schemas = {} } = await loadRpcCatalogue('2016-07-14');
  const names = served.filter(({ product }) => product === 'CloudAPI').map(({ operation }) => operation);
  const ask = world.clients.pop('POST');
  const call = (name: string, params: Params) => outcomeOf(ask(name, params));

  function nestedValue(schema: NestedSchema): object {
    const required = Object.entries(schema).filter(([, field]) => field.required);
    return Object.fromEntries(
      required.map(([name, { enum: words }]) => [name, words?.[0] ?? (name.endsWith('Path') ? '/a' : '1')]),
    );
  }

  /** A value that the rules of the catalogue let through. */
  function valueFor(rule: RpcParameter): unknown {
    if (rule.enum !== undefined) return rule.enum[0];
    if (rule.json !== undefined) {
      const value = nestedValue(schemas[rule.json.replace('[]', '')] ?? {});
      return JSON.stringify(rule.json.endsWith('[]') ? [value] : value);
    }
    switch (rule.type) {
      case 'integer':
      case 'long':
      case 'number':
        return Math.max(rule.minValue ?? 1, 1);
      case 'boolean':
        return true;
      case 'list':
        return rule.fields === undefined
          ? ['x']
          : [Object.fromEntries(Object.keys(rule.fields).map((name) => [name, 'x']))];
      default:
        return 'Nobody'.padEnd(rule.min ?? 0, 'y');
    }
  }

  function required(name: string): Params {
    const rules = Object.entries(operations[name]?.params ?? {}).filter(([, rule]) => rule.required);
    return Object.fromEntries(rules.map(([parameter, rule]) => [parameter, valueFor(rule)]));
  }

  /** Values against a rule, and how the refusal's code begins. */
  function wrongValues(rule: RpcParameter): (readonly [value: unknown, form: 'Invalid' | 'Missing'])[] {
    const values: (readonly [unknown, 'Invalid' | 'Missing'])[] = [];
    const isText = rule.type === 'string' && rule.json === undefined;
    if (rule.required && rule.type !== 'list') values.push(['', 'Missing']);
    if (rule.enum !== undefined) values.push(['no-such-word', 'Invalid']);
    else if (isText) {
      if (rule.max !== undefined) values.push(['y'.repeat(rule.max + 1), 'Invalid']);
      if (rule.maxBytes !== undefined) values.push(['y'.repeat(rule.maxBytes + 1), 'Invalid']);
      if (rule.min !== undefined && rule.min > 1) values.push(['y'.repeat(rule.min - 1), 'Invalid']);
      if (rule.chars) values.push([`${valueFor(rule)} !`, 'Invalid']);
    }
    if (rule.csv && rule.maxItems !== undefined && rule.enum === undefined)
      values.push([
        Array(rule.maxItems + 1)
          .fill('x')
          .join(','),
        'Invalid',
      ]);
    if (rule.json !== undefined) values.push(['{', 'Invalid'], ['"text"', 'Invalid'], ['7', 'Invalid']);
    if (rule.type === 'integer' || rule.type === 'long' || rule.type === 'number') {
      values.push(['many', 'Invalid'], ['1.5', 'Invalid'], ['1e3', 'Invalid']);
      if (rule.minValue !== undefined) values.push([rule.minValue - 1, 'Invalid']);
      if (rule.maxValue !== undefined) values.push([rule.maxValue + 1, 'Invalid']);
    }
    if (rule.type === 'boolean') values.push(['perhaps', 'Invalid'], ['1', 'Invalid']);
    return values;
  }

  function schemaOf({ json = '' }: RpcParameter): NestedSchema {
    return schemas[json.replace('[]', '')] ?? {};
  }

  /** The parameter's JSON text with one member set; undefined leaves it out. */
  function withMember(rule: RpcParameter, member: string, value: unknown): string {
    const whole = { ...nestedValue(schemaOf(rule)), [member]: value };
    return JSON.stringify(rule.json?.endsWith('[]') ? [whole] : whole);
  }

  /** Of a parameter of JSON: texts with one wrong member, and the code that names it. */
  function wrongMembers(rule: RpcParameter): (readonly [text: string, code: string])[] {
    return Object.entries(schemaOf(rule)).flatMap(([member, field]) => {
      const wrong = [[withMember(rule, member, ofAnotherType(field)), `Invalid${member}`]] as const;
      if (!field.required) return wrong;
      return [
        ...wrong,
        ...[undefined, null, ''].map((nothing) => [withMember(rule, member, nothing), `Missing${member}`] as const),
      ];
    });
  }

  function ofAnotherType({ type, enum: words }: NestedField): unknown {
    if (words !== undefined) return 'no-such-word';
    return type === 'string' || type === 'csv' ? { a: 1 } : 'text';
  }

  /** All that lists tell of. */
  async function everything(): Promise<unknown> {
    const lists = ['ApiGroups', 'Apis', 'AppAttributes', 'BackendList', 'TrafficControls', 'IpControls', 'Signatures']
      .concat('Models', 'VpcAccesses', 'LogConfig')
      .map((list) => `Describe${list}`);
    const answers = await Promise.all(
      lists.map((list) => ask(list, {}).catch((error: unknown) => ({ code: at(error, 'code') }))),
    );
    return answers.map((answer) => ({ ...(answer as object), RequestId: '' }));
  }

  it('what is missing, of another type, too long or no word of the list is refused by name', async () => {
    const before = await everything();
    const wrong: string[] = [];
    let sent = 0;
    for (const name of names) {
      const whole = required(name);
      for (const [parameter, rule] of Object.entries(operations[name]?.params ?? {})) {
        const tries = wrongValues(rule).map(([value, form]) => [{ ...whole, [parameter]: value }, form] as const);
        const { [parameter]: _left, ...without } = whole;
        if (rule.required) tries.push([without, 'Missing']);
        for (const [text, wanted] of wrongMembers(rule)) {
          sent++;
          const { code, message } = await call(name, { ...whole, [parameter]: text });
          if (code === wanted && message.includes(parameter)) continue;
          wrong.push(
            `${name} ${parameter}=${text.slice(0, 100)}: wanted ${wanted}, got ${code}: ${message.slice(0, 200)}`,
          );
        }
        for (const [params, form] of tries) {
          sent++;
          const { code, message } = await call(name, params);
          if (code === `${form}${parameter}` && message.includes(parameter)) continue;
          const value = JSON.stringify(params[parameter])?.slice(0, 60);
          wrong.push(
            `${name} ${parameter}=${value}: wanted ${form}${parameter}, got ${code}: ${message.slice(0, 200)}`,
          );
        }
      }
    }
    assert.ok(sent > 500, `only ${sent} calls`);
    assert.deepEqual(wrong, []);
    assert.deepEqual(await everything(), before);
  });

  const known =
    /^(answered|(Missing|Invalid|InvalidFormat|Duplicate|Repeated|NotFound|DependencyViolation|ExceedLimit|Unsupported)\w+|Domain\w+)$/;
  const odd = [
    '',
    ' ',
    '\u0000',
    '-1',
    'null',
    '[]',
    '{}',
    '[null]',
    '{"a":[{}]}',
    '../..',
    '猫\u202e😀',
    'y'.repeat(70_000),
  ];

  const sampled = createSampler();

  it('odd texts are taken or refused with a documented code, and never an internal error', async () => {
    const wrong: string[] = [];
    for (const name of names) {
      const whole = required(name);
      for (const [parameter, rule] of Object.entries(operations[name]?.params ?? {})) {
        const values: readonly unknown[] = [
          ...odd,
          ...(rule.type === 'list' ? [[], [''], [[]], [{}], [{ Key: '' }]] : []),
          ...Object.keys(schemaOf(rule)).flatMap((member) => odd.map((text) => withMember(rule, member, text))),
        ];
        for (const value of sampled(values)) {
          const { code, message } = await call(name, { ...whole, [parameter]: value });
          if (known.test(code) && !internal.test(code) && (code === 'answered' || message.length > 10)) continue;
          wrong.push(`${name} ${parameter}=${JSON.stringify(value).slice(0, 60)}: ${code}: ${message.slice(0, 200)}`);
        }
      }
    }
    assert.deepEqual(wrong, []);
  });
});
