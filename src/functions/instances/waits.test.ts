import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deadlines } from './deadlines.ts';
import { fakeClock } from './fake-clock.ts';
import { Waits } from './waits.ts';

function open(isPaused: (() => boolean) | null) {
  const clock = fakeClock();
  const waits = new Waits<string>(clock, new Deadlines(clock), isPaused);
  const ended: string[] = [];
  const begin = (limitMs: number) => void waits.begin(limitMs, `late after ${limitMs}`, () => ended.push('settled'));
  return { clock, waits, ended, begin };
}

test('what is not settled in time is late, and one that hurries sooner', () => {
  const { clock, waits, ended, begin } = open(null);
  begin(1_000);
  begin(60_000);
  clock.advance(999);
  assert.deepEqual([ended.length, waits.size], [0, 2]);
  clock.advance(1);
  assert.deepEqual([ended.length, waits.size], [1, 1]);
  begin(2_000);
  waits.hurry(3_000);
  clock.advance(2_000);
  assert.equal(waits.size, 1, 'to hurry makes nothing later');
  clock.advance(1_000);
  assert.equal(waits.size, 0);
});

test('nothing is late during a pause, until it has to hurry', () => {
  const { clock, waits, begin } = open(() => true);
  begin(1_000);
  for (let looks = 0; looks < 100; looks += 1) clock.advance(500);
  assert.equal(waits.size, 1);
  waits.hurry(3_000);
  clock.advance(999);
  assert.equal(waits.size, 1, 'what was left is left');
  clock.advance(1);
  assert.equal(waits.size, 0);
});

test('of a wait that has not begun no time passes, and at the end it says so', async () => {
  const { clock, waits } = open(null);
  const wait = waits.later({ limitMs: 1_000, whenLate: 'late', onSettled: () => {} });
  const other = waits.later({ limitMs: 1_000, whenLate: 'late', onSettled: () => {} });
  clock.advance(5_000);
  other.begin();
  clock.advance(999);
  waits.hurry(1);
  assert.equal(waits.size, 2);
  clock.advance(1);
  assert.equal(await other.outcome, 'late');
  waits.settleAll('gone', 'never begun');
  assert.equal(await wait.outcome, 'never begun');
  wait.begin();
  assert.equal(waits.size, 0);
});
