// Actions on the several key pairs and codes of an app. The oldest of each are the app's own (`AppRow.appKey`, `appCode`).
import { randomHex } from '../../base/ids.ts';
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { AppCodeRow, AppKeyRow, AppRow } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';
import { freeAppKey, publishApp, readChosen, refuseTakenCode, refuseTakenKey } from './apps.ts';
import { getApp, scan, utc } from './lookup.ts';

/** Key pairs, and codes, of one app. Source: assumed. */
const perApp = 5;

export function keysOf(app: AppRow): AppKeyRow[] {
  const { appKey, appSecret, createdAt, modifiedAt } = app;
  return [{ appKey, appSecret, createdAt, modifiedAt }, ...(app.moreKeys ?? [])];
}

export function codesOf(app: AppRow): AppCodeRow[] {
  const { appCode, createdAt, modifiedAt } = app;
  return appCode === '' ? [] : [{ appCode, createdAt, modifiedAt }, ...(app.moreCodes ?? [])];
}

/** The app with these key pairs; the first is its own. */
function withKeys(app: AppRow, keys: readonly AppKeyRow[]): AppRow {
  const [first, ...moreKeys] = keys;
  return first === undefined ? app : { ...app, appKey: first.appKey, appSecret: first.appSecret, moreKeys };
}

function withCodes(app: AppRow, codes: readonly AppCodeRow[]): AppRow {
  const [first, ...moreCodes] = codes;
  return { ...app, appCode: first?.appCode ?? '', moreCodes };
}

async function save(tx: WriteTransaction, app: AppRow, now: number): Promise<void> {
  const changed = { ...app, modifiedAt: now };
  await tx.rows.apps.update(changed);
  await publishApp(tx, changed);
}

/** The catalogue has AppId as a text here. */
function readAppId(args: Arguments): number {
  const text = args.text('AppId');
  if (!/^\d{1,15}$/.test(text))
    throw openApiError('InvalidAppId', `The parameter AppId must be a number, not '${text}'.`);
  return Number(text);
}

async function allApps(tx: ReadTransaction): Promise<AppRow[]> {
  return scan(
    (page) => tx.rows.apps.list(page),
    (app) => String(app.appId),
  );
}

function refuseMore(count: number, what: string): void {
  if (count >= perApp) throw openApiError(`ExceedLimitAppKey`, `An app may have at most ${perApp} ${what}.`);
}

export const createAppKey: RpcAction = async ({ args, deps }) => {
  const chosen = readChosen(args, 'AppKey');
  const appSecret = readChosen(args, 'AppSecret') ?? randomHex(16);
  const now = deps.clock.now();
  await commit(deps, async (tx) => {
    const app = await getApp(tx, readAppId(args));
    refuseMore(keysOf(app).length, 'key pairs');
    if (chosen !== null) await refuseTakenKey(tx, chosen);
    const appKey = chosen ?? (await freeAppKey(tx));
    await save(tx, withKeys(app, [...keysOf(app), { appKey, appSecret, createdAt: now, modifiedAt: now }]), now);
  });
  return {};
};

/** The last key pair stays: an app is named by it. Source: assumed. */
export const deleteAppKey: RpcAction = async ({ args, deps }) => {
  const key = args.text('AppKey');
  await commit(deps, async (tx) => {
    const app = await getApp(tx, readAppId(args));
    const left = keysOf(app).filter(({ appKey }) => appKey !== key);
    if (left.length === keysOf(app).length) throw notFoundKey(key);
    if (left.length === 0) throw openApiError('InvalidAppKey', 'The last AppKey of an app cannot be deleted.');
    await save(tx, withKeys(app, left), deps.clock.now());
  });
  return {};
};

function notFoundKey(key: string): Error {
  return openApiError('NotFoundAppKey', `Cannot find resource [AppKey] ${key}.`);
}

/** Takes the AppKey, not the id; the answer holds no secret. Source: docs. */
export const resetAppSecret: RpcAction = async ({ args, deps }) => {
  const key = args.text('AppKey');
  const newKey = readChosen(args, 'NewAppKey');
  const appSecret = readChosen(args, 'NewAppSecret') ?? randomHex(16);
  const now = deps.clock.now();
  await commit(deps, async (tx) => {
    const [owner] = await tx.rows.apps.find('appKey', key, 1);
    const app = owner ?? (await allApps(tx)).find((row) => keysOf(row).some(({ appKey }) => appKey === key));
    if (app === undefined) throw notFoundKey(key);
    if (newKey !== null && newKey !== key) await refuseTakenKey(tx, newKey);
    const keys = keysOf(app).map((row) =>
      row.appKey === key ? { ...row, appKey: newKey ?? key, appSecret, modifiedAt: now } : row,
    );
    await save(tx, withKeys(app, keys), now);
  });
  return {};
};

export const createAppCode: RpcAction = async ({ args, deps }) => {
  const appCode = readChosen(args, 'AppCode') ?? randomHex(16);
  const now = deps.clock.now();
  await commit(deps, async (tx) => {
    const app = await getApp(tx, readAppId(args));
    refuseMore(codesOf(app).length, 'codes');
    refuseTakenCode(await allApps(tx), appCode);
    await save(tx, withCodes(app, [...codesOf(app), { appCode, createdAt: now, modifiedAt: now }]), now);
  });
  return {};
};

function notFoundCode(): Error {
  return openApiError('NotFoundAppCode', 'Cannot find resource [AppCode] according to your specified AppCode.');
}

export const deleteAppCode: RpcAction = async ({ args, deps }) => {
  const code = args.text('AppCode');
  await commit(deps, async (tx) => {
    const app = await getApp(tx, readAppId(args));
    const left = codesOf(app).filter(({ appCode }) => appCode !== code);
    if (left.length === codesOf(app).length) throw notFoundCode();
    await save(tx, withCodes(app, left), deps.clock.now());
  });
  return {};
};

/** Takes the code, not the id; the new one is read with DescribeAppSecurities. Source: docs. */
export const resetAppCode: RpcAction = async ({ args, deps }) => {
  const code = args.text('AppCode');
  const next = readChosen(args, 'NewAppCode') ?? randomHex(16);
  const now = deps.clock.now();
  await commit(deps, async (tx) => {
    const app = (await allApps(tx)).find((row) => codesOf(row).some(({ appCode }) => appCode === code));
    if (app === undefined) throw notFoundCode();
    if (next !== code) refuseTakenCode(await allApps(tx), next);
    const codes = codesOf(app).map((row) => (row.appCode === code ? { ...row, appCode: next, modifiedAt: now } : row));
    await save(tx, withCodes(app, codes), now);
  });
  return {};
};

/** One entry a key pair and code, in the order of their age. Source: docs for the members; the pairing is assumed. */
export const describeAppSecurities: RpcAction = async ({ args, deps }) => {
  const app = await deps.store.read((tx) => getApp(tx, args.number('AppId')));
  const keys = keysOf(app);
  const codes = codesOf(app);
  const AppSecuritys = Array.from({ length: Math.max(keys.length, codes.length) }, (_, at) => {
    const key = keys[at];
    const code = codes[at];
    const dated = key ?? code;
    return {
      AppKey: key?.appKey,
      AppSecret: key?.appSecret,
      AppCode: code?.appCode,
      CreatedTime: dated === undefined ? undefined : utc(dated.createdAt),
      ModifiedTime: dated === undefined ? undefined : utc(dated.modifiedAt),
    };
  });
  return { AppSecuritys };
};
