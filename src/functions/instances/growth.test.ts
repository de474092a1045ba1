import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Growth, type Standing } from './growth.ts';

const times = (ms: number) => ({ isSpare: false, startMs: ms, codeMs: 0, loadMs: 0, initializerMs: 0 });
const busy: Standing = { waiting: 1, firstSince: 1_000, starting: 0, serving: 4, idle: 0 };

test('nobody that waits, a start for each that does, or an idle instance: no start is quicker', () => {
  const growth = new Growth(2);
  assert.equal(growth.isQuicker({ ...busy, waiting: 0, firstSince: null }, 1_000), false);
  assert.equal(growth.isQuicker({ ...busy, starting: 1 }, 1_000), false);
  assert.equal(growth.isQuicker({ ...busy, idle: 1 }, 1_000), false);
  assert.equal(growth.isQuicker({ ...busy, waiting: 2, starting: 1 }, 1_000), true);
});

test('the first instances are started whatever requests take, and all until one has ended', () => {
  const growth = new Growth(2);
  assert.equal(growth.isQuicker(busy, 1_000), true, 'none has ended');
  growth.served(1);
  assert.equal(growth.isQuicker(busy, 1_000), false);
  assert.equal(growth.isQuicker({ ...busy, serving: 1 }, 1_000), true);
});

test('a start is quicker when the queue takes longer than it, or has not moved for so long', () => {
  const growth = new Growth(2);
  growth.served(50);
  assert.equal(growth.isQuicker({ ...busy, waiting: 8 }, 1_000), false, '100 ms, as a start is taken to cost');
  assert.equal(growth.isQuicker({ ...busy, waiting: 9 }, 1_000), true);
  assert.equal(growth.isQuicker(busy, 1_099), false);
  assert.equal(growth.isQuicker(busy, 1_100), true);
  growth.moved(1_050);
  assert.equal(growth.isQuicker(busy, 1_149), false);
  assert.equal(growth.waitsSince(1_000), 1_050);
  for (let start = 0; start < 50; start += 1) growth.started(times(300));
  assert.equal(growth.isQuicker(busy, 1_300), false, 'starts have turned out to take 300 ms');
  assert.equal(growth.isQuicker(busy, 1_350), true);
});
