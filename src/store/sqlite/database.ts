// node:sqlite in the form that Kysely's SQLite dialect takes. Used by open-sqlite.ts; the codes also by data-dir.ts.
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { SqliteDatabase, SqliteStatement } from 'kysely';

/** Prepared statements kept per connection; the oldest goes first. */
const statementLimit = 500;

/** Kysely prepares each query anew; here the same text is prepared once. */
export class CachingDatabase implements SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, SqliteStatement>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  prepare(sql: string): SqliteStatement {
    // Taking the write lock at once: two connections that both read first and write later would deadlock.
    const text = sql === 'begin' ? 'begin immediate' : sql;
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const statement = adapt(this.#database.prepare(text));
    const oldest = this.#statements.keys().next();
    if (this.#statements.size >= statementLimit && oldest.done !== true) this.#statements.delete(oldest.value);
    this.#statements.set(text, statement);
    return statement;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }
}

function adapt(statement: StatementSync): SqliteStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...parameters.map(bind)),
    run: (parameters) => statement.run(...parameters.map(bind)),
    iterate: (parameters) => statement.iterate(...parameters.map(bind)),
  };
}

/**
 * A value as node:sqlite takes it.
 *
 * Errors: throws TypeError for anything but null, number, bigint, string, boolean (0 or 1) and bytes; the message never holds the value.
 */
export function bind(value: unknown): SQLInputValue {
  if (value === null || typeof value === 'string' || typeof value === 'bigint') return value;
  if (typeof value === 'number') {
    if (Number.isNaN(value)) throw new TypeError('cannot store NaN: SQLite would keep null');
    return value;
  }
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`cannot store a value of type ${typeof value}`);
}

/** SQLite's extended result code of an error; null when it is another kind of error. */
function sqliteCode(error: unknown): number | null {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_SQLITE_ERROR') return null;
  return 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : null;
}

/** SQLITE_CONSTRAINT_PRIMARYKEY or SQLITE_CONSTRAINT_UNIQUE. */
export function isDuplicate(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === 1555 || code === 2067;
}

/** SQLITE_BUSY in any of its extended forms: another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== null && (code & 0xff) === 5;
}
