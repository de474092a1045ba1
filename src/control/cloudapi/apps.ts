// Actions on apps: the callers of APIs, their keys and codes.
import { randomInt } from 'node:crypto';
import { randomHex } from '../../base/ids.ts';
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { AppRow } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';
import {
  byAge,
  getApp,
  grantKey,
  hasTags,
  isAsked,
  isLike,
  paged,
  quotas,
  readTags,
  scan,
  scanLimit,
  tagInfos,
  utc,
} from './lookup.ts';

export function publishApp(tx: WriteTransaction, app: AppRow): Promise<void> {
  const more = (app.moreKeys ?? []).map(({ appKey, appSecret }) => ({ key: appKey, secret: appSecret }));
  const keys = [{ key: app.appKey, secret: app.appSecret }, ...more];
  const codes = [app.appCode, ...(app.moreCodes ?? []).map(({ appCode }) => appCode)].filter((code) => code !== '');
  return tx.publish('app', String(app.appId), { appId: app.appId, appName: app.appName, keys, codes });
}

async function freeAppId(tx: ReadTransaction): Promise<number> {
  while (true) {
    const appId = randomInt(100_000_000, 1_000_000_000);
    if ((await tx.rows.apps.get(String(appId))) === null) return appId;
  }
}

export async function freeAppKey(tx: ReadTransaction): Promise<string> {
  while (true) {
    const key = String(randomInt(100_000_000, 1_000_000_000));
    if (!(await isTaken(tx, key))) return key;
  }
}

/** The first key of each app is in an index, the others are not; there are at most 1,000 apps. */
async function isTaken(tx: ReadTransaction, key: string): Promise<boolean> {
  if ((await tx.rows.apps.count('appKey', key)) > 0) return true;
  const all = await scan(
    (page) => tx.rows.apps.list(page),
    (app) => String(app.appId),
  );
  return all.some((app) => app.moreKeys?.some(({ appKey }) => appKey === key));
}

export async function refuseTakenKey(tx: ReadTransaction, key: string): Promise<void> {
  if (await isTaken(tx, key)) throw openApiError('DuplicateAppKey', `The AppKey ${key} is taken.`);
}

/** Codes are secrets and so in no index; `apps` are all there are. */
export function refuseTakenCode(apps: readonly AppRow[], code: string): void {
  const has = (app: AppRow) =>
    app.appCode === code || (app.moreCodes?.some(({ appCode }) => appCode === code) ?? false);
  if (apps.some(has)) throw openApiError('DuplicateAppCode', 'The AppCode is taken.');
}

/** Names are unique. Source: assumed. */
async function refuseTakenName(tx: ReadTransaction, name: string, except: number | null): Promise<void> {
  const same = await tx.rows.apps.find('appName', name, 2);
  if (same.some((app) => app.appId !== except)) throw openApiError('DuplicateAppName', `The AppName ${name} is taken.`);
}

/** A key, secret or code that the caller chose; null when it chose none. Source: assumed: printable ASCII without blanks. */
export function readChosen(args: Arguments, name: string): string | null {
  const text = args.optionalText(name) ?? '';
  if (text === '') return null;
  if (!/^[\x21-\x7e]{1,128}$/.test(text)) {
    throw openApiError(
      `Invalid${name}`,
      `The parameter ${name} must be 1 to 128 printable ASCII characters without blanks.`,
    );
  }
  return text;
}

export const createApp: RpcAction = async ({ args, deps }) => {
  const chosenKey = readChosen(args, 'AppKey');
  const secret = readChosen(args, 'AppSecret') ?? randomHex(16);
  const chosenCode = readChosen(args, 'AppCode');
  const now = deps.clock.now();
  const app = await commit(deps, async (tx): Promise<AppRow> => {
    const all = await tx.rows.apps.list({ limit: quotas.apps });
    if (all.length >= quotas.apps) throw openApiError('ExceedLimitApp', `There may be at most ${quotas.apps} apps.`);
    await refuseTakenName(tx, args.text('AppName'), null);
    if (chosenKey !== null) await refuseTakenKey(tx, chosenKey);
    if (chosenCode !== null) refuseTakenCode(all, chosenCode);
    const row: AppRow = {
      appId: await freeAppId(tx),
      appName: args.text('AppName'),
      description: args.optionalText('Description') ?? '',
      appKey: chosenKey ?? (await freeAppKey(tx)),
      appSecret: secret,
      appCode: chosenCode ?? randomHex(16),
      extend: args.optionalText('Extend') ?? '',
      tags: readTags(args),
      createdAt: now,
      modifiedAt: now,
    };
    await tx.rows.apps.insert(row);
    await publishApp(tx, row);
    return row;
  });
  return { AppId: app.appId, TagStatus: app.tags.length > 0 };
};

