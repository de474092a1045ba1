import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concurrencyOf } from './concurrency.ts';
import { setUp } from './fake-pool.ts';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const several = { runtime: 'custom', instanceConcurrency: 3 };
const program = { ok: true, interpreter: null, program: 'server', shows: [], note: null } as const;
const ready = ({ acquired }: { acquired: unknown }) =>
  (acquired as { instance?: { number: number } } | null)?.instance?.number;

test('an instance that becomes ready serves as many that wait as it takes; the rest get a further one', async () => {
  const { pool, made, wait } = setUp({}, several, program);
  const requests = [1, 2, 3, 4].map(() => {
    pool.inFlight += 1;
    return wait();
  });
  assert.equal(made.length, 2);
  made[0]?.ready();
  await settle();
  assert.deepEqual(requests.map(ready), [1, 1, 1, undefined]);
  made[1]?.ready();
  await settle();
  assert.equal(requests.map(ready)[3], 2);
});

test('warm requests go to the fullest instance that has room, and an idle one before a full one', async () => {
  const { pool, made, wait } = setUp({}, several, program);
  for (let at = 0; at < 4; at += 1) {
    pool.inFlight += 1;
    wait();
  }
  for (const fake of made) fake.ready();
  await settle();
  const [first, second] = made;
  assert.ok(first !== undefined && second !== undefined);
  pool.putBack(first, 1);
  assert.equal(pool.take(), first, 'two of three are taken there, one of three in the other');
  pool.putBack(second, 1);
  assert.equal(pool.take(), second);
  assert.equal(pool.take(), second);
  assert.equal(pool.take(), second);
  assert.equal(pool.take(), null);
});

test('from the soft limit on a further instance is begun, while the first takes up to its limit', async () => {
  const { pool, made, wait } = setUp({}, { ...several, softConcurrency: 1 }, program);
  pool.inFlight = 1;
  wait();
  made[0]?.ready();
  await settle();
  assert.equal(made.length, 1);
  pool.inFlight = 2;
  assert.equal(pool.take(), made[0]);
  assert.equal(made.length, 2);
});

test('an instance with a request that ended badly takes no more, and ends with its last', async () => {
  const { pool, made, wait } = setUp({}, several, program);
  pool.inFlight = 2;
  wait();
  wait();
  const [first] = made;
  assert.ok(first !== undefined);
  first.ready();
  await settle();
  pool.giveUp(first, 'timed-out', 0);
  assert.equal(first.state.kind, 'idle', 'the other request runs on');
  pool.inFlight = 1;
  assert.equal(pool.take(), null);
  wait();
  assert.equal(made.length, 2, 'who comes next gets another');
  pool.putBack(first, 1);
  assert.equal(first.state.kind, 'stopping');
});

test('a request that ended well in an instance that another has ended meanwhile changes nothing', async () => {
  const { pool, made, wait } = setUp({}, several, program);
  pool.inFlight = 2;
  wait();
  wait();
  const [first] = made;
  assert.ok(first !== undefined);
  first.ready();
  await settle();
  pool.giveUp(first, 'exited', 0);
  assert.equal(first.state.kind, 'stopping');
  pool.putBack(first, 1);
  pool.inFlight = 0;
  assert.equal(pool.take(), null);
  assert.equal(pool.oldestIdleSince, null);
});

test('an instance without requests rests, and is frozen like any other', async () => {
  const { pool, made, wait, clock } = setUp({ freezeMs: 1000 }, several, program);
  pool.inFlight = 2;
  wait();
  wait();
  const [first] = made;
  assert.ok(first !== undefined);
  first.ready();
  await settle();
  pool.putBack(first, 1);
  assert.equal(pool.oldestIdleSince, null);
  pool.putBack(first, 1);
  assert.notEqual(pool.oldestIdleSince, null);
  clock.advance(1000);
  assert.equal(first.state.kind, 'frozen');
});

test('built-in runtimes of FC 3 serve one request at a time, servers of the user several', () => {
  const config = { serviceName: null, instanceConcurrency: 5 } as Parameters<typeof concurrencyOf>[0];
  const node = { language: 'node', version: '20.1.0', path: '/n', prefix: '/' } as const;
  const builtIn = { ok: true, interpreter: node, note: null } as const;
  assert.equal(concurrencyOf(config, builtIn), 1);
  assert.equal(concurrencyOf(config, program), 5);
  assert.equal(concurrencyOf(config, { ...program, program: 'polling' }), 1);
  assert.equal(concurrencyOf({ ...config, serviceName: 's' }, { ...program, program: 'polling' }), 5);
});

test('an instance that is unwell takes no further requests, and ends with its last', async () => {
  const { pool, made, wait } = setUp({}, several, program);
  for (let at = 0; at < 2; at += 1) {
    pool.inFlight += 1;
    wait();
  }
  const [first] = made;
  assert.ok(first !== undefined);
  first.ready();
  await settle();
  first.becomeUnwell();
  assert.equal(pool.take(), null);
  pool.putBack(first, 1);
  assert.notEqual(first.state.kind, 'stopping');
  pool.putBack(first, 1);
  await settle();
  assert.equal(first.state.kind, 'gone');
});
