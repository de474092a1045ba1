import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTimerLanes } from './timer-lanes.ts';

function setUp() {
  let now = 0;
  let made = 0;
  const timers = new Set<{ at: number; run: () => void }>();
  const due: (() => void)[] = [];
  const after = createTimerLanes(
    () => now,
    (delayMs, run) => {
      made += 1;
      const timer = { at: now + delayMs, run };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    (run) => due.push(run),
  );
  const settle = () => {
    for (const run of due.splice(0)) run();
  };
  const advance = (ms: number) => {
    now += ms;
    for (const timer of [...timers]) {
      if (timer.at > now || !timers.delete(timer)) continue;
      timer.run();
    }
  };
  return { after, advance, settle, counts: () => ({ made, pending: timers.size }) };
}

test('time-outs of one length share a timer and run at their own time', () => {
  const { after, advance, counts } = setUp();
  const ran: string[] = [];
  after(1_000, () => ran.push('a'));
  advance(400);
  const cancelB = after(1_000, () => ran.push('b'));
  after(1_000, () => ran.push('c'));
  assert.deepEqual(counts(), { made: 1, pending: 1 });
  advance(600);
  assert.deepEqual(ran, ['a']);
  cancelB();
  cancelB();
  advance(399);
  assert.deepEqual(ran, ['a']);
  advance(1);
  assert.deepEqual(ran, ['a', 'c']);
  assert.equal(counts().pending, 0);
});

test('no timer stays when all time-outs are cancelled', () => {
  const { after, settle, counts } = setUp();
  const cancels = [1, 2, 3].map(() => after(5_000, () => assert.fail('cancelled')));
  for (const cancel of [1, 0, 2].map((at) => cancels[at])) cancel?.();
  settle();
  assert.deepEqual(counts(), { made: 1, pending: 0 });
});

test('time-outs that are cancelled at once share a timer, too, and a new one after that has its own time', () => {
  const { after, advance, settle, counts } = setUp();
  for (let times = 0; times < 3; times += 1) after(5_000, () => assert.fail('cancelled'))();
  assert.deepEqual(counts(), { made: 1, pending: 1 });
  settle();
  assert.deepEqual(counts(), { made: 1, pending: 0 });
  advance(3_000);
  let ran = 0;
  after(5_000, () => (ran += 1));
  settle();
  advance(4_999);
  assert.equal(ran, 0);
  advance(1);
  assert.deepEqual([ran, counts()], [1, { made: 2, pending: 0 }]);
});

test('one that runs may start another of the same length and cancel one that is due', () => {
  const { after, advance, counts } = setUp();
  const ran: string[] = [];
  let cancelSecond = () => {};
  after(1_000, () => {
    ran.push('first');
    after(1_000, () => ran.push('third'));
    cancelSecond();
  });
  cancelSecond = after(1_000, () => ran.push('second'));
  advance(1_000);
  assert.deepEqual(ran, ['first']);
  advance(1_000);
  assert.deepEqual(ran, ['first', 'third']);
  assert.equal(counts().pending, 0);
});

test('short delays and more lengths than are kept have timers of their own', () => {
  const { after, counts } = setUp();
  for (let index = 0; index < 3; index += 1) after(10, () => {});
  assert.equal(counts().made, 3);
  for (let length = 0; length < 64; length += 1) after(1_000 + length, () => {});
  assert.equal(counts().made, 67);
  after(9_000, () => {});
  after(9_000, () => {});
  after(1_000, () => {});
  assert.equal(counts().made, 69);
});
