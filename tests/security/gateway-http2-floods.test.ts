// What a client of HTTP/2 can send by the thousand, or never take: the connection ends or the answer is given up, and the gateway's
// memory and its functions are not held by it. Over frames of our own.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Http2SecureServer, type Http2Server } from 'node:http2';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { createGateway } from '../../src/gateway/gateway.ts';
import { defaultGatewaySettings, type GatewaySettings } from '../../src/gateway/settings.ts';
import { api, definition, group, groupId, returned } from '../../src/gateway/testing.ts';
import type { RequestRecord } from '../../src/model/record.ts';
import { block, endHeaders, endStream, frame, Http2Connection, turn, types } from './http2-frames.ts';

const head = (method: string, path: string) =>
  block([':method', method], [':scheme', 'https'], [':path', path], [':authority', `${groupId}.localhost`]);
const get = (path: string, stream: number) => frame(types.headers, endStream | endHeaders, stream, head('GET', path));
const repeated = (times: number, one: (at: number) => string) =>
  Array.from({ length: times }, (_, at) => one(at)).join('');

const answerBytes = 100 * 1024;

/** A gateway that speaks HTTP/2 in memory. Its function answers `/large` with 100 KB, and `/never` when the caller has gone. */
async function open(t: TestContext, settings: Partial<GatewaySettings> = {}) {
  const records: RequestRecord[] = [];
  const bugs: unknown[] = [];
  const calls = { begun: 0, underWay: 0 };
  const gateway = createGateway({
    clock: systemClock,
    claimNonce: () => true,
    count: () => -1,
    report: (record) => records.push(record),
    reportBug: (error) => bugs.push(error),
    settings: { ...defaultGatewaySettings, ...settings },
    invoke: async ({ event }, signal) => {
      calls.begun += 1;
      const { path } = JSON.parse(String(event)) as { path: string };
      if (path !== '/never')
        return returned({ statusCode: 200, body: 'x'.repeat(path === '/large' ? answerBytes : 1) });
      calls.underWay += 1;
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
      calls.underWay -= 1;
      throw signal.reason;
    },
  });
  await gateway.apply({ version: 1, changes: [group(), api('any', definition({ request: { path: '/*' } }))] });
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const bounds = gateway.tlsOptions({ subject: 'floods', privateKey: pem });
  assert.ok(bounds.settings !== undefined && bounds.maxHeaderListPairs !== undefined);
  const server: Http2Server = createServer({
    settings: bounds.settings,
    maxHeaderListPairs: bounds.maxHeaderListPairs,
  });
  gateway.attachTls(server as Http2Server & Http2SecureServer);
  t.after(() => {
    gateway.close();
    assert.deepEqual(bugs, []);
  });
  return { connection: new Http2Connection(server), calls, records };
}

describe('a connection of HTTP/2 ends', () => {
  it('that opens streams to reset them, and no function is left at work for it', async (t) => {
    const { connection, calls } = await open(t);
    let sent = 0;
    while (connection.stands && sent < 20_000) {
      const first = 1 + 2 * sent;
      await connection.exchange([
        repeated(100, (at) => get('/never', first + 2 * at) + frame(types.reset, 0, first + 2 * at, '\0\0\0\x08')),
      ]);
      sent += 100;
    }
    assert.ok(!connection.stands, `it stands after ${sent} resets`);
    assert.ok(calls.begun < 2_000, `${calls.begun} calls`);
    await connection.end();
    for (let turns = 0; turns < 100 && calls.underWay > 0; turns++) await turn();
    assert.equal(calls.underWay, 0);
  });

  const floods: readonly (readonly [name: string, bytes: () => string])[] = [
    [
      'whose headers never end',
      () =>
        frame(types.headers, endStream, 1, head('GET', '/any')) +
        repeated(1_000, (at) => frame(types.more, 0, 1, block([`x-${at}`, 'y'.repeat(100)]))),
    ],
    [
      'whose headers go on in empty frames',
      () =>
        frame(types.headers, endStream, 1, head('GET', '/any')) + repeated(1_000, () => frame(types.more, 0, 1, '')),
    ],
    [
      'whose body goes on in empty frames',
      () =>
        frame(types.headers, endHeaders, 1, head('POST', '/any')) + repeated(10_000, () => frame(types.data, 0, 1, '')),
    ],
    ['that sends priorities only', () => repeated(20_000, () => frame(types.priority, 0, 1, '\0\0\0\0\x10'))],
    ['that sends unknown frames only', () => repeated(20_000, () => frame(0x42, 0, 0, 'abc'))],
  ];
  for (const [name, bytes] of floods) {
    it(name, async (t) => {
      const { connection, calls } = await open(t);
      await connection.exchange([bytes()]);
      assert.ok(!connection.stands);
      await connection.end();
      assert.equal(calls.begun, 0);
    });
  }
});

describe('answers that a client of HTTP/2 never takes', () => {
  const noWindow = frame(types.settings, 0, 0, '\0\x04\0\0\0\0');

  it('are given up in time, however often it pings', { timeout: 30_000 }, async (t) => {
    const { connection, records } = await open(t, { stallTimeoutMs: 500 });
    const came = await connection.exchange([noWindow + get('/large', 1) + get('/large', 3)]);
    assert.deepEqual(came.statuses, [200, 200]);
    let reached = 'nothing';
    while (connection.stands && reached !== `frame ${types.reset}`) ({ reached } = await connection.exchange([]));
    assert.ok(connection.stands, 'the connection goes on');
    assert.deepEqual((await connection.exchange([get('/small', 5)])).statuses, [200], 'it serves others');
    assert.equal(records.length, 3);
    await connection.end();
  });

  it('take no more memory than answers may: others are refused until there is room again', async (t) => {
    const { connection, records } = await open(t, { answersLimitBytes: 3.5 * answerBytes });
    const statuses = async (bytes: string) => (await connection.exchange([bytes])).statuses;
    const large = repeated(5, (at) => get('/large', 1 + 2 * at));
    assert.deepEqual((await statuses(noWindow + large)).toSorted(), [200, 200, 200, 503, 503]);
    assert.deepEqual([...new Set(records.map(({ failure }) => failure?.code))].toSorted(), ['X503BZ', undefined]);
    assert.deepEqual(await statuses(get('/small', 11)), [200], 'small ones pass');
    const given = repeated(3, (at) => frame(types.reset, 0, 1 + 2 * at, '\0\0\0\x08'));
    await connection.exchange([given]);
    assert.deepEqual(await statuses(get('/large', 13)), [200]);
    await connection.end();
  });

  it('are given up when they were taken for too long, though a little is taken again and again', {
    timeout: 30_000,
  }, async (t) => {
    const { connection } = await open(t, { answerTimeoutMs: 500 });
    const came = await connection.exchange([noWindow + get('/large', 1)]);
    assert.deepEqual(came.statuses, [200]);
    let reached = 'nothing';
    const byte = frame(types.window, 0, 1, '\0\0\0\x01');
    while (connection.stands && reached !== `frame ${types.reset}`) ({ reached } = await connection.exchange([byte]));
    assert.ok(connection.stands);
    await connection.end();
  });
});
