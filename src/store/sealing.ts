// Encrypts what must not be readable in the database file. Used by collection.ts and feed.ts.
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { SecretKeyError } from './errors.ts';

const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;
const format = 's1';

/** Seals text for one place; a sealed text opens nowhere else. */
export type Sealer = {
  /** Names the key without telling anything of it; 8 hex digits. */
  readonly keyId: string;
  seal(text: string, place: string): string;
  /** Errors: SecretKeyError when the key is another one or the text was changed or moved. */
  open(sealed: string, place: string): string;
};

/**
 * A sealer over AES-256-GCM.
 *
 * Shape of a sealed text: `s1.<key id>.<base64 of nonce (12), ciphertext, tag (16)>`; the place is authenticated with it.
 * `keys`: the first seals, all of them open, so that keys can be changed while old texts remain. 32 bytes each.
 */
export function createSealer(keys: readonly [Buffer, ...Buffer[]]): Sealer {
  const byId = new Map(keys.map((key) => [idOf(key), key]));
  const [current] = keys;
  const keyId = idOf(current);
  return {
    keyId,
    seal(text, place) {
      const nonce = randomBytes(nonceBytes);
      const encrypt = createCipheriv(cipher, current, nonce, { authTagLength: tagBytes });
      encrypt.setAAD(Buffer.from(place));
      const sealed = Buffer.concat([nonce, encrypt.update(text, 'utf8'), encrypt.final(), encrypt.getAuthTag()]);
      return `${format}.${keyId}.${sealed.toString('base64')}`;
    },
    open(sealed, place) {
      const [version, id, data] = sealed.split('.');
      if (version !== format || id === undefined || data === undefined) {
        throw new SecretKeyError(`${place} is not sealed in a known form`);
      }
      const key = byId.get(id);
      if (key === undefined)
        throw new SecretKeyError(`${place} was sealed with key ${id}; this server has key ${keyId}`);
      return decrypt(key, Buffer.from(data, 'base64'), place);
    },
  };
}

function idOf(key: Buffer): string {
  return createHash('sha256').update('yunmen sealing key').update(key).digest('hex').slice(0, 8);
}

function decrypt(key: Buffer, bytes: Buffer, place: string): string {
  if (bytes.length < nonceBytes + tagBytes) throw new SecretKeyError(`${place} is sealed but cut short`);
  const decipher = createDecipheriv(cipher, key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(place));
  decipher.setAuthTag(bytes.subarray(-tagBytes));
  try {
    const text = decipher.update(bytes.subarray(nonceBytes, -tagBytes));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  } catch (cause) {
    throw new SecretKeyError(`${place} was changed, moved, or sealed with another key`, { cause });
  }
}
