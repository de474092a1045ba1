// The object endpoint: takes PUTs of the official upload clients into the temporary bucket. Chosen by the scheme of Authorization, never by Host.
import { headerText, isOneOf } from '../../wire/openapi-signature.ts';
import {
  ossSignature,
  ossStringsToSign,
  ossV4Signature,
  parseOssV4Authorization,
  parseOssV4Date,
} from '../../wire/oss-signature.ts';
import { decodePercent } from '../../wire/percent-encoding.ts';
import { parseHttpDate } from '../../wire/utc-time.ts';
import { freshnessMs } from '../authenticate.ts';
import { ApiError } from '../errors.ts';
import type { ControlDeps } from '../ports.ts';
import type { Answer, Received } from '../received.ts';
import { uploadName } from './temporary-bucket.ts';
import { openUploadToken, type UploadGrant } from './upload-tokens.ts';

/** Codes of the object store that upload clients know. Source: sdk (ali-oss), the messages assumed. */
const statuses = {
  AccessDenied: 403,
  EntityTooLarge: 400,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidDigest: 400,
  MethodNotAllowed: 405,
  NotImplemented: 501,
  RequestTimeTooSkewed: 403,
  SecurityTokenExpired: 403,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
} as const;

function refusal(code: keyof typeof statuses, message: string): ApiError {
  return new ApiError(code, statuses[code], message);
}

export function isObjectCall(received: Received): boolean {
  return /^OSS4?[- ]/.test(headerText(received.headers, 'authorization'));
}

/** What a scheme says of a request, before any of it is believed; `at` is its time in epoch ms. */
type Claim = {
  readonly accessKeyId: string;
  readonly signature: string;
  readonly at: number | null;
  /** All signatures that would be right. */
  expected(secret: string, resource: string): readonly string[];
};

function readV1({ method, headers }: Received, authorization: string): Claim | null {
  const match = /^OSS ([^:]+):(.+)$/.exec(authorization);
  if (match === null) return null;
  return {
    accessKeyId: match[1] ?? '',
    signature: match[2] ?? '',
    at: parseHttpDate(headerText(headers, 'x-oss-date') || headerText(headers, 'date')),
    expected: (secret, resource) =>
      ossStringsToSign(method, headers, resource).map((text) => ossSignature(secret, text)),
  };
}

function readV4({ method, headers }: Received, authorization: string): Claim | null {
  const parsed = parseOssV4Authorization(authorization);
  if (parsed === null) return null;
  return {
    accessKeyId: parsed.accessKeyId,
    signature: parsed.signature,
    at: parseOssV4Date(headerText(headers, 'x-oss-date')),
    expected: (secret, resource) => [ossV4Signature(secret, { method, headers, resource }, parsed)],
  };
}

/** Whose token signed the request. Errors: those of the object store. */
function verify(deps: ControlDeps, received: Received): UploadGrant {
  const { headers } = received;
  const authorization = headerText(headers, 'authorization');
  const claim = readV1(received, authorization) ?? readV4(received, authorization);
  if (claim === null)
    throw refusal('InvalidArgument', 'Authorization has the form of neither signature version 1 nor 4');
  const grant = openUploadToken(deps, headerText(headers, 'x-oss-security-token'));
  if (grant === null || grant.accessKeyId !== claim.accessKeyId) {
    throw refusal('InvalidAccessKeyId', 'the key is none of a temporary bucket; ask for a new token');
  }
  const resource = `/${grant.bucket}/${grant.object}`;
  if (!isOneOf(claim.signature, claim.expected(grant.accessKeySecret, resource))) {
    throw refusal(
      'SignatureDoesNotMatch',
      `the signature does not match, or the token is for another object than ${resource}`,
    );
  }
  if (grant.expiresAt <= deps.clock.now()) throw refusal('SecurityTokenExpired', 'the token has expired');
  if (claim.at === null || Math.abs(deps.clock.now() - claim.at) > freshnessMs) {
    throw refusal('RequestTimeTooSkewed', 'the time of the request differs by more than 15 minutes');
  }
  return grant;
}

/** The bucket is in the path, in Host, or (when the endpoint is an address) nowhere: the token knows it. Source: sdk (ali-oss). */
function isPathOf(path: string, { bucket, object }: UploadGrant): boolean {
  const decoded = decodePercent(path);
  return decoded === `/${object}` || decoded === `/${bucket}/${object}`;
}

async function put(deps: ControlDeps, received: Received): Promise<Answer> {
  const grant = verify(deps, received);
  if (!isPathOf(received.path, grant)) throw refusal('AccessDenied', `the token is for the object ${grant.object}`);
  if (received.method !== 'PUT') throw refusal('MethodNotAllowed', 'this bucket only takes objects');
  if (received.query.length > 0) throw refusal('NotImplemented', 'an object must come in one PUT without parameters');
  const limitBytes = deps.settings.codeBodyLimitBytes;
  if (Number(headerText(received.headers, 'content-length') || '0') > limitBytes) throw tooLarge(limitBytes);
  const md5 = headerText(received.headers, 'content-md5');
  const rules = { md5: md5 === '' ? null : md5, limitBytes };
  const stored = await deps.store.uploads.put(uploadName(grant), received.stream, rules);
  if (stored.ok) {
    const etag = `"${Buffer.from(stored.md5, 'base64').toString('hex').toUpperCase()}"`;
    return { status: 200, headers: { ...fixedHeaders(received), etag, 'content-md5': stored.md5 }, body: '' };
  }
  switch (stored.reason) {
    case 'too-large':
      throw tooLarge(limitBytes);
    case 'wrong-digest':
      throw refusal('InvalidDigest', 'the content does not have the digest that Content-MD5 says');
    case 'no-room':
      throw refusal('ServiceUnavailable', 'the temporary bucket is full; try again later');
  }
}

function tooLarge(limitBytes: number): ApiError {
  return refusal('EntityTooLarge', `an object can have at most ${limitBytes} bytes`);
}

function fixedHeaders(received: Received): Record<string, string> {
  return { 'x-oss-request-id': received.requestId };
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function renderError(received: Received, error: ApiError): Answer {
  const members = { Code: error.code, Message: error.message, RequestId: received.requestId, HostId: received.host };
  const text = Object.entries(members).map(([name, value]) => `<${name}>${escapeXml(value)}</${name}>`);
  return {
    status: error.status,
    headers: { ...fixedHeaders(received), 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${text.join('')}</Error>`,
  };
}

/** Never throws. */
export async function answerObject(deps: ControlDeps, received: Received): Promise<Answer> {
  try {
    return await put(deps, received);
  } catch (error) {
    // The rest is read and thrown away, so that the client can read the answer.
    received.stream.resume();
    if (error instanceof ApiError) return renderError(received, error);
    if (received.signal.aborted) return renderError(received, refusal('InvalidArgument', 'the body ended early'));
    deps.log.error('an upload failed', {
      requestId: received.requestId,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    return renderError(received, refusal('InternalError', 'an internal error has occurred'));
  }
}
