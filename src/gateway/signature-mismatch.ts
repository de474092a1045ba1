// Finds out what differs between the request that a client signed and the one that arrived, by trying the usual
// suspects. Called by identify.ts on a mismatch only; never shows a computed signature or a secret.
import { hidden, isSecretName } from '../base/secret-names.ts';
import {
  buildStringToSign,
  computeSignature,
  isSameSignature,
  type SignatureAlgorithm,
  type SignedRequest,
  type SigningVariant,
  standardVariant,
} from '../wire/gateway-signature.ts';
import type { Parameters } from '../wire/query.ts';
import type { Why } from './errors.ts';

type Mismatch = {
  readonly signature: string;
  readonly secret: string;
  readonly algorithm: SignatureAlgorithm;
  /** The gateway's. */
  readonly stringToSign: string;
  /** What is shown in place of the path, which holds a secret; null: nothing has to be hidden. */
  readonly shownPath: string | null;
};

/** Something that may have happened to the request on its way. */
type Suspect = { readonly field: string; readonly said: string; readonly request: SignedRequest };

const shownLimit = 4000;

const secretIfSame =
  "The gateway and the official clients make the same string to sign of the request that arrived; if your client's is the same, the secret is wrong.";
const secretIfOneOfTwo =
  "The gateway's string to sign stands beside the one that the official clients make of the request that arrived; if your client's is one of them, the secret is wrong.";

/** How the official clients read a request: they sign the path as they were given it, and of equal names the form's. Source: sdk. */
const officialClients: SigningVariant = {
  ...standardVariant,
  path: 'raw',
  sameName: 'form-first',
  bareNames: 'decoded',
};

/** Where a signed header differs from what arrived, if one of a few well-known changes explains it. */
export function explainMismatch(request: SignedRequest, mismatch: Mismatch): Why {
  const show = (one: SignedRequest, variant?: SigningVariant) => shown(one, mismatch.shownPath, variant);
  const expected = show(request);
  for (const suspect of suspects(request)) {
    const computed = computeSignature(buildStringToSign(suspect.request), mismatch.secret, mismatch.algorithm);
    if (!isSameSignature(computed, mismatch.signature)) continue;
    return {
      side: 'client',
      field: suspect.field,
      expected,
      got: show(suspect.request),
      message: `The signature does not match: ${suspect.said}`,
    };
  }
  const unsigned = isWrongAlgorithm(request, mismatch);
  if (unsigned !== null) {
    // The same string under both: the signature proves it.
    return { side: 'client', field: 'X-Ca-Signature-Method', expected, got: expected, message: unsigned };
  }
  const got = show(request, officialClients);
  const absent = absentHeader(request);
  if (absent !== null) {
    return {
      side: 'client',
      field: absent,
      expected,
      got: show(withHeader(request, absent.toLowerCase(), '(did not arrive)'), officialClients),
      message: `The signature does not match, and the header ${absent}, which X-Ca-Signature-Headers names, did not arrive: the client or a proxy dropped it.`,
    };
  }
  return {
    side: 'client',
    field: 'X-Ca-Signature',
    expected,
    got,
    message: `The signature does not match, and no change on the way that is known to happen explains it. ${
      got === expected ? secretIfSame : secretIfOneOfTwo
    }`,
  };
}

/** A header that is said to be signed and is not there. */
function absentHeader(request: SignedRequest): string | null {
  const list = request.header('x-ca-signature-headers')?.split(',') ?? [];
  const name = list
    .map((item) => item.trim())
    .find((item) => item !== '' && request.header(item.toLowerCase()) === undefined);
  return name === undefined ? null : name.slice(0, 100);
}

/** Those that tell how the request was signed hold no secret. */
function isHiddenHeader(name: string): boolean {
  return isSecretName(name) && name !== 'x-ca-signature-headers' && name !== 'x-ca-signature-method';
}

/** The string to sign with the values of secret-like names hidden, on both sides alike. */
function shown(request: SignedRequest, path: string | null, variant: SigningVariant = standardVariant): string {
  const masked = (parameters: Parameters): Parameters =>
    new Map([...parameters].map(([name, value]) => [name, isSecretName(name) ? hidden : value]));
  const { formWithRawNames } = request;
  const kept = {
    ...request,
    ...(path === null ? {} : { path, rawPath: path }),
    query: masked(request.query),
    form: request.form === null ? null : masked(request.form),
    ...(formWithRawNames === undefined ? {} : { formWithRawNames: masked(formWithRawNames) }),
    header: (name: string) =>
      isHiddenHeader(name) && request.header(name) !== undefined ? hidden : request.header(name),
  };
  return buildStringToSign(kept, variant).slice(0, shownLimit);
}

