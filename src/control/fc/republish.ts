// Publishes all functions again when what is published of them was made otherwise than it is now. Called by the composition at start.

import type { Account } from '../../model/account.ts';
import { latest } from '../../model/function.ts';
import type { Store, WriteTransaction } from '../../store/port.ts';
import { publishVersion } from './publishing.ts';

/** Counted up whenever the shape of PublishedFunction changes. */
const format = 6;
/** The name under which it is kept how functions were published: `<format> <region>`. */
const metaName = 'functionsPublishedAs';
const pageSize = 200;

/** A page of rows from a key on. */
type Page = { readonly limit: number; readonly startKey?: string };

async function walk<Row>(
  list: (page: Page) => Promise<Row[]>,
  keyOf: (row: Row) => string,
  use: (row: Row) => Promise<void>,
): Promise<void> {
  let rows = await list({ limit: pageSize });
  while (true) {
    for (const row of rows) await use(row);
    const last = rows.at(-1);
    if (rows.length < pageSize || last === undefined) return;
    rows = await list({ limit: pageSize, startKey: `${keyOf(last)}\u0000` });
  }
}

async function republishAll(tx: WriteTransaction, account: Account): Promise<void> {
  const { functions, functionVersions, services, versions } = tx.rows;
  await walk(
    (page) => functions.list(page),
    (row) => row.key,
    async (row) => {
      const service = row.serviceName === null ? null : await services.get(row.serviceName);
      await publishVersion(tx, { account }, { row, service, versionId: latest });
    },
  );
  await walk(
    (page) => functionVersions.list(page),
    (frozen) => `${frozen.owner}/${frozen.versionId}/${frozen.function.functionName}`,
    async ({ owner, versionId, function: row }) => {
      const version = await versions.get(`${owner}/${versionId}`);
      await publishVersion(tx, { account }, { row, service: version?.service ?? null, versionId });
    },
  );
}

/** Does nothing when all is published as this server would: its format, in its region. */
export async function republishFunctions(store: Store, account: Account): Promise<void> {
  const value = `${format} ${account.regionId}`;
  await store.write(async (tx) => {
    const before = await tx.rows.meta.get(metaName);
    if (before?.value === value) return;
    await republishAll(tx, account);
    if (before === null) await tx.rows.meta.insert({ name: metaName, value });
    else await tx.rows.meta.update({ name: metaName, value });
  });
}
