// Broken frames of HTTP/2, as they come out of the TLS layer: the gateway answers, resets or closes, and its memory stays.
// YUNMEN_TORTURE=1: a million.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Http2SecureServer, type Http2Server } from 'node:http2';
import { type Duplex, duplexPair } from 'node:stream';
import { it } from 'node:test';
import { api, definition, group, groupId, parameter } from '../../src/gateway/testing.ts';
import { fuzz, inputs, judge, openGateway, seed, timeout, words } from './fuzz.ts';
import { Mutator } from './mutator.ts';

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const types = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goAway: 7,
  window: 8,
  more: 9,
};
const endStream = 0x1;
const endHeaders = 0x4;

function frame(type: number, flags: number, stream: number, payload: string): string {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return head.toString('latin1') + payload;
}

/** A block of literal header fields without Huffman code or index. Source: docs (RFC 7541 6.2.2). */
function block(...fields: readonly (readonly [name: string, value: string])[]): string {
  const text = (part: string) => String.fromCharCode(part.length) + part; // shorter than 127 bytes
  return fields.map(([name, value]) => `\0${text(name)}${text(value)}`).join('');
}

const head = (method: string, path: string, ...more: (readonly [string, string])[]) =>
  block([':method', method], [':scheme', 'https'], [':path', path], [':authority', `${groupId}.localhost`], ...more);
const get = head('GET', '/open/1/x?a=b', ['accept', '*/*'], ['cookie', 'a=1'], ['cookie', 'b=2']);
const post = head('POST', '/form', ['content-type', 'application/x-www-form-urlencoded'], ['content-length', '7']);
const settings = frame(types.settings, 0, 0, '\0\x03\0\0\0\x64\0\x04\0\x01\0\0');
const corpus = [
  frame(types.headers, endStream | endHeaders, 1, get),
  frame(types.headers, endHeaders, 1, post) + frame(types.data, endStream, 1, 's=aaa&n'),
  frame(types.headers, endHeaders, 1, post) + frame(types.data, 0, 1, 's=a') + frame(types.reset, 0, 1, '\0\0\0\x08'),
  frame(types.headers, endStream, 1, get.slice(0, 30)) + frame(types.more, endHeaders, 1, get.slice(30)),
  frame(types.headers, endStream | endHeaders, 1, get) + frame(types.headers, endStream | endHeaders, 3, get),
  frame(types.headers, endStream | endHeaders, 1, head('CONNECT', '/')),
  frame(types.headers, endHeaders, 1, head('POST', '/open/2', ['expect', '100-continue'])) +
    frame(types.headers, endStream | endHeaders, 1, block(['x-trailer', '1'])),
  frame(types.ping, 0, 0, '12345678') +
    frame(types.window, 0, 0, '\0\0\x10\0') +
    frame(types.priority, 0, 1, '\0\0\0\0\x10'),
  frame(types.goAway, 0, 0, '\0\0\0\0\0\0\0\0') + frame(types.push, endHeaders, 1, `\0\0\0\x02${get}`),
];

/** Each takes milliseconds, most of them to tell that nothing more comes. */
const count = inputs < 100_000 ? Math.ceil(inputs / 10) : inputs;

it(`the gateway is sent ${count} broken conversations of HTTP/2`, { timeout }, async (t) => {
  const form = definition({
    request: { method: 'POST', path: '/form', bodyFormat: 'FORM' },
    rest: { parameters: [parameter({ name: 's', location: 'BODY', required: true })] },
  });
  const open = definition({ request: { method: 'ANY', path: '/open/*', mode: 'PASSTHROUGH' } });
  const { gateway, bugs } = await openGateway([group(), api('form', form), api('open', open)]);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { settings: bounds, maxHeaderListPairs } = gateway.tlsOptions({
    subject: 'fuzz',
    privateKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  });
  const server: Http2Server = createServer({
    ...(bounds === undefined ? {} : { settings: bounds }),
    ...(maxHeaderListPairs === undefined ? {} : { maxHeaderListPairs }),
  });
  gateway.attachTls(server as Http2Server & Http2SecureServer);
  const mutator = new Mutator(seed, [
    ...words,
    '\0\0\0',
    '\x7f\xff\xff\xff',
    '\0\0\x08\x06',
    ':path',
    settings,
    preface,
  ]);
  await fuzz(t, {
    atOnce: 16,
    count,
    make: () => {
      // Mostly behind an intact start, so that it comes further than the first bytes.
      const frames = mutator.mutate(corpus);
      return mutator.below(20) === 0 ? mutator.mutate([preface + settings + frames]) : preface + settings + frames;
    },
    send: async (input) => {
      const { reached, statuses } = await converse(server, mutator.pieces(input));
      for (const status of statuses) judge(status, null, bugs);
      return statuses.length > 0 ? statuses.map(String).join(' then ') : judge(0, reached, bugs);
    },
  });
  assert.equal(bugs.length, 0);
  gateway.close();
});

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** One connection in memory: sends the pieces and reads frames until nothing comes any more. */
async function converse(server: Http2Server, pieces: readonly string[]) {
  const [client, accepted]: [Duplex, Duplex] = duplexPair();
  Object.assign(accepted, { remoteAddress: '198.51.100.7', setTimeout() {}, setNoDelay() {}, setKeepAlive() {} });
  server.emit('connection', accepted);
  const chunks: Buffer[] = [];
  let isClosed = false;
  client.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
  const closed = new Promise<void>((resolve) => {
    for (const side of [client, accepted]) side.once('close', resolve).once('end', resolve);
  }).then(() => {
    isClosed = true;
  });
  for (const piece of pieces) {
    if (!client.destroyed) client.write(piece, 'latin1');
    await turn();
  }
  let quiet = 0;
  for (let before = -1; quiet < 6 && !isClosed; quiet++) {
    await turn();
    if (chunks.length !== before) quiet = 0;
    before = chunks.length;
  }
  client.end();
  for (let turns = 0; turns < 4 && !isClosed; turns++) await turn();
  client.destroy();
  accepted.destroy();
  await closed;
  return readFrames(Buffer.concat(chunks));
}

/** The statuses that came, and the last kind of frame. */
function readFrames(bytes: Buffer): { readonly reached: string; readonly statuses: number[] } {
  const statuses: number[] = [];
  let reached = 'nothing';
  for (let at = 0; at + 9 <= bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    const type = bytes.readUInt8(at + 3);
    const payload = bytes.subarray(at + 9, at + 9 + length);
    if (type === types.headers) statuses.push(statusOf(payload));
    if (type !== types.settings) reached = `frame ${type}`;
    at += 9 + length;
  }
  return { reached, statuses };
}

/** `:status` comes first: one of the seven of the static table, or three digits. Source: docs (RFC 7541 A). */
function statusOf(payload: Buffer): number {
  const first = payload.readUInt8(0);
  const indexed = [200, 204, 206, 304, 400, 404, 500][(first & 0x7f) - 8];
  if (first >= 0x80 && indexed !== undefined) return indexed;
  return Number(/\d{3}/.exec(payload.toString('latin1', 0, 8))?.[0] ?? 0);
}
