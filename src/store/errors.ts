// What can go wrong in the store, by name. Thrown by the room's files, told apart by `code` outside.

/** A key or a unique index is taken. */
export class DuplicateRow extends Error {
  override readonly name = 'DuplicateRow';
  readonly code = 'DuplicateRow';
  readonly table: string;
  readonly key: string;

  constructor(table: string, key: string, cause: unknown) {
    super(`${table} already has a row with the key, or a unique value, of ${JSON.stringify(key)}`, { cause });
    this.table = table;
    this.key = key;
  }
}

/** Another live server holds the data directory. */
export class DataDirInUse extends Error {
  override readonly name = 'DataDirInUse';
  readonly code = 'DataDirInUse';
  /** Process id of the holder, when it could be read. */
  readonly pid: number | null;

  constructor(dataDir: string, pid: number | null) {
    const holder = pid === null ? 'another server' : `another server (process ${pid})`;
    super(`the data directory ${dataDir} is in use by ${holder}; stop it, or choose another with --data-dir`);
    this.pid = pid;
  }
}

/** A queue of the store is full; the work was not begun and may be tried again. */
export class StoreBusy extends Error {
  override readonly name = 'StoreBusy';
  readonly code = 'StoreBusy';
}

/** The store was closed before or while the work waited. Nothing of it was done. */
export class StoreClosed extends Error {
  override readonly name = 'StoreClosed';
  readonly code = 'StoreClosed';

  constructor() {
    super('the store is closed');
  }
}

/** The secret key is missing, malformed, readable by others, or not the one the data was sealed with. Never holds a key. */
export class SecretKeyError extends Error {
  override readonly name = 'SecretKeyError';
  readonly code = 'SecretKeyError';
}

/** A follower asks for changes after a version whose withdrawals are no longer known; it has to begin again at 0. */
export class FeedPruned extends Error {
  override readonly name = 'FeedPruned';
  readonly code = 'FeedPruned';

  constructor(version: number, prunedTo: number) {
    super(`changes after version ${version} are no longer complete (kept since ${prunedTo}); follow again from 0`);
  }
}
