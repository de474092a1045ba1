// The gateway's request signature: the string to sign, its variants, verifying it and making it.
// Called by gateway/identify.ts and by clients (cli/) that sign.
import { createHash, timingSafeEqual } from 'node:crypto';
import { createKeyedDigest } from './keyed-digest.ts';
import { decodePath, noParameters, type Parameters, parseParameters } from './query.ts';

export type SignatureAlgorithm = 'HmacSHA256' | 'HmacSHA1';

/** What a signature covers, as received. */
export type SignedRequest = {
  /** Upper case. */
  readonly method: string;
  /** As on the request line, without the query. */
  readonly rawPath: string;
  /** decodePath(rawPath). */
  readonly path: string;
  readonly query: Parameters;
  /** Null when the body is no URL-encoded form. */
  readonly form: Parameters | null;
  /** The form with the names of its bare items (those without `=`) as written; not given when that is `form` itself. */
  readonly formWithRawNames?: Parameters;
  /** First value of a header by its lower-case name, bytes read as UTF-8. */
  header(lowerName: string): string | undefined;
};

/** One reading of the rules; clients differ. Source: sdk. */
export type SigningVariant = {
  readonly path: 'decoded' | 'raw';
  readonly sameName: 'query-first' | 'form-first';
  /** Whether names that must not be among the signed headers are dropped from the list or kept. */
  readonly reserved: 'dropped' | 'kept';
  /** The name of a form item without `=`: as written, or decoded. */
  readonly bareNames: 'raw' | 'decoded';
  /** Names beyond U+FFFF sort by UTF-8 bytes, or by UTF-16 units. */
  readonly order: 'bytes' | 'units';
};

export const standardVariant: SigningVariant = {
  path: 'decoded',
  sameName: 'query-first',
  reserved: 'dropped',
  bareNames: 'raw',
  order: 'bytes',
};

/** In the order in which they are tried. */
export const signingVariants: readonly SigningVariant[] = (['bytes', 'units'] as const).flatMap((order) =>
  (['raw', 'decoded'] as const).flatMap((bareNames) =>
    (['dropped', 'kept'] as const).flatMap((reserved) =>
      (['query-first', 'form-first'] as const).flatMap((sameName) =>
        (['decoded', 'raw'] as const).map((path) => ({ path, sameName, reserved, bareNames, order })),
      ),
    ),
  ),
);

/** Characters of string to sign that one signature may cost beyond the standard reading: two readings of the largest form. */
const candidateBudget = 24 * 1024 * 1024;

const reservedNames: ReadonlySet<string> = new Set([
  'x-ca-signature',
  'x-ca-signature-headers',
  'accept',
  'content-md5',
  'content-type',
  'date',
]);

/** Names in a client's list of signed headers; without the list only the key is signed. Source: docs. */
function signedHeaderLines(request: SignedRequest, reserved: SigningVariant['reserved']): string {
  const list = request.header('x-ca-signature-headers');
  if (list === undefined) return `X-Ca-Key:${request.header('x-ca-key') ?? ''}\n`;
  let lines = '';
  for (const { name, lowerName, isReserved } of signedHeaders(list)) {
    if (isReserved && reserved === 'dropped') continue;
    lines += `${name}:${request.header(lowerName) ?? ''}\n`;
  }
  return lines;
}

type SignedHeader = { readonly name: string; readonly lowerName: string; readonly isReserved: boolean };

/** Lists of signed headers that were read lately: each client sends the same with every request. Bounded by the next two. */
const readLists = new Map<string, readonly SignedHeader[]>();
const readListsLimit = 500;
const readListLength = 1_000;

/** The names of a list, sorted, each once. */
function signedHeaders(list: string): readonly SignedHeader[] {
  const known = readLists.get(list);
  if (known !== undefined) return known;
  const names = list.split(',').map((item) => item.trim());
  const read = [...new Set(names)]
    .filter((name) => name !== '')
    .sort()
    .map((name) => {
      const lowerName = name.toLowerCase();
      return { name, lowerName, isReserved: reservedNames.has(lowerName) };
    });
  if (list.length > readListLength) return read;
  if (readLists.size >= readListsLimit) readLists.clear();
  readLists.set(list, read);
  return read;
}

