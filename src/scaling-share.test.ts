import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Provision } from './model/scaling.ts';
import { limitShare, provisionShare } from './scaling-share.ts';

const bounds = { startAt: null, endAt: null };
const provision: Provision = {
  functionKey: 'f',
  serviceName: null,
  functionName: 'f',
  qualifier: 'LATEST',
  target: 5,
  schedules: [{ ...bounds, fires: { kind: 'at', time: 1 }, target: 1 }],
  tracking: [{ ...bounds, metric: 'use', metricTarget: 0.5, minimum: 2, maximum: 7 }],
  since: 0,
  keepsCpu: false,
  allowsOnDemand: true,
};

test('the shares of all processes together are what was asked for', () => {
  const shares = [0, 1, 2].map((place) => provisionShare(provision, { dataProcesses: 3, place }));
  assert.deepEqual(
    shares.map((share) => share?.target),
    [2, 2, 1],
  );
  assert.deepEqual(
    shares.map((share) => share?.schedules[0]?.target),
    [1, 0, 0],
  );
  assert.deepEqual(
    shares.map((share) => share?.tracking.flatMap(({ minimum, maximum }) => [minimum, maximum])),
    [
      [1, 3],
      [1, 2],
      [0, 2],
    ],
  );
  assert.equal(provisionShare(provision, { dataProcesses: 1, place: 0 }), provision);
});

test('a limit leaves each process something, unless it blocks the function', () => {
  const limit = (maximum: number) => ({ functionKey: 'f', qualifier: null, maximum });
  assert.equal(limitShare(limit(1), { dataProcesses: 4, place: 3 })?.maximum, 1);
  assert.equal(limitShare(limit(9), { dataProcesses: 4, place: 3 })?.maximum, 3);
  assert.equal(limitShare(limit(0), { dataProcesses: 4, place: 3 })?.maximum, 0);
  assert.equal(limitShare(null, { dataProcesses: 4, place: 3 }), null);
});
