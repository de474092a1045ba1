// Arithmetic of the bench tables.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatStart, formatTable, makeRow } from './report.ts';

const load = { requests: 1000, seconds: 2, p50: 1, p99: 5, max: 6, wrong: 0, firstWrong: null };

test('adds up windows: requests a second over all of them, CPU per request, median latencies', () => {
  const windows = [
    { load, allMicros: 50_000, dataMicros: 20_000 },
    { load: { ...load, seconds: 3, p50: 2 }, allMicros: 70_000, dataMicros: 30_000 },
    { load: { ...load, p50: 9 }, allMicros: 60_000, dataMicros: 10_000 },
  ];
  const row = makeRow('python echo', 64, windows);
  assert.equal(row.requests, 3000);
  assert.equal(row.perSecond, 3000 / 7);
  assert.equal(row.p50, 2);
  assert.equal(row.cpuAll, 60);
  assert.equal(row.cpuData, 20);
});

test('compares each row with hello at the same number of connections', () => {
  const row = (name: string, connections: number, allMicros: number, p50: number) =>
    makeRow(name, connections, [{ load: { ...load, p50 }, allMicros, dataMicros: name === 'hello' ? null : 30_000 }]);
  const table = formatTable([
    row('hello', 1, 10_000, 0.1),
    row('node echo', 1, 45_000, 0.3),
    row('hello', 64, 1_000, 1),
  ]);
  assert.match(
    table,
    /\| node echo +\| +1 \| +500 \| +0\.300 \| +5\.000 \| +45\.0 \| +4\.50 \| +30\.0 \| +3\.00 \| +0\.200 \|/,
  );
});

test('adds up memory of all processes', () => {
  const memory = [
    { process: 'control', rssKb: 2048, pssKb: 1024 },
    { process: 'data', rssKb: 3072, pssKb: 1024 },
  ];
  const text = formatStart({ readyMs: [900, 700, 800], memory });
  assert.match(text, /median 800 ms of 3 starts/);
  assert.match(text, /\| together +\| +5 \| +2 \|/);
});
