// The classic signature of Function Compute (`Authorization: FC <id>:<signature>` and pre-signed URLs). Control verifies, the CLI signs.
import { createHmac } from 'node:crypto';
import { headerText, type SignedParts } from './openapi-signature.ts';
import { compareText, decodePercent, type QueryPair } from './percent-encoding.ts';

/**
 * The text that is signed; `resource` is the path, or what fcProxyResource() makes of an HTTP trigger's URL.
 *
 * Shape: method, content-md5, content-type, date, each `x-fc-*` header as `name:value`, resource; joined by "\n".
 * Errors: none; a missing header leaves its line empty.
 * Source: sdk.
 */
export function fcStringToSign(parts: SignedParts, resource: string): string {
  const expires = parts.query.find(([name]) => name === 'x-fc-expires')?.[1];
  const own = Object.keys(parts.headers)
    .filter((name) => name.startsWith('x-fc-'))
    .sort()
    .map((name) => `${name}:${headerText(parts.headers, name)}`);
  return [
    parts.method.toUpperCase(),
    headerText(parts.headers, 'content-md5'),
    headerText(parts.headers, 'content-type'),
    expires ?? headerText(parts.headers, 'date'),
    ...own,
    resource,
  ].join('\n');
}

/**
 * The resource of HTTP-trigger calls: the path and the decoded, sorted query members.
 *
 * Source: sdk (a name without a value stands alone; an empty text keeps its `=`, which `emptyAs` asks for).
 */
export function fcProxyResource(path: string, query: readonly QueryPair[], emptyAs: '' | '=' = ''): string {
  const members = query
    .filter(([name]) => name !== 'x-fc-signature')
    .map(([name, value]) => (value === '' ? `${name}${emptyAs}` : `${name}=${value}`))
    .sort(compareText);
  return `${path}\n${members.join('\n')}`;
}

/** Base64 of HMAC-SHA256; the key is the bare secret. */
export function fcSignature(secret: string, stringToSign: string): string {
  return createHmac('sha256', secret).update(stringToSign).digest('base64');
}

/** Signatures that a right client may have computed for a control-plane call: over the decoded or the raw path. */
export function fcAcceptedSignatures(secret: string, parts: SignedParts): string[] {
  const paths = new Set([decodePercent(parts.path), parts.path]);
  return [...paths].map((path) => fcSignature(secret, fcStringToSign(parts, path)));
}

/** The same for an HTTP trigger's URL, header or query signed; a name that has an empty value may keep its `=` or not. */
export function fcProxyAcceptedSignatures(secret: string, parts: SignedParts): string[] {
  const { path, query } = parts;
  const resources = [decodePercent(path), path].flatMap((one) => [
    fcProxyResource(one, query),
    fcProxyResource(one, query, '='),
  ]);
  return [...new Set(resources)].map((resource) => fcSignature(secret, fcStringToSign(parts, resource)));
}
