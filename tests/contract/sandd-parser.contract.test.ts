// sandd's reading of its words, built with sanitizers and fed 100,000 random and mutated messages; and what the client
// of this package writes, read by it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findSandd } from '../../src/functions/index.ts';

const native = fileURLToPath(new URL('../../native/', import.meta.url));
const found = await findSandd();
const run = promisify(execFile);

test('no bytes make the parser read or write outside of a message', {
  skip: found.ok ? false : found.why,
}, async (t) => {
  const directory = mkdtempSync('/tmp/yunmen-fuzz-');
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const program = `${directory}/fuzz`;
  const checks = [
    '-fsanitize=address,undefined',
    '-fno-sanitize-recover=all',
    '-O1',
    '-g',
    '-std=gnu11',
    '-Wall',
    '-Werror',
  ];
  await run('cc', [...checks, '-o', program, `${native}messages.c`, `${native}fuzz.c`]);
  for (const seed of ['1', '20261122']) {
    const { stdout } = await run(program, [seed, '50000']);
    const taken = Number(/^taken (\d+) of 50000$/m.exec(stdout)?.[1]);
    assert.ok(taken > 5_000 && taken < 45_000, `${stdout}: right and wrong messages were both among them`);
  }
});
