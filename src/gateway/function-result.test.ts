import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { PauseOf } from '../model/debugging.ts';
import type { InvocationOutcome, InvokeFunction } from '../model/invocation.ts';
import { readFunctionResult } from '../wire/function-result.ts';
import { jsonMember } from '../wire/json-member.ts';
import { api, definition, facts, group, open, request, returned } from './testing.ts';

const read = (value: unknown) =>
  readFunctionResult(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
const bodyOf = (value: unknown) => {
  const result = read(value);
  assert.ok(result.ok);
  return result.body.toString();
};

describe('a function’s result', () => {
  const accepted: [sentence: string, result: unknown, status: number, body: string][] = [
    ['with a numeric text as statusCode', { statusCode: '201', body: 'x' }, 201, 'x'],
    ['with headers null', { statusCode: 200, headers: null, body: 'x' }, 200, 'x'],
    ['without body', { statusCode: 204 }, 204, ''],
    ['with body null', { statusCode: 200, body: null }, 200, ''],
    ['with an object as body', { statusCode: 200, body: { msg: '12465' } }, 200, '{"msg":"12465"}'],
    ['with a list as body', { statusCode: 200, body: [1, 'a'] }, 200, '[1,"a"]'],
    ['with a number as body', { statusCode: 200, body: 7 }, 200, '7'],
    ['with a boolean as body', { statusCode: 200, body: false }, 200, 'false'],
    ['with Base64', { statusCode: 200, isBase64Encoded: true, body: 'eHk=' }, 200, 'xy'],
    ['with "true" as text', { statusCode: 200, isBase64Encoded: 'true', body: 'eHk=' }, 200, 'xy'],
    ['with "false" as text', { statusCode: 200, isBase64Encoded: 'False', body: 'eHk=' }, 200, 'eHk='],
    ['with members that nobody knows', { statusCode: 200, body: 'x', extra: {} }, 200, 'x'],
  ];
  for (const [sentence, result, status, body] of accepted) {
    it(`is accepted ${sentence}`, () => {
      const got = read(result);
      assert.ok(got.ok);
      assert.deepEqual([got.status, got.body.toString()], [status, body]);
    });
  }

  it('keeps the order of keys, the spelling of numbers and escapes of an object as body', () => {
    const text = '{"body": {"2": 1.0, "1": 12345678901234567890, "t": "a \\"b\\" \\u732b"} , "statusCode": 200}';
    assert.equal(bodyOf(text), '{"2":1.0,"1":12345678901234567890,"t":"a \\"b\\" \\u732b"}');
  });

  const refused: [sentence: string, result: string, field: string, reason: string][] = [
    ['empty', '', 'result', 'result is empty'],
    ['no JSON', 'hello', 'result', 'result is not JSON'],
    ['null', 'null', 'result', 'result is null, not an object'],
    ['an array', '[]', 'result', 'result is an array, not an object'],
    ['a text', '"x"', 'result', 'result is a text, not an object'],
    ['a number', '1', 'result', 'result is a number, not an object'],
    ['the bare event', '{"path":"/a","body":""}', 'statusCode', 'statusCode is missing'],
    ['with statusCode as words', '{"statusCode":"ok"}', 'statusCode', 'statusCode is no HTTP status'],
    ['with statusCode out of range', '{"statusCode":99}', 'statusCode', 'statusCode is no HTTP status'],
    ['with statusCode null', '{"statusCode":null}', 'statusCode', 'statusCode is no HTTP status'],
    [
      'with a number as isBase64Encoded',
      '{"statusCode":200,"isBase64Encoded":1}',
      'isBase64Encoded',
      'isBase64Encoded is no boolean',
    ],
    ['with headers as text', '{"statusCode":200,"headers":"x"}', 'headers', 'headers is a text, not an object'],
    [
      'with a header name that is none',
      '{"statusCode":200,"headers":{"a b":"x"}}',
      'headers',
      'headers holds a name that is no header name',
    ],
    [
      'with a line break in a header',
      '{"statusCode":200,"headers":{"a":"x\\r\\nb: y"}}',
      'headers',
      'headers holds a value with a line break or control character',
    ],
    [
      'with Base64 that is none',
      '{"statusCode":200,"isBase64Encoded":true,"body":"猫"}',
      'body',
      'isBase64Encoded is true but body is not Base64',
    ],
    [
      'with Base64 that is an object',
      '{"statusCode":200,"isBase64Encoded":true,"body":{}}',
      'body',
      'isBase64Encoded is true but body is not Base64',
    ],
  ];
  for (const [sentence, text, field, reason] of refused) {
    it(`is refused when it is ${sentence}`, async () => {
      const got = read(text);
      assert.ok(!got.ok);
      assert.deepEqual([got.field, got.reason], [field, reason]);
      const answer = await open([group(), api('one', definition({}))], { invoke: async () => returned(text) }).send(
        request({}),
      );
      assert.deepEqual([answer.status, answer.headers['x-ca-error-code']], [502, 'D502FC']);
      assert.equal(answer.headers['x-ca-error-message'], `Function Compute response invalid: ${reason}`);
      assert.equal(answer.failure?.side, 'function');
    });
  }

  it('shows at most 200 characters of what came', () => {
    const got = read(`"${'x'.repeat(500)}"`);
    assert.ok(!got.ok);
    assert.equal(got.got.length, 200);
  });

  it('is read or refused without failing, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void readFunctionResult(Buffer.from(bytes))));
    const member = fc.oneof(fc.jsonValue(), fc.constant(200));
    const document = fc.record({ statusCode: member, headers: member, body: member, isBase64Encoded: member });
    fc.assert(fc.property(document, (value) => void read(value)));
  });

  it('takes no member from Object.prototype', () => {
    const got = read('{"__proto__":{"statusCode":200}}');
    assert.ok(!got.ok);
  });
});