function isWrongAlgorithm(request: SignedRequest, mismatch: Mismatch): string | null {
  const other = mismatch.algorithm === 'HmacSHA256' ? 'HmacSHA1' : 'HmacSHA256';
  const computed = computeSignature(buildStringToSign(request), mismatch.secret, other);
  if (!isSameSignature(computed, mismatch.signature)) return null;
  return `The signature does not match: it was made with ${other}, but X-Ca-Signature-Method says ${mismatch.algorithm}.`;
}

/** The request with one header as the client may have signed it. */
function withHeader(request: SignedRequest, lowerName: string, value: string): SignedRequest {
  return { ...request, header: (name) => (name === lowerName ? value : request.header(name)) };
}

/** Headers that clients sign by habit. */
const habits = ['x-ca-key', 'x-ca-nonce', 'x-ca-request-mode', 'x-ca-signature-method', 'x-ca-stage', 'x-ca-timestamp'];

/** The client signed headers that its list does not name. */
function* unlisted(request: SignedRequest): Generator<Suspect> {
  const list = (request.header('x-ca-signature-headers') ?? 'X-Ca-Key').split(',').map((item) => item.trim());
  const lowerNames = list.map((item) => item.toLowerCase());
  const missing = habits.filter((name) => request.header(name) !== undefined && !lowerNames.includes(name));
  const asWritten = missing.map((name) =>
    name.replace(/(^|-)([a-z])/g, (_, dash, letter) => dash + letter.toUpperCase()),
  );
  const sets = [...asWritten.map((name) => [name]), ...missing.map((name) => [name]), asWritten, missing];
  for (const more of sets) {
    if (more.length === 0) continue;
    yield {
      field: 'X-Ca-Signature-Headers',
      said: `the client signed ${more.join(', ')} too, but does not name ${more.length === 1 ? 'it' : 'them'} in X-Ca-Signature-Headers.`,
      request: withHeader(request, 'x-ca-signature-headers', [...list, ...more].join(',')),
    };
  }
}

function* suspects(request: SignedRequest): Generator<Suspect> {
  yield* unlisted(request);
  const quoted = (value: string | undefined) => (value === undefined ? 'none' : `"${value.slice(0, 200)}"`);
  for (const [lowerName, name, guesses] of headerGuesses) {
    const arrived = request.header(lowerName);
    for (const guess of guesses) {
      if (guess === (arrived ?? '')) continue;
      yield {
        field: name,
        said: `the client signed ${guess === '' ? `no ${name}` : `${name} "${guess}"`}, but ${quoted(arrived)} arrived. An HTTP library or a proxy changed it.`,
        request: withHeader(request, lowerName, guess),
      };
    }
  }
  const contentType = request.header('content-type');
  const bareType = contentType?.split(';')[0]?.trim();
  if (bareType !== undefined && bareType !== contentType) {
    yield {
      field: 'Content-Type',
      said: `the client signed Content-Type "${bareType}", but ${quoted(contentType)} arrived.`,
      request: withHeader(request, 'content-type', bareType),
    };
  }
  if (request.form !== null && request.form.size > 0) {
    yield {
      field: 'body',
      said: 'the client did not sign the fields of the form, which are part of the resource.',
      request: { ...request, form: null },
    };
  }
  if (request.query.size > 0) {
    yield {
      field: 'query',
      said: 'the client did not sign the query parameters, which are part of the resource.',
      request: { ...request, query: new Map() },
    };
  }
}

const headerGuesses: readonly (readonly [lowerName: string, name: string, guesses: readonly string[]])[] = [
  ['accept', 'Accept', ['', '*/*', 'application/json', 'application/json; charset=utf-8']],
  [
    'content-type',
    'Content-Type',
    [
      '',
      'application/json',
      'application/json; charset=utf-8',
      'application/x-www-form-urlencoded; charset=utf-8',
      'application/x-www-form-urlencoded; charset=UTF-8',
    ],
  ],
  ['content-md5', 'Content-MD5', ['']],
  ['date', 'Date', ['']],
];
