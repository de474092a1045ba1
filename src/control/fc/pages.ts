// Pages of Function Compute's listings: limit, prefix, startKey and the opaque nextToken. Used by the List actions.
import { fcError } from '../errors.ts';
import { queryValue, type Received } from '../received.ts';

/** `startKey` is inclusive; a nextToken takes its place. */
export type FcPage = { readonly limit: number; readonly prefix: string; readonly startKey: string | null };

const defaultLimit = 20;
const maxLimit = 100;

/** Errors: InvalidArgument. Source: sdk. */
export function readFcPage(received: Received): FcPage {
  const limitText = queryValue(received.query, 'limit') ?? '';
  const limit = limitText === '' ? defaultLimit : Number(limitText);
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit) {
    throw fcError(
      'InvalidArgument',
      `Limit is set to an invalid value (allowed: 1-${maxLimit}, actual: '${limitText.slice(0, 20)}')`,
    );
  }
  const token = queryValue(received.query, 'nextToken') ?? '';
  const startKey = queryValue(received.query, 'startKey') ?? '';
  return {
    limit,
    prefix: queryValue(received.query, 'prefix') ?? '',
    startKey: token !== '' ? readToken(token) : startKey !== '' ? startKey : null,
  };
}

/** The token of a page that begins at `key`. */
export function pageToken(key: string): string {
  return Buffer.from(key, 'utf8').toString('base64url');
}

/** Errors: InvalidArgument. */
export function readToken(token: string): string {
  const key = Buffer.from(token, 'base64url').toString('utf8');
  if (key === '' || Buffer.from(key, 'utf8').toString('base64url') !== token) {
    throw fcError('InvalidArgument', 'NextToken is set to an invalid value');
  }
  return key;
}

/**
 * Collects one page: rows from `fetch`, which begins at a key and gives up to so many in order; those that `keep` refuses are passed over.
 * `nextToken` is absent on the last page.
 */
export async function collectPage<Row>(
  page: FcPage,
  options: {
    fetch: (startKey: string | null, limit: number) => Promise<Row[]>;
    keyOf: (row: Row) => string;
    keep: (row: Row) => boolean;
  },
): Promise<{ readonly rows: Row[]; readonly nextToken?: string }> {
  const rows: Row[] = [];
  let startKey = page.startKey;
  while (true) {
    const chunk = await options.fetch(startKey, page.limit + 1);
    for (const row of chunk) {
      if (!options.keep(row)) continue;
      if (rows.length === page.limit) return { rows, nextToken: pageToken(options.keyOf(row)) };
      rows.push(row);
    }
    const last = chunk.at(-1);
    if (chunk.length <= page.limit || last === undefined) return { rows };
    startKey = `${options.keyOf(last)}\u0000`;
  }
}
