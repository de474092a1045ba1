import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashed, setUp } from './fake-pool.ts';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const kept = (minimum: number) => ({ minimum, keepsCpu: false, allowsOnDemand: true });

test('provisioned instances are started without a request, do not end, and go when they are not wanted any more', () => {
  const { pool, made, clock } = setUp({ startsAtOnce: 2 });
  pool.keep(kept(3));
  assert.equal(made.length, 2, 'no more starts at once than allowed');
  for (let at = 0; at < 3; at += 1) made[at]?.ready();
  assert.equal(made.length, 3);
  clock.advance(1_000_000);
  pool.endIdleSince(clock.monotonic());
  assert.equal(pool.oldestIdleSince, null, 'none may be ended to make room');
  assert.equal(pool.instances.size, 3);
  pool.keep(kept(1));
  pool.endIdleSince(clock.monotonic());
  assert.deepEqual(
    made.map(({ state }) => state.kind),
    ['stopping', 'stopping', 'frozen'],
  );
});

test('a provisioned instance that dies is replaced, ever more rarely when it dies at its start', async () => {
  const { pool, made, clock } = setUp();
  pool.keep(kept(1));
  made[0]?.ready();
  await made[0]?.crash();
  assert.equal(made.length, 2);
  for (let at = 1; at <= 6; at += 1) made[at]?.fail(crashed);
  await settle();
  assert.equal(made.length, 7, 'the next start is put off');
  assert.match(pool.problem, /Process exited unexpectedly/);
  clock.advance(100);
  assert.equal(made.length, 8);
  made[7]?.ready();
  assert.equal(pool.problem, '');
});

test('an instance that keeps its CPU is not frozen', () => {
  const { pool, made, clock } = setUp({ freezeMs: 1000 });
  pool.keep({ ...kept(1), keepsCpu: true });
  made[0]?.ready();
  clock.advance(60_000);
  assert.equal(made[0]?.state.kind, 'idle');
});
