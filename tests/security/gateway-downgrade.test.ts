// Requests of HTTP/2 that would become two requests, or another one, if they were written to a backend of HTTP/1.1 as they came.
// Over frames of our own, since clients would not send them.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createServer as createBackend } from 'node:http';
import { createServer, type Http2SecureServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { it, type TestContext } from 'node:test';
import { groupId } from '../../src/gateway/testing.ts';
import { httpBackend, proxyTo, startGateway } from '../contract/backends-fixture.ts';
import { block, endHeaders, endStream, frame, Http2Connection, types } from './http2-frames.ts';

type Field = readonly [name: string, value: string];

const authority = `${groupId}.localhost`;
const pseudo = { ':method': 'POST', ':scheme': 'https', ':path': '/open', ':authority': authority };
const hidden = 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n';

/** The pseudo-fields, of which some are others or (null) not there, then fields. */
function fields(changed: Readonly<Record<string, string | null>>, ...more: readonly Field[]): Field[] {
  const all: [string, string | null][] = Object.entries({ ...pseudo, ...changed });
  return [...all.filter((field): field is [string, string] => field[1] !== null), ...more];
}

/** A request in the stream 1. `trailers`: behind the body. */
function request(head: readonly Field[], body: string | null = null, trailers: readonly Field[] | null = null): string {
  const { headers, data } = types;
  if (body === null) return frame(headers, endStream | endHeaders, 1, block(...head));
  return (
    frame(headers, endHeaders, 1, block(...head)) +
    frame(data, trailers === null ? endStream : 0, 1, body) +
    (trailers === null ? '' : frame(headers, endStream | endHeaders, 1, block(...trailers)))
  );
}

type Got = { readonly target: string; readonly headers: readonly string[]; readonly body: string };

/** A backend of HTTP/1.1: the whole requests that it was sent, and all bytes. */
async function startBackend(t: TestContext) {
  const whole: Got[] = [];
  const received: string[] = [];
  const server = createBackend((message, answer) => {
    readText(message).then(
      (body) => {
        whole.push({ target: `${message.method} ${message.url}`, headers: message.rawHeaders, body });
        answer.end('reached');
      },
      () => answer.destroy(), // it broke off
    );
  });
  server.on('connection', (socket) => socket.on('data', (chunk: Buffer) => received.push(chunk.toString('latin1'))));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { whole, received, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** A gateway that speaks HTTP/2 in memory, before such a backend. */
async function open(t: TestContext) {
  const backend = await startBackend(t);
  const { gateway, bugs } = await startGateway(t, { open: proxyTo(httpBackend(backend.address)) });
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const { settings, maxHeaderListPairs } = gateway.tlsOptions({ subject: 'downgrade', privateKey: pem });
  assert.ok(settings !== undefined && maxHeaderListPairs !== undefined);
  const server: Http2Server = createServer({ settings, maxHeaderListPairs });
  gateway.attachTls(server as Http2Server & Http2SecureServer);
  const send = async (bytes: string) => {
    const connection = new Http2Connection(server);
    let came = await connection.exchange([bytes]);
    // The backend is asked over a socket: nothing may come for a while.
    while (connection.stands && came.statuses.length === 0 && came.reached === 'nothing')
      came = await connection.exchange([]);
    await connection.end();
    return came.statuses;
  };
  return { ...backend, bugs, send };
}

const tooMany = Array.from({ length: 600 }, (_, at): Field => [`x-${at}`, 'v']);

/** Name of the attack, the request: its field is left out by the library, and the rest is served. Source: live (node 26). */
const leftOut: readonly (readonly [name: string, bytes: string])[] = [
  ['a line break in a value', request(fields({}, ['x-a', 'b\r\nx-evil: 1']))],
  ['a bare line feed in a value', request(fields({}, ['x-a', 'b\nx-evil: 1']))],
  ['a bare carriage return in a value', request(fields({}, ['x-a', 'b\rx-evil: 1']))],
  ['a folded value', request(fields({}, ['x-a', 'b\r\n c']))],
  ['a NUL in a value', request(fields({}, ['x-a', 'b\0c']))],
  ['a whole request in a value', request(fields({}, ['x-a', `b\r\n\r\n${hidden}`]))],
  ['a line break in a name', request(fields({}, ['x-a: b\r\nx-evil', '1']))],
  ['a colon in a name', request(fields({}, ['transfer-encoding: chunked\r\nx', '1']))],
  ['a blank in a name', request(fields({}, ['content-length ', '0']))],
  ['an empty name', request(fields({}, ['', 'v']))],
];

for (const [name, bytes] of leftOut) {
  it(`${name} of HTTP/2 does not reach a backend`, async (t) => {
    const { whole, received, bugs, send } = await open(t);
    assert.deepEqual(await send(bytes), [200]);
    assert.deepEqual([whole.map(({ target }) => target), bugs], [['POST /open'], []]);
    assert.doesNotMatch(received.join(''), /hidden|evil|x-a:|chunked/i);
  });
}

/** Name of the attack, the request. None may be one that the backend takes for whole. */
const refused: readonly (readonly [name: string, bytes: string])[] = [
  ['an upper-case name', request(fields({}, ['Content-Length', '0']))],
  ['a line break in :path', request(fields({ ':path': `/open HTTP/1.1\r\nHost: x\r\n\r\n${hidden}` }))],
  ['a blank in :path', request(fields({ ':path': '/hidden HTTP/1.1' }))],
  ['a tab in :path', request(fields({ ':path': '/hidden\tHTTP/1.1' }))],
  ['a fragment in :path', request(fields({ ':path': '/open#/hidden' }))],
  [':path without a slash', request(fields({ ':path': 'hidden' }))],
  [':path with another host', request(fields({ ':path': 'http://other.test/hidden' }))],
  ['an empty :path', request(fields({ ':path': '' }))],
  ['no :path', request(fields({ ':path': null }))],
  ['two of :path', request(fields({}, [':path', '/hidden']))],
  ['a line break in :method', request(fields({ ':method': 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\nPOST' }))],
  ['a blank in :method', request(fields({ ':method': 'GET /hidden' }))],
  ['no :method', request(fields({ ':method': null }))],
  ['two of :method', request(fields({}, [':method', 'GET']))],
  ['a line break in :authority', request(fields({ ':authority': `${authority}\r\nx-evil: 1` }))],
  ['a line break in :scheme', request(fields({ ':scheme': 'https\r\nx-evil: 1' }))],
  ['no :scheme', request(fields({ ':scheme': null }))],
  ['neither :authority nor host', request(fields({ ':authority': null }))],
  ['another host than :authority', request(fields({}, ['host', 'other.test']))],
  ['two of host', request(fields({ ':authority': null }, ['host', authority], ['host', 'other.test']))],
  ['a pseudo-field behind a field', request([['x-a', 'b'], ...fields({})])],
  ['an unknown pseudo-field', request(fields({ ':evil': '1' }))],
  ['a pseudo-field of answers', request(fields({ ':status': '200' }))],
  [':protocol, which nobody offered', request(fields({ ':method': 'CONNECT', ':protocol': 'websocket' }))],
  [
    'a tunnel',
    request([
      [':method', 'CONNECT'],
      [':authority', 'internal:22'],
    ]),
  ],
  ['transfer-encoding', request(fields({}, ['transfer-encoding', 'chunked']), `0\r\n\r\n${hidden}`)],
  ['connection', request(fields({}, ['connection', 'x-a'], ['x-a', 'b']))],
  ['keep-alive', request(fields({}, ['keep-alive', 'timeout=9']))],
  ['proxy-connection', request(fields({}, ['proxy-connection', 'keep-alive']))],
  ['upgrade', request(fields({}, ['upgrade', 'h2c']))],
  ['te for more than trailers', request(fields({}, ['te', 'gzip']))],
  ['a length that is no number', request(fields({}, ['content-length', '3a']), 'abc')],
  ['a negative length', request(fields({}, ['content-length', '-1']), 'abc')],
  ['a length with a sign', request(fields({}, ['content-length', '+3']), 'abc')],
  ['a list of lengths', request(fields({}, ['content-length', '3, 3']), 'abc')],
  ['two lengths', request(fields({}, ['content-length', '3'], ['content-length', '0']), 'abc')],
  ['a length shorter than the body', request(fields({}, ['content-length', '3']), `abc${hidden}`)],
  ['a length longer than the body', request(fields({}, ['content-length', '9']), 'abc')],
  ['a length and no body', request(fields({}, ['content-length', '9']))],
  ['a length of nothing and a body', request(fields({}, ['content-length', '0']), hidden)],
  ['a pseudo-field in trailers', request(fields({}), 'abc', [[':path', '/hidden']])],
  ['a length in trailers', request(fields({}), 'abc', [['content-length', '0']])],
  ['transfer-encoding in trailers', request(fields({}), 'abc', [['transfer-encoding', 'chunked']])],
  ['more fields than are read', request(fields({}, ...tooMany))],
];

for (const [name, bytes] of refused) {
  it(`a request of HTTP/2 with ${name} does not reach a backend`, async (t) => {
    const { received, whole, bugs, send } = await open(t);
    const statuses = await send(bytes);
    assert.ok(
      statuses.every((status) => status >= 400 && status < 500),
      `it is answered ${statuses.join()}`,
    );
    assert.deepEqual([whole, bugs], [[], []]);
    assert.doesNotMatch(received.join(''), /GET \/hidden|evil/);
    // The next one on the same connection to the backend is itself.
    assert.deepEqual(await send(request(fields({}, ['content-length', '3']), 'abc')), [200]);
    assert.deepEqual(
      whole.map(({ target, body }) => [target, body]),
      [['POST /open', 'abc']],
    );
  });
}

it('a tunnel asked for in HTTP/2 is answered as one in HTTP/1.1', async (t) => {
  const { send } = await open(t);
  const tunnel = request([
    [':method', 'CONNECT'],
    [':authority', 'internal:22'],
  ]);
  assert.deepEqual(await send(tunnel), [405]);
});

it('a body of HTTP/2 that looks like the end of chunks and a request is a body', async (t) => {
  const { whole, send } = await open(t);
  const body = `0\r\n\r\n${hidden}`;
  assert.deepEqual(await send(request(fields({}), body)), [200]);
  assert.deepEqual(
    whole.map((got) => [got.target, got.body]),
    [['POST /open', body]],
  );
});

it('trailers of HTTP/2 stay here', async (t) => {
  const { received, whole, send } = await open(t);
  assert.deepEqual(await send(request(fields({}), 'abc', [['x-trailer', '1']])), [200]);
  assert.deepEqual(
    whole.map((got) => [got.target, got.body]),
    [['POST /open', 'abc']],
  );
  assert.match(received.join(''), /\r\n\r\n3\r\nabc\r\n0\r\n\r\n$/);
});

it('a Host beside :authority may only say the same', async (t) => {
  const { received, send } = await open(t);
  assert.deepEqual(await send(request(fields({}, ['host', 'other.test']))), [400]);
  assert.deepEqual(received, []);
  assert.deepEqual(await send(request(fields({}, ['host', authority]))), [200]);
});

it('cookies of HTTP/2 become one line, and te: trailers none', async (t) => {
  const { received, send } = await open(t);
  const more: Field[] = [
    ['cookie', 'a=1'],
    ['cookie', 'b=2'],
    ['te', 'trailers'],
  ];
  assert.deepEqual(await send(request(fields({}, ...more))), [200]);
  assert.match(received.join(''), /\r\ncookie: a=1; b=2\r\n/);
  assert.doesNotMatch(received.join(''), /\r\nte:/i);
});
