// What the store's shared code needs to know of a database. One file for SQLite makes it; one for PostgreSQL will.
import type { Kysely } from 'kysely';

/** A column of ours holds text or a number; nothing else is stored. */
export type Cell = string | number | null;
/** Tables have no fixed columns here: tables.ts names them, collection.ts reads and writes them all alike. */
export type Schema = Record<string, Record<string, Cell>>;

export type Engine = {
  readonly db: Kysely<Schema>;
  /** True for the error of a taken primary key or unique index. */
  isDuplicate(error: unknown): boolean;
  /** False when the database ended the transaction on its own (disk full, I/O error). */
  isInTransaction(): boolean;
};