describe('jsonMember', () => {
  it('finds what JSON.parse finds, however the document is spaced', () => {
    const spaces = fc.constantFrom(0, 1, 4, '\t', '\r\n ');
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), spaces, (value, space) => {
        const text = JSON.stringify(value, null, space);
        const parsed = JSON.parse(text) as Record<string, unknown>;
        for (const name of Object.keys(parsed)) assert.equal(jsonMember(text, name), JSON.stringify(parsed[name]));
        assert.equal(jsonMember(text, 'not there, surely'), null);
      }),
    );
  });

  it('takes the last of a repeated name', () => {
    assert.equal(jsonMember('{"a":1,"a":[2, 3]}', 'a'), '[2,3]');
  });
});

describe('the function backend', () => {
  const changes = [group(), api('one', definition({}))];
  const call = (outcome: InvocationOutcome) => open(changes, { invoke: async () => outcome }).send(request({}));

  it('relays status, headers and body; JSON is the default type', async () => {
    const plain = await call(returned({ statusCode: 200, body: { msg: '12465' } }));
    assert.equal(plain.headers['content-type'], 'application/json; charset=UTF-8');
    assert.equal(plain.body, '{"msg":"12465"}');
    const typed = await call(
      returned({ statusCode: 418, headers: { 'content-type': 'text/plain', 'X-A': '猫', 'X-N': 1 }, body: 'x' }),
    );
    assert.deepEqual(
      [typed.status, typed.headers['content-type'], typed.headers['x-a'], typed.headers['x-n']],
      [418, 'text/plain', '猫', '1'],
    );
    assert.deepEqual([plain.failure, typed.failure?.code, typed.failure?.side], [null, '418', 'function']);
  });

  it('keeps headers of the connection and the gateway’s own from the function', async () => {
    const headers = {
      Connection: 'close',
      'Content-Length': '99',
      'Transfer-Encoding': 'x',
      'X-Ca-Request-Id': 'mine',
      'x-ca-error-code': 'A403IS',
    };
    const answer = await call(returned({ statusCode: 200, headers, body: 'x' }));
    for (const name of ['connection', 'content-length', 'transfer-encoding', 'x-ca-error-code']) {
      assert.equal(answer.headers[name], undefined);
    }
    assert.notEqual(answer.headers['x-ca-request-id'], 'mine');
  });

  it('sends several values of one header as several lines', async () => {
    const bench = open(changes, {
      invoke: async () => returned({ statusCode: 200, headers: { 'Set-Cookie': ['a=1', 'b=2'] } }),
    });
    const { reply } = await bench.gateway.run(request({}));
    const values = reply?.headers.filter((_, i, all) => all[i - 1] === 'Set-Cookie');
    assert.deepEqual(values, ['a=1', 'b=2']);
  });

  it('answers D502FC when the function failed, with its error and log in the record only', async () => {
    const answer = await call({
      kind: 'function-error',
      errorType: 'UnhandledInvocationError',
      body: Buffer.from('{"errorMessage":"division by zero"}'),
      ...facts,
      logTail: Buffer.from('FC Invoke Start\nTraceback'),
    });
    assert.deepEqual([answer.status, answer.headers['x-ca-error-code']], [502, 'D502FC']);
    assert.ok(!JSON.stringify(answer.headers).includes('division'));
    assert.equal(answer.failure?.got, '{"errorMessage":"division by zero"}');
    assert.match(answer.failure?.functionLog ?? '', /Traceback/);
  });

  it('answers D502FC with the code when the function was not run', async () => {
    const answer = await call({ kind: 'refused', code: 'FunctionNotFound', message: "function 'add' does not exist" });
    assert.equal(answer.headers['x-ca-error-message'], 'Function Compute response invalid: FunctionNotFound');
    assert.equal(answer.failure?.side, 'api-owner');
  });

  it('answers D504TO after ServiceTimeout, and aborts the invocation', async () => {
    let aborts = 0;
    const bench = open(changes, {
      invoke: (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborts += 1;
            reject(new Error('late'));
          });
        }),
    });
    const under = bench.send(request({}));
    while (bench.invoked.length === 0) await Promise.resolve();
    bench.clock.advance(9_999);
    assert.equal(aborts, 0);
    bench.clock.advance(1);
    const answer = await under;
    assert.deepEqual([answer.status, answer.headers['x-ca-error-code']], [504, 'D504TO']);
    assert.match(answer.failure?.message ?? '', /ServiceTimeout of 10000 ms/);
    assert.equal(aborts, 1);
    assert.deepEqual([bench.bugs.length, bench.clock.pending], [0, 0]);
  });

  it('does not count the time in which a debugger holds the function, of that function alone', async () => {
    let isPaused = true;
    const never: InvokeFunction = (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('late'))));
    const pauseOf: PauseOf = ({ functionName }) => (functionName === 'add' ? () => isPaused : null);
    const bench = open(changes, { invoke: never, pauseOf });
    const under = bench.send(request({}));
    while (bench.invoked.length === 0) await Promise.resolve();
    for (let seconds = 0; seconds < 60; seconds += 1) bench.clock.advance(1_000);
    assert.equal(bench.clock.pending, 1, 'it is waited for after a minute, with a limit of ten seconds');
    isPaused = false;
    for (let seconds = 0; seconds < 10; seconds += 1) bench.clock.advance(1_000);
    assert.equal((await under).headers['x-ca-error-code'], 'D504TO');
    const other = open(changes, { invoke: never, pauseOf: () => null });
    const soon = other.send(request({}));
    while (other.invoked.length === 0) await Promise.resolve();
    other.clock.advance(10_000);
    assert.equal((await soon).headers['x-ca-error-code'], 'D504TO');
  });
});

describe('other backends', () => {
  it('a mock answers as configured, after all checks', async () => {
    const headers = [{ name: 'X-Mock', value: '1' }];
    const backend = { kind: 'mock', status: 202, headers, body: 'mocked', timeoutMs: 1 } as const;
    const bench = open([group(), api('one', definition({ rest: { backend } }))]);
    const answer = await bench.send(request({}));
    assert.deepEqual(
      [answer.status, answer.body, answer.headers['x-mock'], answer.headers['content-type']],
      [202, 'mocked', '1', 'application/json'],
    );
  });

  it('a kind that is not served answers D504CO and names it', async () => {
    const backend = { kind: 'unserved', wireKind: 'OSS', timeoutMs: 1 } as const;
    const answer = await open([group(), api('one', definition({ rest: { backend } }))]).send(request({}));
    assert.deepEqual([answer.status, answer.headers['x-ca-error-code']], [504, 'D504CO']);
    assert.match(answer.headers['x-ca-error-message'] ?? '', /OSS/);
  });
});
