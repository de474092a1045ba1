import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from './base/clock.ts';
import { ServingLease } from './serving-lease.ts';

/** A lease of 50 ms whose asking the test answers by hand. */
function setUp() {
  let now = 1_000;
  const clock: Clock = { now: () => now, monotonic: () => now, after: () => () => {} };
  const asked: PromiseWithResolvers<number>[] = [];
  const lease = new ServingLease(clock, () => {
    const asking = Promise.withResolvers<number>();
    asked.push(asking);
    return asking.promise;
  });
  const pass = (ms: number) => {
    now += ms;
  };
  const grant = async (waits: Promise<void> | null) => {
    asked.at(-1)?.resolve(50);
    await waits;
  };
  return { asked, lease, pass, grant };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('the first requests wait together for one answer, and those after it do not wait', async () => {
  const { asked, lease, grant } = setUp();
  const waits = [lease.enter(), lease.enter()];
  assert.ok(waits.every((one) => one !== null));
  assert.equal(asked.length, 1);
  await grant(waits[0] ?? null);
  await waits[1];
  assert.equal(lease.enter(), null);
  assert.equal(asked.length, 1);
});

test('it is renewed in its second half, once, while requests go on', async () => {
  const { asked, lease, pass, grant } = setUp();
  await grant(lease.enter());
  pass(24);
  assert.equal(lease.enter(), null);
  assert.equal(asked.length, 1);
  pass(2);
  assert.deepEqual([lease.enter(), lease.enter()], [null, null]);
  assert.equal(asked.length, 2);
  asked[1]?.resolve(50);
  await turn();
  pass(30);
  assert.equal(lease.enter(), null, 'counted from the asking');
});

test('it counts from the moment of asking, so that the answer’s way is no time to serve', async () => {
  const { asked, lease, pass } = setUp();
  const waits = lease.enter();
  pass(60);
  asked[0]?.resolve(50);
  await turn();
  assert.equal(asked.length, 2, 'what came too late is asked for again');
  asked[1]?.resolve(50);
  await waits;
  assert.equal(lease.enter(), null);
});

test('requests fail when control gives no leave', async () => {
  const { asked, lease } = setUp();
  const waits = lease.enter();
  asked[0]?.reject(new Error('gone'));
  await assert.rejects(Promise.resolve(waits), /gone/);
});
