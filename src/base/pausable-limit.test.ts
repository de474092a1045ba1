import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PausableLimit } from './pausable-limit.ts';

test('a limit that nothing pauses is looked at once', () => {
  const limit = new PausableLimit(10_000, null, 5);
  assert.equal(limit.look(5), 10_000);
  assert.equal(limit.look(10_005), 0);
});

test('no time passes during a pause, and what was left before is left after it', () => {
  let isPaused = false;
  const limit = new PausableLimit(1_200, () => isPaused, 0);
  assert.equal(limit.look(0), 500);
  assert.equal(limit.look(500), 500);
  isPaused = true;
  for (let now = 1_000; now <= 60_000; now += 500) assert.equal(limit.look(now), 500);
  isPaused = false;
  assert.equal(limit.look(60_500), 200);
  assert.equal(limit.look(60_700), 0);
});

test('one that has to hurry rests no more', () => {
  const limit = new PausableLimit(60_000, () => true, 0);
  assert.equal(limit.look(500), 500);
  const hurried = limit.hurry(3_000, 500);
  assert.equal(hurried.look(500), 3_000);
  assert.equal(hurried.look(3_500), 0);
  assert.equal(new PausableLimit(1_000, null, 0).hurry(3_000, 400).look(400), 600);
});
