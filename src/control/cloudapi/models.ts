// Actions on models: JSON Schemas by which APIs of a group describe bodies of JSON.
import { randomHex } from '../../base/ids.ts';
import { loadJsonSchemas } from '../../base/json-schema.ts';
import type { ReadTransaction } from '../../store/port.ts';
import type { ModelRow } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { commit } from '../ports.ts';
import { byAge, getGroup, hasTags, isAsked, isLike, paged, readTags, tagInfos, utc } from './lookup.ts';
import { checkSchema } from './value-rules.ts';

/** Models of one group. Source: assumed. */
const modelsInGroup = 1_000;

/** Source: docs. */
function refOf(model: ModelRow): string {
  return `https://apigateway.aliyun.com/models/${model.groupId}/${model.modelId}`;
}

/** The root may only be an object. Errors: InvalidSchema. Source: docs. */
async function checkModelSchema(text: string): Promise<void> {
  checkSchema(await loadJsonSchemas(), text, 'Schema', 'the model');
  const { type } = JSON.parse(text) as { readonly type?: unknown };
  if (type !== 'object') throw openApiError('InvalidSchema', 'The root of a model must have the type object.');
}

function readName(text: string, key: string): string {
  if (/^[\p{Script=Han}A-Za-z][\p{Script=Han}A-Za-z0-9_-]{0,127}$/u.test(text)) return text;
  throw openApiError(
    `Invalid${key}`,
    `The parameter ${key} may hold CJK, letters, digits, '_' and '-', must start with a letter and have at most 128 characters.`,
  );
}

async function getModel(tx: ReadTransaction, groupId: string, name: string): Promise<ModelRow> {
  await getGroup(tx, groupId);
  const [model] = await tx.rows.models.find('name', `${groupId} ${name}`, 1);
  if (model !== undefined) return model;
  throw openApiError('NotFoundModel', `Cannot find resource [Model] according to your specified ModelName ${name}.`);
}

async function refuseTakenName(tx: ReadTransaction, model: ModelRow): Promise<void> {
  const [same] = await tx.rows.models.find('name', `${model.groupId} ${model.modelName}`, 1);
  if (same !== undefined && same.modelId !== model.modelId) {
    throw openApiError(
      'DuplicateModelName',
      `The ModelName ${model.modelName} is taken by another model of the group.`,
    );
  }
}

function show(model: ModelRow): Readonly<Record<string, unknown>> {
  return {
    ModelId: model.modelId,
    ModelName: model.modelName,
    ModelRef: refOf(model),
    GroupId: model.groupId,
    Description: model.description,
    Schema: model.schema,
    Tags: tagInfos(model.tags),
    CreatedTime: utc(model.createdAt),
    ModifiedTime: utc(model.modifiedAt),
  };
}

export const createModel: RpcAction = async ({ args, deps }) => {
  const now = deps.clock.now();
  const model: ModelRow = {
    modelId: randomHex(16),
    groupId: args.text('GroupId'),
    modelName: readName(args.text('ModelName'), 'ModelName'),
    description: args.optionalText('Description') ?? '',
    schema: args.text('Schema'),
    tags: readTags(args),
    createdAt: now,
    modifiedAt: now,
  };
  await checkModelSchema(model.schema);
  await commit(deps, async (tx) => {
    await getGroup(tx, model.groupId);
    await refuseTakenName(tx, model);
    if ((await tx.rows.models.count('groupId', model.groupId)) >= modelsInGroup) {
      throw openApiError('ExceedLimitModel', `A group may hold at most ${modelsInGroup} models.`);
    }
    await tx.rows.models.insert(model);
  });
  return { ...show(model), RegionId: deps.account.regionId };
};

/** APIs that are live keep the schema they were deployed with. Source: assumed. */
export const modifyModel: RpcAction = async ({ args, deps }) => {
  const schema = args.optionalText('Schema') ?? '';
  const newName = args.optionalText('NewModelName') ?? '';
  if (schema !== '') await checkModelSchema(schema);
  await commit(deps, async (tx) => {
    const old = await getModel(tx, args.text('GroupId'), args.text('ModelName'));
    const changed: ModelRow = {
      ...old,
      modelName: newName === '' ? old.modelName : readName(newName, 'NewModelName'),
      description: args.optionalText('Description') ?? old.description,
      schema: schema === '' ? old.schema : schema,
      modifiedAt: deps.clock.now(),
    };
    await refuseTakenName(tx, changed);
    await tx.rows.models.update(changed);
  });
  return {};
};

export const deleteModel: RpcAction = async ({ args, deps }) => {
  await commit(deps, async (tx) => {
    const model = await getModel(tx, args.text('GroupId'), args.text('ModelName'));
    await tx.rows.models.delete(model.modelId);
  });
  return {};
};

export const describeModels: RpcAction = async ({ args, deps }) => {
  const all = await deps.store.read(async (tx) => {
    const group = await getGroup(tx, args.text('GroupId'));
    return tx.rows.models.find('groupId', group.groupId, modelsInGroup);
  });
  const tags = readTags(args);
  const found = all.filter(
    (model) =>
      isAsked(model.modelId, args.optionalText('ModelId')) &&
      isLike(model.modelName, args.optionalText('ModelName')) &&
      hasTags(model.tags, tags),
  );
  const page = paged(args, byAge(found, args));
  return { ...page.totals, ModelDetails: page.rows.map(show) };
};

/** The schema behind a ModelRef, for freezing into a deployment. Errors: NotFoundModel. */
export async function schemaOf(tx: ReadTransaction, modelRef: string): Promise<string> {
  const model = await tx.rows.models.get(modelRef.slice(modelRef.lastIndexOf('/') + 1));
  if (model !== null) return model.schema;
  throw openApiError(
    'NotFoundModel',
    `Cannot find resource [Model] according to the BodyModel ${modelRef.slice(0, 200)}.`,
  );
}
