// What the OpenAPI signature schemes share: which scheme a request uses, and comparing without a timing hint.
// The schemes themselves are in openapi-signature-{rpc,v3,roa,fc}.ts; control verifies and the CLI signs with them.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { QueryPair } from './percent-encoding.ts';

/** `fc-query` is a pre-signed URL; `bearer` a token without a signature. */
export type SignatureScheme = 'v3' | 'roa' | 'fc' | 'rpc' | 'fc-query' | 'bearer' | 'anonymous';

/**
 * Chooses the scheme by the Authorization header and the parameters only, never by the path.
 * Source: docs.
 */
export function chooseScheme(authorization: string, hasParameter: (name: string) => boolean): SignatureScheme {
  const word = authorization.split(' ', 1)[0]?.toLowerCase() ?? '';
  if (word.startsWith('acs3-')) return 'v3';
  if (word === 'acs') return 'roa';
  if (word === 'fc') return 'fc';
  if (hasParameter('x-fc-signature')) return 'fc-query';
  if (hasParameter('Signature')) return 'rpc';
  if (hasParameter('BearerToken') || hasParameter('SignatureType')) return 'bearer';
  return 'anonymous';
}

/** Compares in a time that does not depend on where two texts differ. */
export function isSameSecret(left: string, right: string): boolean {
  const leftHash = createHash('sha256').update(left).digest();
  const rightHash = createHash('sha256').update(right).digest();
  return timingSafeEqual(leftHash, rightHash);
}

/** True when `given` is one of `candidates`; looks at all of them whatever the answer. */
export function isOneOf(given: string, candidates: readonly string[]): boolean {
  let found = false;
  for (const candidate of candidates) {
    if (isSameSecret(given, candidate)) found = true;
  }
  return found;
}

/** Parts of a request that a signature may cover. Header names in lower case; `path` as on the request line. */
export type SignedParts = {
  readonly method: string;
  readonly path: string;
  readonly query: readonly QueryPair[];
  /** Repeated headers as a list. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
};

/** The header's value; repeated ones joined with `,`; `` when it is missing. */
export function headerText(headers: SignedParts['headers'], name: string): string {
  const value = headers[name];
  if (value === undefined) return '';
  return typeof value === 'string' ? value : [...value].sort().join(',');
}
