import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Demand } from './demand.ts';

const minute = 60_000;

test('nobody waits before there is a need, one does when a function is published', () => {
  const demand = new Demand(4);
  assert.equal(demand.wanted(0), 0);
  demand.expect(1_000);
  assert.equal(demand.wanted(1_000), 1);
});

test('each need that leaves none asks for one more, up to the most', () => {
  const demand = new Demand(3);
  demand.used(0, 0);
  assert.equal(demand.wanted(0), 2);
  demand.used(10, 1);
  assert.equal(demand.wanted(10), 2);
  for (let at = 20; at < 60; at += 10) demand.used(at, 0);
  assert.equal(demand.wanted(60), 3);
});

test('unused it shrinks by one a minute to one, and to none after ten', () => {
  const demand = new Demand(4);
  for (let each = 0; each < 5; each += 1) demand.used(0, 0);
  assert.equal(demand.wanted(minute), 4);
  assert.deepEqual(
    [1.1, 1.2, 2.2, 3.3, 4.4, 9].map((at) => demand.wanted(at * minute)),
    [3, 3, 2, 1, 1, 1],
  );
  assert.equal(demand.wanted(10 * minute + 1), 0);
});

test('failures make pauses that double up to a minute, and one that is ready ends that', () => {
  const demand = new Demand(1);
  const pauses = Array.from({ length: 12 }, () => {
    demand.failed(1_000);
    return demand.pausedUntil - 1_000;
  });
  assert.deepEqual(pauses.slice(0, 4), [200, 400, 800, 1_600]);
  assert.equal(pauses.at(-1), minute);
  demand.succeeded();
  demand.failed(1_000);
  assert.equal(demand.pausedUntil, 1_200);
});
