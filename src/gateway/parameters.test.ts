// The types and rules of parameters, over whole requests.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ApiDefinition, RequestParameter } from '../model/api.ts';
import { api, definition, group, open, parameter, request } from './testing.ts';

/** An API with one parameter `p`, mapped to the backend's query. */
function withParameter(parts: Partial<RequestParameter>, more: Partial<ApiDefinition['request']> = {}): ApiDefinition {
  return definition({
    request: { method: 'ANY', ...more },
    rest: {
      parameters: [parameter({ name: 'p', ...parts })],
      serviceParameters: [{ name: 'p', location: 'QUERY', type: 'STRING', catalog: 'REQUEST' }],
      mappings: [{ requestName: 'p', serviceName: 'p' }],
    },
  });
}

async function ask(parts: Partial<RequestParameter>, target: string) {
  const bench = open([group(), api('one', withParameter(parts))]);
  const answer = await bench.send(request({ target }));
  const code = answer.headers['x-ca-error-code'] ?? null;
  const sent = code === null ? (bench.event()['queryParameters'] as Record<string, string>)['p'] : undefined;
  return { code, sent, text: answer.headers['x-ca-error-message'] ?? '' };
}

type Row = readonly [what: string, rule: Partial<RequestParameter>, query: string, sent: string | null | undefined];

