// Temporary credentials that need no table: a sealed token says whose they are and until when, and the secret follows from the id.
// The data process makes them for functions, control opens them again; both hold the key.
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { Credentials } from '../model/function.ts';

/** Key ids of temporary credentials begin so, and no other key's does. Source: sdk. */
export const temporaryKeyPrefix = 'STS.';

/** Whom a token speaks for. `expiresAt` in epoch ms. */
export type TokenFacts = {
  readonly accessKeyId: string;
  readonly accountId: string;
  /** FunctionConfig.key of the function that was given the credentials. */
  readonly functionKey: string;
  /** The function's role; null when it has none. */
  readonly role: string | null;
  readonly expiresAt: number;
};

export type TokenSealer = {
  /** New credentials for `holder`. */
  issue(holder: Omit<TokenFacts, 'accessKeyId'>): Credentials;
  /** What a token says; null when it was not made with this key, or changed. Expiry is the caller's to check. */
  open(securityToken: string): TokenFacts | null;
  /** The secret that belongs to a temporary key id. */
  secretOf(accessKeyId: string): string;
};

const cipher = 'aes-256-gcm';
const format = 1;
const nonceBytes = 12;
const tagBytes = 16;
const idBytes = 12;
/** Hex digits of a secret: 176 bits. */
const secretDigits = 44;
/** Longest token that is looked at, in characters: names and an ARN of the longest kind fit ten times. */
const tokenLimit = 4096;

/**
 * A sealer over one key of 32 bytes.
 *
 * Shape of a token: base64 of format (1 byte), nonce (12), AES-256-GCM over the facts as JSON, tag (16).
 */
export function createTokenSealer(key: Buffer): TokenSealer {
  const subkey = (purpose: string) => createHmac('sha256', key).update(purpose).digest();
  const sealingKey = subkey('security token');
  const secretKey = subkey('temporary access key secret');
  const secretOf = (accessKeyId: string) =>
    createHmac('sha256', secretKey).update(accessKeyId).digest('hex').slice(0, secretDigits);
  return {
    secretOf,
    issue(holder) {
      const accessKeyId = `${temporaryKeyPrefix}${randomBytes(idBytes).toString('hex')}`;
      const securityToken = seal(sealingKey, { accessKeyId, ...holder });
      return { accessKeyId, accessKeySecret: secretOf(accessKeyId), securityToken, expiresAt: holder.expiresAt };
    },
    open: (securityToken) => (securityToken.length > tokenLimit ? null : open(sealingKey, securityToken)),
  };
}

function seal(key: Buffer, facts: TokenFacts): string {
  const nonce = randomBytes(nonceBytes);
  const encrypt = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  const sealed = [encrypt.update(JSON.stringify(facts), 'utf8'), encrypt.final(), encrypt.getAuthTag()];
  return Buffer.concat([Buffer.from([format]), nonce, ...sealed]).toString('base64');
}

function open(key: Buffer, token: string): TokenFacts | null {
  const bytes = Buffer.from(token, 'base64');
  // Exactly one spelling: base64 decoders pass over what they do not know.
  if (bytes.toString('base64') !== token) return null;
  if (bytes[0] !== format || bytes.length < 1 + nonceBytes + tagBytes) return null;
  const decrypt = createDecipheriv(cipher, key, bytes.subarray(1, 1 + nonceBytes), { authTagLength: tagBytes });
  decrypt.setAuthTag(bytes.subarray(-tagBytes));
  const text = decrypt.update(bytes.subarray(1 + nonceBytes, -tagBytes));
  try {
    // Only issue() can have written what opens here.
    return JSON.parse(Buffer.concat([text, decrypt.final()]).toString('utf8')) as TokenFacts;
  } catch {
    return null;
  }
}
