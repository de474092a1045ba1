// Opens the SQLite file behind a store and brings it up to the current schema. Called by store.ts.
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, SqliteAdapter, SqliteDialect } from 'kysely';
import type { Engine } from '../engine.ts';
import { migrate } from '../migrations.ts';
import { CachingDatabase, isDuplicate } from './database.ts';

/** SQLite can undo DDL, so a kill in the middle of a migration leaves nothing of it; Kysely's own adapter does not make use of that. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class Dialect extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new TransactionalAdapter();
  }
}

/**
 * Opens (or makes, for its owner only) the database at `path`, or one in memory for `:memory:`: WAL, every commit synced, one connection.
 *
 * Errors: throws when the file is no database of ours, or was made by a newer version.
 */
export async function openSqlite(path: string): Promise<Engine> {
  // SQLite would make it readable for all, and gives its other files the mode of this one.
  if (path !== ':memory:') closeSync(openSync(path, 'a', 0o600));
  const database = new DatabaseSync(path, { timeout: 5000, defensive: true, enableForeignKeyConstraints: true });
  const db: Engine['db'] = new Kysely({ dialect: new Dialect({ database: new CachingDatabase(database) }) });
  try {
    database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on');
    await migrate(db, { text: 'text', integer: 'integer' });
  } catch (error) {
    await db.destroy();
    throw new Error(`cannot open the database ${path}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  return { db, isDuplicate, isInTransaction: () => database.isTransaction };
}
