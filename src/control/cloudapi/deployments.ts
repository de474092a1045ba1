// Actions that put APIs into stages and take them out, and their history.
import type { StageName } from '../../model/api.ts';
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { ApiRow, DeploymentRow, HistoryRow } from '../../store/rows.ts';
import { formatHistoryVersion } from '../../wire/utc-time.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { commit } from '../ports.ts';
import { showDefinition } from './api-draft.ts';
import {
  deploymentKey,
  getApi,
  getGroup,
  hasTags,
  isAsked,
  isLike,
  paged,
  quotas,
  readStage,
  readTags,
  scan,
  scanLimit,
  utc,
} from './lookup.ts';
import { schemaOf } from './models.ts';

function historyKey(apiId: string, version: string): string {
  return `${apiId}/${version}`;
}

/** A version named by the moment; the next free millisecond when two fall together. */
async function freeVersion(tx: ReadTransaction, apiId: string, now: number): Promise<string> {
  for (let at = now; ; at++) {
    const version = formatHistoryVersion(at);
    if ((await tx.rows.histories.get(historyKey(apiId, version))) === null) return version;
  }
}

/** What was ONLINE in the stage becomes OFFLINE. Source: assumed. */
async function retire(tx: WriteTransaction, histories: readonly HistoryRow[], stage: StageName): Promise<void> {
  for (const row of histories) {
    if (row.stage === stage && row.status === 'ONLINE') await tx.rows.histories.update({ ...row, status: 'OFFLINE' });
  }
}

/** Keeps the history of an API within its bound; the oldest versions that are not live go first. */
async function prune(tx: WriteTransaction, histories: readonly HistoryRow[]): Promise<void> {
  const excess = histories.length + 1 - quotas.historiesOfApi;
  if (excess <= 0) return;
  const offline = histories
    .filter((row) => row.status === 'OFFLINE')
    .sort((left, right) => left.deployedAt - right.deployedAt);
  for (const row of offline.slice(0, excess)) await tx.rows.histories.delete(historyKey(row.apiId, row.historyVersion));
}

/** Makes `deployment` what the stage serves. */
async function goLive(tx: WriteTransaction, deployment: DeploymentRow): Promise<void> {
  const { apiId, stage, api } = deployment;
  const key = deploymentKey(apiId, stage);
  if (!(await tx.rows.deployments.update(deployment))) await tx.rows.deployments.insert(deployment);
  await tx.publish('api', key, { apiId, groupId: deployment.groupId, stage, definition: api.definition });
}

/** Freezes the draft into the stage. Source: docs. */
export async function deploy(
  tx: WriteTransaction,
  api: ApiRow,
  target: { stage: StageName; description: string; now: number },
): Promise<void> {
  const histories = await tx.rows.histories.find('apiId', api.apiId, scanLimit);
  const { request } = api.definition;
  // The model is frozen with the rest. Source: assumed.
  const bodySchema = request.bodyModel === undefined ? {} : { bodySchema: await schemaOf(tx, request.bodyModel) };
  const deployment: DeploymentRow = {
    apiId: api.apiId,
    groupId: api.groupId,
    stage: target.stage,
    historyVersion: await freeVersion(tx, api.apiId, target.now),
    description: target.description,
    deployedAt: target.now,
    api: { ...api, definition: { ...api.definition, request: { ...request, ...bodySchema } } },
  };
  await retire(tx, histories, target.stage);
  await prune(tx, histories);
  await tx.rows.histories.insert({ ...deployment, status: 'ONLINE' });
  await goLive(tx, deployment);
}

export const deployApi: RpcAction = async ({ args, deps }) => {
  const target = { stage: readStage(args), description: args.text('Description'), now: deps.clock.now() };
  await commit(deps, async (tx) => {
    const api = await getApi(tx, args.text('ApiId'), args.optionalText('GroupId'));
    await deploy(tx, api, target);
  });
  return {};
};

/** Succeeds for an API that was never published there: terraform relies on it. Source: sdk. */
export const abolishApi: RpcAction = async ({ args, deps }) => {
  const stage = readStage(args);
  await commit(deps, async (tx) => {
    const api = await getApi(tx, args.text('ApiId'), args.optionalText('GroupId'));
    await takeOffline(tx, api.apiId, stage);
  });
  return {};
};

/** Does nothing where the API is not live. */
export async function takeOffline(tx: WriteTransaction, apiId: string, stage: StageName): Promise<void> {
  const key = deploymentKey(apiId, stage);
  if (!(await tx.rows.deployments.delete(key))) return;
  await retire(tx, await tx.rows.histories.find('apiId', apiId, scanLimit), stage);
  await tx.publish('api', key, null);
}

/** Publishes an older version into a stage that is live; the draft stays. Source: docs. */
export const switchApi: RpcAction = async ({ args, deps }) => {
  const stage = readStage(args);
  const version = args.text('HistoryVersion');
  const description = args.text('Description');
  await commit(deps, async (tx) => {
    const api = await getApi(tx, args.text('ApiId'), args.optionalText('GroupId'));
    if ((await tx.rows.deployments.get(deploymentKey(api.apiId, stage))) === null) throw notLive(api.apiId, stage);
    const row = await getHistory(tx, api.apiId, version);
    await retire(tx, await tx.rows.histories.find('apiId', api.apiId, scanLimit), stage);
    const { status: _status, ...deployment } = row;
    await tx.rows.histories.update({ ...row, stage, status: 'ONLINE' });
    await goLive(tx, { ...deployment, stage, description, deployedAt: deps.clock.now() });
  });
  return {};
};

