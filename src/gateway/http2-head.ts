// The heads of HTTP/2 messages in the words of HTTP/1.1, which the pipeline speaks, and back. Called by listener.ts.

/** Header lines that belong to a connection of HTTP/1.1 and may not be in HTTP/2. Source: docs (RFC 9113 8.2.2). */
const ofConnection: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Name, value, … with `:authority` as Host, and the crumbs of Cookie as one line. A Host that says the same beside it is left out.
 * Source: docs (RFC 9113 8.3.1, 8.2.3).
 */
export function plainHeaders(raw: readonly string[]): string[] {
  const headers: string[] = [];
  let authority: string | null = null;
  let cookieAt = -1;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    if (name === ':authority') {
      authority = value;
      headers.push('Host', value);
    } else if (name === 'host' && value === authority) continue;
    else if (name === 'cookie' && cookieAt !== -1) headers[cookieAt] = `${headers[cookieAt]}; ${value}`;
    else if (!name.startsWith(':')) {
      headers.push(name, value);
      if (name === 'cookie') cookieAt = headers.length - 1;
    }
  }
  return headers;
}

/** A reply's headers by lower-case name; repeated ones as lists. */
export function headersByName(headers: readonly string[]): Record<string, string | string[]> {
  const byName: Record<string, string | string[]> = {};
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] ?? '').toLowerCase();
    const value = headers[i + 1] ?? '';
    if (ofConnection.has(name)) continue;
    const before = byName[name];
    if (before === undefined) byName[name] = value;
    else byName[name] = Array.isArray(before) ? [...before, value] : [before, value];
  }
  return byName;
}
