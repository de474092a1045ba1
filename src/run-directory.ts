// The directory of one running server's sockets: short, because a unix socket's path must stay under 100 bytes.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';

/** `/tmp/yunmen-xxxxxx`, mode 0700. Not under TMPDIR, which may be long. */
export function makeRunDirectory(): string {
  return mkdtempSync('/tmp/yunmen-');
}

/** One that is root's while we are not is removed by its launcher. */
export async function removeRunDirectory(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    const isOthers = process.getuid?.() !== 0 && statSync(path, { throwIfNoEntry: false })?.uid === 0;
    if (!isOthers) throw error;
  }
}

/** For the last moment of a process, when nothing asynchronous runs any more. */
export function removeRunDirectoryNow(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