/** The code that terraform looks for. Source: sdk. */
function notLive(apiId: string, stage: StageName): Error {
  return openApiError('NotFoundStage', `The API ${apiId} is not live in stage ${stage}.`);
}

async function getHistory(tx: ReadTransaction, apiId: string, version: string): Promise<HistoryRow> {
  const row = await tx.rows.histories.get(historyKey(apiId, version));
  if (row === null) throw openApiError('NotFoundHistoryVersion', `The API ${apiId} has no history version ${version}.`);
  return row;
}

export const describeDeployedApi: RpcAction = async ({ args, deps }) => {
  const stage = readStage(args);
  return deps.store.read(async (tx) => {
    const api = await getApi(tx, args.text('ApiId'), args.optionalText('GroupId'));
    const deployment = await tx.rows.deployments.get(deploymentKey(api.apiId, stage));
    if (deployment === null) throw notLive(api.apiId, stage);
    return showDeployment(tx, deployment);
  });
};

async function showDeployment(
  tx: ReadTransaction,
  deployment: DeploymentRow,
): Promise<Readonly<Record<string, unknown>>> {
  const group = await getGroup(tx, deployment.groupId);
  return {
    ...showDefinition(deployment.api),
    GroupName: group.groupName,
    RegionId: group.regionId,
    StageName: deployment.stage,
    DeployedTime: utc(deployment.deployedAt),
  };
}

export const describeDeployedApis: RpcAction = async ({ args, deps }) => {
  const tags = readTags(args);
  return deps.store.read(async (tx) => {
    const groupId = args.optionalText('GroupId') ?? '';
    if (groupId !== '') await getGroup(tx, groupId);
    const all =
      groupId === ''
        ? await scan(
            (page) => tx.rows.deployments.list(page),
            (row) => deploymentKey(row.apiId, row.stage),
          )
        : await tx.rows.deployments.find('groupId', groupId, 3 * quotas.apisInGroup);
    const found = all
      .filter(
        (row) =>
          isAsked(row.apiId, args.optionalText('ApiId')) &&
          isAsked(row.stage, args.optionalText('StageName')) &&
          isLike(row.api.definition.apiName, args.optionalText('ApiName')) &&
          isAsked(row.api.definition.request.method, args.optionalText('ApiMethod')) &&
          isLike(row.api.definition.request.path, args.optionalText('ApiPath')) &&
          hasTags(row.api.tags, tags),
      )
      .sort((left, right) => right.deployedAt - left.deployedAt);
    const page = paged(args, found);
    const DeployedApis: object[] = [];
    for (const row of page.rows) {
      const { ApiId, ApiName, Description, Visibility, ...rest } = await showDeployment(tx, row);
      const { method, path } = row.api.definition.request;
      DeployedApis.push({ ...rest, ApiId, ApiName, Description, Visibility, ApiMethod: method, ApiPath: path });
    }
    return { ...page.totals, DeployedApis };
  });
};

export const describeApiHistories: RpcAction = async ({ args, deps }) =>
  deps.store.read(async (tx) => {
    const group = await getGroup(tx, args.text('GroupId'));
    const apiId = args.optionalText('ApiId') ?? '';
    const all =
      apiId === ''
        ? await tx.rows.histories.find('groupId', group.groupId, quotas.historiesOfApi * scanLimit)
        : await tx.rows.histories.find('apiId', apiId, scanLimit);
    const found = all
      .filter(
        (row) =>
          row.groupId === group.groupId &&
          isLike(row.api.definition.apiName, args.optionalText('ApiName')) &&
          isAsked(row.stage, args.optionalText('StageName')),
      )
      .sort((left, right) => (left.historyVersion < right.historyVersion ? 1 : -1));
    const page = paged(args, found);
    const ApiHisItems = page.rows.map((row) => ({
      ApiId: row.apiId,
      ApiName: row.api.definition.apiName,
      GroupId: group.groupId,
      GroupName: group.groupName,
      RegionId: group.regionId,
      StageName: row.stage,
      HistoryVersion: row.historyVersion,
      Description: row.description,
      Status: row.status,
      DeployedTime: utc(row.deployedAt),
    }));
    return { ...page.totals, ApiHisItems };
  });

export const describeApiHistory: RpcAction = async ({ args, deps }) => {
  const stage = readStage(args);
  return deps.store.read(async (tx) => {
    const api = await getApi(tx, args.text('ApiId'), args.optionalText('GroupId'));
    const row = await getHistory(tx, api.apiId, args.text('HistoryVersion'));
    if (row.stage !== stage) {
      throw openApiError(
        'NotFoundHistoryVersion',
        `The version ${row.historyVersion} was published to ${row.stage}, not ${stage}.`,
      );
    }
    return { ...(await showDeployment(tx, row)), HistoryVersion: row.historyVersion, Status: row.status };
  });
};