/** `sent`: what the backend gets; null: refused with I400IP; undefined: nothing is sent. */
const rows: readonly Row[] = [
  ['an Int of 32 bits', { type: 'Int' }, 'p=-2147483648', '-2147483648'],
  ['an Int beyond 32 bits', { type: 'Int' }, 'p=2147483648', null],
  ['an Int with a fraction', { type: 'Int' }, 'p=1.0', null],
  ['an empty Int', { type: 'Int' }, 'p=', null],
  ['a Long of 64 bits', { type: 'Long' }, 'p=9223372036854775807', '9223372036854775807'],
  ['a Long beyond 64 bits', { type: 'Long' }, 'p=9223372036854775808', null],
  ['a Long just above a largest value of 2^53', { type: 'Long', maxValue: 2 ** 53 }, 'p=9007199254740993', null],
  ['a Long just below a smallest value of -2^53', { type: 'Long', minValue: -(2 ** 53) }, 'p=-9007199254740993', null],
  [
    'a Long of its largest value',
    { type: 'Long', maxValue: '9007199254740993' },
    'p=9007199254740993',
    '9007199254740993',
  ],
  ['a Long just above that', { type: 'Long', maxValue: '9007199254740993' }, 'p=9007199254740994', null],
  [
    'a Long just below its smallest value',
    { type: 'Long', minValue: '-9007199254740993' },
    'p=-9007199254740994',
    null,
  ],
  ['a small Long under a large bound', { type: 'Long', maxValue: '9007199254740993' }, 'p=7', '7'],
  [
    'a Long under a bound stored rounded',
    { type: 'Long', maxValue: 2 ** 63 },
    'p=9223372036854775807',
    '9223372036854775807',
  ],
  ['an Int under the bound of a Long', { type: 'Int', maxValue: '9007199254740993' }, 'p=7', '7'],
  [
    'a Double of its smallest value',
    { type: 'Double', minValue: '9007199254740993' },
    'p=9007199254740993',
    '9007199254740993',
  ],
  [
    'a Double of its largest value',
    { type: 'Double', maxValue: '9007199254740993' },
    'p=9007199254740993.0',
    '9007199254740993.0',
  ],
  ['a Float with an exponent', { type: 'Float' }, 'p=1e3', '1e3'],
  ['a Double that is no number', { type: 'Double' }, 'p=NaN', null],
  ['a Boolean in capitals', { type: 'Boolean' }, 'p=TRUE', 'TRUE'],
  ['a Boolean as a number', { type: 'Boolean' }, 'p=1', null],
  ['the smallest value', { type: 'Int', minValue: 1 }, 'p=1', '1'],
  ['less than the smallest value', { type: 'Int', minValue: 1 }, 'p=0', null],
  ['more than the largest value', { type: 'Double', maxValue: 1 }, 'p=1.01', null],
  ['a text of the longest length, counted in characters', { maxLength: 2 }, `p=${encodeURIComponent('😀猫')}`, '😀猫'],
  ['a text of the shortest length', { minLength: 2 }, 'p=ab', 'ab'],
  ['a text that is too short', { minLength: 2 }, 'p=a', null],
  ['a member of the enum', { enumValue: 'red, green' }, 'p=green', 'green'],
  ['no member of the enum', { enumValue: 'red,green' }, 'p=blue', null],
  ['a number of the enum by its text', { type: 'Int', enumValue: '1,2' }, 'p=01', null],
  ['a text that the pattern matches in part only', { regularExpression: '[a-z]+' }, 'p=abc1', null],
  ['a text that one of the pattern’s ways matches', { regularExpression: 'a|ab' }, 'p=ab', 'ab'],
  ['a pattern with classes of Unicode', { regularExpression: '\\p{Han}+' }, 'p=%E4%BA%91%E9%97%A8', '云门'],
  ['a text longer than is matched', { regularExpression: 'a*' }, `p=${'a'.repeat(9000)}`, null],
  ['JSON that fits the schema', { jsonScheme: '{"type":"object"}' }, 'p=%7B%7D', '{}'],
  ['JSON that does not fit the schema', { jsonScheme: '{"type":"object"}' }, 'p=%5B%5D', null],
  ['what is no JSON under a schema', { jsonScheme: '{"type":"object"}' }, 'p=x', null],
  ['an exclusive bound of draft 4', { jsonScheme: '{"minimum":1,"exclusiveMinimum":true}' }, 'p=1', null],
  ['the first of a repeated name', {}, 'p=1&p=2', '1'],
  ['every one of a repeated name where it is a list', { type: 'Array' }, 'p=1&p=2', '1,2'],
  ['a list whose items have a type', { type: 'Array', itemType: 'Int' }, 'p=1&p=2', '1,2'],
  ['a list with an item that has not its type', { type: 'Array', itemType: 'Int' }, 'p=1&p=x', null],
  [
    'a list whose items are in their range',
    { type: 'Array', itemType: 'Int', minValue: 1, maxValue: 3 },
    'p=1&p=3',
    '1,3',
  ],
  ['a list with an item below its range', { type: 'Array', itemType: 'Int', minValue: 1 }, 'p=1&p=0', null],
  ['a list with an item above its range', { type: 'Array', itemType: 'Double', maxValue: 3 }, 'p=3&p=3.1', null],
  ['a list with an item that is too long', { type: 'Array', maxLength: 1 }, 'p=a&p=bb', null],
  ['a list with an item that is too short', { type: 'Array', itemType: 'String', minLength: 2 }, 'p=aa&p=b', null],
  ['a list with an item that does not match', { type: 'Array', regularExpression: '[a-z]' }, 'p=a&p=B', null],
  [
    'a list with an item that its schema refuses',
    { type: 'Array', jsonScheme: '{"type":"object"}' },
    'p=%7B%7D&p=1',
    null,
  ],
  ['a list with an item that is no member', { type: 'Array', enumValue: 'a,b' }, 'p=a&p=c', null],
  ['a list that is absent', { type: 'Array' }, '', undefined],
  ['the default of what is absent', { defaultValue: 'd' }, '', 'd'],
  ['an empty text, which is a value', { required: true, defaultValue: 'd' }, 'p', ''],
  ['an item without a name, which is none', {}, '=x&p=1', '1'],
];

