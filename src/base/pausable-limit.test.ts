import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from './clock.ts';
import { afterLimit, PausableLimit } from './pausable-limit.ts';

test('no time passes during a pause, and what was left before is left after it', () => {
  let isPaused = false;
  const limit = new PausableLimit(1_200, () => isPaused, 0);
  assert.equal(limit.look(0), 500);
  assert.equal(limit.look(500), 500);
  isPaused = true;
  for (let now = 1_000; now <= 60_000; now += 500) assert.equal(limit.look(now), 500);
  assert.equal(limit.leftMs, 700);
  isPaused = false;
  assert.equal(limit.look(60_500), 200);
  assert.equal(limit.look(60_700), 0);
});

/** Time goes on while it is asked for; timers run when they are told to. */
function tickingClock() {
  let now = 0;
  const timers: { readonly delayMs: number; readonly run: () => void }[] = [];
  const clock: Clock = {
    now: () => now,
    monotonic: () => {
      now += 0.003;
      return now;
    },
    after(delayMs, run) {
      const timer = { delayMs, run };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), 1);
    },
  };
  const fire = () => {
    const [timer] = timers.splice(0, 1);
    now += timer?.delayMs ?? 0;
    timer?.run();
  };
  return { clock, timers, fire };
}

test('a limit that nothing pauses is one timer of exactly its length, as others of it are', () => {
  const { clock, timers, fire } = tickingClock();
  let runs = 0;
  const cancel = afterLimit(clock, 10_000, null, () => runs++);
  assert.deepEqual(
    timers.map(({ delayMs }) => delayMs),
    [10_000],
  );
  cancel();
  assert.equal(timers.length, 0);
  afterLimit(clock, 10_000, null, () => runs++);
  fire();
  assert.equal(runs, 1);
});

test('a limit that may rest is looked at until it is over, or cancelled', () => {
  const { clock, timers, fire } = tickingClock();
  let runs = 0;
  let isPaused = true;
  afterLimit(
    clock,
    900,
    () => isPaused,
    () => runs++,
  );
  for (let looks = 0; looks < 10; looks += 1) fire();
  assert.deepEqual([runs, timers.length], [0, 1]);
  isPaused = false;
  while (timers.length > 0) fire();
  assert.equal(runs, 1);
  const cancel = afterLimit(
    clock,
    900,
    () => false,
    () => runs++,
  );
  fire();
  cancel();
  assert.deepEqual([runs, timers.length], [1, 0]);
});
