// Percent-encoding and query texts as the cloud's signatures define them. Used by the OpenAPI signatures,
// by control to read requests and by the CLI to build them.

/** A decoded name and value, in the order of the text they came from. */
export type QueryPair = readonly [name: string, value: string];

/** Encodes the UTF-8 bytes of `text`; only `A-Z a-z 0-9 - _ . ~` stay. Lone surrogates become U+FFFD. */
export function encodeRfc3986(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  });
}

/** Undoes percent-encoding. Never fails: escapes that are no UTF-8 become U+FFFD, stray `%` stay. */
export function decodePercent(text: string, plusIsBlank = false): string {
  const source = plusIsBlank ? text.replaceAll('+', ' ') : text;
  if (!source.includes('%')) return source;
  try {
    return decodeURIComponent(source);
  } catch {
    return source.replace(/(?:%[0-9a-fA-F]{2})+/g, (escapes) => {
      return Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8');
    });
  }
}

/**
 * Reads `a=1&b=2`.
 *
 * Shape: a piece without `=` has the value ``; empty pieces are skipped. Forms and the queries of the APIs have `+` for a blank.
 * Source: docs; queries: sdk (alibabacloud-cloudapi20160714 4.9 for Python sends it and signs `%20`).
 */
export function parseQuery(text: string, plusIsBlank = false): QueryPair[] {
  const pairs: QueryPair[] = [];
  for (const piece of text.split('&')) {
    if (piece === '') continue;
    const at = piece.indexOf('=');
    const name = at === -1 ? piece : piece.slice(0, at);
    const value = at === -1 ? '' : piece.slice(at + 1);
    pairs.push([decodePercent(name, plusIsBlank), decodePercent(value, plusIsBlank)]);
  }
  return pairs;
}

/** `a=1&b=2` with every name and value encoded, in the order given; `name=` for an empty value. */
export function formatQuery(pairs: readonly QueryPair[]): string {
  return pairs.map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`).join('&');
}

/** Splits a request target at its first `?`; the query is null when there is none. */
export function splitTarget(target: string): { readonly path: string; readonly query: string | null } {
  const at = target.indexOf('?');
  if (at === -1) return { path: target, query: null };
  return { path: target.slice(0, at), query: target.slice(at + 1) };
}

/** Orders texts by their UTF-16 units, which is byte order for all names that occur. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
