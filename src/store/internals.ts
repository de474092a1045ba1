// Facts of the store itself, by name: the published version, how far the feed was pruned, a sealed word to know the key by.
import type { Kysely } from 'kysely';
import type { Schema } from './engine.ts';

export type InternalName = 'version' | 'prunedTo' | 'sealing';

/** Null when it was never written. */
export async function readInternal(db: Kysely<Schema>, name: InternalName): Promise<string | null> {
  const found = await db.selectFrom('internals').select('value').where('name', '=', name).executeTakeFirst();
  return typeof found?.value === 'string' ? found.value : null;
}

export async function writeInternal(db: Kysely<Schema>, name: InternalName, value: string): Promise<void> {
  await db
    .insertInto('internals')
    .values({ name, value })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
    .execute();
}

/** A count kept under `name`; 0 when it was never written. */
export async function readCount(db: Kysely<Schema>, name: 'version' | 'prunedTo'): Promise<number> {
  return Number((await readInternal(db, name)) ?? '0');
}
