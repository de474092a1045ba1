// What a request says of itself by each signature scheme, before any of it is believed: key id, token, time, nonce, signature.
// Read by authenticate.ts, which verifies it.
import { headerText, type SignatureScheme } from '../wire/openapi-signature.ts';
import {
  fcAcceptedSignatures,
  fcProxyAcceptedSignatures,
  fcProxyResource,
  fcStringToSign,
} from '../wire/openapi-signature-fc.ts';
import { parseColonAuthorization, roaAcceptedSignatures, roaStringToSign } from '../wire/openapi-signature-roa.ts';
import { rpcSignature, rpcSignatureMethods, rpcStringToSign } from '../wire/openapi-signature-rpc.ts';
import { parseV3Authorization, v3AcceptedSignatures, v3Algorithm } from '../wire/openapi-signature-v3.ts';
import { decodePercent, type QueryPair, splitTarget } from '../wire/percent-encoding.ts';
import { RpcParameters } from '../wire/rpc-parameters.ts';
import { parseHttpDate, parseUtcSeconds } from '../wire/utc-time.ts';
import { queryValue, type Received } from './received.ts';

/** Why a request cannot be read as signed, or is not believed. */
export type SignatureProblem =
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'missing'; readonly name: string; readonly where: 'header' | 'parameter' }
  | { readonly kind: 'incomplete'; readonly detail: string }
  | { readonly kind: 'bad-method'; readonly given: string }
  | { readonly kind: 'unknown-key'; readonly accessKeyId: string }
  | { readonly kind: 'inactive-key' }
  | { readonly kind: 'security-token'; readonly why: 'missing' | 'malformed' | 'mismatch' | 'expired' }
  /** At the doorway: by somebody else than the instance's own function. */
  | { readonly kind: 'not-own' }
  | { readonly kind: 'bad-time'; readonly given: string }
  | { readonly kind: 'stale'; readonly given: string }
  | { readonly kind: 'replayed' }
  | { readonly kind: 'overloaded' }
  | { readonly kind: 'mismatch'; readonly stringToSign: string };

export type Claim = {
  readonly accessKeyId: string;
  readonly signature: string;
  /** `` when there is none. */
  readonly securityToken: string;
  /** `at` in epoch ms, null when it cannot be read. `now`: when it was signed; `end`: until when the signature is good. */
  readonly time: { readonly kind: 'now' | 'end'; readonly text: string; readonly at: number | null };
  readonly nonce: string | null;
  readonly payloadHash: string | null;
  /** All signatures that would be right, and the text to show when none is. */
  expected(secret: string): { readonly signatures: readonly string[]; readonly stringToSign: string };
};

export type Reading =
  | { readonly ok: true; readonly claim: Claim }
  | { readonly ok: false; readonly problem: SignatureProblem };

function missing(name: string, where: 'header' | 'parameter'): Reading {
  return { ok: false, problem: { kind: 'missing', name, where } };
}

function readRpc(received: Received, parameters: readonly QueryPair[]): Reading {
  const all = new RpcParameters(parameters);
  for (const name of ['AccessKeyId', 'Timestamp', 'SignatureNonce', 'SignatureMethod', 'SignatureVersion']) {
    if ((all.get(name) ?? '') === '') return missing(name, 'parameter');
  }
  const given = (all.get('SignatureMethod') ?? '').toUpperCase();
  const algorithm = rpcSignatureMethods.find((known) => known === given);
  if (algorithm === undefined) return { ok: false, problem: { kind: 'bad-method', given } };
  const timestamp = all.get('Timestamp') ?? '';
  const stringToSign = rpcStringToSign(received.method, parameters);
  return {
    ok: true,
    claim: {
      accessKeyId: all.get('AccessKeyId') ?? '',
      signature: all.get('Signature') ?? '',
      securityToken: all.get('SecurityToken') ?? '',
      time: { kind: 'now', text: timestamp, at: parseUtcSeconds(timestamp) },
      nonce: all.get('SignatureNonce') ?? '',
      payloadHash: null,
      expected: (secret) => ({ signatures: [rpcSignature(secret, stringToSign, algorithm)], stringToSign }),
    },
  };
}

const v3Required = ['host', 'x-acs-date', 'x-acs-content-sha256', 'x-acs-signature-nonce'];

