// ROA signature version 1 (`Authorization: acs <id>:<signature>`), as pop-core and old core SDKs send it. Control verifies.
import { createHmac } from 'node:crypto';
import { headerText, type SignedParts } from './openapi-signature.ts';
import { compareText, decodePercent, type QueryPair } from './percent-encoding.ts';

/** Reads `acs <id>:<signature>` and `FC <id>:<signature>`; null when a part is missing. */
export function parseColonAuthorization(
  text: string,
): { readonly accessKeyId: string; readonly signature: string } | null {
  const rest = text.slice(text.indexOf(' ') + 1).trim();
  const at = rest.indexOf(':');
  if (at <= 0 || at === rest.length - 1) return null;
  return { accessKeyId: rest.slice(0, at), signature: rest.slice(at + 1) };
}

function resource(path: string, query: readonly QueryPair[], bareEmpty: boolean): string {
  if (query.length === 0) return path;
  const sorted = [...query].sort((left, right) => compareText(left[0], right[0]));
  const pieces = sorted.map(([name, value]) => (value === '' && bareEmpty ? name : `${name}=${value}`));
  return `${path}?${pieces.join('&')}`;
}

/**
 * The text that is signed; `path` is used as given.
 *
 * Shape: method, accept, content-md5, content-type, date, each `x-acs-*` header as `name:value`, path with decoded query; joined by "\n".
 * Source: sdk.
 */
export function roaStringToSign(parts: SignedParts, bareEmpty = false): string {
  const fixed = ['accept', 'content-md5', 'content-type', 'date'].map((name) => headerText(parts.headers, name));
  const own = Object.keys(parts.headers)
    .filter((name) => name.startsWith('x-acs-'))
    .sort()
    .map(
      (name) =>
        `${name}:${headerText(parts.headers, name)
          .replace(/[\t\r\n\f]/g, ' ')
          .trim()}`,
    );
  return [parts.method, ...fixed, ...own, resource(parts.path, parts.query, bareEmpty)].join('\n');
}

/** Base64 of HMAC-SHA1; the key is the bare secret. */
export function roaSignature(secret: string, stringToSign: string): string {
  return createHmac('sha1', secret).update(stringToSign).digest('base64');
}

/** Signatures that a right client may have computed: raw or decoded path, `name=` or `name` for an empty value. */
export function roaAcceptedSignatures(secret: string, parts: SignedParts): string[] {
  const paths = new Set([parts.path, decodePercent(parts.path)]);
  const texts = [...paths].flatMap((path) => [
    roaStringToSign({ ...parts, path }),
    roaStringToSign({ ...parts, path }, true),
  ]);
  return [...new Set(texts)].map((text) => roaSignature(secret, text));
}
