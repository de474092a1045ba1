// Actions that allow apps to call APIs, per stage.
import type { StageName } from '../../model/api.ts';
import type { WriteTransaction } from '../../store/port.ts';
import type { ApiRow, GrantRow } from '../../store/rows.ts';
import { parseHttpDate, parseUtcSeconds } from '../../wire/utc-time.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';
import {
  getApi,
  getApp,
  getGroup,
  grantKey,
  isAsked,
  isLike,
  paged,
  quotas,
  readStage,
  scanLimit,
  tagInfos,
  utc,
} from './lookup.ts';

/** RFC 1123 or ISO; empty means for ever. Source: docs. */
function readExpiry(args: Arguments): number | null {
  const text = args.optionalText('AuthValidTime') ?? '';
  if (text === '') return null;
  const at = parseUtcSeconds(text) ?? parseHttpDate(text);
  if (at === null)
    throw openApiError('InvalidAuthValidTime', `The parameter AuthValidTime is no time: '${text.slice(0, 100)}'.`);
  return at;
}

function readAppIds(args: Arguments): number[] {
  return args.csv('AppIds').map((text) => {
    const appId = Number(text);
    if (!Number.isSafeInteger(appId))
      throw openApiError('InvalidAppIds', `The parameter AppIds holds '${text.slice(0, 100)}', which is no number.`);
    return appId;
  });
}

/** Repeating a grant is harmless: it takes the newer end of validity. Source: assumed. */
async function grant(
  tx: WriteTransaction,
  appId: number,
  api: ApiRow,
  given: Omit<GrantRow, 'appId' | 'apiId' | 'groupId'>,
): Promise<void> {
  const row: GrantRow = { appId, apiId: api.apiId, groupId: api.groupId, ...given };
  const key = grantKey(appId, api.apiId, row.stage);
  if (!(await tx.rows.grants.update(row))) await tx.rows.grants.insert(row);
  await tx.publish('grant', key, { appId, apiId: api.apiId, stage: row.stage, expiresAt: row.expiresAt });
}

async function revoke(tx: WriteTransaction, appId: number, apiId: string, stage: StageName): Promise<void> {
  const key = grantKey(appId, apiId, stage);
  if (!(await tx.rows.grants.delete(key))) {
    throw openApiError(
      'NotFoundAuthorization',
      `The app ${appId} has no authorization for the API ${apiId} in ${stage}.`,
    );
  }
  await tx.publish('grant', key, null);
}

export const setAppsAuthorities: RpcAction = async ({ args, deps }) => {
  const appIds = readAppIds(args);
  const given = {
    stage: readStage(args),
    expiresAt: readExpiry(args),
    description: args.optionalText('Description') ?? '',
    createdAt: deps.clock.now(),
  };
  await commit(deps, async (tx) => {
    const api = await getApi(tx, args.text('ApiId'), args.optionalText('GroupId'));
    for (const appId of appIds) {
      await getApp(tx, appId);
      await grant(tx, appId, api, given);
    }
  });
  return {};
};

export const setApisAuthorities: RpcAction = async ({ args, deps }) => {
  const given = {
    stage: readStage(args),
    expiresAt: readExpiry(args),
    description: args.optionalText('Description') ?? '',
    createdAt: deps.clock.now(),
  };
  const apiIds = args.csv('ApiIds');
  if (apiIds.length === 0) throw openApiError('MissingApiIds', 'ApiIds is mandatory for this action.');
  await commit(deps, async (tx) => {
    const app = await getApp(tx, args.number('AppId'));
    for (const apiId of apiIds)
      await grant(tx, app.appId, await getApi(tx, apiId, args.optionalText('GroupId')), given);
  });
  return {};
};

export const removeAppsAuthorities: RpcAction = async ({ args, deps }) => {
  const stage = readStage(args);
  const appIds = readAppIds(args);
  await commit(deps, async (tx) => {
    const api = await getApi(tx, args.text('ApiId'), args.optionalText('GroupId'));
    for (const appId of appIds) await revoke(tx, appId, api.apiId, stage);
  });
  return {};
};

export const removeApisAuthorities: RpcAction = async ({ args, deps }) => {
  const stage = readStage(args);
  await commit(deps, async (tx) => {
    const app = await getApp(tx, args.number('AppId'));
    for (const apiId of args.csv('ApiIds')) {
      const api = await getApi(tx, apiId, args.optionalText('GroupId'));
      await revoke(tx, app.appId, api.apiId, stage);
    }
  });
  return {};
};

/** AuthVaildTime is misspelled on the wire. Source: docs. */
function showGrant(row: GrantRow): object {
  return {
    StageName: row.stage,
    Operator: 'PROVIDER',
    AuthorizationSource: 'API',
    Description: row.description,
    AuthorizedTime: utc(row.createdAt),
    AuthVaildTime: row.expiresAt === null ? undefined : utc(row.expiresAt),
  };
}

export const describeAuthorizedApps: RpcAction = async ({ args, deps }) =>
  deps.store.read(async (tx) => {
    const api = await getApi(tx, args.text('ApiId'), args.optionalText('GroupId'));
    const rows = await tx.rows.grants.find('apiId', api.apiId, 3 * quotas.apps);
    const asked = args.optionalNumber('AppId');
    const owner = args.optionalDigits('AppOwnerId');
    const found: object[] = [];
    for (const row of rows) {
      const app = await getApp(tx, row.appId);
      const isWanted =
        isAsked(row.stage, args.optionalText('StageName')) &&
        (asked === null || asked === row.appId) &&
        (owner === null || owner === deps.account.accountId) &&
        isLike(app.appName, args.optionalText('AppName'));
      if (!isWanted) continue;
      found.push({
        ...showGrant(row),
        AppId: app.appId,
        AppName: app.appName,
        AppDescription: app.description,
        Tag: tagInfos(app.tags),
      });
    }
    const page = paged(args, found);
    return { ...page.totals, AuthorizedApps: page.rows };
  });

export const describeAuthorizedApis: RpcAction = async ({ args, deps }) =>
  deps.store.read(async (tx) => {
    const app = await getApp(tx, args.number('AppId'));
    const page = paged(args, await tx.rows.grants.find('appId', app.appId, 100 * scanLimit));
    const AuthorizedApis: object[] = [];
    for (const row of page.rows) {
      const api = await getApi(tx, row.apiId, null);
      const group = await getGroup(tx, row.groupId);
      AuthorizedApis.push({
        ...showGrant(row),
        ApiId: api.apiId,
        ApiName: api.definition.apiName,
        GroupId: group.groupId,
        GroupName: group.groupName,
        RegionId: group.regionId,
      });
    }
    return { ...page.totals, AuthorizedApis };
  });
