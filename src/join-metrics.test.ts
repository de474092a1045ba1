import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinMetrics } from './join-metrics.ts';
import type { DataMetrics, RequestCounts } from './model/metrics.ts';

const processOf = (rssBytes: number) => ({ rssBytes, cpuSeconds: 1, loopDelay: { p50Ms: 0, p99Ms: 0, maxMs: 0 } });

function counts(apiId: string | null, statuses: Record<number, number>): RequestCounts {
  const histogram = { counts: [1, 2], sumMs: 5 };
  const stage = apiId === null ? null : 'RELEASE';
  return {
    apiId,
    stage,
    groupId: apiId,
    functionName: null,
    qualifier: null,
    statuses,
    total: histogram,
    backend: histogram,
    requestBytes: 3,
    responseBytes: 4,
  };
}

function one(requests: readonly RequestCounts[], rssBytes: number): DataMetrics {
  return {
    requests,
    triggers: requests.map((one) => ({
      ...one,
      apiId: null,
      stage: null,
      functionName: one.apiId,
      qualifier: one.stage,
    })),
    process: processOf(rssBytes),
    functions: { instances: { idle: 1 }, inFlight: 2, waiting: 3, pools: 4, spares: 5 },
    log: { dropped: 5, sampledOut: 6 },
  };
}

test('adds up what each process counted by API and stage, and names the processes', () => {
  const joined = joinMetrics(
    [
      { name: 'data-1', metrics: one([counts('a', { 200: 1 }), counts(null, { 404: 1 })], 10) },
      { name: 'data-2', metrics: one([counts('a', { 200: 2, 429: 1 }), counts('b', { 200: 9 })], 20) },
    ],
    processOf(30),
  );
  assert.deepEqual(
    joined.requests.map(({ apiId, statuses }) => [apiId, statuses]),
    [
      ['a', { 200: 3, 429: 1 }],
      [null, { 404: 1 }],
      ['b', { 200: 9 }],
    ],
  );
  assert.deepEqual(
    joined.triggers.map(({ functionName, statuses }) => [functionName, statuses]),
    joined.requests.map(({ apiId, statuses }) => [apiId, statuses]),
  );
  assert.deepEqual(joined.requests[0]?.total, { counts: [2, 4], sumMs: 10 });
  assert.equal(joined.requests[0]?.requestBytes, 6);
  assert.deepEqual(joined.functions, { instances: { idle: 2 }, inFlight: 4, waiting: 6, pools: 8, spares: 10 });
  assert.deepEqual(joined.log, { dropped: 10, sampledOut: 12 });
  assert.deepEqual(
    Object.entries(joined.processes).map(([name, { rssBytes }]) => [name, rssBytes]),
    [
      ['data-1', 10],
      ['data-2', 20],
      ['control', 30],
    ],
  );
});