function showApp(app: AppRow): object {
  return {
    AppId: app.appId,
    AppName: app.appName,
    Description: app.description,
    Disabled: false,
    Extend: app.extend,
    CreatedTime: utc(app.createdAt),
    ModifiedTime: utc(app.modifiedAt),
    Tags: tagInfos(app.tags),
  };
}

export const describeApp: RpcAction = async ({ args, deps }) => {
  const app = await deps.store.read((tx) => getApp(tx, args.number('AppId')));
  return { ...showApp(app) };
};

/** Finds apps by id or owner; with neither the service refuses. Source: docs. */
export const describeApps: RpcAction = async ({ args, deps }) => {
  const appId = args.optionalNumber('AppId');
  const owner = args.optionalDigits('AppOwner');
  if (appId === null && owner === null) {
    throw openApiError('MissingAppIdOrAppOwner', 'AppId or AppOwner is mandatory for this action.');
  }
  const all = await deps.store.read((tx) =>
    scan(
      (page) => tx.rows.apps.list(page),
      (app) => String(app.appId),
    ),
  );
  const isOurs = owner === null || owner === deps.account.accountId;
  const found = all.filter((app) => isOurs && (appId === null || app.appId === appId));
  const page = paged(args, byAge(found, args));
  return { ...page.totals, Apps: page.rows.map(showApp) };
};

function hasOne(values: readonly string[], asked: string | null): boolean {
  return values.some((value) => isAsked(value, asked));
}

export const describeAppAttributes: RpcAction = async ({ args, deps }) => {
  const all = await deps.store.read((tx) =>
    scan(
      (page) => tx.rows.apps.list(page),
      (app) => String(app.appId),
    ),
  );
  const appId = args.optionalNumber('AppId');
  const tags = readTags(args);
  const found = all.filter(
    (app) =>
      (appId === null || app.appId === appId) &&
      isLike(app.appName, args.optionalText('AppName')) &&
      hasOne([app.appKey, ...(app.moreKeys ?? []).map(({ appKey }) => appKey)], args.optionalText('AppKey')) &&
      hasOne([app.appCode, ...(app.moreCodes ?? []).map(({ appCode }) => appCode)], args.optionalText('AppCode')) &&
      isAsked(app.extend, args.optionalText('Extend')) &&
      hasTags(app.tags, tags),
  );
  const page = paged(args, byAge(found, args));
  return { ...page.totals, Apps: page.rows.map(showApp) };
};

export const describeAppSecurity: RpcAction = async ({ args, deps }) => {
  const app = await deps.store.read((tx) => getApp(tx, args.number('AppId')));
  return {
    AppKey: app.appKey,
    AppSecret: app.appSecret,
    AppCode: app.appCode,
    CreatedTime: utc(app.createdAt),
    ModifiedTime: utc(app.modifiedAt),
  };
};

/** Succeeds with nothing to change. Source: docs. */
export const modifyApp: RpcAction = async ({ args, deps }) => {
  if (args.optionalBoolean('Disabled') === true) {
    throw openApiError('UnsupportedParameter', 'Disabling an app is not supported by this server.');
  }
  await commit(deps, async (tx) => {
    const old = await getApp(tx, args.number('AppId'));
    const name = args.optionalText('AppName') ?? '';
    const changed: AppRow = {
      ...old,
      appName: name === '' ? old.appName : name,
      description: args.optionalText('Description') ?? old.description,
      extend: args.optionalText('Extend') ?? old.extend,
      tags: args.isGiven('Tag') ? readTags(args) : old.tags,
      modifiedAt: deps.clock.now(),
    };
    await refuseTakenName(tx, changed.appName, old.appId);
    await tx.rows.apps.update(changed);
    await publishApp(tx, changed);
  });
  return {};
};

/** Drops keys and grants for good. Source: docs. */
export const deleteApp: RpcAction = async ({ args, deps }) => {
  await commit(deps, async (tx) => {
    const app = await getApp(tx, args.number('AppId'));
    for (let grants = await tx.rows.grants.find('appId', app.appId, scanLimit); grants.length > 0; ) {
      for (const grant of grants) {
        const key = grantKey(grant.appId, grant.apiId, grant.stage);
        await tx.rows.grants.delete(key);
        await tx.publish('grant', key, null);
      }
      grants = await tx.rows.grants.find('appId', app.appId, scanLimit);
    }
    await tx.rows.apps.delete(String(app.appId));
    await tx.publish('app', String(app.appId), null);
  });
  return {};
};
