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

const shares = (dataProcesses: number) =>
  Array.from({ length: dataProcesses }, (_, place) => provisionShare(provision, { dataProcesses, place }));
const sum = (numbers: readonly (number | undefined)[]) => numbers.reduce((all: number, each) => all + (each ?? 0), 0);

test('the shares of all processes together are what was asked for', () => {
  const three = shares(3);
  assert.equal(sum(three.map((share) => share?.target)), 5);
  assert.equal(sum(three.map((share) => share?.schedules[0]?.target)), 1);
  assert.equal(sum(three.map((share) => share?.tracking[0]?.minimum)), 2);
  assert.equal(sum(three.map((share) => share?.tracking[0]?.maximum)), 7);
  assert.equal(provisionShare(provision, { dataProcesses: 1, place: 0 }), provision);
});

test('the parts of a limit are together the limit, and none is less than the part of what is provisioned within it', () => {
  for (const dataProcesses of [1, 2, 3, 4, 7]) {
    for (const key of ['f', 's/f', 'another']) {
      for (let maximum = 0; maximum < 20; maximum += 1) {
        const limit = { functionKey: key, qualifier: null, maximum };
        const parts = Array.from({ length: dataProcesses }, (_, place) => {
          const among = { dataProcesses, place };
          const part = limitShare(limit, among)?.maximum ?? -1;
          const target = Math.floor(maximum / 2);
          const kept = provisionShare({ ...provision, functionKey: key, target }, among)?.target ?? 99;
          assert.ok(kept <= part, `${key}: ${kept} of ${target} kept within ${part} of ${maximum}`);
          return part;
        });
        assert.equal(sum(parts), maximum);
      }
    }
  }
  assert.equal(limitShare(null, { dataProcesses: 4, place: 3 }), null);
});

test('limits of one are not all at the same process', () => {
  const places = new Set<number>();
  for (let at = 0; at < 40; at += 1) {
    const limit = { functionKey: `function-${at}`, qualifier: null, maximum: 1 };
    places.add([0, 1, 2].findIndex((place) => limitShare(limit, { dataProcesses: 3, place })?.maximum === 1));
  }
  assert.deepEqual([...places].toSorted(), [0, 1, 2]);
});
