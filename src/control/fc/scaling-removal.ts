// Takes away what was set for a version or alias, or for a function, that goes itself: provisioned instances and limits.
// Called by the actions that delete.
import { scalingKey } from '../../model/scaling.ts';
import type { WriteTransaction } from '../../store/port.ts';
import { removeInstanceLimit } from './instance-limits.ts';
import { removeProvision } from './provisions.ts';

const pageSize = 100;

type Placed = { readonly functionKey: string; readonly qualifier: string | null };

/** Reads a table to its end, and uses the rows that are meant. */
async function each<Row extends Placed>(
  list: (page: { readonly limit: number; readonly prefix: string; readonly startKey?: string }) => Promise<Row[]>,
  prefix: string,
  use: (row: Row) => Promise<void>,
): Promise<void> {
  let rows = await list({ prefix, limit: pageSize });
  while (true) {
    for (const row of rows) await use(row);
    const last = rows.at(-1);
    if (rows.length < pageSize || last === undefined) return;
    rows = await list({ prefix, limit: pageSize, startKey: `${scalingKey(last)}\u0000` });
  }
}

async function removeWhere(tx: WriteTransaction, prefix: string, isMeant: (row: Placed) => boolean): Promise<void> {
  const { instanceLimits, provisions } = tx.rows;
  await each(
    (page) => instanceLimits.list(page),
    prefix,
    async (row) => {
      if (isMeant(row)) await removeInstanceLimit(tx, row);
    },
  );
  await each(
    (page) => provisions.list(page),
    prefix,
    async (row) => {
      if (isMeant(row)) await removeProvision(tx, row);
    },
  );
}

/** All of a function's. */
export function removeScalingOfFunction(tx: WriteTransaction, functionKey: string): Promise<void> {
  return removeWhere(tx, `${functionKey}@`, () => true);
}

/** Of one version or alias; `owner` has the shape that versionOwner() tells: all functions of a service, or one function. */
export function removeScalingOfQualifier(tx: WriteTransaction, owner: string, qualifier: string): Promise<void> {
  const [kind, name = ''] = owner.split('/');
  return removeWhere(tx, kind === 'services' ? `${name}/` : `${name}@`, (row) => row.qualifier === qualifier);
}
