// What a bound domain adds to its group: names in wildcard hosts, the redirect to HTTPS. Called by match.ts.
import type { PublishedDomain } from '../model/published.ts';

const noParameters: ReadonlyMap<string, string> = new Map();

/** The key under which the wildcard domain of a host is found: `a.example.com` → `*.example.com`; null when it has no parent. */
export function wildcardOf(host: string): string | null {
  const dot = host.indexOf('.');
  return dot === -1 || dot === host.length - 1 ? null : `*${host.slice(dot)}`;
}

/** A pattern's text as a regular expression: placeholders take the shortest text that is not empty and holds no dot. */
function compile(pattern: string): { readonly expression: RegExp; readonly names: readonly string[] } {
  const names: string[] = [];
  const source = pattern
    .split(/(\$\{[A-Za-z][A-Za-z0-9_]*\})/)
    .map((piece) => {
      if (!piece.startsWith('${')) return piece.toLowerCase().replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      names.push(piece.slice(2, -1));
      return '([^.]+?)';
    })
    .join('');
  return { expression: new RegExp(`^${source}$`), names };
}

/**
 * What the placeholders of the first pattern that fits stand for; none when no pattern fits.
 *
 * The host is at most 253 characters of which one label is matched, so the expressions stay cheap.
 * Source: docs; the form of patterns is assumed.
 */
export function hostParameters(domain: PublishedDomain | null, host: string): ReadonlyMap<string, string> {
  for (const pattern of domain?.patterns ?? []) {
    const { expression, names } = compile(pattern);
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
