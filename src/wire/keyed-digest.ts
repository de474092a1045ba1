// HMAC in two plain digests, for secrets that sign many requests: node's own sets up its key for each, which costs more than
// the digests themselves. Called by gateway-signature.ts.
import { createHash, hash } from 'node:crypto';

/** Source: docs (RFC 2104): both functions have blocks of 64 bytes. */
const blockBytes = 64;
const digestBytes = { sha256: 32, sha1: 20 } as const;
/** Prepared keys that are kept; beyond it all are prepared anew. */
const keyLimit = 2_000;
const scratchBytes = 16 * 1024;

export type KeyedDigestName = keyof typeof digestBytes;

/** `inner` begins with the key's inner block, the text follows; `outer` is the outer block and room for the inner digest. */
type Key = { readonly inner: Buffer; readonly outer: Buffer };

function prepare(name: KeyedDigestName, secret: string): Key {
  const given = Buffer.from(secret);
  const key = given.length > blockBytes ? createHash(name).update(given).digest() : given;
  const inner = Buffer.alloc(blockBytes, 0x36);
  const outer = Buffer.alloc(blockBytes + digestBytes[name], 0);
  outer.fill(0x5c, 0, blockBytes);
  for (const [at, byte] of key.entries()) {
    inner[at] = (inner[at] ?? 0) ^ byte;
    outer[at] = (outer[at] ?? 0) ^ byte;
  }
  return { inner, outer };
}

/** Computes HMACs, as Base64, over the UTF-8 bytes of texts. Keeps the keys of `keyLimit` secrets, as secret as they are. */
export function createKeyedDigest(name: KeyedDigestName): (secret: string, text: string) => string {
  const keys = new Map<string, Key>();
  const scratch = Buffer.allocUnsafeSlow(scratchBytes);
  return (secret, text) => {
    let key = keys.get(secret);
    if (key === undefined) {
      if (keys.size >= keyLimit) keys.clear();
      key = prepare(name, secret);
      keys.set(secret, key);
    }
    // A UTF-16 unit is at most three bytes.
    const isSmall = blockBytes + text.length * 3 <= scratchBytes;
    const bytes = isSmall ? scratch : Buffer.allocUnsafe(blockBytes + Buffer.byteLength(text));
    bytes.set(key.inner, 0);
    const end = blockBytes + bytes.write(text, blockBytes, 'utf8');
    key.outer.write(hash(name, bytes.subarray(0, end), 'latin1'), blockBytes, 'latin1');
    return hash(name, key.outer, 'base64');
  };
}
