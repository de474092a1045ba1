// Broken HTTP/2, as it comes out of the TLS layer: frames that are broken, and whole frames with broken fields and bodies. The
// gateway answers, resets or closes, and its memory stays. YUNMEN_TORTURE=1: a million.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Http2SecureServer, type Http2Server } from 'node:http2';
import { it } from 'node:test';
import { api, definition, group, groupId, parameter } from '../../src/gateway/testing.ts';
import { collect, fuzz, inputs, judge, openGateway, seed, timeout, words } from './fuzz.ts';
import {
  block,
  endHeaders,
  endStream,
  frame,
  Http2Connection,
  preface,
  settings,
  turn,
  types,
} from './http2-frames.ts';
import { Mutator } from './mutator.ts';

const head = (method: string, path: string, ...more: (readonly [string, string])[]) =>
  block([':method', method], [':scheme', 'https'], [':path', path], [':authority', `${groupId}.localhost`], ...more);
const accepts = [['accept', '*/*'] as const, ['cookie', 'a=1'] as const, ['cookie', 'b=2'] as const];
const formFields = [['content-type', 'application/x-www-form-urlencoded'] as const, ['content-length', '7'] as const];

/** Good exchanges on the streams `id` and `id + 2`. */
function exchanges(id: number): string[] {
  const get = head('GET', '/open/1/x?a=b', ...accepts);
  const post = head('POST', '/form', ...formFields);
  const { headers, data, reset, more } = types;
  return [
    frame(headers, endStream | endHeaders, id, get),
    frame(headers, endHeaders, id, post) + frame(data, endStream, id, 's=aaa&n'),
    frame(headers, endHeaders, id, post) + frame(data, 0, id, 's=a') + frame(reset, 0, id, '\0\0\0\x08'),
    frame(headers, endStream, id, get.slice(0, 30)) + frame(more, endHeaders, id, get.slice(30)),
    frame(headers, endStream | endHeaders, id, get) + frame(headers, endStream | endHeaders, id + 2, get),
    frame(headers, endStream | endHeaders, id, head('CONNECT', '/')),
    frame(headers, endHeaders, id, head('POST', '/open/2', ['expect', '100-continue'])) +
      frame(headers, endStream | endHeaders, id, block(['x-trailer', '1'])),
    frame(types.ping, 0, 0, '12345678') +
      frame(types.window, 0, 0, '\0\0\x10\0') +
      frame(types.priority, 0, id, '\0\0\0\0\x10'),
    frame(types.goAway, 0, 0, '\0\0\0\0\0\0\0\0') + frame(types.push, endHeaders, id, `\0\0\0\x02${get}`),
  ];
}

/** A whole request in whole frames, of which one text is broken: it comes further than a broken frame. */
function brokenRequest(mutator: Mutator, id: number): string {
  const texts = [
    'POST',
    '/form?q=x',
    'content-type',
    'application/x-www-form-urlencoded',
    'x-any',
    'a=1',
    's=aaa&n=%41',
  ];
  const at = mutator.below(texts.length);
  texts[at] = mutator.mutate(texts.slice(at, at + 1));
  const [method, path, typeName, type, name, value, body] = texts.map((text, place) =>
    place === texts.length - 1 ? text : text.slice(0, 126),
  ) as [string, string, string, string, string, string, string];
  const fields = head(method, path, [typeName, type], [name, value]);
  return frame(types.headers, endHeaders, id, fields) + frame(types.data, endStream, id, body.slice(0, 16_000));
}

/** Inputs of one conversation: over one connection while that stands, each in streams of its own. */
const inTurn = 8;
/** Each takes most of a millisecond. */
const count = inputs < 100_000 ? Math.ceil(inputs / 5) : inputs;

it(`the gateway is sent ${count} broken inputs of HTTP/2`, { timeout }, async (t) => {
  const form = definition({
    request: { method: 'POST', path: '/form', bodyFormat: 'FORM' },
    rest: { parameters: [parameter({ name: 's', location: 'BODY', required: true })] },
  });
  const open = definition({ request: { method: 'ANY', path: '/open/*', mode: 'PASSTHROUGH' } });
  const { gateway, bugs, reported } = await openGateway([group(), api('form', form), api('open', open)]);
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
  let begun = 0;
  const sessions: WeakRef<object>[] = [];
  server.on('session', (session) => {
    if (sessions.push(new WeakRef(session)) > 100) sessions.shift();
  });
  for (const event of ['request', 'checkContinue', 'checkExpectation']) server.on(event, () => begun++);
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
    each: inTurn,
    count,
    make: () =>
      JSON.stringify(
        Array.from({ length: inTurn }, (_, turnAt) => {
          const id = 1 + 4 * turnAt;
          if (mutator.below(2) === 0) return mutator.pieces(brokenRequest(mutator, id));
          // The start of a connection is seldom broken: little comes further than that.
          if (turnAt > 0 || mutator.below(3) > 0) return mutator.pieces(mutator.mutate(exchanges(id)));
          return [mutator.mutate(exchanges(id).map((frames) => preface + settings + frames)), ''];
        }),
      ),
    send: async (input) => {
      const talk = JSON.parse(input) as readonly (readonly string[])[];
      const answers: string[] = [];
      let connection: Http2Connection | null = null;
      for (const pieces of talk) {
        connection ??= new Http2Connection(server);
        const { reached, statuses } = await connection.exchange(pieces);
        for (const status of statuses) judge(status, null, bugs);
        answers.push(statuses.length > 0 ? statuses.join(' then ') : judge(0, reached, bugs));
        if (connection.stands) continue;
        await connection.end();
        connection = null;
      }
      await connection?.end();
      return answers;
    },
  });
  assert.equal(bugs.length, 0);
  for (let turns = 0; turns < 100 && reported() < begun; turns++) await turn();
  collect();
  const kept = sessions.filter((session) => session.deref() !== undefined).length;
  assert.ok(kept < 5, `${kept} of the last ${sessions.length} sessions, which are closed, are still held`);
  assert.ok(reported() >= begun, `${begun - reported()} of ${begun} requests never ended`);
  gateway.close();
});
