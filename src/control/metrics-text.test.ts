import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { latencyBucketsMs, type ServerMetrics } from '../model/metrics.ts';
import { writeMetrics } from './metrics-text.ts';

const none = latencyBucketsMs.map(() => 0);
const processMetrics = { rssBytes: 1024, cpuSeconds: 2.5, loopDelay: { p50Ms: 1, p99Ms: 2, maxMs: 3 } };
const data: ServerMetrics = {
  requests: [
    {
      apiId: 'api "1"\\\n',
      stage: 'RELEASE',
      groupId: 'g',
      functionName: null,
      qualifier: null,
      statuses: { 200: 2, 502: 1 },
      total: { counts: [2, ...none.slice(1), 1], sumMs: 99_000 },
      backend: { counts: [...none, 0], sumMs: 0 },
      requestBytes: 5,
      responseBytes: 6,
    },
  ],
  triggers: [
    {
      apiId: null,
      stage: null,
      groupId: null,
      functionName: 'shop/add',
      qualifier: 'LATEST',
      statuses: { 403: 4 },
      total: { counts: [4, ...none], sumMs: 1 },
      backend: { counts: [...none, 0], sumMs: 0 },
      requestBytes: 0,
      responseBytes: 0,
    },
  ],
  processes: { data: processMetrics, control: processMetrics },
  functions: { instances: { idle: 4, busy: 1 }, inFlight: 1, waiting: 7, pools: 2, spares: 3 },
  log: { dropped: 0, sampledOut: 8 },
};

test('writes the text format: buckets summed up, seconds, labels escaped, each name explained once', () => {
  const text = writeMetrics(data);
  const labels = 'api="api \\"1\\"\\\\\\n",stage="RELEASE",group="g"';
  for (const line of [
    `yunmen_requests_total{${labels},status="502"} 1`,
    `yunmen_request_duration_seconds_bucket{${labels},le="0.001"} 2`,
    `yunmen_request_duration_seconds_bucket{${labels},le="30"} 2`,
    `yunmen_request_duration_seconds_bucket{${labels},le="+Inf"} 3`,
    `yunmen_request_duration_seconds_sum{${labels}} 99`,
    `yunmen_backend_duration_seconds_count{${labels}} 0`,
    'yunmen_trigger_requests_total{function="shop/add",qualifier="LATEST",status="403"} 4',
    'yunmen_instances{state="idle"} 4',
    'yunmen_invocations_waiting 7',
    'yunmen_spares 3',
    'yunmen_log_sampled_out_total 8',
    'yunmen_event_loop_delay_seconds{process="data",quantile="0.99"} 0.002',
    'yunmen_process_cpu_seconds_total{process="control"} 2.5',
  ]) {
    assert.ok(text.includes(`\n${line}\n`), line);
  }
  const explained = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  assert.equal(new Set(explained).size, explained.length);
  const used = [...text.matchAll(/^([a-z_]+?)(_bucket|_sum|_count)?[{ ]/gm)].map(([, name]) => name);
  assert.deepEqual(
    used.filter((name) => !explained.includes(name)),
    [],
  );
});

test('every name is in the reference, with its type, and nothing else is', () => {
  const text = writeMetrics(data);
  const told = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`).sort();
  const reference = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const named = [...reference.matchAll(/^\| `(yunmen_\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`);
  assert.deepEqual(named.sort(), told);
});
