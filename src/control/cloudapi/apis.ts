// Actions on API drafts: create, replace, describe, list, delete.
import { randomHex } from '../../base/ids.ts';
import type { ReadTransaction } from '../../store/port.ts';
import type { ApiRow, GroupRow } from '../../store/rows.ts';
import type { RpcAction, RpcCall } from '../action.ts';
import { openApiError } from '../errors.ts';
import { type ControlDeps, commit } from '../ports.ts';
import { readApiConfig } from './api-config.ts';
import { type Draft, makeDraft, showDefinition } from './api-draft.ts';
import { getBackend } from './backends.ts';
import {
  apiTags,
  byAge,
  deployedInfos,
  getApi,
  getGroup,
  grantKey,
  hasTags,
  isAsked,
  isLike,
  paged,
  quotas,
  readTags,
  scan,
  scanLimit,
  utc,
} from './lookup.ts';
import { unbindEverything } from './policy-bindings.ts';
import { checkValueRules } from './value-rules.ts';

async function draftOf({ args, deps }: RpcCall): Promise<Draft> {
  await checkValueRules(args);
  const limits = { timeoutMaxMs: deps.settings.apiTimeoutMaxMs, regionId: deps.account.regionId };
  return makeDraft(readApiConfig(args), limits);
}

/**
 * Names, and pairs of method and path, are unique inside a group. ANY stands beside other methods.
 * Errors: DuplicateApiName, RepeatedRequestPath. Source: docs; the second code assumed.
 */
export async function refuseTakenPlace(tx: ReadTransaction, api: ApiRow): Promise<void> {
  const { apiName, request } = api.definition;
  const sameName = await tx.rows.apis.find('apiName', apiName, scanLimit);
  if (sameName.some((other) => other.groupId === api.groupId && other.apiId !== api.apiId)) {
    throw openApiError('DuplicateApiName', `The ApiName ${apiName} is taken by another API of the group.`);
  }
  const sameRoute = await tx.rows.apis.find('route', `${api.groupId} ${request.method} ${request.path}`, 2);
  const other = sameRoute.find((row) => row.apiId !== api.apiId);
  if (other !== undefined) {
    throw openApiError(
      'RepeatedRequestPath',
      `${request.method} ${request.path} is taken by the API ${other.definition.apiName}.`,
    );
  }
}

/** Errors: NotFoundBackend. */
export async function refuseUnknownBackend(tx: ReadTransaction, { definition }: ApiRow): Promise<void> {
  if (definition.backend.kind === 'shared') await getBackend(tx, definition.backend.backendId);
}

export const createApi: RpcAction = async (call) => {
  const { args, deps } = call;
  const draft = await draftOf(call);
  const now = deps.clock.now();
  const row: ApiRow = {
    apiId: randomHex(16),
    groupId: args.text('GroupId'),
    ...draft,
    tags: readTags(args),
    createdAt: now,
    modifiedAt: now,
  };
  await commit(deps, async (tx) => {
    await getGroup(tx, row.groupId);
    await refuseUnknownBackend(tx, row);
    if ((await tx.rows.apis.count('groupId', row.groupId)) >= quotas.apisInGroup) {
      throw openApiError('ExceedLimitApi', `A group may hold at most ${quotas.apisInGroup} APIs.`);
    }
    await refuseTakenPlace(tx, row);
    await tx.rows.apis.insert(row);
  });
  return { ApiId: row.apiId };
};

/** Replaces the whole draft; live stages stay as they are. Source: docs. */
export const modifyApi: RpcAction = async (call) => {
  const { args, deps } = call;
  const draft = await draftOf(call);
  await commit(deps, async (tx) => {
    const old = await getApi(tx, args.text('ApiId'), args.optionalText('GroupId'));
    const row: ApiRow = { ...old, ...draft, modifiedAt: deps.clock.now() };
    await refuseUnknownBackend(tx, row);
    await refuseTakenPlace(tx, row);
    await tx.rows.apis.update(row);
  });
  return {};
};

export const describeApi: RpcAction = async ({ args, deps }) => {
  const { api, group, deployments } = await deps.store.read(async (tx) => {
    const found = await getApi(tx, args.text('ApiId'), args.optionalText('GroupId'));
    return {
      api: found,
      group: await getGroup(tx, found.groupId),
      deployments: await tx.rows.deployments.find('apiId', found.apiId, 3),
    };
  });
  return {
    ...showDefinition(api),
    ...(await showBackend(deps, api)),
    ...timesAndPlace(api, group),
    DeployedInfos: deployedInfos(deployments),
    TagList: apiTags(api.tags),
  };
};

