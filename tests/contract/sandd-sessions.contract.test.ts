// Where something is missing (descriptors, processes, a parent, a system call), hides or never pauses, and what is left in memory: the
// parts of sandd themselves, built with sanitizers (native/check.c).
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findSandd } from '../../src/functions/index.ts';
import { Cleanup, temporaryDirectory } from '../harness/server.ts';

const native = fileURLToPath(new URL('../../native/', import.meta.url));
const found = await findSandd();
const skip = found.ok ? false : found.why;
const run = promisify(execFile);
const cleanup = new Cleanup();
const program = `${temporaryDirectory(cleanup)}/check`;
process.on('exit', () => void cleanup.run());

before(async () => {
  if (!found.ok) return;
  const checks = [
    '-fsanitize=address,undefined',
    '-fno-sanitize-recover=all',
    '-O1',
    '-g',
    '-std=gnu11',
    '-Wall',
    '-Werror',
  ];
  await run('cc', [...checks, '-o', program, `${native}check.c`, `${native}messages.c`, `${native}files.c`]);
});

for (const [name, title] of [
  [
    'descriptors',
    'an order whose descriptors do not all come, or that brings too many, is refused, and none of them stays open',
  ],
  ['limits', 'a session whose program cannot be started is refused by name'],
  ['orphan', 'a command whose keeper has gone before it could ask to go with it does not run'],
  ['interrupted', 'signals do not keep the end of a command from being told'],
  ['closing', 'where the kernel is not let close ranges of descriptors, each is closed'],
  ['removal', 'what an instance leaves is removed, however far below it lies, and where its owner may not look'],
  ['turns', 'a connection of a relay that always has more to say waits for the turn of the others'],
  ['full', 'a relay that may open no more files rests until a connection goes'],
  ['told', 'what a waiting sandbox was told to run is not kept'],
  ['kept', 'nor what a session was told to run, by who keeps it'],
] as const) {
  test(title, { skip }, async () => {
    const { stdout } = await run(program, [name], { timeout: 60_000 }).catch((error: { stdout: string }) => error);
    assert.equal(stdout, 'right\n', name);
  });
}
