// What a bound domain adds to its group: names in wildcard hosts, the redirect to HTTPS. Called by match.ts.

/** A pattern of a wildcard domain, compiled when its group is published. */
export type HostPattern = { readonly expression: RegExp; readonly names: readonly string[] };

const noParameters: ReadonlyMap<string, string> = new Map();

/** The key under which the wildcard domain of a host is found: `a.example.com` → `*.example.com`; null when it has no parent. */
export function wildcardOf(host: string): string | null {
  const dot = host.indexOf('.');
  return dot === -1 || dot === host.length - 1 ? null : `*${host.slice(dot)}`;
}

/**
 * A pattern's text (`{Name}.example.com`, or `${Name}.example.com`) as a regular expression: placeholders take the shortest text
 * that is not empty and holds no dot. The host is at most 253 characters of which one label is matched, so it stays cheap.
 * Source: sdk for the braces, the dollar is assumed.
 */
export function compileHostPattern(pattern: string): HostPattern {
  const names: string[] = [];
  const source = pattern
    .split(/(\$?\{[A-Za-z][A-Za-z0-9_]*\})/)
    .map((piece, at) => {
      if (at % 2 === 0) return piece.toLowerCase().replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      names.push(piece.slice(piece.indexOf('{') + 1, -1));
      return '([^.]+?)';
    })
    .join('');
  return { expression: new RegExp(`^${source}$`), names };
}

/** What the placeholders of the first pattern that fits stand for; none when no pattern fits. Source: docs. */
export function hostParameters(patterns: readonly HostPattern[], host: string): ReadonlyMap<string, string> {
  for (const { expression, names } of patterns) {
    const found = expression.exec(host);
    if (found !== null) return new Map(names.map((name, at) => [name, found[at + 1] ?? '']));
  }
  return noParameters;
}

/** The same URL on HTTPS. `port` null: the scheme's own. */
export function httpsUrl(authority: string, target: string, port: number | null): string {
  const host = authority.replace(/:\d*$/, '');
  return `https://${host}${port === null || port === 443 ? '' : `:${port}`}${target}`;
}
