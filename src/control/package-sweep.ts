// Removes code packages that no function, in whichever version, names any more. Called by the composition now and then.
import { mergedName } from '../model/function.ts';
import type { Store } from '../store/port.ts';
import type { FunctionRow } from '../store/rows.ts';

const pageSize = 500;

/**
 * Sweeps once; packages stored less than `graceMs` ago stay, because the row that names them may still be on its way.
 * Gives the number of packages removed.
 */
export async function sweepUnusedPackages(store: Store, graceMs: number): Promise<number> {
  const inUse = new Set<string>();
  // Layers first: they go into functions; then functions: a package goes from a function into a version, never the other way.
  await collect(async (page) => {
    const rows = await store.read((tx) => tx.rows.layerVersions.list(page));
    for (const row of rows) inUse.add(row.packageSha256);
    return rows.map((row) => `${row.layerName}/${row.version}`);
  });
  await collect(async (page) => {
    const rows = await store.read((tx) => tx.rows.functions.list(page));
    for (const row of rows) addPackages(inUse, row);
    return rows.map((row) => row.key);
  });
  await collect(async (page) => {
    const rows = await store.read((tx) => tx.rows.functionVersions.list(page));
    for (const row of rows) addPackages(inUse, row.function);
    return rows.map((row) => `${row.owner}/${row.versionId}/${row.function.functionName}`);
  });
  return store.packages.sweep(inUse, graceMs);
}

/** A function's code, its layers, and the directory that they were made one of. */
function addPackages(inUse: Set<string>, { packageSha256, layers = [] }: FunctionRow): void {
  const packages = layers.map((layer) => layer.packageSha256);
  const merged = mergedName(packages);
  for (const name of [packageSha256, ...packages]) inUse.add(name);
  if (merged !== null) inUse.add(merged);
}

/** Reads a table to its end; `read` takes a page and gives its keys. */
async function collect(
  read: (page: { limit: number; startKey?: string }) => Promise<readonly string[]>,
): Promise<void> {
  let keys = await read({ limit: pageSize });
  while (keys.length === pageSize) keys = await read({ limit: pageSize, startKey: `${keys.at(-1)}\u0000` });
}
