// `/yunmen/keys`: the access keys of the account, for `yunmen key`. Only a new key's answer holds a secret, once.
import type { AccessKeyRow } from '../store/rows.ts';
import { newAccessKey, rootKeyName } from './account.ts';
import { ApiError } from './errors.ts';
import { commit } from './ports.ts';
import type { PrivateCall } from './private-call.ts';

/** Keys of the account, the root key among them. */
const keyLimit = 100;

/** What answers tell of a key. Times in epoch ms; `lastUsedAt` is right to the hour, null: not yet used. */
export type ShownKey = {
  readonly accessKeyId: string;
  readonly access: 'admin' | 'read-only';
  readonly status: 'enabled' | 'disabled';
  /** The key that the server was started with: it can neither be disabled nor deleted here. */
  readonly isRoot: boolean;
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
};

function show(row: AccessKeyRow, rootId: string | null): ShownKey {
  return {
    accessKeyId: row.accessKeyId,
    access: row.access ?? 'admin',
    status: row.isEnabled ? 'enabled' : 'disabled',
    isRoot: row.accessKeyId === rootId,
    createdAt: row.createdAt,
    lastUsedAt: row.lastUsedAt ?? null,
  };
}

function refuse(code: string, status: number, message: string): never {
  throw new ApiError(code, status, message);
}

/** `{"access": "admin" | "read-only"}`; admin when absent. Errors: InvalidArgument. */
function readAccess(body: unknown): 'admin' | 'read-only' {
  const access = typeof body === 'object' && body !== null && 'access' in body ? body.access : 'admin';
  if (access === 'admin' || access === 'read-only') return access;
  return refuse('InvalidArgument', 400, 'access must be admin or read-only');
}

/** Errors: InvalidArgument, LimitExceededError. */
export async function createKey({ deps, body }: PrivateCall): Promise<object> {
  const access = readAccess(body);
  const { id: accessKeyId, secret: accessKeySecret } = newAccessKey();
  const row: AccessKeyRow = {
    accessKeyId,
    accessKeySecret,
    isEnabled: true,
    createdAt: deps.clock.now(),
    access,
  };
  await commit(deps, async ({ rows }) => {
    const all = await rows.accessKeys.list({ limit: keyLimit });
    if (all.length >= keyLimit) refuse('LimitExceededError', 400, `there may be at most ${keyLimit} access keys`);
    await rows.accessKeys.insert(row);
  });
  return { ...show(row, null), accessKeySecret };
}

export async function listKeys({ deps }: PrivateCall): Promise<object> {
  return await deps.store.read(async ({ rows }) => {
    const rootId = (await rows.meta.get(rootKeyName))?.value ?? null;
    const all = await rows.accessKeys.list({ limit: keyLimit + 1 });
    return { keys: all.map((row) => show(row, rootId)) };
  });
}

type KeyRows = Parameters<Parameters<PrivateCall['deps']['store']['write']>[0]>[0]['rows'];

/** The key that a call is about. Errors: NotFoundAccessKey, RootAccessKey. */
async function changeable(rows: KeyRows, accessKeyId: string): Promise<AccessKeyRow> {
  const row = await rows.accessKeys.get(accessKeyId);
  if (row === null) return refuse('NotFoundAccessKey', 404, `there is no access key ${accessKeyId.slice(0, 128)}`);
  if ((await rows.meta.get(rootKeyName))?.value === accessKeyId) {
    return refuse('RootAccessKey', 409, `${accessKeyId} is the root key, which is always there`);
  }
  return row;
}

function setEnabled(isEnabled: boolean): (call: PrivateCall) => Promise<object> {
  return async ({ deps, name }) => {
    const row = await commit(deps, async ({ rows }) => {
      const changed = { ...(await changeable(rows, name)), isEnabled };
      await rows.accessKeys.update(changed);
      return changed;
    });
    return show(row, null);
  };
}

export const enableKey = setEnabled(true);
export const disableKey = setEnabled(false);

export async function deleteKey({ deps, name }: PrivateCall): Promise<object> {
  await commit(deps, async ({ rows }) => {
    await changeable(rows, name);
    await rows.accessKeys.delete(name);
  });
  return { deleted: name };
}
