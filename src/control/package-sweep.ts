// Removes code packages that no function, in whichever version, names any more. Called by the composition now and then.
import type { Store } from '../store/port.ts';

const pageSize = 500;

/**
 * Sweeps once; packages stored less than `graceMs` ago stay, because the row that names them may still be on its way.
 * Gives the number of packages removed.
 */
export async function sweepUnusedPackages(store: Store, graceMs: number): Promise<number> {
  const inUse = new Set<string>();
  // Functions first: a package goes from a function into a version, never the other way.
  await collect(async (page) => {
    const rows = await store.read((tx) => tx.rows.functions.list(page));
    for (const row of rows) inUse.add(row.packageSha256);
    return rows.map((row) => row.key);
  });
  await collect(async (page) => {
    const rows = await store.read((tx) => tx.rows.functionVersions.list(page));
    for (const row of rows) inUse.add(row.function.packageSha256);
    return rows.map((row) => `${row.owner}/${row.versionId}/${row.function.functionName}`);
  });
  return store.packages.sweep(inUse, graceMs);
}

/** Reads a table to its end; `read` takes a page and gives its keys. */
async function collect(
  read: (page: { limit: number; startKey?: string }) => Promise<readonly string[]>,
): Promise<void> {
  let keys = await read({ limit: pageSize });
  while (keys.length === pageSize) keys = await read({ limit: pageSize, startKey: `${keys.at(-1)}\u0000` });
}
