import assert from 'node:assert/strict';
import { test } from 'node:test';
import { latencyBucketsMs } from './model/metrics.ts';
import type { RequestRecord } from './model/record.ts';
import { requestRecord } from './model/testing.ts';
import { RequestMetrics } from './request-metrics.ts';

function record(apiId: string | null, parts: Partial<RequestRecord> = {}): RequestRecord {
  const known = { apiId, stage: apiId === null ? null : 'RELEASE', groupId: 'g', totalMs: 3, backendMs: 2 };
  return requestRecord({ ...known, requestBytes: 10, responseBytes: 20, ...parts });
}
const sum = (counts: readonly number[]) => counts.reduce((all, one) => all + one, 0);

test('counts by API and stage: statuses, latencies of both sides, bytes', () => {
  const metrics = RequestMetrics.ofApis();
  metrics.add(record('a'));
  metrics.add(record('a', { status: 502, totalMs: 40_000, backendMs: null }));
  metrics.add(record('a', { stage: 'TEST' }));
  metrics.add(record(null, { status: 404 }));
  const [release, inTest, rest] = metrics.read();
  assert.deepEqual(release?.statuses, { 200: 1, 502: 1 });
  assert.equal(release?.total.counts.at(-1), 1, 'above the last bucket');
  assert.equal(release?.total.counts[latencyBucketsMs.indexOf(5)], 1);
  assert.deepEqual([release?.total.sumMs, release?.backend.sumMs, sum(release?.backend.counts ?? [])], [40_003, 2, 1]);
  assert.deepEqual([release?.requestBytes, release?.responseBytes], [20, 40]);
  assert.equal(inTest?.stage, 'TEST');
  assert.deepEqual([rest?.apiId, rest?.statuses], [null, { 404: 1 }]);
});

test('names the busiest only; whoever gets busier takes a place, and no request is lost from the counts', () => {
  const metrics = RequestMetrics.ofApis({ named: 2, watched: 10 });
  let at = 1;
  const add = (apiId: string, times: number) => {
    for (let i = 0; i < times; i++) metrics.add(record(apiId, { at: at++ }));
  };
  add('a', 5);
  add('b', 1);
  add('c', 3);
  for (let i = 0; i < 50; i++) add(`rare${i}`, 1);
  assert.deepEqual(
    metrics.read().map(({ apiId }) => apiId),
    ['a', 'b', null],
  );
  at += 60_000;
  add('a', 1);
  add('c', 2);
  const counts = metrics.read();
  assert.deepEqual(
    counts.map(({ apiId }) => apiId),
    ['a', 'c', null],
  );
  assert.equal(
    counts.reduce((all, { total }) => all + sum(total.counts), 0),
    62,
  );
});
