// Requests that two servers may read differently, over raw sockets: each must get our own refusal, with code and request
// id, and what hides behind it must never be served.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { api, definition, group } from '../../src/gateway/testing.ts';
import { countAnswers, openTarget, type Target } from './gateway-fixture.ts';

const hidden = 'GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n';
const changes = [
  group(),
  api('open', definition({ request: { method: 'ANY', path: '/open', mode: 'PASSTHROUGH' } })),
  api('hidden', definition({ request: { method: 'ANY', path: '/hidden', mode: 'PASSTHROUGH' } })),
];

/** Name of the attack, what is sent before the hidden request, the code of the answer. */
const attacks: readonly (readonly [name: string, bytes: string, code: string])[] = [
  ['CL.TE: both lengths', head('Content-Length: 3', 'Transfer-Encoding: chunked', '0'), 'I400HD'],
  ['TE.CL: both lengths, the other way round', head('Transfer-Encoding: chunked', 'Content-Length: 3', '0'), 'I400HD'],
  ['CL.CL: two different lengths', head('Content-Length: 0', 'Content-Length: 44', ''), 'I400HD'],
  ['CL.CL: the same length twice', head('Content-Length: 0', 'Content-Length: 0', ''), 'I400HD'],
  ['a list of lengths', head('Content-Length: 0, 44', 'X: y', ''), 'I400HD'],
  ['a length with a sign', head('Content-Length: +0', 'X: y', ''), 'I400HD'],
  ['a negative length', head('Content-Length: -1', 'X: y', ''), 'I400HD'],
  ['a hexadecimal length', head('Content-Length: 0x0', 'X: y', ''), 'I400HD'],
  ['a length beyond 64 bits', head('Content-Length: 99999999999999999999999', 'X: y', ''), 'I400HD'],
  ['a length with a blank inside', head('Content-Length: 4 4', 'X: y', ''), 'I400HD'],
  ['a length with a comma behind it', head('Content-Length: 0,', 'X: y', ''), 'I400HD'],
  ['an empty length', head('Content-Length:', 'X: y', ''), 'I400HD'],
  ['a length in digits that are not ASCII', head('Content-Length: \xd9\xa0', 'X: y', ''), 'I400HD'],
  ['a length with a part', head('Content-Length: 0.0', 'X: y', ''), 'I400HD'],
  ['a length behind a folded line', head('Content-Length:\r\n 0', 'X: y', ''), 'I400HD'],
  ['an unknown transfer coding', head('Transfer-Encoding: xchunked', 'X: y', '0'), 'I400HD'],
  ['transfer coding identity', head('Transfer-Encoding: identity', 'X: y', '0'), 'I400HD'],
  ['chunked not last', head('Transfer-Encoding: chunked, identity', 'X: y', '0'), 'I400HD'],
  ['chunked twice', head('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked', '0'), 'I400HD'],
  ['a coding before chunked', head('Transfer-Encoding: gzip, chunked', 'X: y', '0'), 'I400HD'],
  ['chunked in quotes', head('Transfer-Encoding: "chunked"', 'X: y', '0'), 'I400HD'],
  ['chunked with a parameter', head('Transfer-Encoding: chunked;q=1', 'X: y', '0'), 'I400HD'],
  ['chunked behind an empty item', head('Transfer-Encoding: ,chunked', 'X: y', '0'), 'I400HD'],
  ['chunked before an empty item', head('Transfer-Encoding: chunked,', 'X: y', '0'), 'I400HD'],
  ['chunked with a NUL behind it', head('Transfer-Encoding: chunked\0', 'X: y', '0'), 'I400HD'],
  ['an empty transfer coding', head('Transfer-Encoding:', 'X: y', '0'), 'I400HD'],
  ['a coding behind a folded line', head('Transfer-Encoding:\r\n chunked', 'X: y', '0'), 'I400HD'],
  ['a second coding in another spelling', head('Transfer-Encoding: chunked', 'transfer-encoding: x', '0'), 'I400HD'],
  ['a folded line before all headers', 'POST /open HTTP/1.1\r\n X: y\r\nHost: localhost\r\n\r\n', 'I400RU'],
  ['a blank before the colon', head('Transfer-Encoding : chunked', 'X: y', '0'), 'I400HD'],
  ['a vertical tab before the value', head('Transfer-Encoding: \x0bchunked', 'X: y', '0'), 'I400HD'],
  ['a folded header line', head('X: a\r\n b', 'Y: z', ''), 'I400HD'],
  ['a bare line feed between headers', head('X: a\nTransfer-Encoding: chunked', 'Y: z', ''), 'I400HD'],
  ['a bare carriage return in a value', head('X: a\rTransfer-Encoding: chunked', 'Y: z', ''), 'I400HD'],
  ['a NUL in a value', head('X: a\0b', 'Y: z', ''), 'I400HD'],
  ['a NUL in a name', head('X\0: a', 'Y: z', ''), 'I400HD'],
  ['a header without a name', head(': a', 'Y: z', ''), 'I400HD'],
  ['two hosts', head('Host: other.test', 'Y: z', ''), 'I400HD'],
  ['no host', 'GET /open HTTP/1.1\r\n\r\n', 'I400MH'],
  ['HTTP/0.9', 'GET /open\r\n\r\n', 'I400MH'],
  ['chunks in HTTP/1.0', 'POST /open HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n', 'I400HD'],
  ['line feeds only', 'GET /open HTTP/1.1\nHost: localhost\n\n', 'I400RU'],
  ['an unknown version', 'GET /open HTTP/9.9\r\nHost: localhost\r\n\r\n', 'I400RU'],
  ['a blank in the target', 'GET /open HTTP/1.1 /x HTTP/1.1\r\nHost: localhost\r\n\r\n', 'I400RU'],
  ['a control character in the target', 'GET /op\x01en HTTP/1.1\r\nHost: localhost\r\n\r\n', 'I400RU'],
  ['a raw byte outside ASCII in the path', 'GET /\xe7\x8c\xab HTTP/1.1\r\nHost: localhost\r\n\r\n', 'I400RU'],
  ['a fragment in the target', 'GET /open#x HTTP/1.1\r\nHost: localhost\r\n\r\n', 'I400RU'],
  ['a target that is no path', 'OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 'I400PA'],
  ['an unknown method', 'FOO /open HTTP/1.1\r\nHost: localhost\r\n\r\n', 'I405UM'],
  ['a method in lower case', 'get /open HTTP/1.1\r\nHost: localhost\r\n\r\n', 'I405UM'],
  [
    'a method that APIs cannot have',
    'PROPFIND /open HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    'I405UM',
  ],
  ['a tunnel to another host', 'CONNECT internal:22 HTTP/1.1\r\nHost: internal:22\r\n\r\n', 'I405UM'],
  ['the beginning of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'I400RU'],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'I405UM'],
  ['another expectation', head('Expect: 200-ok', 'Connection: close', ''), 'I400HD'],
];

function head(first: string, second: string, body: string): string {
  return `POST /open HTTP/1.1\r\nHost: localhost\r\n${first}\r\n${second}\r\n\r\n${body === '' ? '' : `${body}\r\n\r\n`}`;
}

describe('smuggling into the gateway', () => {
  let target: Target;
  before(async () => {
    target = await openTarget(changes);
  });
  after(() => target.close());

  for (const [name, bytes, code] of attacks) {
    it(`refuses ${name}`, async () => {
      target.reached.length = 0;
      const isOwnWay = /Connection: close/.test(bytes);
      const answer = await target.send(isOwnWay ? bytes : bytes + hidden);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${code.slice(1, 4)} `));
      assert.match(answer, new RegExp(`\r\nX-Ca-Error-Code: ${code}\r\n`));
      assert.match(answer, /\r\nX-Ca-Request-Id: [0-9A-F-]{36}\r\n/);
      const id = /X-Ca-Request-Id: (\S+)/.exec(answer)?.[1];
      assert.equal(target.records.find((record) => record.requestId === id)?.failure?.code, code);
      if (!bytesAreHarmless(name)) assert.deepEqual([target.reached, countAnswers(answer)], [[], 1]);
      assert.deepEqual(target.bugs, []);
    });
  }

  it('serves what follows a whole request as a request of its own', async () => {
    target.reached.length = 0;
    const answer = await target.send(`POST /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc${hidden}`);
    assert.deepEqual([countAnswers(answer), target.reached.sort()], [2, ['/hidden', '/open']]);
  });

  const chunked = 'POST /open HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
  for (const [name, body] of [
    ['a chunk size that is no number', 'zz\r\nabc\r\n0\r\n\r\n'],
    ['a negative chunk size', '-3\r\nabc\r\n0\r\n\r\n'],
    ['a chunk size beyond 64 bits', 'fffffffffffffffff\r\nabc\r\n0\r\n\r\n'],
    ['a bare line feed after the chunk size', '3\nabc\r\n0\r\n\r\n'],
    ['a chunk longer than its size', '3\r\nabcd\r\n0\r\n\r\n'],
    ['a chunk size with 0x', '0x3\r\nabc\r\n0\r\n\r\n'],
    ['a chunk size with a sign', '+3\r\nabc\r\n0\r\n\r\n'],
    ['a chunk size with a line below', '0_3\r\nabc\r\n0\r\n\r\n'],
    ['a blank before the chunk size', ' 3\r\nabc\r\n0\r\n\r\n'],
    ['a blank behind the chunk size', '3 \r\nabc\r\n0\r\n\r\n'],
    ['a chunk without a size', '\r\nabc\r\n0\r\n\r\n'],
    ['an extension without a size', ';a=b\r\nabc\r\n0\r\n\r\n'],
    ['a bare line feed after a chunk', '3\r\nabc\n0\r\n\r\n'],
    ['a bare line feed after the last chunk size', '3\r\nabc\r\n0\n\r\n'],
    ['a bare line feed at the end', '3\r\nabc\r\n0\r\n\n'],
    ['a bare carriage return in a chunk extension', '3;a\rb\r\nabc\r\n0\r\n\r\n'],
    ['a line feed in a chunk extension', '3;a\nb\r\nabc\r\n0\r\n\r\n'],
    ['a bare line feed in trailers', '3\r\nabc\r\n0\r\nX: a\nY: b\r\n\r\n'],
    ['a blank before the colon in trailers', '3\r\nabc\r\n0\r\nX : a\r\n\r\n'],
    ['a folded line in trailers', '3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n'],
    ['a length in trailers', '3\r\nabc\r\n0\r\nContent-Length: 44\r\n\r\n'],
    ['a transfer coding in trailers', '3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a line feed in a quoted chunk extension', '3;a="b\n"\r\nabc\r\n0\r\n\r\n'],
  ] as const) {
    it(`refuses ${name}`, async () => {
      target.reached.length = 0;
      const answer = await target.send(chunked + body + hidden);
      assert.match(answer, /^HTTP\/1\.1 400 [\s\S]*\r\nX-Ca-Error-Code: I400BD\r\n/);
      assert.deepEqual([target.reached, countAnswers(answer)], [[], 1]);
    });
  }

  it('refuses a URI and headers longer than the parser takes, each with its code', async () => {
    assert.match(await target.send(`GET /${'x'.repeat(400_000)} HTTP/1.1\r\n`), /X-Ca-Error-Code: I413UL/);
    const lines = 'X-Filler: some words here\r\n'.repeat(20_000);
    assert.match(await target.send(`GET /open HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n`), /X-Ca-Error-Code: I400HD/);
  });

  it('answers an Upgrade that it does not serve as a plain request', async () => {
    const upgrade = 'Connection: Upgrade\r\nUpgrade: h2c\r\n';
    const answer = await target.send(`GET /open HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n`);
    assert.match(answer, /^HTTP\/1\.1 200 /);
  });
});

describe('bodies that are announced and not sent', () => {
  it('are not asked for when the request is refused anyway', async () => {
    const target = await openTarget(changes);
    const announced = (path: string) =>
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n`;
    const socket = connect(target.port, '127.0.0.1');
    const all = readText(socket);
    socket.write(announced('/none'));
    await new Promise((resolve) => socket.once('data', resolve));
    socket.end();
    assert.doesNotMatch(await all, /100 Continue/);
    const served = connect(target.port, '127.0.0.1');
    const answer = readText(served);
    served.write(announced('/open'));
    await new Promise((resolve) => served.once('data', resolve));
    served.end('abc');
    assert.match(await answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
    await target.close();
  });

  it('and a tunnel asked for behind a request that is still being answered ends the connection, not the server', async () => {
    const target = await openTarget(changes);
    const waiting = 'POST /open HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc';
    for (let i = 0; i < 20; i++) {
      const socket = connect(target.port, '127.0.0.1');
      socket.on('error', () => {}); // a reset is as good
      socket.end(`${waiting}CONNECT internal:22 HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      assert.doesNotMatch(await readText(socket).catch(() => ''), / 405 /);
    }
    assert.match(await target.send('GET /open HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'), / 200 /);
    assert.deepEqual(target.bugs, []);
    await target.close();
  });

  it('and heads and bodies that never end are cut off, with an answer', async () => {
    const target = await openTarget(changes, { settings: { headTimeoutMs: 200, bodyTimeoutMs: 200 } });
    const head = connect(target.port, '127.0.0.1');
    head.write('GET /open HTTP/1.1\r\nHost: loc');
    assert.match(await readText(head), /^HTTP\/1\.1 400 [\s\S]*X-Ca-Error-Code: I400RU/);
    assert.deepEqual(
      target.records.map(({ failure }) => failure?.code),
      ['I400RU'],
    );
    const silent = connect(target.port, '127.0.0.1');
    assert.equal(await readText(silent), '', 'a connection on which nobody asked anything');
    assert.equal(target.records.length, 1);
    const body = connect(target.port, '127.0.0.1');
    body.write('POST /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na');
    assert.match(await readText(body), /^HTTP\/1\.1 400 [\s\S]*X-Ca-Error-Code: I400BD[\s\S]*Connection: close/);
    assert.match(target.records.at(-1)?.failure?.message ?? '', /did not arrive in time/);
    assert.equal(target.records.length, 2);
    await target.close();
  });
});

/** Those after which the connection may go on, because nothing about the request's end is in doubt. */
function bytesAreHarmless(name: string): boolean {
  return /two hosts|no host|HTTP\/0\.9|fragment/.test(name);
}
