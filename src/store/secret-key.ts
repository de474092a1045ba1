// Finds the key that secrets at rest are sealed with: from the environment, or a file that only its owner can read.
import { hkdfSync, randomBytes } from 'node:crypto';
import { readFileSync, type Stats, statSync } from 'node:fs';
import { SecretKeyError } from './errors.ts';
import { writeFileDurably } from './sync-files.ts';

/** AES-256. */
const keyBytes = 32;

/**
 * A key from its text: 64 hex digits, or base64 (either alphabet) of 32 bytes.
 *
 * Errors: SecretKeyError naming `source`, never the text.
 */
export function parseSecretKey(text: string, source: string): Buffer {
  const trimmed = text.trim();
  if (/^[0-9a-fA-F]{64}$/.test(trimmed)) return Buffer.from(trimmed, 'hex');
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)) {
    const key = Buffer.from(trimmed, 'base64');
    if (key.length === keyBytes) return key;
  }
  throw new SecretKeyError(`${source} must be 64 hex digits or the base64 of 32 bytes`);
}

/**
 * Reads the key file; makes it when it is absent and `mayCreate`.
 *
 * Errors: SecretKeyError when it is absent and may not be made (data sealed with it would be lost), malformed,
 * open to anyone but its owner, or not owned by this process's user.
 */
export function loadSecretKeyFile(path: string, mayCreate: boolean): Buffer {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats !== undefined) {
    refuseUnsafe(path, stats);
    return parseSecretKey(readFileSync(path, 'utf8'), `the secret key file ${path}`);
  }
  if (!mayCreate) {
    throw new SecretKeyError(
      `the secret key file ${path} is missing, and the data cannot be read without it; put it back or set YUNMEN_SECRET_KEY`,
    );
  }
  const key = randomBytes(keyBytes);
  writeFileDurably(path, `${key.toString('hex')}\n`, 0o600);
  return key;
}

/** A key for one purpose (HKDF-SHA256): shows nothing of `key` and nothing of the keys of other purposes. 32 bytes. */
export function deriveKey(key: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', `yunmen ${purpose}`, keyBytes));
}

function refuseUnsafe(path: string, stats: Stats): void {
  if (!stats.isFile()) throw new SecretKeyError(`the secret key ${path} is not a file`);
  if ((stats.mode & 0o077) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
    throw new SecretKeyError(
      `the secret key file ${path} has mode ${mode}, others can reach it; run: chmod 600 ${path}`,
    );
  }
  const user = process.getuid?.();
  if (user !== undefined && stats.uid !== user) {
    throw new SecretKeyError(
      `the secret key file ${path} belongs to user ${stats.uid}, not to ${user} who runs the server`,
    );
  }
}
