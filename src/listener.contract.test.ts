// The TLS listener: what it keeps of connections that have gone, and how it ends beside those that have not.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type ServerHttp2Session } from 'node:http2';
import { Agent, get } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { it, type TestContext } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock } from './base/clock.ts';
import { createGateway } from './gateway/gateway.ts';
import { defaultGatewaySettings } from './gateway/settings.ts';
import { api, definition, group, returned } from './gateway/testing.ts';
import { type Listener, listenTls } from './listener.ts';

/** Far more than an end in order takes. */
const graceMs = 30_000;

type Open = {
  readonly listener: Listener;
  readonly port: number;
  readonly sessions: WeakRef<ServerHttp2Session>[];
  /** Lets the function answer the calls that wait. */
  answer(): void;
};

/** A gateway whose one function answers `/quick` at once, and every other path when it is told to. */
async function open(t: TestContext): Promise<Open> {
  const { promise: told, resolve: answer } = Promise.withResolvers<void>();
  const gateway = createGateway({
    clock: systemClock,
    claimNonce: () => true,
    count: () => -1,
    report: () => {},
    reportBug: (error) => assert.fail(String(error)),
    settings: defaultGatewaySettings,
    invoke: async ({ event }) => {
      const { path } = JSON.parse(String(event)) as { path: string };
      if (path !== '/quick') await told;
      return returned({ statusCode: 200, body: `answer of ${path}` });
    },
  });
  await gateway.apply({ version: 1, changes: [group(), api('any', definition({ request: { path: '/*' } }))] });
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const sessions: WeakRef<ServerHttp2Session>[] = [];
  const listener = await listenTls({
    ...{ host: '127.0.0.1', port: 0, isShared: false },
    server: gateway.tlsOptions({
      subject: 'a test authority',
      privateKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    }),
    prepare: (server) => {
      gateway.attachTls(server);
      server.on('session', (session) => sessions.push(new WeakRef(session)));
    },
  });
  t.after(async () => {
    answer();
    await listener.close(0);
    gateway.close();
  });
  return { listener, port: Number(new URL(listener.url).port), sessions, answer };
}

const insecure = { rejectUnauthorized: false };

function connectTo({ port }: Open, t: TestContext): ClientHttp2Session {
  const session = connect(`https://localhost:${port}`, insecure);
  session.on('error', () => session.destroy());
  t.after(() => session.destroy());
  return session;
}

async function answerOf(stream: ClientHttp2Stream): Promise<string> {
  return await readText(stream.setEncoding('utf8'));
}

it('nothing is kept of a connection of HTTP/2 that has closed', async (t) => {
  const opened = await open(t);
  for (let i = 0; i < 20; i++) {
    const session = connectTo(opened, t);
    assert.equal(await answerOf(session.request({ ':path': '/quick' })), 'answer of /quick');
    await new Promise<void>((resolve) => session.close(resolve));
  }
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const held = () => opened.sessions.filter((session) => session.deref() !== undefined).length;
  const deadline = Date.now() + 10_000;
  while (held() > 2 && Date.now() < deadline) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  assert.ok(held() <= 2, `${held()} of 20 sessions are still held`);
});

it('ends in order: a request of HTTP/2 under way is answered whole, its connection takes no other', async (t) => {
  const opened = await open(t);
  const session = connectTo(opened, t);
  assert.equal(await answerOf(session.request({ ':path': '/quick' })), 'answer of /quick');
  const waiting = answerOf(session.request({ ':path': '/slow' }));
  await new Promise<void>((resolve, reject) => session.ping((error) => (error === null ? resolve() : reject(error))));
  const told = once(session, 'goaway');
  const closed = opened.listener.close(graceMs);
  assert.equal((await told)[0], 0, 'NO_ERROR');
  assert.ok(session.closed, 'the client opens no stream any more');
  opened.answer();
  assert.equal(await waiting, 'answer of /slow');
  await closed;
});

it('does not wait for connections at rest, of HTTP/1.1 and of HTTP/2', async (t) => {
  const opened = await open(t);
  const agent = new Agent({ keepAlive: true, ...insecure });
  t.after(() => agent.destroy());
  const [first] = (await once(get({ agent, port: opened.port, host: 'localhost', path: '/quick' }), 'response')) as [
    NodeJS.ReadableStream,
  ];
  assert.equal(await readText(first), 'answer of /quick');
  assert.equal(await answerOf(connectTo(opened, t).request({ ':path': '/quick' })), 'answer of /quick');
  const startedAt = performance.now();
  await opened.listener.close(graceMs);
  assert.ok(performance.now() - startedAt < graceMs / 2);
});

it('cuts what does not end within its time, handshakes that never came among it', async (t) => {
  const opened = await open(t);
  const silent = connectPlain(opened.port, '127.0.0.1');
  silent.on('error', () => {}); // a reset is as good
  await once(silent, 'connect');
  const waiting = connectTo(opened, t).request({ ':path': '/slow' });
  waiting.on('error', () => {}); // it is cut
  await once(waiting, 'ready');
  const startedAt = performance.now();
  await opened.listener.close(200);
  assert.ok(performance.now() - startedAt < graceMs / 2);
});
