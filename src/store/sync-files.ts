// File work that must survive a power cut: written, synced, renamed, directory synced. Used at open and in the worker.
import { spawnSync } from 'node:child_process';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Makes the bytes of a written file durable, or the names in a directory. */
export function syncPath(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** From so many paths on the whole file system is synced instead: 4,000 files one by one take seconds, that takes a tenth of one. */
const manyPaths = 64;
const sweepLimitMs = 60_000;

/** Makes a directory durable with everything below it. Errors: those of the disk. */
export function syncTree(root: string): void {
  const paths = pathsBelow(root);
  if (paths.length >= manyPaths && syncFileSystemOf(root)) return;
  for (const path of paths) syncPath(path);
}

/** Children before their parents; links are names in theirs. */
function pathsBelow(directory: string): string[] {
  const below = readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return pathsBelow(path);
    return entry.isFile() ? [path] : [];
  });
  return [...below, directory];
}

/** By syncfs(2), which Node has no call for. False where there is no such program: then nothing is said of the disk. */
function syncFileSystemOf(path: string): boolean {
  if (process.platform !== 'linux') return false;
  return spawnSync('sync', ['-f', path], { stdio: 'ignore', timeout: sweepLimitMs }).status === 0;
}

/** Replaces `path` with `text`, whole or not at all. A leftover of an earlier try (`path.tmp`) is overwritten. */
export function writeFileDurably(path: string, text: string, mode: number): void {
  const temporary = `${path}.tmp`;
  rmSync(temporary, { force: true });
  const handle = openSync(temporary, 'wx', mode);
  try {
    writeFileSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(temporary, path);
  syncPath(dirname(path));
}

/** A directory only for its owner. An existing one is left as it is. */
export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}
