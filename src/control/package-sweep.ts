// Removes code packages that no function names any more. Called by the composition now and then.
import type { Store } from '../store/port.ts';

const pageSize = 500;

/**
 * Sweeps once; packages stored less than `graceMs` ago stay, because the row that names them may still be on its way.
 * Gives the number of packages removed.
 */
export async function sweepUnusedPackages(store: Store, graceMs: number): Promise<number> {
  const inUse = new Set<string>();
  let startKey: string | null = null;
  while (true) {
    const page: { limit: number; startKey?: string } =
      startKey === null ? { limit: pageSize } : { limit: pageSize, startKey };
    const rows = await store.read((tx) => tx.rows.functions.list(page));
    for (const row of rows) inUse.add(row.packageSha256);
    const last = rows.at(-1);
    if (rows.length < pageSize || last === undefined) break;
    startKey = `${last.key}\u0000`;
  }
  return store.packages.sweep(inUse, graceMs);
}
