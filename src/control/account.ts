// The account of an installation and its root access key: made at the first start, kept in the store.
import { randomBytes, randomInt } from 'node:crypto';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Store, WriteTransaction } from '../store/port.ts';
import { temporaryKeyPrefix } from '../wire/security-token.ts';

export type AccountOptions = {
  /** What the operator asked for; null takes what is stored, or makes one. */
  readonly accountId: string | null;
  readonly accessKeyId: string | null;
  readonly accessKeySecret: string | null;
  /** The system's clock unless told. */
  readonly clock?: Clock;
};

export type RootCredentials = {
  readonly accountId: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
};

/** The operator's settings contradict each other or the stored account. */
export class AccountError extends Error {
  override readonly name = 'AccountError';
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Random letters and digits without a bias. */
function randomText(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length * 2)) {
      if (byte < 248 && text.length < length) text += alphabet[byte % alphabet.length] ?? '';
    }
  }
  return text;
}

/** A key id and its secret, in the cloud's form. */
export function newAccessKey(): { readonly id: string; readonly secret: string } {
  return { id: `LTAI5t${randomText(18)}`, secret: randomText(30) };
}

function newAccountId(): string {
  const digits = Array.from({ length: 15 }, () => String(randomInt(10))).join('');
  return `${randomInt(1, 10)}${digits}`;
}

function checkOptions(options: AccountOptions): void {
  const { accountId, accessKeyId, accessKeySecret } = options;
  if (accountId !== null && !/^\d{16}$/.test(accountId)) throw new AccountError('the account id must have 16 digits');
  if ((accessKeyId === null) !== (accessKeySecret === null)) {
    throw new AccountError('give the access key id and its secret together, or neither');
  }
  if (accessKeyId !== null && !/^[A-Za-z0-9._-]{4,64}$/.test(accessKeyId)) {
    throw new AccountError('the access key id must be 4 to 64 letters, digits, dots, dashes or underscores');
  }
  if (accessKeyId?.startsWith(temporaryKeyPrefix) === true) {
    throw new AccountError(
      `an access key id must not begin with ${temporaryKeyPrefix}: those are of temporary credentials`,
    );
  }
  if (accessKeySecret !== null && !/^[\x21-\x7e]{4,128}$/.test(accessKeySecret)) {
    throw new AccountError('the access key secret must be 4 to 128 printable ASCII characters without blanks');
  }
}

/** Where the root key's id is kept. */
export const rootKeyName = 'rootAccessKeyId';

async function setMeta(tx: WriteTransaction, name: string, value: string): Promise<void> {
  if (!(await tx.rows.meta.update({ name, value }))) await tx.rows.meta.insert({ name, value });
}

async function storeRootKey(
  tx: WriteTransaction,
  options: AccountOptions,
  key: { id: string; secret: string },
): Promise<void> {
  const before = await tx.rows.meta.get(rootKeyName);
  if (before !== null && before.value !== key.id) await tx.rows.accessKeys.delete(before.value);
  const row = {
    accessKeyId: key.id,
    accessKeySecret: key.secret,
    isEnabled: true,
    createdAt: (options.clock ?? systemClock).now(),
  };
  if (!(await tx.rows.accessKeys.update(row))) await tx.rows.accessKeys.insert(row);
  await setMeta(tx, rootKeyName, key.id);
}

/**
 * Gives the account and its root key; makes what is missing. A key given by the operator takes the place of the former root key.
 * Errors: AccountError, also when the data belongs to another account than the one asked for.
 */
export async function ensureAccount(store: Store, options: AccountOptions): Promise<RootCredentials> {
  checkOptions(options);
  const { result } = await store.write(async (tx): Promise<RootCredentials> => {
    const stored = await tx.rows.meta.get('accountId');
    if (stored !== null && options.accountId !== null && stored.value !== options.accountId) {
      throw new AccountError(
        `the data belongs to account ${stored.value}, not ${options.accountId}; use another data directory`,
      );
    }
    const accountId = stored?.value ?? options.accountId ?? newAccountId();
    if (stored === null) await setMeta(tx, 'accountId', accountId);
    const rootId = (await tx.rows.meta.get(rootKeyName))?.value ?? null;
    const root = rootId === null ? null : await tx.rows.accessKeys.get(rootId);
    if (options.accessKeyId !== null && options.accessKeySecret !== null) {
      const isSame = root?.accessKeyId === options.accessKeyId && root.accessKeySecret === options.accessKeySecret;
      if (!isSame) await storeRootKey(tx, options, { id: options.accessKeyId, secret: options.accessKeySecret });
      return { accountId, accessKeyId: options.accessKeyId, accessKeySecret: options.accessKeySecret };
    }
    if (root !== null) return { accountId, accessKeyId: root.accessKeyId, accessKeySecret: root.accessKeySecret };
    const key = newAccessKey();
    await storeRootKey(tx, options, key);
    return { accountId, accessKeyId: key.id, accessKeySecret: key.secret };
  });
  return result;
}
