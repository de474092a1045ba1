// Who signed a request: finds the scheme, the key, and verifies time, signature and nonce. Called by each product's endpoint,
// which turns a problem into its own error (signature-errors.ts).
import type { AccessKeyRow } from '../store/rows.ts';
import { chooseScheme, headerText, isOneOf, type SignatureScheme } from '../wire/openapi-signature.ts';
import { fcAcceptedSignatures, fcStringToSign } from '../wire/openapi-signature-fc.ts';
import { parseColonAuthorization, roaAcceptedSignatures, roaStringToSign } from '../wire/openapi-signature-roa.ts';
import { rpcSignature, rpcSignatureMethods, rpcStringToSign } from '../wire/openapi-signature-rpc.ts';
import { parseV3Authorization, v3AcceptedSignatures, v3Algorithm } from '../wire/openapi-signature-v3.ts';
import { type QueryPair, splitTarget } from '../wire/percent-encoding.ts';
import { RpcParameters } from '../wire/rpc-parameters.ts';
import { parseHttpDate, parseUtcSeconds } from '../wire/utc-time.ts';
import type { ControlDeps } from './ports.ts';
import type { Received } from './received.ts';

/** How far a request's time may be off, in ms. Source: docs (15 minutes). */
export const freshnessMs = 15 * 60 * 1000;

export type SignatureProblem =
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'missing'; readonly name: string; readonly where: 'header' | 'parameter' }
  | { readonly kind: 'incomplete'; readonly detail: string }
  | { readonly kind: 'bad-method'; readonly given: string }
  | { readonly kind: 'unknown-key'; readonly accessKeyId: string }
  | { readonly kind: 'inactive-key' }
  | { readonly kind: 'security-token' }
  | { readonly kind: 'bad-time'; readonly given: string }
  | { readonly kind: 'stale'; readonly given: string }
  | { readonly kind: 'replayed' }
  | { readonly kind: 'overloaded' }
  | { readonly kind: 'mismatch'; readonly stringToSign: string };

export type Identity = {
  readonly ok: true;
  readonly accessKeyId: string;
  /** What the body must hash to (V3), lower-case hex; null when the signature says nothing of it. */
  readonly payloadHash: string | null;
};

export type Authentication = Identity | { readonly ok: false; readonly problem: SignatureProblem };

/** What a scheme says of a request, before any of it is believed. */
type Claim = {
  readonly accessKeyId: string;
  readonly signature: string;
  readonly securityToken: string;
  readonly time: { readonly text: string; readonly at: number | null };
  readonly nonce: string | null;
  readonly payloadHash: string | null;
  /** All signatures that would be right, and the text to show when none is. */
  expected(secret: string): { readonly signatures: readonly string[]; readonly stringToSign: string };
};

type Reading =
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
      time: { text: timestamp, at: parseUtcSeconds(timestamp) },
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
      time: { text: date, at: parseUtcSeconds(date) },
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
  const nonce = headerText(received.headers, 'x-acs-signature-nonce');
  if (nonce === '') return missing('x-acs-signature-nonce', 'header');
  return {
    ok: true,
    claim: {
      ...parsed,
      securityToken: headerText(received.headers, 'x-acs-security-token'),
      time: { text: date, at: parseHttpDate(date) },
      nonce,
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
      time: { text: date, at: parseHttpDate(date) },
      nonce: null,
      payloadHash: null,
      expected: (secret) => ({
        signatures: fcAcceptedSignatures(secret, received),
        stringToSign: fcStringToSign(received, splitTarget(received.path).path),
      }),
    },
  };
}

function readClaim(received: Received, parameters: readonly QueryPair[], scheme: SignatureScheme): Reading {
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
      return { ok: false, problem: { kind: 'bad-method', given: 'x-fc-signature' } };
    case 'bearer':
      return { ok: false, problem: { kind: 'bad-method', given: 'BEARERTOKEN' } };
    case 'anonymous':
      return { ok: false, problem: { kind: 'unsigned' } };
  }
}

function refuse(problem: SignatureProblem): Authentication {
  return { ok: false, problem };
}

/**
 * Verifies a request. `parameters` are query and form together (RPC v1 signs both); `product` separates nonces.
 *
 * The order decides which code a client sees: key, time, signature, nonce. A nonce is used up only by a right signature,
 * so nobody can burn other people's nonces. Source: docs (openapi-protocol.md 7), the nonce's place assumed.
 */
export async function authenticate(
  deps: ControlDeps,
  product: string,
  received: Received,
  parameters: readonly QueryPair[],
): Promise<Authentication> {
  const authorization = headerText(received.headers, 'authorization');
  const scheme = chooseScheme(authorization, (name) => parameters.some(([key]) => key === name));
  const reading = readClaim(received, parameters, scheme);
  if (!reading.ok) return reading;
  const { claim } = reading;
  const key = await deps.store.read((tx) => tx.rows.accessKeys.get(claim.accessKeyId));
  return verify(deps, product, claim, key);
}

function verify(deps: ControlDeps, product: string, claim: Claim, key: AccessKeyRow | null): Authentication {
  if (key === null) return refuse({ kind: 'unknown-key', accessKeyId: claim.accessKeyId });
  if (!key.isEnabled) return refuse({ kind: 'inactive-key' });
  if (claim.securityToken !== '') return refuse({ kind: 'security-token' });
  if (claim.time.at === null) return refuse({ kind: 'bad-time', given: claim.time.text });
  if (Math.abs(deps.clock.now() - claim.time.at) > freshnessMs)
    return refuse({ kind: 'stale', given: claim.time.text });
  const { signatures, stringToSign } = claim.expected(key.accessKeySecret);
  if (!isOneOf(claim.signature, signatures)) return refuse({ kind: 'mismatch', stringToSign });
  if (claim.nonce !== null) {
    const nonce = `${product}/${claim.accessKeyId}/${claim.nonce}`;
    const state = deps.nonces.claim(nonce, claim.time.at + freshnessMs + 1);
    if (state === 'used') return refuse({ kind: 'replayed' });
    if (state === 'full') return refuse({ kind: 'overloaded' });
  }
  return { ok: true, accessKeyId: claim.accessKeyId, payloadHash: claim.payloadHash };
}
