// Actions on backend definitions: backends of their own that APIs share, with one model for each stage.
import { randomHex } from '../../base/ids.ts';
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { ApiRow, BackendModelRow, BackendRow } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { type ControlDeps, commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';
import type { NestedRecord } from '../rpc/nested.ts';
import { isNestedRecord, memberRecord } from './api-config.ts';
import { readModelBackend } from './backend.ts';
import { withTask } from './backend-tasks.ts';
import {
  byAge,
  deploymentKey,
  getGroup,
  hasTags,
  isAsked,
  isLike,
  paged,
  readStage,
  readTags,
  scan,
  tagInfos,
  utc,
} from './lookup.ts';

/** Source: assumed. */
const backendLimit = 1000;

export async function getBackend(tx: ReadTransaction, backendId: string): Promise<BackendRow> {
  const row = await tx.rows.backends.get(backendId);
  if (row === null) {
    throw openApiError(
      'NotFoundBackend',
      `Cannot find resource [Backend] according to your specified BackendId ${backendId}.`,
    );
  }
  return row;
}

/** The definition of that name; null when there is none. */
export async function findBackend(tx: ReadTransaction, name: string): Promise<BackendRow | null> {
  return (await tx.rows.backends.find('backendName', name, 1))[0] ?? null;
}

async function refuseTakenName(tx: ReadTransaction, name: string, except: string): Promise<void> {
  const found = await findBackend(tx, name);
  if (found !== null && found.backendId !== except) {
    throw openApiError('DuplicateBackendName', `The BackendName ${name} is taken by another backend.`);
  }
}

export const createBackend: RpcAction = async ({ args, deps }) => {
  const now = deps.clock.now();
  const row: BackendRow = {
    backendId: randomHex(16),
    backendName: args.text('BackendName'),
    backendType: args.text('BackendType'),
    description: args.optionalText('Description') ?? '',
    models: [],
    tags: readTags(args),
    createdAt: now,
    modifiedAt: now,
  };
  await commit(deps, async (tx) => {
    await refuseTakenName(tx, row.backendName, row.backendId);
    if ((await tx.rows.backends.list({ limit: backendLimit })).length >= backendLimit) {
      throw openApiError('ExceedLimitBackend', `There may be at most ${backendLimit} backends.`);
    }
    await tx.rows.backends.insert(row);
  });
  return { BackendId: row.backendId };
};

/** The type may change only while there is no model of the old one. Source: assumed. */
export const modifyBackend: RpcAction = async ({ args, deps }) => {
  await commit(deps, async (tx) => {
    const old = await getBackend(tx, args.text('BackendId'));
    const backendType = args.text('BackendType');
    if (backendType !== old.backendType && old.models.length > 0) {
      throw openApiError(
        'InvalidBackendType',
        `The backend ${old.backendId} has models of the type ${old.backendType}; delete them before making it ${backendType}.`,
      );
    }
    const backendName = args.text('BackendName');
    await refuseTakenName(tx, backendName, old.backendId);
    await tx.rows.backends.update({
      ...old,
      backendName,
      backendType,
      description: args.optionalText('Description') ?? old.description,
      modifiedAt: deps.clock.now(),
    });
  });
  return {};
};

/** Refused while an API uses it. Source: assumed. */
export const deleteBackend: RpcAction = async ({ args, deps }) => {
  await commit(deps, async (tx) => {
    const row = await getBackend(tx, args.text('BackendId'));
    const [user] = [...(await draftsOf(tx, row.backendId)), ...(await liveOf(tx, row.backendId, null))];
    if (user !== undefined) {
      throw openApiError('DependencyViolationApi', `The backend ${row.backendId} is used by the API ${user.apiId}.`);
    }
    for (const { stage } of row.models) await tx.publish('backend', `${row.backendId}/${stage}`, null);
    await tx.rows.backends.delete(row.backendId);
  });
  return {};
};

/** The models with one more, in place of the one of the same id; published at once. Source: docs. */
async function putModel(tx: WriteTransaction, row: BackendRow, model: BackendModelRow): Promise<void> {
  const old = row.models.find(({ backendModelId }) => backendModelId === model.backendModelId);
  const others = row.models.filter(({ backendModelId }) => backendModelId !== model.backendModelId);
  if (others.some(({ stage }) => stage === model.stage)) {
    throw openApiError('RepeatedBackendModel', `The backend ${row.backendId} has a model for ${model.stage} already.`);
  }
  await tx.rows.backends.update({ ...row, models: [...others, model], modifiedAt: model.modifiedAt });
  const { backendId } = row;
  if (old !== undefined && old.stage !== model.stage) await tx.publish('backend', `${backendId}/${old.stage}`, null);
  const { stage, backend } = model;
  await tx.publish('backend', `${backendId}/${stage}`, { backendId, stage, backend });
}

function readModelData(args: Arguments): NestedRecord {
  const data = args.nested('BackendModelData');
  if (isNestedRecord(data)) return data;
  throw openApiError('MissingBackendModelData', 'BackendModelData is mandatory for this action.');
}

function compile(args: Arguments, row: BackendRow, data: NestedRecord, deps: ControlDeps): BackendModelRow['backend'] {
  const asked = args.optionalText('BackendType') ?? '';
  if (asked !== '' && asked !== row.backendType) {
    throw openApiError(
      'InvalidBackendType',
      `The backend ${row.backendId} is of the type ${row.backendType}, not ${asked}.`,
    );
  }
  const limits = { timeoutMaxMs: deps.settings.apiTimeoutMaxMs, regionId: deps.account.regionId };
  return readModelBackend(row.backendType, data, limits);
}

export const createBackendModel: RpcAction = async ({ args, deps }) => {
  const now = deps.clock.now();
  const data = readModelData(args);
  const stage = readStage(args);
  const backendModelId = randomHex(16);
  await commit(deps, async (tx) => {
    const row = await getBackend(tx, args.text('BackendId'));
    const backend = compile(args, row, data, deps);
    const description = args.optionalText('Description') ?? '';
    await putModel(tx, row, {
      backendModelId,
      stage,
      description,
      backend,
      wire: data,
      createdAt: now,
      modifiedAt: now,
    });
  });
  return { BackendModelId: backendModelId };
};

/** `stage`: the one that it has to be of, where the caller names one. */
function getModel(row: BackendRow, backendModelId: string, stage: string | null = null): BackendModelRow {
  const model = row.models.find((candidate) => candidate.backendModelId === backendModelId);
  if (model === undefined || !isAsked(model.stage, stage)) {
    throw openApiError('NotFoundBackendModel', `The backend ${row.backendId} has no model ${backendModelId}.`);
  }
  return model;
}

/** Takes effect at once for every API that uses it; the operation is done when it is answered. */
export const modifyBackendModel: RpcAction = async ({ args, deps }) => {
  const data = readModelData(args);
  const OperationId = await commit(deps, async (tx) => {
    const row = await getBackend(tx, args.text('BackendId'));
    const old = getModel(row, args.text('BackendModelId'));
    const isStageGiven = (args.optionalText('StageName') ?? '') !== '';
    const stage = isStageGiven ? readStage(args) : old.stage;
    const task = withTask(row, stage, await liveOf(tx, row.backendId, stage));
    await putModel(tx, task.row, {
      ...old,
      stage,
      description: args.optionalText('Description') ?? old.description,
      backend: compile(args, row, data, deps),
      wire: data,
      modifiedAt: deps.clock.now(),
    });
    return task.operationId;
  });
  return { OperationId };
};

/** Refused while an API that is live in the stage uses it. Source: assumed. */
export const deleteBackendModel: RpcAction = async ({ args, deps }) => {
  const OperationId = await commit(deps, async (tx) => {
    const row = await getBackend(tx, args.text('BackendId'));
    const model = getModel(row, args.text('BackendModelId'), args.optionalText('StageName'));
    const [user] = await liveOf(tx, row.backendId, model.stage);
    if (user !== undefined) {
      throw openApiError(
        'DependencyViolationApi',
        `The API ${user.apiId} is live in ${model.stage} with this backend.`,
      );
    }
    const models = row.models.filter((other) => other !== model);
    const task = withTask(row, model.stage, []);
    await tx.rows.backends.update({ ...task.row, models, modifiedAt: deps.clock.now() });
    await tx.publish('backend', `${row.backendId}/${model.stage}`, null);
    return task.operationId;
  });
  return { OperationId };
};

function summary(row: BackendRow): object {
  return {
    BackendId: row.backendId,
    BackendName: row.backendName,
    BackendType: row.backendType,
    Description: row.description,
    CreatedTime: utc(row.createdAt),
    ModifiedTime: utc(row.modifiedAt),
  };
}

export const describeBackendInfo: RpcAction = async ({ args, deps }) => {
  const row = await deps.store.read((tx) => getBackend(tx, args.text('BackendId')));
  const models = row.models.map((model) => ({
    BackendModelId: model.backendModelId,
    StageName: model.stage,
    StageModeId: model.stage,
    Description: model.description,
    GmtCreate: utc(model.createdAt),
    GmtModified: utc(model.modifiedAt),
    BackendConfig: showModel(row, model),
  }));
  return { BackendInfo: { ...summary(row), BackendModels: models } };
};

function showModel(row: BackendRow, model: BackendModelRow): object {
  const { wire } = model;
  const data = isNestedRecord(wire) ? wire : {};
  return {
    ...data,
    Type: row.backendType,
    ServiceTimeout: model.backend.timeoutMs,
    ...(row.backendType === 'VPC' ? { VpcConfig: memberRecord(data, 'VpcConfig') ?? data } : {}),
    ...(row.backendType === 'MOCK' ? { MockConfig: memberRecord(data, 'MockConfig') ?? data } : {}),
  };
}

export const describeBackendList: RpcAction = async ({ args, deps }) => {
  const all = await deps.store.read((tx) =>
    scan(
      (page) => tx.rows.backends.list(page),
      (row) => row.backendId,
    ),
  );
  const tags = readTags(args);
  const found = all.filter(
    (row) =>
      isLike(row.backendName, args.optionalText('BackendName')) &&
      isAsked(row.backendType, args.optionalText('BackendType')) &&
      hasTags(row.tags, tags),
  );
  const page = paged(args, byAge(found, args));
  return { ...page.totals, BackendInfoList: page.rows.map((row) => ({ ...summary(row), Tags: tagInfos(row.tags) })) };
};

function uses({ definition }: ApiRow, backendId: string): boolean {
  return definition.backend.kind === 'shared' && definition.backend.backendId === backendId;
}

async function draftsOf(tx: ReadTransaction, backendId: string): Promise<ApiRow[]> {
  const all = await scan(
    (page) => tx.rows.apis.list(page),
    (row) => row.apiId,
  );
  return all.filter((api) => uses(api, backendId));
}

/** APIs as they are live, in one stage or any. */
async function liveOf(tx: ReadTransaction, backendId: string, stage: string | null): Promise<ApiRow[]> {
  const all = await scan(
    (page) => tx.rows.deployments.list(page),
    (row) => deploymentKey(row.apiId, row.stage),
  );
  const found = all.filter((row) => (stage === null || row.stage === stage) && uses(row.api, backendId));
  return found.map((row) => row.api);
}

/** Drafts that use the definition; with a stage the APIs that are live there. Source: assumed. */
export const describeApisByBackend: RpcAction = async ({ args, deps }) =>
  deps.store.read(async (tx) => {
    const row = await getBackend(tx, args.text('BackendId'));
    const stage = args.optionalText('StageName') ?? '';
    const found = stage === '' ? await draftsOf(tx, row.backendId) : await liveOf(tx, row.backendId, stage);
    const page = paged(args, found);
    const infos: object[] = [];
    for (const api of page.rows) {
      infos.push({
        ApiId: api.apiId,
        ApiName: api.definition.apiName,
        Description: api.description,
        GroupId: api.groupId,
        GroupName: (await getGroup(tx, api.groupId)).groupName,
        Method: api.definition.request.method,
        Path: api.definition.request.path,
      });
    }
    return { ...page.totals, ApiInfoList: infos };
  });
