import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { RequestQuery, RequestRecord } from '../../model/record.ts';
import { requestRecord } from '../../model/testing.ts';
import { createTimeWriter, writeLogLine } from '../../wire/request-log-line.ts';
import { RequestLog, type RequestLogOptions } from './request-log.ts';

const time = createTimeWriter();
const anything: RequestQuery = {
  apiId: null,
  appId: null,
  functionName: null,
  status: null,
  since: null,
  until: null,
  limit: 100,
};

function record(number: number, parts: Partial<RequestRecord> = {}): RequestRecord {
  const own = { requestId: `REQUEST-${number}`, at: number, path: '/云', apiId: `api${number % 3}`, appId: number % 2 };
  return requestRecord({ ...own, ...parts });
}
const lines = (...records: RequestRecord[]) => Buffer.from(records.map((one) => writeLogLine(one, time)).join(''));
const small = { segmentBytes: 4_000, totalBytes: 20_000, ageMs: 1_000_000, waitingBytes: 1_000_000 };

async function openLog(t: TestContext, parts: Partial<RequestLogOptions> = {}) {
  const directory = parts.directory ?? mkdtempSync(join(tmpdir(), 'yunmen-log-'));
  const errors: unknown[] = [];
  const clock = { now: () => 0, monotonic: () => 0, after: () => () => {} };
  const log = await RequestLog.open({ directory, clock, onError: (error) => errors.push(error), ...parts });
  t.after(() => {
    rmSync(directory, { recursive: true, force: true });
    assert.deepEqual(errors, []);
  });
  return { log, directory };
}

test('finds a request by its id and searches by API, app, status and time, newest first, over many files', async (t) => {
  const { log } = await openLog(t, { bounds: { all: { ...small, totalBytes: 1_000_000 } } });
  for (let i = 1; i <= 200; i++) log.append(lines(record(i, { status: i % 10 === 0 ? 503 : 200 })));
  log.appendFailed(lines(record(95, { requestId: 'FAILED', status: 404 })));
  await log.search(anything);
  await log.indexed();
  assert.equal((await log.find('REQUEST-7'))?.at, 7);
  assert.equal((await log.find('REQUEST-200'))?.at, 200);
  assert.equal((await log.find('FAILED'))?.status, 404);
  assert.equal(await log.find('REQUEST-0'), null);
  const at = async (query: Partial<RequestQuery>) => (await log.search({ ...anything, ...query })).map((one) => one.at);
  assert.deepEqual(await at({ limit: 3 }), [200, 199, 198]);
  assert.deepEqual(await at({ status: 503, limit: 2 }), [200, 190]);
  assert.deepEqual(await at({ status: 4 }), [95]);
  assert.deepEqual(await at({ since: 93, until: 97 }), [96, 95, 95, 94, 93]);
  assert.deepEqual(await at({ apiId: 'api1', appId: 1, until: 20 }), [19, 13, 7, 1]);
  await log.close();
});

test('keeps its bounds: the oldest files go, with their indexes', async (t) => {
  const { log, directory } = await openLog(t, { bounds: { all: small } });
  for (let i = 1; i <= 500; i++) {
    log.append(lines(record(i)));
    if (i % 10 === 0) await log.find('none');
  }
  await log.close();
  const names = readdirSync(directory).filter((name) => name.startsWith('all-'));
  const bytes = names
    .filter((name) => name.endsWith('.jsonl'))
    .reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  assert.ok(bytes <= small.totalBytes, `${bytes}`);
  assert.ok(names.filter((name) => name.endsWith('.idx')).length <= 5);
});

test('a flood of good requests leaves the failed ones where they are', async (t) => {
  const { log } = await openLog(t, { bounds: { all: small } });
  log.appendFailed(lines(record(1, { requestId: 'FAILED' })));
  for (let i = 2; i <= 500; i++) {
    log.append(lines(record(i)));
    if (i % 10 === 0) await log.find('none');
  }
  assert.notEqual(await log.find('FAILED'), null);
  assert.equal(await log.find('REQUEST-2'), null);
  await log.close();
});

test('goes on after a restart, and after a crash that cut a line and left a file without index', async (t) => {
  const { log, directory } = await openLog(t);
  log.append(lines(record(1)));
  await log.close();
  appendFileSync(join(directory, 'all-0000000001.jsonl'), '{"requestId":"CUT","st');
  const { log: second } = await openLog(t, { directory, bounds: { all: { ...small, segmentBytes: 500 } } });
  second.append(lines(record(2)));
  second.append(lines(record(3)));
  assert.deepEqual(
    (await second.search(anything)).map((one) => one.at),
    [3, 2, 1],
  );
  await second.close();
  for (const name of readdirSync(directory)) if (name.endsWith('.idx')) rmSync(join(directory, name));
  const { log: third } = await openLog(t, { directory, bounds: { all: { ...small, segmentBytes: 500 } } });
  await third.indexed();
  assert.equal((await third.find('REQUEST-1'))?.at, 1);
  assert.equal(await third.find('CUT'), null);
  assert.ok(readdirSync(directory).some((name) => name.endsWith('.idx')));
  await third.close();
});

test('drops what the disk cannot take in time, and says so', async (t) => {
  const { log } = await openLog(t, { bounds: { all: { waitingBytes: 1_000 } } });
  let dropped = 0;
  for (let i = 0; i < 100; i++) if (!log.append(lines(record(i)))) dropped++;
  assert.ok(dropped > 0);
  await log.find('none');
  assert.ok(log.append(lines(record(1))), 'it goes on when there is room');
  await log.close();
});
