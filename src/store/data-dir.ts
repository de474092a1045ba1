// One server a data directory: makes the directory and holds its lock. Called by the composition before openStore().
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DataDirInUse } from './errors.ts';
import { isBusy } from './sqlite/database.ts';
import { makePrivateDirectory, writeFileDurably } from './sync-files.ts';

export type DataDirLock = {
  /** Absolute path. */
  readonly dataDir: string;
  /** Lets the next server in. The end of the process does the same; forgetting this object does not. */
  release(): void;
};

/**
 * Makes `dataDir` (0700, with a `.gitignore` of `*`) and takes it for this process.
 *
 * The lock is an open exclusive transaction on `<dataDir>/lock.db`: the system drops it with the process, so none can be stale.
 * Errors: DataDirInUse; whatever the file system says when the directory cannot be made.
 */
export function acquireDataDir(dataDir: string): DataDirLock {
  const path = resolve(dataDir);
  makePrivateDirectory(path);
  const database = new DatabaseSync(join(path, 'lock.db'), { timeout: 0 });
  try {
    // Nothing is ever written to it, so its journal need not be a file that a kill would leave behind.
    database.exec('pragma journal_mode = memory; begin exclusive');
  } catch (error) {
    database.close();
    if (isBusy(error)) throw new DataDirInUse(path, serverPid(path));
    throw error;
  }
  const gitignore = join(path, '.gitignore');
  if (!existsSync(gitignore)) writeFileDurably(gitignore, '*\n', 0o600);
  const release = () => {
    process.off('exit', release);
    if (database.isOpen) database.close();
  };
  // Also keeps the connection reachable: collected as garbage, it would give up the lock of a caller who dropped the result.
  process.on('exit', release);
  return { dataDir: path, release };
}

/** The process id in `server.json`; null when the file is absent, half written or of another shape. */
function serverPid(dataDir: string): number | null {
  try {
    const parsed: unknown = JSON.parse(readFileSync(join(dataDir, 'server.json'), 'utf8'));
    if (typeof parsed !== 'object' || parsed === null || !('pid' in parsed)) return null;
    return typeof parsed.pid === 'number' ? parsed.pid : null;
  } catch {
    return null; // Only decorates the message of DataDirInUse.
  }
}
