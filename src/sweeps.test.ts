import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from './base/clock.ts';
import type { Store } from './store/index.ts';
import { Sweeps } from './sweeps.ts';

/** A clock whose only timer is run by hand. */
function handClock() {
  const timers: { delayMs: number; run: () => void }[] = [];
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    after(delayMs, run) {
      const timer = { delayMs, run };
      timers.push(timer);
      return () => timers.splice(timers.indexOf(timer), 1);
    },
  };
  return { clock, timers };
}

function bench(sweepPackages: () => Promise<number>) {
  const { clock, timers } = handClock();
  const logged: string[] = [];
  const write = (message: string) => void logged.push(message);
  let uploads = 0;
  const sweptWith: number[] = [];
  const store = {
    read: async () => [],
    packages: {
      sweep: (_inUse: ReadonlySet<string>, graceMs: number) => {
        sweptWith.push(graceMs);
        return sweepPackages();
      },
    },
    uploads: { sweep: async () => ++uploads },
  } as unknown as Store;
  const log = { debug: write, info: write, warn: write, error: write };
  return { sweeps: new Sweeps({ store, clock, log }), timers, logged, sweptWith };
}

test('sweeps every hour, sparing packages of the last ten minutes', async () => {
  const { sweeps, timers, sweptWith } = bench(async () => 0);
  assert.deepEqual(
    timers.map(({ delayMs }) => delayMs),
    [3_600_000],
  );
  timers.shift()?.run();
  while (timers.length === 0) await Promise.resolve();
  timers.shift()?.run();
  await sweeps.close();
  assert.deepEqual(sweptWith, [600_000, 600_000]);
  assert.deepEqual(timers, []);
});

test('says what failed and sweeps again all the same', async () => {
  const { sweeps, timers, logged } = bench(() => Promise.reject(new Error('disk')));
  timers.shift()?.run();
  while (timers.length === 0) await Promise.resolve();
  assert.deepEqual(logged, ['the sweep of packages and uploads failed']);
  assert.equal(timers.length, 1);
  await sweeps.close();
  assert.deepEqual(timers, []);
});
