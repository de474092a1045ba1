import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createLog } from './base/log.ts';
import { rehearse } from './rehearsal.ts';

function openRunDir(t: TestContext) {
  const runDir = mkdtempSync('/tmp/yunmen-rehearsal-');
  t.after(() => rmSync(runDir, { recursive: true }));
  mkdirSync(`${runDir}/i`);
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line), 'text', Date.now);
  return { runDir, lines, log, left: () => readdirSync(`${runDir}/i`) };
}

test('calls are rehearsed to their end, and nothing of them is left', async (t) => {
  const { runDir, lines, log, left } = openRunDir(t);
  await rehearse(runDir, log, new AbortController().signal);
  assert.deepEqual([lines, left()], [[], []]);
});

test('a rehearsal that is broken off leaves nothing', async (t) => {
  const { runDir, log, left } = openRunDir(t);
  const stopping = new AbortController();
  const rehearsal = rehearse(runDir, log, stopping.signal);
  const isOver = rehearsal.then(
    () => 'ended',
    () => 'broken off',
  );
  while (left().length < 2) await turn();
  stopping.abort();
  assert.equal(await isOver, 'broken off');
  assert.deepEqual(left(), []);
});

test('where it cannot be done it says so', async (t) => {
  const { runDir, log } = openRunDir(t);
  await assert.rejects(rehearse(`${runDir}/none`, log, new AbortController().signal), /ENOENT|EACCES/);
});