describe('a parameter:', () => {
  for (const [what, rule, query, wanted] of rows) {
    it(what, async () => {
      const { code, sent, text } = await ask(rule, `/a?${query}`);
      assert.deepEqual([code, sent], wanted === null ? ['I400IP', undefined] : [null, wanted]);
      if (wanted === null) assert.match(text, /^Invalid parameter `p` /);
    });
  }

  it('required and absent is refused by name', async () => {
    for (const type of ['String', 'Array']) {
      assert.equal((await ask({ required: true, type }, '/a')).text, 'Parameter `p` is required');
    }
  });

  it('with a pattern or schema that cannot be used makes the API answer X500AM, with the reason for its owner', async () => {
    for (const rule of [{ regularExpression: '(?=a)' }, { jsonScheme: '{"type":"text"}' }]) {
      const bench = open([group(), api('one', withParameter(rule))]);
      const { headers, failure } = await bench.send(request({ target: '/a?p=1' }));
      assert.equal(headers['x-ca-error-code'], 'X500AM');
      assert.match(failure?.message ?? '', /of parameter p cannot be used/);
    }
  });

  it('with a pattern that others take for ever to match is answered at once', async () => {
    assert.equal((await ask({ regularExpression: '(a+)+b' }, `/a?p=${'a'.repeat(5000)}`)).code, 'I400IP');
  });
});

describe('a body', () => {
  const stream = { bodyFormat: 'STREAM', bodySchema: '{"type":"object","required":["age"]}' } as const;
  const send = async (
    value: ApiDefinition,
    headers: Record<string, string>,
    body: string | Buffer,
    isClassic = false,
  ) => {
    const bench = open([group({ isClassic }), api('one', value)]);
    const answer = await bench.send(request({ method: 'POST', headers, body }));
    return {
      code: answer.headers['x-ca-error-code'] ?? null,
      text: answer.headers['x-ca-error-message'],
      bench,
      ...answer,
    };
  };
  const json = { 'Content-Type': 'application/json' };

  it('of JSON is checked by the model', async () => {
    assert.equal((await send(withParameter({}, stream), json, '{"age":1}')).code, null);
    assert.equal(
      (await send(withParameter({}, stream), json, '{}')).text,
      "Invalid Body: body must have required property 'age'",
    );
    assert.equal((await send(withParameter({}, stream), json, '{')).text, 'Invalid Body: body is not JSON');
    assert.equal((await send(withParameter({}, stream), json, '')).text, 'Invalid Body: body is empty');
    const classic = await send(withParameter({}, stream), json, '', true);
    assert.deepEqual([classic.status, classic.text], [400, 'Empty Request Body']);
  });

  it('of JSON is read in its own charset, and refused in an unknown one where it is read', async () => {
    const schema = '{"required":["猫"]}';
    const model = withParameter({}, { bodyFormat: 'STREAM', bodySchema: schema });
    const utf16 = Buffer.from('{"猫":1}', 'utf16le');
    const typed = (charset: string) => ({ 'Content-Type': `application/json; charset=${charset}` });
    assert.equal((await send(model, typed('utf-16le'), utf16)).code, null);
    assert.equal((await send(model, typed('none'), '{"猫":1}')).code, 'I400CT');
    const passed = await send(withParameter({}, { bodyFormat: 'STREAM' }), typed('none'), '{"a":1}');
    assert.equal(Buffer.from(String(passed.bench.event()['body']), 'base64').toString(), '{"a":1}');
  });

  it('in multipart is refused where fields are mapped, and passed on where the body is', async () => {
    const headers = { 'Content-Type': 'multipart/form-data; boundary=x' };
    const body = '--x\r\nContent-Disposition: form-data; name="p"\r\n\r\n1\r\n--x--\r\n';
    assert.equal((await send(withParameter({ location: 'BODY' }), headers, body)).code, 'I400CT');
    const classic = await send(withParameter({ location: 'BODY' }), headers, body, true);
    assert.deepEqual([classic.status, classic.text], [400, 'Unsupported Multipart']);
    const passed = await send(definition({ request: { method: 'POST', mode: 'PASSTHROUGH' } }), headers, body);
    assert.equal(Buffer.from(String(passed.bench.event()['body']), 'base64').toString(), body);
  });

  it('of a form is read in its own charset', async () => {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded; charset=GBK' };
    const { bench } = await send(withParameter({ location: 'BODY' }), headers, 'p=%D4%C6%C3%C5');
    assert.deepEqual(bench.event()['queryParameters'], { p: '云门' });
    const list = await send(withParameter({ location: 'BODY', type: 'Array' }), headers, 'p=%D4%C6&p=%C3%C5');
    assert.deepEqual(list.bench.event()['queryParameters'], { p: '云,门' });
  });
});