/** The backend definition that an API uses, as it is now. */
async function showBackend({ store }: ControlDeps, { definition }: ApiRow): Promise<object> {
  const { backend } = definition;
  if (backend.kind !== 'shared') return {};
  const row = await store.read((tx) => tx.rows.backends.get(backend.backendId));
  return {
    BackendConfig: { BackendId: backend.backendId, BackendName: row?.backendName, BackendType: row?.backendType },
  };
}

function timesAndPlace(api: ApiRow, group: GroupRow): object {
  return {
    GroupName: group.groupName,
    RegionId: group.regionId,
    CreatedTime: utc(api.createdAt),
    ModifiedTime: utc(api.modifiedAt),
  };
}

async function apisToList(tx: ReadTransaction, groupId: string | null): Promise<ApiRow[]> {
  if (groupId !== null && groupId !== '') {
    await getGroup(tx, groupId);
    return tx.rows.apis.find('groupId', groupId, quotas.apisInGroup);
  }
  return scan(
    (page) => tx.rows.apis.list(page),
    (api) => api.apiId,
  );
}

export const describeApis: RpcAction = async ({ args, deps }) => {
  if ((args.optionalText('CatalogId') ?? '') !== '')
    throw openApiError(
      'UnsupportedParameter',
      'The parameter CatalogId is not supported by this server: it has no catalogs.',
    );
  const tags = readTags(args);
  const stage = args.optionalText('StageName') ?? '';
  const wantsUndeployed = args.optionalBoolean('UnDeployed') === true;
  return deps.store.read(async (tx) => {
    const all = await apisToList(tx, args.optionalText('GroupId'));
    const matching = all.filter(
      (api) =>
        isAsked(api.apiId, args.optionalText('ApiId')) &&
        isLike(api.definition.apiName, args.optionalText('ApiName')) &&
        isAsked(api.definition.request.method, args.optionalText('ApiMethod')) &&
        isLike(api.definition.request.path, args.optionalText('ApiPath')) &&
        isAsked(api.visibility, args.optionalText('Visibility')) &&
        hasTags(api.tags, tags),
    );
    const found: ApiRow[] = [];
    for (const api of matching) {
      if (stage === '' && !wantsUndeployed) found.push(api);
      else {
        const live = await tx.rows.deployments.find('apiId', api.apiId, 3);
        const isLive = live.some((deployment) => stage === '' || deployment.stage === stage);
        if (isLive !== wantsUndeployed) found.push(api);
      }
    }
    const page = paged(args, byAge(found, args));
    const ApiSummarys: object[] = [];
    for (const api of page.rows) ApiSummarys.push(await summarise(tx, api));
    return { ...page.totals, ApiSummarys };
  });
};

async function summarise(tx: ReadTransaction, api: ApiRow): Promise<object> {
  return {
    ApiId: api.apiId,
    ApiName: api.definition.apiName,
    ApiMethod: api.definition.request.method,
    ApiPath: api.definition.request.path,
    Description: api.description,
    GroupId: api.groupId,
    Visibility: api.visibility,
    ...timesAndPlace(api, await getGroup(tx, api.groupId)),
    DeployedInfos: deployedInfos(await tx.rows.deployments.find('apiId', api.apiId, 3)),
    TagList: apiTags(api.tags),
  };
}

/** Refused while the API is live in any stage; takes its grants, bindings and history with it. Source: docs. */
export const deleteApi: RpcAction = async ({ args, deps }) => {
  await commit(deps, async (tx) => {
    const api = await getApi(tx, args.text('ApiId'), args.optionalText('GroupId'));
    const live = await tx.rows.deployments.find('apiId', api.apiId, 3);
    if (live.length > 0) {
      const stages = live.map((deployment) => deployment.stage).join(', ');
      throw openApiError(
        'DependencyViolationDeployment',
        `The API ${api.apiId} is live in ${stages}; take it offline first.`,
      );
    }
    for (let grants = await tx.rows.grants.find('apiId', api.apiId, scanLimit); grants.length > 0; ) {
      for (const grant of grants) {
        const key = grantKey(grant.appId, grant.apiId, grant.stage);
        await tx.rows.grants.delete(key);
        await tx.publish('grant', key, null);
      }
      grants = await tx.rows.grants.find('apiId', api.apiId, scanLimit);
    }
    const histories = await tx.rows.histories.find('apiId', api.apiId, scanLimit);
    for (const history of histories) await tx.rows.histories.delete(`${history.apiId}/${history.historyVersion}`);
    await unbindEverything(tx, api.apiId);
    await tx.rows.apis.delete(api.apiId);
  });
  return {};
};
