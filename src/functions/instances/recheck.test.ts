import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deadlines } from './deadlines.ts';
import { fakeClock } from './fake-clock.ts';
import { Recheck } from './recheck.ts';

test('it looks once, at the earliest time that was asked for, and can be planned anew from within', () => {
  const clock = fakeClock();
  const looked: number[] = [];
  const recheck: Recheck = new Recheck(new Deadlines(clock), (planned) => {
    looked.push(planned);
    if (looked.length === 1) recheck.plan(planned + 500);
  });
  recheck.plan(300);
  recheck.plan(200);
  recheck.plan(400);
  clock.advance(450);
  assert.deepEqual(looked, [200]);
  clock.advance(1_000);
  assert.deepEqual(looked, [200, 700]);
});

test('nothing is looked at any more once it is closed', () => {
  const clock = fakeClock();
  const looked: number[] = [];
  const recheck = new Recheck(new Deadlines(clock), (planned) => looked.push(planned));
  recheck.plan(200);
  recheck.close();
  clock.advance(1_000);
  assert.deepEqual(looked, []);
});
