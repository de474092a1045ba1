import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { OutputLine, OutputQuery } from '../../model/output.ts';
import { writeOutputLine } from '../../wire/output-line.ts';
import { OutputLog, type OutputLogOptions } from './output-log.ts';

const anything: OutputQuery = { functionName: null, requestId: null, since: null, until: null, limit: 1_000 };

async function openLog(t: TestContext, parts: Partial<OutputLogOptions> = {}) {
  const directory = parts.directory ?? mkdtempSync(join(tmpdir(), 'yunmen-output-'));
  const errors: unknown[] = [];
  const clock = { now: () => 0, monotonic: () => 0, after: () => () => {} };
  const log = await OutputLog.open({ directory, clock, onError: (error) => errors.push(error), ...parts });
  t.after(() => {
    rmSync(directory, { recursive: true, force: true });
    assert.deepEqual(errors, []);
  });
  const print = (at: number, more: Partial<OutputLine> = {}) => {
    const line = { at, functionName: 'f', instanceId: 'c-1', requestId: `R-${at}`, text: `line ${at}`, ...more };
    return log.append(Buffer.from(writeOutputLine(line)));
  };
  const find = async (query: Partial<OutputQuery>) =>
    (await log.search({ ...anything, ...query })).map(({ text }) => text);
  return { log, directory, print, find };
}

const small = { segmentBytes: 2_000, totalBytes: 10_000, ageMs: 1_000_000 };

test('finds lines by request, function and time, newest first, over many files', async (t) => {
  const { log, print, find } = await openLog(t, { bounds: { ...small, totalBytes: 1_000_000 } });
  for (let at = 1; at <= 100; at++) {
    print(at, { functionName: at % 10 === 0 ? 'shop/web' : 'f' });
    if (at % 7 === 0) await find({ limit: 1 });
  }
  print(100, { text: 'second of R-100' });
  await log.search(anything);
  await log.indexed();
  assert.deepEqual(await find({ limit: 2 }), ['second of R-100', 'line 100']);
  assert.deepEqual(await find({ requestId: 'R-3' }), ['line 3']);
  assert.deepEqual(await find({ requestId: 'R-100' }), ['second of R-100', 'line 100']);
  assert.deepEqual(await find({ requestId: 'R-0' }), []);
  assert.deepEqual(await find({ functionName: 'shop/web', limit: 2 }), ['line 100', 'line 90']);
  assert.deepEqual(await find({ functionName: 'web' }), []);
  assert.deepEqual(await find({ since: 4, until: 7 }), ['line 6', 'line 5', 'line 4']);
  await log.close();
});

test('a function that prints for ever leaves no more than the bound, and the newest of it', async (t) => {
  const { log, directory, print, find } = await openLog(t, { bounds: small });
  for (let at = 1; at <= 1_000; at++) {
    print(at, { requestId: null });
    if (at % 5 === 0) await find({ limit: 1 });
  }
  await log.close();
  const sizes = readdirSync(directory)
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => statSync(join(directory, name)).size);
  assert.ok(sizes.reduce((sum, size) => sum + size, 0) <= small.totalBytes);
  const again = await openLog(t, { directory, bounds: small });
  assert.deepEqual(await again.find({ limit: 1 }), ['line 1000']);
  await again.log.close();
});

test('a line that a crash cut is lost, and no other', async (t) => {
  const { log, directory, print } = await openLog(t);
  print(1);
  await log.close();
  const [name = ''] = readdirSync(directory);
  appendFileSync(join(directory, name), '{"requestId":"R-2","at":2,"functionName":"f","te');
  const again = await openLog(t, { directory });
  again.print(3);
  assert.deepEqual(await again.find({}), ['line 3', 'line 1']);
  await again.log.close();
});
