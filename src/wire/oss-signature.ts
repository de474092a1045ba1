// The signatures of the object store, versions 1 and 4, by which upload clients sign. Control verifies with them.
import { createHash, createHmac } from 'node:crypto';
import { headerText, type SignedParts } from './openapi-signature.ts';
import { encodeRfc3986 } from './percent-encoding.ts';

/**
 * The texts that a client may have signed, one for each way to tell the time.
 *
 * Shape: method, content-md5, content-type, date, each header `x-oss-*` in lower case, sorted, as `name:value`, and
 * `resource` (`/bucket/object`, decoded); joined by `\n`. The date is `x-oss-date` or `date`.
 * Source: sdk (ali-oss 6: lib/common/signUtils.js).
 */
export function ossStringsToSign(method: string, headers: SignedParts['headers'], resource: string): string[] {
  const names = Object.keys(headers).filter((name) => name.startsWith('x-oss-'));
  const own = names.sort().map((name) => `${name}:${headerText(headers, name).trim()}`);
  const dates = new Set([headerText(headers, 'x-oss-date'), headerText(headers, 'date')]);
  dates.delete('');
  return [...dates].map((date) =>
    [method, headerText(headers, 'content-md5'), headerText(headers, 'content-type'), date, ...own, resource].join(
      '\n',
    ),
  );
}

/** Base64 of HMAC-SHA1. */
export function ossSignature(secret: string, stringToSign: string): string {
  return createHmac('sha1', secret).update(stringToSign, 'utf8').digest('base64');
}

export const ossV4Algorithm = 'OSS4-HMAC-SHA256';

/** `region` and `date` (`YYYYMMDD`) as the credential names them; `additionalHeaders` in lower case. */
export type OssV4Authorization = {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly product: string;
  readonly additionalHeaders: readonly string[];
  readonly signature: string;
};

/**
 * Reads `OSS4-HMAC-SHA256 Credential=<id>/<date>/<region>/oss/aliyun_v4_request,[AdditionalHeaders=<a;b>,]Signature=<hex>`.
 * Null for anything else. Source: sdk (ali-oss 6: lib/common/signUtils.js).
 */
export function parseOssV4Authorization(authorization: string): OssV4Authorization | null {
  const match =
    /^OSS4-HMAC-SHA256 Credential=([^/,]+)\/(\d{8})\/([\w-]+)\/([\w-]+)\/aliyun_v4_request,(?: ?AdditionalHeaders=([^,]*),)? ?Signature=([0-9a-fA-F]{64})$/.exec(
      authorization,
    );
  if (match === null) return null;
  const [, accessKeyId = '', date = '', region = '', product = '', additional = '', signature = ''] = match;
  const additionalHeaders = additional.split(';').filter((name) => name !== '');
  return { accessKeyId, date, region, product, additionalHeaders, signature: signature.toLowerCase() };
}

function isAlwaysSigned(name: string): boolean {
  return name === 'content-type' || name === 'content-md5' || name.startsWith('x-oss-');
}

/**
 * The signature that version 4 gives a request without query.
 *
 * Shape of what is hashed: method, `/bucket/object` encoded, query, `name:value` of each signed header and an empty line,
 * additional headers joined by `;`, the payload's hash or UNSIGNED-PAYLOAD; joined by `\n`.
 * Source: sdk (ali-oss 6: lib/common/signUtils.js).
 */
export function ossV4Signature(
  secret: string,
  request: { readonly method: string; readonly headers: SignedParts['headers']; readonly resource: string },
  { date, region, product, additionalHeaders }: Omit<OssV4Authorization, 'accessKeyId' | 'signature'>,
): string {
  const { method, headers, resource } = request;
  const given = Object.keys(headers).filter((name) => headers[name] !== undefined && isAlwaysSigned(name));
  const names = new Set([...given, ...additionalHeaders]);
  const lines = [...names].sort().map((name) => `${name}:${headerText(headers, name).trim()}\n`);
  const path = resource.split('/').map(encodeRfc3986).join('/');
  const payload = headerText(headers, 'x-oss-content-sha256') || 'UNSIGNED-PAYLOAD';
  const canonical = [method, path, '', lines.join(''), additionalHeaders.join(';'), payload].join('\n');
  const scope = `${date}/${region}/${product}/aliyun_v4_request`;
  const hash = createHash('sha256').update(canonical).digest('hex');
  const text = [ossV4Algorithm, headerText(headers, 'x-oss-date'), scope, hash].join('\n');
  const key = [date, region, product, 'aliyun_v4_request'].reduce<string | Buffer>(
    (key, part) => createHmac('sha256', key).update(part).digest(),
    `aliyun_v4${secret}`,
  );
  return createHmac('sha256', key).update(text).digest('hex');
}

/** Reads `20260102T030405Z`; null for anything else. */
export function parseOssV4Date(text: string): number | null {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second] = match;
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(at) ? null : at;
}
