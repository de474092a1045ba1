// A container without privileges, as far as a program can tell, to run sandd in: built from container.c once a process.
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const source = fileURLToPath(new URL('container.c', import.meta.url));
let made: Promise<string> | null = null;

/** The program's path; takes root. It goes with the process. Errors: rejects without a compiler. */
export function containerProgram(): Promise<string> {
  made ??= build();
  return made;
}

async function build(): Promise<string> {
  const directory = mkdtempSync('/tmp/yunmen-container-');
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o755);
  await promisify(execFile)('cc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', `${directory}/container`, source]);
  return `${directory}/container`;
}
