import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CallInput, curlText, prepareCall, quote } from './gateway-call.ts';

const plain: CallInput = {
  method: null,
  url: new URL('http://127.0.0.1:8080/testadd'),
  data: [],
  headers: [],
  host: null,
  stage: 'RELEASE',
  app: null,
  timestamp: null,
  nonce: null,
};
const app = { appKey: '203753385', appSecret: 'MOCKSECRET0123456789abcdef01234567' };
const header = (call: { headers: readonly (readonly [string, string])[] }, name: string) =>
  call.headers.find(([each]) => each === name)?.[1];

test('a call without data is a GET, with data a POST of a form', () => {
  assert.equal(prepareCall(plain).method, 'GET');
  const call = prepareCall({ ...plain, data: [Buffer.from('a=1'), Buffer.from('b=2')] });
  assert.equal(call.method, 'POST');
  assert.equal(call.body.toString(), 'a=1&b=2');
  assert.equal(header(call, 'Content-Type'), 'application/x-www-form-urlencoded; charset=utf-8');
});

test('data that begins with a brace is JSON and is not touched', () => {
  const call = prepareCall({ ...plain, data: [Buffer.from('{"name":"猫 x"}')] });
  assert.equal(header(call, 'Content-Type'), 'application/json; charset=utf-8');
  assert.equal(call.body.toString(), '{"name":"猫 x"}');
});

test('what a form may not hold raw is escaped, what is escaped already stays', () => {
  const call = prepareCall({ ...plain, data: [Buffer.from('name=小 猫&x=%20')] });
  assert.equal(call.body.toString(), 'name=%E5%B0%8F%20%E7%8C%AB&x=%20');
});

test('a Content-Type of the caller decides and is sent once', () => {
  const call = prepareCall({ ...plain, headers: [['content-type', 'text/plain']], data: [Buffer.from('a=1')] });
  assert.deepEqual(
    call.headers.filter(([name]) => name.toLowerCase() === 'content-type'),
    [['content-type', 'text/plain']],
  );
  assert.equal(call.formPieces, null);
});

test('a signed form covers its fields and, asked so, neither nonce nor timestamp', () => {
  const call = prepareCall({ ...plain, app, data: [Buffer.from('b=142'), Buffer.from('a=12323')] });
  assert.equal(
    call.stringToSign,
    'POST\napplication/json\n\napplication/x-www-form-urlencoded; charset=utf-8\n\nX-Ca-Key:203753385\nX-Ca-Stage:RELEASE\n/testadd?a=12323&b=142',
  );
  assert.equal(header(call, 'X-Ca-Nonce'), undefined);
  assert.equal(header(call, 'X-Ca-Timestamp'), undefined);
});

test('an anonymous call carries the stage and no key', () => {
  const call = prepareCall({ ...plain, stage: 'TEST' });
  assert.equal(header(call, 'X-Ca-Stage'), 'TEST');
  assert.equal(header(call, 'X-Ca-Key'), undefined);
  assert.equal(call.stringToSign, null);
});

test('curl shows every header and each form field', () => {
  const call = prepareCall({ ...plain, data: [Buffer.from('a=1'), Buffer.from("b=it's")], host: 'g.localhost' });
  assert.equal(
    curlText(call),
    [
      'curl -i http://127.0.0.1:8080/testadd',
      "-H 'Host: g.localhost'",
      "-H 'Accept: application/json'",
      "-H 'Content-Type: application/x-www-form-urlencoded; charset=utf-8'",
      "-H 'X-Ca-Stage: RELEASE'",
      '-d a=1',
      "-d 'b=it'\\''s'",
    ].join(' \\\n  '),
  );
});

test('curl names a method only when its body does not imply it', () => {
  assert.doesNotMatch(curlText(prepareCall(plain)), /-X/);
  assert.match(curlText(prepareCall({ ...plain, method: 'put', data: [Buffer.from('{}')] })), /-X PUT/);
  assert.match(curlText(prepareCall({ ...plain, method: 'POST' })), /-X POST/);
  assert.match(curlText(prepareCall({ ...plain, method: 'HEAD' })), /^curl -I /);
});

test('a header without a value is written so that curl sends it', () => {
  assert.match(curlText(prepareCall({ ...plain, headers: [['X-Empty', '']] })), /-H 'X-Empty;'/);
});

test('quoting keeps any text in one word of a shell', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const quoted = quote(text);
      // What a POSIX shell does with a word made of bare text, '…' and \'.
      const read = quoted.replace(/'([^']*)'|\\'/g, (_, inner?: string) => inner ?? "'");
      assert.equal(read, text);
    }),
  );
});