const surrogate = /[\ud800-\udfff]/;

/** Sorts names by their UTF-8 bytes; the order of UTF-16 units is the same unless a name goes beyond U+FFFF. */
function sortNames(names: string[], order: SigningVariant['order']): string[] {
  names.sort();
  if (order === 'units' || !names.some((name) => surrogate.test(name))) return names;
  return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function resource(request: SignedRequest, variant: SigningVariant): string {
  const { query } = request;
  const form = variant.bareNames === 'raw' ? (request.formWithRawNames ?? request.form) : request.form;
  const path = variant.path === 'raw' ? request.rawPath : request.path;
  let all: Parameters = query;
  if (form !== null && query.size === 0) all = form;
  else if (form !== null && form.size > 0) {
    const merged = new Map(query);
    for (const [name, value] of form) {
      if (variant.sameName === 'form-first' || !merged.has(name)) merged.set(name, value);
    }
    all = merged;
  }
  if (all.size === 0) return path;
  let text = path;
  let joint = '?';
  const names = all.size === 1 ? all.keys() : sortNames([...all.keys()], variant.order);
  for (const name of names) {
    const value = all.get(name);
    text += value === '' || value === undefined ? `${joint}${name}` : `${joint}${name}=${value}`;
    joint = '&';
  }
  return text;
}

/**
 * Builds the string that a client signed, in one reading of the rules.
 *
 * Shape: `METHOD\nAccept\nContent-MD5\nContent-Type\nDate\n`, then a line `name:value\n` for each signed header, then
 * `path?name=value&…` with query and form sorted by name (UTF-8 byte order), decoded, an empty value without `=`.
 * Source: docs, sdk.
 */
export function buildStringToSign(request: SignedRequest, variant: SigningVariant = standardVariant): string {
  const contentType = request.header('x-ca-signed-content-type') ?? request.header('content-type') ?? '';
  return (
    `${request.method}\n${request.header('accept') ?? ''}\n${request.header('content-md5') ?? ''}\n${contentType}\n` +
    `${request.header('date') ?? ''}\n${signedHeaderLines(request, variant.reserved)}` +
    resource(request, variant)
  );
}

const digestSha256 = createKeyedDigest('sha256');
const digestSha1 = createKeyedDigest('sha1');

/** Base64 of the MAC over the string's UTF-8 bytes. */
export function computeSignature(stringToSign: string, secret: string, algorithm: SignatureAlgorithm): string {
  return algorithm === 'HmacSHA1' ? digestSha1(secret, stringToSign) : digestSha256(secret, stringToSign);
}

/** Compares in constant time; texts of other lengths are unequal. */
export function isSameSignature(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

/** `stringToSign` is the standard reading, the one that errors show. */
export type Verification = { readonly ok: boolean; readonly stringToSign: string };

/**
 * Checks `signature` against the standard reading and, only when that fails, against the others that differ from it;
 * of very large forms only against as many as the budget allows.
 */
export function verifySignature(
  request: SignedRequest,
  signature: string,
  secret: string,
  algorithm: SignatureAlgorithm,
): Verification {
  const stringToSign = buildStringToSign(request);
  if (isSameSignature(computeSignature(stringToSign, secret, algorithm), signature)) return { ok: true, stringToSign };
  const tried = new Set([stringToSign]);
  for (const variant of signingVariants) {
    if (!matters(request, variant)) continue;
    const candidate = buildStringToSign(request, variant);
    if (tried.has(candidate)) continue;
    if (tried.size * candidate.length > candidateBudget) break;
    tried.add(candidate);
    if (isSameSignature(computeSignature(candidate, secret, algorithm), signature)) return { ok: true, stringToSign };
  }
  return { ok: false, stringToSign };
}

/** Whether a reading can differ from one with the standard value in its place. */
function matters(request: SignedRequest, variant: SigningVariant): boolean {
  const { form, query } = request;
  if (variant.path === 'raw' && request.rawPath === request.path) return false;
  if (variant.sameName === 'form-first' && (form === null || form.size === 0 || query.size === 0)) return false;
  if (variant.bareNames === 'decoded' && request.formWithRawNames === undefined) return false;
  return variant.order === 'bytes' || hasSurrogate(query) || (form !== null && hasSurrogate(form));
}

function hasSurrogate(parameters: Parameters): boolean {
  for (const name of parameters.keys()) if (surrogate.test(name)) return true;
  return false;
}

/** Base64 of the 16-byte MD5 of a body. */
export function contentMd5(body: Uint8Array): string {
  return createHash('md5').update(body).digest('base64');
}

/** True for `application/x-www-form-urlencoded` with or without parameters. */
export function isFormType(contentType: string | undefined): boolean {
  if (contentType === undefined) return false;
  const form = 'application/x-www-form-urlencoded';
  if (contentType === form) return true;
  if (contentType.slice(0, form.length).toLowerCase() !== form) return false;
  const next = contentType[form.length];
  return next === undefined || next === ';' || next === ' ' || next === '\t';
}

export type SigningInput = {
  readonly method: string;
  /** Path and query, encoded as they go on the wire, e.g. `/v1/pets?a=%E7%8C%AB`. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty when there is none. */
  readonly body: Buffer;
  readonly appKey: string;
  readonly appSecret: string;
  readonly algorithm?: SignatureAlgorithm;
  readonly stage?: string;
  /** Epoch ms; left out when not given. */
  readonly timestamp?: number;
  readonly nonce?: string;
};

export type SignedHeaders = { readonly headers: Record<string, string>; readonly stringToSign: string };

/** Headers that signing writes itself; given ones are replaced. */
const madeHeaders: ReadonlySet<string> = new Set(['x-ca-key', 'x-ca-signature', 'x-ca-signature-headers']);

/**
 * Signs a request as a client: the given headers plus all that the signature adds. Send exactly these headers.
 *
 * Adds `Accept: *` + `/*` when there is none (so that no HTTP library adds another), and Content-MD5 for a body that is no form.
 * Errors: throws when the target's escapes are malformed.
 */
export function signRequest(input: SigningInput): SignedHeaders {
  const headers: Record<string, string> = {};
  const given = new Map<string, string>();
  for (const [name, value] of Object.entries(input.headers)) {
    given.set(name.toLowerCase(), value);
    if (!madeHeaders.has(name.toLowerCase())) headers[name] = value;
  }
  const has = (lowerName: string) => given.has(lowerName);
  const isForm = isFormType(given.get('content-type'));
  if (!has('accept')) headers['Accept'] = '*/*';
  if (input.body.length > 0 && !isForm && !has('content-md5')) headers['Content-MD5'] = contentMd5(input.body);
  headers['X-Ca-Key'] = input.appKey;
  if (input.nonce !== undefined) headers['X-Ca-Nonce'] = input.nonce;
  if (input.algorithm !== undefined) headers['X-Ca-Signature-Method'] = input.algorithm;
  if (input.stage !== undefined) headers['X-Ca-Stage'] = input.stage;
  if (input.timestamp !== undefined) headers['X-Ca-Timestamp'] = String(input.timestamp);
  const signed = Object.keys(headers).filter((name) => {
    const lowerName = name.toLowerCase();
    return lowerName.startsWith('x-ca-') && !reservedNames.has(lowerName);
  });
  headers['X-Ca-Signature-Headers'] = signed.sort().join(',');
  const stringToSign = buildStringToSign(readTarget(input, headers, isForm));
  headers['X-Ca-Signature'] = computeSignature(stringToSign, input.appSecret, input.algorithm ?? 'HmacSHA256');
  return { headers, stringToSign };
}

function readTarget(input: SigningInput, headers: Record<string, string>, isForm: boolean): SignedRequest {
  const mark = input.target.indexOf('?');
  const rawPath = mark === -1 ? input.target : input.target.slice(0, mark);
  const path = decodePath(rawPath);
  const query = parseParameters(mark === -1 ? '' : input.target.slice(mark + 1));
  const form = isForm ? parseParameters(input.body.toString('utf8')) : noParameters;
  if (path === null || query === null || form === null) {
    throw new Error(`cannot sign ${input.method} ${input.target}: an escape in its path, query or form is malformed`);
  }
  const byLowerName = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return {
    method: input.method.toUpperCase(),
    rawPath,
    path,
    query,
    form: isForm ? form : null,
    header: (lowerName) => byLowerName.get(lowerName),
  };
}
