// The order of steps that makes code packages survive a kill at any moment. Runs in the worker (and at open, before anyone is served).
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { randomHex } from '../../base/ids.ts';
import { crc64 } from '../../wire/crc64.ts';
import { syncPath } from '../sync-files.ts';
import {
  isMergedName,
  type PackageAnswers,
  type PackageJob,
  sha256OfZip,
  temporaryPrefix,
  unpackedPath,
  zipPath,
} from './jobs.ts';
import { type PackageLimits, Refused } from './limits.ts';
import { unpackZip } from './unpack.ts';

type Job<K extends PackageJob['kind']> = Extract<PackageJob, { kind: K }>;

/**
 * Makes a package of the spooled zip, which it takes away.
 *
 * Order: zip synced, files unpacked and synced under a temporary name, directory renamed, zip renamed, names synced.
 * So a zip under its final name means that the directory was there first; what a kill leaves is told apart by tidy().
 */
export async function addPackage(job: Job<'add'>): Promise<PackageAnswers['add']> {
  const { spool, code, addedAt, limits } = job;
  try {
    const zip = readFileSync(spool);
    const sha256 = createHash('sha256').update(zip).digest('hex');
    const directory = unpackedPath(code, sha256);
    const stored = zipPath(code, sha256);
    if (!existsSync(stored)) {
      syncPath(spool);
      if (!existsSync(directory)) await unpackWhole(zip, code, sha256, limits);
      renameSync(spool, stored);
    }
    // Also when it was there: the sweep must not take it before the caller has named it in a row.
    utimesSync(stored, addedAt / 1000, addedAt / 1000);
    syncPath(code);
    return { ok: true, sha256, checksum: crc64(zip), sizeBytes: zip.length };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, reason: error.reason, message: error.message };
    throw error;
  } finally {
    rmSync(spool, { force: true });
  }
}

/** Unpacks a stored zip anew. Errors: throws when the zip is not the one its name says. */
export async function repairPackage({ code, sha256, limits }: Job<'repair'>): Promise<PackageAnswers['repair']> {
  const path = zipPath(code, sha256);
  const zip = readFileSync(path);
  if (createHash('sha256').update(zip).digest('hex') !== sha256) {
    throw new Error(`the code package ${path} is damaged; remove the file and upload the function's code again`);
  }
  await unpackWhole(zip, code, sha256, limits);
  syncPath(code);
  return null;
}

/** Removes packages that are neither in use nor fresh: first the directory's name, then the zip's, then the files. */
export function sweepPackages({ code, inUse, addedBefore }: Job<'sweep'>): PackageAnswers['sweep'] {
  let removed = 0;
  for (const sha256 of storedPackages(code)) {
    if (inUse.has(sha256) || Math.round(statSync(zipPath(code, sha256)).mtimeMs) > addedBefore) continue;
    const doomed = temporaryPath(code);
    if (existsSync(unpackedPath(code, sha256))) renameSync(unpackedPath(code, sha256), doomed);
    unlinkSync(zipPath(code, sha256));
    removeTree(doomed);
    removed += 1;
  }
  removed += sweepMerged({ code, inUse, addedBefore });
  if (removed > 0) syncPath(code);
  return removed;
}

/**
 * Removes what a kill may have left: temporary names, and directories whose zip had not got its name yet (never acknowledged).
 *
 * Gives the packages whose directory is missing (a sweep was interrupted): they are to be repaired.
 */
export function tidy(code: string): string[] {
  const zips = new Set(storedPackages(code));
  const broken = new Set(zips);
  for (const name of readdirSync(code)) {
    if (name.startsWith(temporaryPrefix)) removeTree(join(code, name));
    else if (isMergedName(name)) continue;
    else if (zips.has(name)) broken.delete(name);
    else if (/^[0-9a-f]{64}$/.test(name)) removeTree(join(code, name));
  }
  return [...broken];
}

export function temporaryPath(code: string): string {
  return join(code, `${temporaryPrefix}${randomHex(8)}`);
}

function storedPackages(code: string): string[] {
  return readdirSync(code).flatMap((name) => sha256OfZip(name) ?? []);
}

async function unpackWhole(zip: Buffer, code: string, sha256: string, limits: PackageLimits): Promise<void> {
  const target = temporaryPath(code);
  try {
    await unpackZip(zip, target, limits);
    renameSync(target, unpackedPath(code, sha256));
  } catch (error) {
    removeTree(target);
    throw error;
  }
}

/** Removes the directories made of several packages that are neither in use nor fresh. */
function sweepMerged({ code, inUse, addedBefore }: Omit<Job<'sweep'>, 'kind'>): number {
  const names = readdirSync(code).filter((name) => isMergedName(name) && !inUse.has(name));
  const old = names.filter((name) => Math.round(statSync(join(code, name)).mtimeMs) <= addedBefore);
  for (const name of old) {
    const doomed = temporaryPath(code);
    renameSync(join(code, name), doomed);
    removeTree(doomed);
  }
  return old.length;
}

/** Removes a file or a tree, also one whose directories were made read-only meanwhile; nothing there is fine. Links are removed, never followed. */
export function removeTree(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isDirectory()) {
    chmodSync(path, 0o700);
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) removeTree(join(path, entry.name));
    }
  }
  rmSync(path, { recursive: true, force: true });
}
