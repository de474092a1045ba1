// The directory of one running server's sockets: short, because a unix socket's path must stay under 100 bytes.
import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';

/** `/tmp/yunmen-xxxxxx`, mode 0700. Not under TMPDIR, which may be long. */
export function makeRunDirectory(): string {
  return mkdtempSync('/tmp/yunmen-');
}

export async function removeRunDirectory(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

/** For the last moment of a process, when nothing asynchronous runs any more. */
export function removeRunDirectoryNow(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
