// Signature version 3, ACS3-HMAC-SHA256: chosen headers, path, query and the body's hash. Control verifies, the CLI signs.
import { createHash, createHmac } from 'node:crypto';
import { headerText, type SignedParts } from './openapi-signature.ts';
import {
  compareText,
  decodePercent,
  encodeRfc3986,
  formatQuery,
  type QueryPair,
  splitTarget,
} from './percent-encoding.ts';

export const v3Algorithm = 'ACS3-HMAC-SHA256';

/** What the Authorization header says; null when a part is missing. */
export type V3Authorization = {
  readonly algorithm: string;
  readonly accessKeyId: string;
  readonly signedHeaders: readonly string[];
  /** Lower-case hex. */
  readonly signature: string;
};

/** Reads `ACS3-HMAC-SHA256 Credential=<id>,SignedHeaders=<a;b>,Signature=<hex>`. */
export function parseV3Authorization(text: string): V3Authorization | null {
  const blank = text.indexOf(' ');
  if (blank === -1) return null;
  const members = new Map<string, string>();
  for (const piece of text.slice(blank + 1).split(',')) {
    const at = piece.indexOf('=');
    if (at !== -1) members.set(piece.slice(0, at).trim().toLowerCase(), piece.slice(at + 1).trim());
  }
  const accessKeyId = members.get('credential') ?? '';
  const signature = members.get('signature') ?? '';
  const headers = members.get('signedheaders') ?? '';
  if (accessKeyId === '' || signature === '' || headers === '') return null;
  return {
    algorithm: text.slice(0, blank),
    accessKeyId,
    signedHeaders: headers.toLowerCase().split(';'),
    signature,
  };
}

/** Every segment decoded and encoded again; slashes kept. */
export function canonicalPath(path: string): string {
  return path
    .split('/')
    .map((segment) => encodeRfc3986(decodePercent(segment)))
    .join('/');
}

/**
 * The canonical request, whose hash is signed.
 *
 * Shape: method, path, query, one `name:value` line for each signed header, an empty line, the names, the body's hash; joined by "\n".
 * Source: sdk.
 */
export function v3CanonicalRequest(parts: SignedParts, signedHeaders: readonly string[], payloadHash: string): string {
  const names = [...signedHeaders].sort();
  const query = [...parts.query].sort(
    (left, right) => compareText(left[0], right[0]) || compareText(left[1], right[1]),
  );
  const lines = names.map((name) => `${name}:${headerText(parts.headers, name).trim()}\n`).join('');
  return [parts.method, parts.path, formatQuery(query), lines, names.join(';'), payloadHash].join('\n');
}

/** What HMAC is computed over. */
export function v3StringToSign(canonicalRequest: string): string {
  return `${v3Algorithm}\n${sha256Hex(canonicalRequest)}`;
}

/** Lower-case hex; the key is the bare secret. */
export function v3Signature(secret: string, stringToSign: string): string {
  return createHmac('sha256', secret).update(stringToSign).digest('hex');
}

/**
 * Signatures that a right client may have computed: clients differ in how they spell the path.
 * Source: sdk.
 */
export function v3AcceptedSignatures(
  secret: string,
  parts: SignedParts,
  signedHeaders: readonly string[],
  payloadHash: string,
): { readonly canonicalRequest: string; readonly signatures: readonly string[] } {
  const rewritten = parts.path.replaceAll('*', '%2A').replaceAll('+', '%20').replaceAll('%7E', '~');
  const paths = new Set([canonicalPath(parts.path), parts.path, rewritten]);
  const requests = [...paths].map((path) => v3CanonicalRequest({ ...parts, path }, signedHeaders, payloadHash));
  return {
    canonicalRequest: requests[0] ?? '',
    signatures: requests.map((request) => v3Signature(secret, v3StringToSign(request))),
  };
}

/** Lower-case hex SHA-256. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

export type V3Call = {
  readonly method: string;
  /** Encoded path; a query goes into `query`. */
  readonly path: string;
  readonly query: readonly QueryPair[];
  /** As the Host header will say it, with a port that is not the default one. */
  readonly host: string;
  readonly action: string;
  readonly version: string;
  /** `YYYY-MM-DDThh:mm:ssZ`. */
  readonly date: string;
  readonly nonce: string;
  readonly contentType: string | null;
  readonly body: Uint8Array;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken?: string;
};

/** The headers of a signed call, `authorization` included, names in lower case. */
export function signV3(call: V3Call): Record<string, string> {
  const payloadHash = sha256Hex(call.body);
  const headers: Record<string, string> = {
    host: call.host,
    'x-acs-action': call.action,
    'x-acs-content-sha256': payloadHash,
    'x-acs-date': call.date,
    'x-acs-signature-nonce': call.nonce,
    'x-acs-version': call.version,
  };
  if (call.contentType !== null) headers['content-type'] = call.contentType;
  if (call.securityToken !== undefined) {
    headers['x-acs-accesskey-id'] = call.accessKeyId;
    headers['x-acs-security-token'] = call.securityToken;
  }
  const names = Object.keys(headers).sort();
  const path = canonicalPath(splitTarget(call.path).path);
  const request = v3CanonicalRequest({ method: call.method, path, query: call.query, headers }, names, payloadHash);
  const signature = v3Signature(call.accessKeySecret, v3StringToSign(request));
  const authorization = `${v3Algorithm} Credential=${call.accessKeyId},SignedHeaders=${names.join(';')},Signature=${signature}`;
  return { ...headers, authorization };
}