function readV3(received: Received, authorization: string): Reading {
  const parsed = parseV3Authorization(authorization);
  if (parsed === null) {
    return {
      ok: false,
      problem: { kind: 'incomplete', detail: 'Authorization needs Credential, SignedHeaders and Signature' },
    };
  }
  if (parsed.algorithm.toUpperCase() !== v3Algorithm) {
    return { ok: false, problem: { kind: 'bad-method', given: parsed.algorithm } };
  }
  for (const name of v3Required) {
    if (headerText(received.headers, name) === '') return missing(name, 'header');
    if (!parsed.signedHeaders.includes(name)) {
      return { ok: false, problem: { kind: 'incomplete', detail: `SignedHeaders must hold ${name}` } };
    }
  }
  const date = headerText(received.headers, 'x-acs-date');
  const payloadHash = headerText(received.headers, 'x-acs-content-sha256');
  return {
    ok: true,
    claim: {
      accessKeyId: parsed.accessKeyId,
      signature: parsed.signature.toLowerCase(),
      securityToken: headerText(received.headers, 'x-acs-security-token'),
      time: { kind: 'now', text: date, at: parseUtcSeconds(date) },
      nonce: headerText(received.headers, 'x-acs-signature-nonce'),
      payloadHash: payloadHash.toLowerCase(),
      expected(secret) {
        const accepted = v3AcceptedSignatures(secret, received, parsed.signedHeaders, payloadHash);
        return { signatures: accepted.signatures, stringToSign: accepted.canonicalRequest };
      },
    },
  };
}

function readRoa(received: Received, authorization: string): Reading {
  const parsed = parseColonAuthorization(authorization);
  if (parsed === null) {
    return {
      ok: false,
      problem: { kind: 'incomplete', detail: 'Authorization must be acs <AccessKeyId>:<Signature>' },
    };
  }
  const date = headerText(received.headers, 'date');
  if (date === '') return missing('Date', 'header');
  // The core SDK of Python sends none; such a call is only as fresh as its Date. Source: sdk (aliyun-python-sdk-core 2.16).
  const nonce = headerText(received.headers, 'x-acs-signature-nonce');
  return {
    ok: true,
    claim: {
      ...parsed,
      securityToken: headerText(received.headers, 'x-acs-security-token'),
      time: { kind: 'now', text: date, at: parseHttpDate(date) },
      nonce: nonce === '' ? null : nonce,
      payloadHash: null,
      expected: (secret) => ({
        signatures: roaAcceptedSignatures(secret, received),
        stringToSign: roaStringToSign(received),
      }),
    },
  };
}

function readFc(received: Received, authorization: string): Reading {
  const parsed = parseColonAuthorization(authorization);
  if (parsed === null) {
    return { ok: false, problem: { kind: 'incomplete', detail: 'Authorization must be FC <AccessKeyId>:<Signature>' } };
  }
  const date = headerText(received.headers, 'date');
  if (date === '') return missing('Date', 'header');
  return {
    ok: true,
    claim: {
      ...parsed,
      securityToken: headerText(received.headers, 'x-fc-security-token'),
      time: { kind: 'now', text: date, at: parseHttpDate(date) },
      nonce: null,
      payloadHash: null,
      expected: (secret) =>
        received.isHttpTrigger === true
          ? proxyExpected(received, secret)
          : {
              signatures: fcAcceptedSignatures(secret, received),
              stringToSign: fcStringToSign(received, splitTarget(received.path).path),
            },
    },
  };
}

function proxyExpected(received: Received, secret: string): ReturnType<Claim['expected']> {
  return {
    signatures: fcProxyAcceptedSignatures(secret, received),
    stringToSign: fcStringToSign(received, fcProxyResource(decodePercent(received.path), received.query)),
  };
}

/** A pre-signed URL. Source: sdk. */
function readFcQuery(received: Received): Reading {
  const of = (name: string) => queryValue(received.query, name) ?? '';
  for (const name of ['x-fc-access-key-id', 'x-fc-expires']) {
    if (of(name) === '') return missing(name, 'parameter');
  }
  const expires = of('x-fc-expires');
  return {
    ok: true,
    claim: {
      accessKeyId: of('x-fc-access-key-id'),
      signature: of('x-fc-signature'),
      securityToken: of('x-fc-security-token'),
      time: { kind: 'end', text: expires, at: /^\d{1,12}$/.test(expires) ? Number(expires) * 1000 : null },
      nonce: null,
      payloadHash: null,
      expected: (secret) => proxyExpected(received, secret),
    },
  };
}

/** Reads what the scheme says. `parameters` are query and form together: RPC v1 signs both. */
export function readClaim(received: Received, parameters: readonly QueryPair[], scheme: SignatureScheme): Reading {
  const authorization = headerText(received.headers, 'authorization');
  switch (scheme) {
    case 'rpc':
      return readRpc(received, parameters);
    case 'v3':
      return readV3(received, authorization);
    case 'roa':
      return readRoa(received, authorization);
    case 'fc':
      return readFc(received, authorization);
    case 'fc-query':
      return readFcQuery(received);
    case 'bearer':
      return { ok: false, problem: { kind: 'bad-method', given: 'BEARERTOKEN' } };
    case 'anonymous':
      return { ok: false, problem: { kind: 'unsigned' } };
  }
}
