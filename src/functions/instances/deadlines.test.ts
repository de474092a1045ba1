import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nowhere } from '../../base/roster.ts';
import { type Deadline, Deadlines } from './deadlines.ts';
import { fakeClock } from './fake-clock.ts';

function setUp() {
  const clock = fakeClock();
  const deadlines = new Deadlines(clock);
  const expired: string[] = [];
  const make = (name: string, at: number): Deadline => ({ place: nowhere, at, expire: () => expired.push(name) });
  return { clock, deadlines, expired, make };
}

test('each deadline expires once, when its time has come, in any order of adding', () => {
  const { clock, deadlines, expired, make } = setUp();
  deadlines.add(make('late', 300));
  deadlines.add(make('early', 100));
  clock.advance(99);
  assert.deepEqual(expired, []);
  clock.advance(2);
  assert.deepEqual(expired, ['early']);
  clock.advance(1000);
  assert.deepEqual(expired, ['early', 'late']);
  assert.equal(deadlines.size, 0);
});

test('a removed deadline does not expire, not even when another removes it as both are due', () => {
  const { clock, deadlines, expired, make } = setUp();
  const victim = make('victim', 100);
  deadlines.add({ place: nowhere, at: 100, expire: () => deadlines.remove(victim) });
  deadlines.add(victim);
  clock.advance(200);
  assert.deepEqual(expired, []);
});

test('a deadline may be added while another expires', () => {
  const { clock, deadlines, expired, make } = setUp();
  deadlines.add({ place: nowhere, at: 100, expire: () => deadlines.add(make('next', 150)) });
  clock.advance(500);
  assert.deepEqual(expired, ['next']);
});

test('a thousand requests in turn need no timer each', () => {
  const { clock, deadlines, make } = setUp();
  for (let index = 0; index < 1000; index += 1) {
    const deadline = make('x', clock.monotonic() + 3000);
    deadlines.add(deadline);
    clock.advance(1);
    deadlines.remove(deadline);
  }
  assert.ok(clock.timersMade <= 2, `${clock.timersMade} timers`);
});

test('after close nothing expires', () => {
  const { clock, deadlines, expired, make } = setUp();
  deadlines.add(make('x', 10));
  deadlines.close();
  clock.advance(100);
  assert.deepEqual(expired, []);
});
