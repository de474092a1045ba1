// What is published and when: one row a fact with the version of its last change. Used by store.ts inside its transactions.
import type { Kysely } from 'kysely';
import type { Change, ChangeBatch, PublishedKind, PublishedValues } from '../model/published.ts';
import type { Cell, Schema } from './engine.ts';
import { FeedPruned } from './errors.ts';
import { readCount, writeInternal } from './internals.ts';
import type { ChangePage } from './port.ts';
import type { Sealer } from './sealing.ts';
import { sealedKinds } from './tables.ts';

/** The changes that one transaction publishes; of several for one fact the last counts. Bounded by what one API action does. */
export class Announcements {
  readonly #changes = new Map<string, Change>();

  add<K extends PublishedKind>(kind: K, key: string, value: PublishedValues[K] | null): void {
    const id = placeOf(kind, key);
    this.#changes.delete(id);
    // The signature above pairs kind and value; the compiler does not carry that into the union.
    this.#changes.set(id, { kind, key, value } as Change);
  }

  get changes(): readonly Change[] {
    return [...this.#changes.values()];
  }
}

/**
 * Writes the announced changes under the next version.
 *
 * The version is read from the database, so what is rolled back has used none up. No changes: null, and the version stays.
 */
export async function writeChanges(
  db: Kysely<Schema>,
  sealer: Sealer,
  { changes }: Announcements,
): Promise<ChangeBatch | null> {
  if (changes.length === 0) return null;
  const version = (await readCount(db, 'version')) + 1;
  for (const change of changes) {
    const cells = { version, value: encodeValue(sealer, change) };
    await db
      .insertInto('published')
      .values({ kind: change.kind, key: change.key, ...cells })
      .onConflict((conflict) => conflict.columns(['kind', 'key']).doUpdateSet(cells))
      .execute();
  }
  await writeInternal(db, 'version', String(version));
  return { version, changes };
}

/** A page of the feed as port.ts promises it. Errors: RangeError for a limit below 1; FeedPruned. */
export async function readChanges(
  db: Kysely<Schema>,
  sealer: Sealer,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<ChangePage> {
  if (!Number.isSafeInteger(limit) || limit < 1) throw new RangeError(`limit must be at least 1, not ${limit}`);
  const head = await readCount(db, 'version');
  const prunedTo = await readCount(db, 'prunedTo');
  if (after > 0 && after < prunedTo) throw new FeedPruned(after, prunedTo);
  const select = db.selectFrom('published').select(['kind', 'key', 'version', 'value']);
  const ordered = select.orderBy('version').orderBy('kind').orderBy('key');
  const rows = await ordered
    .where('version', '>', after)
    .limit(limit + 1)
    .execute();
  const decode = (cells: (typeof rows)[number]) => decodeChange(sealer, cells);
  if (rows.length <= limit) return { version: Math.max(head, after), changes: rows.map(decode), isLast: true };

  const cut = rows.at(-1)?.['version'] ?? 0;
  const first = rows[0]?.['version'] ?? 0;
  const whole =
    cut === first ? await ordered.where('version', '=', first).execute() : rows.filter((row) => row['version'] !== cut);
  const version = Number(whole.at(-1)?.['version']);
  return { version, changes: whole.map(decode), isLast: version === head };
}

/**
 * Forgets withdrawn facts. Only at open: data processes end with the control process, so none is left
 * that has yet to hear of them; one that comes with an older version is told to begin again (FeedPruned).
 */
export async function pruneWithdrawn(db: Kysely<Schema>): Promise<void> {
  const { numDeletedRows } = await db.deleteFrom('published').where('value', 'is', null).executeTakeFirst();
  if (numDeletedRows > 0n) await writeInternal(db, 'prunedTo', String(await readCount(db, 'version')));
}

function placeOf(kind: string, key: string): string {
  return `published/${kind}/${key}`;
}

function encodeValue(sealer: Sealer, { kind, key, value }: Change): string | null {
  if (value === null) return null;
  const json = JSON.stringify(value);
  return sealedKinds[kind] ? sealer.seal(json, placeOf(kind, key)) : json;
}

/** The change of one row. It was written by writeChanges(), so kind and value fit each other. */
function decodeChange(sealer: Sealer, cells: Readonly<Record<string, Cell | undefined>>): Change {
  const kind = cells['kind'] as PublishedKind;
  const key = String(cells['key']);
  const stored = cells['value'];
  if (typeof stored !== 'string') return { kind, key, value: null };
  return {
    kind,
    key,
    value: JSON.parse(sealedKinds[kind] ? sealer.open(stored, placeOf(kind, key)) : stored),
  } as Change;
}
