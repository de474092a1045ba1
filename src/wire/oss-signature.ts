// Signature version 1 of the object store, by which upload clients sign. Control verifies with it.
import { createHmac } from 'node:crypto';
import { headerText, type SignedParts } from './openapi-signature.ts';

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
