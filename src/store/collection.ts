// One table of documents over Kysely: the same code for every table and database. Made by store.ts for each transaction.
import type { Kysely } from 'kysely';
import type { Cell, Engine, Schema } from './engine.ts';
import { DuplicateRow } from './errors.ts';
import type { Collection, Page } from './port.ts';
import type { Sealer } from './sealing.ts';
import type { TableSpec } from './tables.ts';

/** Sorts behind every character of a key. */
const lastCharacter = '\u{10ffff}';

/** A transaction's way to the database. `run` refuses what comes after its end. `end` throws when operations are still running. */
export type Access = {
  readonly db: Kysely<Schema>;
  run<T>(operation: () => Promise<T>): Promise<T>;
  end(): Promise<void>;
};

export type TableContext<Row, Index extends string> = {
  readonly table: string;
  readonly spec: TableSpec<Row, Index>;
  readonly sealer: Sealer;
  readonly isDuplicate: Engine['isDuplicate'];
};

/** The rows of one table, inside the transaction that `access` belongs to. */
export function createCollection<Row, Index extends string>(
  context: TableContext<Row, Index>,
  { db, run }: Access,
): Collection<Row, Index> {
  const { table, spec, isDuplicate } = context;
  const order = spec.keyOrder ?? ((key: string) => key);

  const store = async <T>(key: string, statement: () => Promise<T>): Promise<T> => {
    try {
      return await statement();
    } catch (error) {
      if (isDuplicate(error)) throw new DuplicateRow(table, key, error);
      throw error;
    }
  };

  const list = async ({ prefix, startKey, limit, where, isDescending = false }: Page<Index>): Promise<Row[]> => {
    let query = db.selectFrom(table).select(['key', 'row']);
    if (prefix !== undefined) {
      query = query.where('key', '>=', order(prefix)).where('key', '<', `${order(prefix)}${lastCharacter}`);
    }
    if (startKey !== undefined) query = query.where('key', isDescending ? '<=' : '>=', order(startKey));
    if (where !== undefined) query = query.where(columnOf(where.index), '=', where.value);
    const found = await query
      .orderBy('key', isDescending ? 'desc' : 'asc')
      .limit(checkedLimit(limit))
      .execute();
    return found.map((cells) => decodeRow(context, cells));
  };

  return {
    get: (key) =>
      run(async () => {
        const cells = await db
          .selectFrom(table)
          .select(['key', 'row'])
          .where('key', '=', order(key))
          .executeTakeFirst();
        return cells === undefined ? null : decodeRow(context, cells);
      }),
    list: (page) => run(() => list(page)),
    find: (index, value, limit) => run(() => list({ where: { index, value }, limit })),
    count: (index, value) =>
      run(async () => {
        const query = db
          .selectFrom(table)
          .select(db.fn.countAll<number>().as('count'))
          .where(columnOf(index), '=', value);
        return Number((await query.executeTakeFirstOrThrow()).count);
      }),
    insert: (row) =>
      run(async () => {
        const key = spec.key(row);
        await store(key, () => db.insertInto(table).values(encodeRow(context, row)).execute());
      }),
    update: (row) =>
      run(async () => {
        const { key, ...cells } = encodeRow(context, row);
        const { numUpdatedRows } = await store(spec.key(row), () =>
          db.updateTable(table).set(cells).where('key', '=', key).executeTakeFirst(),
        );
        return numUpdatedRows > 0n;
      }),
    delete: (key) =>
      run(async () => {
        const { numDeletedRows } = await db.deleteFrom(table).where('key', '=', order(key)).executeTakeFirst();
        return numDeletedRows > 0n;
      }),
  };
}

/** An index's name as Kysely wants it: a plain string, not the table's own set of names. */
function columnOf(index: string): string {
  return index;
}

function checkedLimit(limit: number): number {
  if (!Number.isSafeInteger(limit) || limit < 0) throw new RangeError(`limit must be a count, not ${limit}`);
  return limit;
}

/** A row as cells: key, the searchable columns, and all of it as (sealed) JSON. */
export function encodeRow<Row, Index extends string>(
  { table, spec, sealer }: TableContext<Row, Index>,
  row: Row,
): Record<string, Cell> & { readonly key: string } {
  const plain = spec.key(row);
  const key = spec.keyOrder?.(plain) ?? plain;
  const json = JSON.stringify(row);
  const cells: Record<string, Cell> & { key: string } = {
    key,
    row: spec.isSealed ? sealer.seal(json, `${table}/${key}`) : json,
  };
  const columns: Readonly<Record<string, (row: Row) => Cell>> = spec.columns;
  for (const [name, value] of Object.entries(columns)) cells[name] = value(row);
  return cells;
}

/** The row of `cells`. The JSON was written by encodeRow(), so its type is the table's. */
function decodeRow<Row, Index extends string>(
  { table, spec, sealer }: TableContext<Row, Index>,
  { key, row }: Readonly<Record<string, Cell | undefined>>,
): Row {
  if (typeof row !== 'string') throw new Error(`${table} holds a row without a document at ${JSON.stringify(key)}`);
  return JSON.parse(spec.isSealed ? sealer.open(row, `${table}/${key}`) : row) as Row;
}
