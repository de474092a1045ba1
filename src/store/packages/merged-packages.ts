// Puts unpacked packages over each other, as one directory: what a function with several layers sees. Runs in the worker.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  constants as fileConstants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { syncPath, syncTree } from '../sync-files.ts';
import { type PackageAnswers, type PackageJob, unpackedPath } from './jobs.ts';
import { type PackageLimits, Refused } from './limits.ts';
import { removeTree, temporaryPath } from './package-files.ts';

type Job = Extract<PackageJob, { kind: 'merge' }>;

/** Counts down while files are copied; size in bytes. */
type Room = { bytes: number; entries: number; readonly limits: PackageLimits };

/** Files are synced, then the directory gets its name: so it is there whole, or not at all. */
export function mergePackages({ name, sha256s, code, addedAt, limits }: Job): PackageAnswers['merge'] {
  const merged = join(code, name);
  try {
    if (!existsSync(merged)) makeMerged({ merged, sha256s, code, limits });
    // Also when it was there: the sweep must not take it before the caller has named it in a row.
    utimesSync(merged, addedAt / 1000, addedAt / 1000);
    syncPath(code);
    return { ok: true };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, reason: error.reason, message: error.message };
    throw error;
  }
}

function makeMerged({ merged, sha256s, code, limits }: Pick<Job, 'sha256s' | 'code' | 'limits'> & { merged: string }) {
  const target = temporaryPath(code);
  const room = { bytes: limits.mergedBytes, entries: limits.entries, limits };
  try {
    mkdirSync(target, { mode: 0o755 });
    for (const sha256 of sha256s) copyOver(unpackedPath(code, sha256), target, room);
    syncTree(target);
    renameSync(target, merged);
  } catch (error) {
    removeTree(target);
    throw error;
  }
}

/** A directory joins one of the same name; anything else takes the place of what is there. */
function copyOver(from: string, to: string, room: Room): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    takeRoom(room, 0);
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    const there = lstatSync(target, { throwIfNoEntry: false });
    const joins = entry.isDirectory() && there?.isDirectory() === true;
    if (there !== undefined && !joins) removeTree(target);
    if (entry.isDirectory()) {
      if (!joins) mkdirSync(target, { mode: 0o755 });
      copyOver(source, target, room);
    } else if (entry.isSymbolicLink()) {
      symlinkSync(readlinkSync(source), target);
    } else {
      const { mode, size } = lstatSync(source);
      takeRoom(room, size);
      copyFileSync(source, target, fileConstants.COPYFILE_EXCL | fileConstants.COPYFILE_FICLONE);
      chmodSync(target, mode & 0o555);
    }
  }
}

function takeRoom(room: Room, bytes: number): void {
  room.entries -= 1;
  room.bytes -= bytes;
  const { limits } = room;
  if (room.bytes < 0) throw new Refused('too-large', `layers together hold more than ${limits.mergedBytes} bytes`);
  if (room.entries < 0) throw new Refused('too-large', `layers together hold more than ${limits.entries} entries`);
}
