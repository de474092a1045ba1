// Finds out what differs between the request that a client signed and the one that arrived, by trying the usual
// suspects. Called by identify.ts on a mismatch only; never shows a computed signature or a secret.
import {
  buildStringToSign,
  computeSignature,
  isSameSignature,
  type SignatureAlgorithm,
  type SignedRequest,
} from '../wire/gateway-signature.ts';
import type { Why } from './errors.ts';

type Mismatch = {
  readonly signature: string;
  readonly secret: string;
  readonly algorithm: SignatureAlgorithm;
  /** The gateway's. */
  readonly stringToSign: string;
};

/** Something that may have happened to the request on its way. */
type Suspect = { readonly field: string; readonly said: string; readonly request: SignedRequest };

const shownLimit = 4000;

/** Where a signed header differs from what arrived, if one of a few well-known changes explains it. */
export function explainMismatch(request: SignedRequest, mismatch: Mismatch): Why {
  const expected = mismatch.stringToSign.slice(0, shownLimit);
  for (const suspect of suspects(request)) {
    const computed = computeSignature(buildStringToSign(suspect.request), mismatch.secret, mismatch.algorithm);
    if (!isSameSignature(computed, mismatch.signature)) continue;
    return {
      side: 'client',
      field: suspect.field,
      expected,
      got: buildStringToSign(suspect.request).slice(0, shownLimit),
      message: `The signature does not match: ${suspect.said}`,
    };
  }
  const unsigned = isWrongAlgorithm(request, mismatch);
  if (unsigned !== null) return { side: 'client', field: 'X-Ca-Signature-Method', expected, message: unsigned };
  return {
    side: 'client',
    field: 'X-Ca-Signature',
    expected,
    message:
      'The signature does not match. Compare the string to sign that your client made with the one the gateway shows; if both are equal, the secret is wrong.',
  };
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

function* suspects(request: SignedRequest): Generator<Suspect> {
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
