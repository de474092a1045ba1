// OpenID Connect of the older kind: an API of type BUSINESS takes a token that is signed with the key of an API of type
// IDTOKEN. Called by identify.ts.
import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { OpenIdConfig } from '../model/api.ts';
import type { Matched } from './context.ts';
import { refuse } from './errors.ts';
import { noteClaims } from './states.ts';

type Algorithm = { readonly hash: string; readonly keyType: 'rsa' | 'ec'; readonly padding?: number };

/** Only public-key algorithms: a shared secret or "none" would let anyone who knows the public key make tokens. */
const algorithms: Readonly<Record<string, Algorithm>> = {
  RS256: { hash: 'sha256', keyType: 'rsa' },
  RS384: { hash: 'sha384', keyType: 'rsa' },
  RS512: { hash: 'sha512', keyType: 'rsa' },
  PS256: { hash: 'sha256', keyType: 'rsa', padding: constants.RSA_PKCS1_PSS_PADDING },
  PS384: { hash: 'sha384', keyType: 'rsa', padding: constants.RSA_PKCS1_PSS_PADDING },
  PS512: { hash: 'sha512', keyType: 'rsa', padding: constants.RSA_PKCS1_PSS_PADDING },
  ES256: { hash: 'sha256', keyType: 'ec' },
  ES384: { hash: 'sha384', keyType: 'ec' },
  ES512: { hash: 'sha512', keyType: 'ec' },
};

type JsonObject = Readonly<Record<string, unknown>>;
type Token = {
  readonly header: JsonObject;
  readonly claims: JsonObject;
  readonly signed: string;
  readonly mac: Buffer;
};

/** Longest token that is looked at, in characters. */
const tokenLimit = 16 * 1024;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readPart(part: string): JsonObject | null {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) return null;
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return isObject(value) ? value : null;
  } catch {
    return null; // SyntaxError is JSON.parse's only failure.
  }
}

function readToken(text: string): Token | null {
  const [head = '', body = '', signature, more] = text.split('.');
  if (text.length > tokenLimit || signature === undefined || more !== undefined) return null;
  const header = readPart(head);
  const claims = readPart(body);
  if (header === null || claims === null || !/^[A-Za-z0-9_-]+$/.test(signature)) return null;
  return { header, claims, signed: `${head}.${body}`, mac: Buffer.from(signature, 'base64url') };
}

/**
 * Reads a public key: PEM, the base64 of a DER SubjectPublicKeyInfo, a JWK, or a JWK set (the key named `keyId`, else the first).
 * Null when it is none of these.
 */
export function readPublicKey(text: string, keyId: string): KeyObject | null {
  try {
    const trimmed = text.trim();
    if (trimmed.startsWith('-----BEGIN')) return createPublicKey(trimmed);
    if (!trimmed.startsWith('{')) {
      return createPublicKey({ key: Buffer.from(trimmed, 'base64'), format: 'der', type: 'spki' });
    }
    const value: unknown = JSON.parse(trimmed);
    const jwk = isObject(value) && Array.isArray(value['keys']) ? pickKey(value['keys'], keyId) : value;
    return isObject(jwk) ? createPublicKey({ key: { ...jwk }, format: 'jwk' }) : null;
  } catch {
    return null; // The text is what the API's owner wrote; what is wrong with it is said by who asks.
  }
}

function pickKey(keys: readonly unknown[], keyId: string): unknown {
  return keys.find((key) => isObject(key) && key['kid'] === keyId) ?? keys[0];
}

/** Looks in the header, the query and the form, in this order. Source: assumed; docs say "request parameter". */
async function findToken(matched: Matched, name: string): Promise<string | null> {
  const found = matched.headers.get(name.toLowerCase()) ?? matched.query.get(name);
  if (found !== undefined && found !== '') return found.replace(/^Bearer +/i, '');
  if (!matched.body.isForm) return null;
  return (await matched.body.form()).get(name) ?? null;
}

/**
 * Checks the token of a BUSINESS API; an IDTOKEN API needs none.
 *
 * Errors: I400JR, I400JD, A403JK, A403JT, A403JE.
 * Source: docs; claims and codes are assumed.
 */
export async function checkToken(matched: Matched, config: OpenIdConfig | null): Promise<void> {
  if (config === null || config.openIdApiType !== 'BUSINESS') return;
  const name = config.idTokenParamName;
  const text = await findToken(matched, name);
  if (text === null || text === '') {
    throw refuse(
      'I400JR',
      {},
      {
        side: 'client',
        field: name,
        expected: 'an id token',
        got: 'nothing',
        message: `The token ${name} was not sent.`,
      },
    );
  }
  const token = readToken(text);
  if (token === null) {
    throw refuse(
      'I400JD',
      { Token: '' },
      { side: 'client', field: name, got: '(hidden)', message: `What was sent as ${name} is no JSON web token.` },
    );
  }
  verifySignature(matched, config, token);
  checkTimes(matched, name, token.claims);
  noteClaims(matched, token.claims);
}

function verifySignature(matched: Matched, config: OpenIdConfig, { header, signed, mac }: Token): void {
  const name = config.idTokenParamName;
  const keyId = typeof header['kid'] === 'string' ? header['kid'] : '';
  const algorithm = typeof header['alg'] === 'string' ? algorithms[header['alg']] : undefined;
  const key = findKey(matched, config, keyId);
  if (key === null) {
    throw refuse(
      'A403JK',
      { kid: keyId.slice(0, 100) },
      {
        side: 'client',
        field: name,
        expected: 'a token of a published IDTOKEN API',
        got: keyId.slice(0, 100),
        message: `No published API issues tokens with the key "${keyId.slice(0, 100)}" (PublicKeyId).`,
      },
    );
  }
  const isRight =
    algorithm !== undefined &&
    key.asymmetricKeyType === algorithm.keyType &&
    verify(
      algorithm.hash,
      Buffer.from(signed),
      { key, dsaEncoding: 'ieee-p1363', ...(algorithm.padding === undefined ? {} : { padding: algorithm.padding }) },
      mac,
    );
  if (!isRight) throw badToken(name, algorithm === undefined ? 'algorithm is not supported' : 'signature is wrong');
}

function findKey({ snapshot }: Matched, config: OpenIdConfig, keyId: string): KeyObject | null {
  const issuer = snapshot.openIdKeys.get(keyId)?.[0];
  const text = issuer?.publicKey ?? (keyId === '' || keyId === config.publicKeyId ? config.publicKey : '');
  return text === '' ? null : readPublicKey(text, keyId);
}

function badToken(name: string, reason: string): Error {
  return refuse(
    'A403JT',
    { Reason: reason },
    { side: 'client', field: name, got: '(hidden)', message: `The token ${name} is not accepted: its ${reason}.` },
  );
}

/** `exp` and `nbf` in seconds since 1970, where the token has them. */
function checkTimes({ at }: Matched, name: string, claims: JsonObject): void {
  const { exp, nbf } = claims;
  if (typeof exp === 'number' && exp * 1000 <= at) {
    const date = new Date(Math.min(exp * 1000, 8.64e15)).toISOString();
    throw refuse(
      'A403JE',
      { Date: date },
      {
        side: 'client',
        field: name,
        expected: 'a token that has not ended',
        got: date,
        message: `The token ${name} ended at ${date}.`,
      },
    );
  }
  if (exp !== undefined && typeof exp !== 'number') throw badToken(name, 'exp is no number');
  if (typeof nbf === 'number' && nbf * 1000 > at) throw badToken(name, 'nbf lies in the future');
}
