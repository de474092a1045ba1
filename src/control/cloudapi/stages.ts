// Actions on the stages of a group: their variables, which are read when a request runs.
import { comparable, type ExactNumber, parseJsonExactly, readExactNumber } from '../../base/exact-number.ts';
import type { FrontLocation, StageRoute, StageVariable } from '../../model/api.ts';
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { GroupRow } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';
import { getGroup, utc } from './lookup.ts';

type Stage = GroupRow['stages'][number];

/** Variables of one stage. Source: assumed. */
const variablesLimit = 100;
const rulesLimit = 100;
const namePattern = /^[A-Za-z0-9_.-]{1,64}$/;

async function getStage(tx: ReadTransaction, args: Arguments): Promise<{ group: GroupRow; stage: Stage }> {
  const group = await getGroup(tx, args.text('GroupId'));
  const stageId = args.text('StageId');
  const stage = group.stages.find((candidate) => candidate.stageId === stageId);
  if (stage === undefined) {
    throw openApiError('NotFoundStage', `Cannot find resource [Stage] according to your specified StageId ${stageId}.`);
  }
  return { group, stage };
}

/** Replaces the variables of one stage; in force at once. Source: docs. */
async function setVariables(
  tx: WriteTransaction,
  place: { group: GroupRow; stage: Stage },
  variables: readonly StageVariable[],
  now: number,
): Promise<void> {
  const { group, stage } = place;
  const stages = group.stages.map((other) =>
    other.stageId === stage.stageId ? { ...other, variables, modifiedAt: now } : other,
  );
  await tx.rows.groups.update({ ...group, stages });
  const { groupId } = group;
  const value = variables.length === 0 ? null : { groupId, stage: stage.stageName, variables };
  await tx.publish('stage', `${groupId}/${stage.stageName}`, value);
}

/** Withdraws what a group's stages had published. For the group's deletion. */
export async function withdrawStages(tx: WriteTransaction, group: GroupRow): Promise<void> {
  for (const { stageName, variables } of group.stages) {
    if (variables !== undefined) await tx.publish('stage', `${group.groupId}/${stageName}`, null);
  }
}

/** Makes a variable or replaces the one of that name. Source: docs, replacing assumed. */
export const createApiStageVariable: RpcAction = async ({ args, deps }) => {
  const variable = readVariable(args);
  await commit(deps, async (tx) => {
    const place = await getStage(tx, args);
    const others = (place.stage.variables ?? []).filter((other) => other.name !== variable.name);
    if (others.length >= variablesLimit) {
      throw openApiError('ExceedLimitStageVariable', `A stage may have at most ${variablesLimit} variables.`);
    }
    await setVariables(tx, place, [...others, variable], deps.clock.now());
  });
  return {};
};

export const deleteApiStageVariable: RpcAction = async ({ args, deps }) => {
  const name = args.text('VariableName');
  await commit(deps, async (tx) => {
    const place = await getStage(tx, args);
    const old = place.stage.variables ?? [];
    if (!old.some((variable) => variable.name === name)) {
      throw openApiError('NotFoundStageVariable', `The stage ${place.stage.stageName} has no variable ${name}.`);
    }
    const left = old.filter((variable) => variable.name !== name);
    await setVariables(tx, place, left, deps.clock.now());
  });
  return {};
};

export const describeApiStage: RpcAction = async ({ args, deps }) => {
  const { group, stage } = await deps.store.read((tx) => getStage(tx, args));
  return {
    GroupId: group.groupId,
    StageId: stage.stageId,
    StageName: stage.stageName,
    Description: stage.description,
    CreatedTime: utc(group.createdAt),
    ModifiedTime: utc(stage.modifiedAt ?? group.createdAt),
    Variables: (stage.variables ?? []).map(showVariable),
  };
};

function showVariable({ name, value, route }: StageVariable): object {
  return {
    VariableName: name,
    VariableValue: value,
    SupportRoute: route !== null,
    StageRouteModel: route === null ? undefined : showRoute(route),
  };
}

function showRoute(route: StageRoute): object {
  return {
    Location: route.location,
    ServiceParameterName: route.parameterName,
    ParameterCatalog: 'REQUEST',
    RouteRules: route.rules.map(({ equals, min, max, value }) => ({
      ConditionValue: equals,
      MinValue: min,
      MaxValue: max,
      ResultValue: value,
    })),
  };
}

function readVariable(args: Arguments): StageVariable {
  const name = args.text('VariableName');
  if (!namePattern.test(name)) {
    throw openApiError(
      'InvalidVariableName',
      `The parameter VariableName may hold letters, digits, '_', '.' and '-', not '${name.slice(0, 100)}'.`,
    );
  }
  const value = args.optionalText('VariableValue');
  const route = args.optionalBoolean('SupportRoute') === true ? readRoute(args.text('StageRouteModel')) : null;
  if (route === null && (value === null || value === '')) {
    throw openApiError('MissingVariableValue', 'VariableValue is mandatory without a route.');
  }
  return { name, value: value === '' ? null : value, route };
}

function invalidRoute(detail: string): never {
  throw openApiError('InvalidStageRouteModel', `The parameter StageRouteModel ${detail}.`);
}

type Loose = Readonly<Record<string, unknown>>;

function isLoose(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Shape: `{"Location":"HEAD","ServiceParameterName":"x-size","RouteRules":[{"ConditionValue":"a","ResultValue":"b"}]}`. Source: assumed. */
function readRoute(text: string): StageRoute {
  let model: unknown;
  try {
    model = parseJsonExactly(text);
  } catch {
    return invalidRoute('is not valid JSON');
  }
  if (!isLoose(model)) return invalidRoute('must be an object');
  const given = isLoose(model['RouteRules']) ? model['RouteRules']['RouteRuleItem'] : model['RouteRules'];
  if (!Array.isArray(given) || given.length === 0 || given.length > rulesLimit) {
    return invalidRoute(`must have 1 to ${rulesLimit} RouteRules`);
  }
  const parameterName = model['ServiceParameterName'] ?? model['ParameterName'];
  if (typeof parameterName !== 'string' || parameterName === '')
    return invalidRoute('must name a ServiceParameterName');
  return { location: readRouteLocation(model['Location']), parameterName, rules: given.map(readRule) };
}

/** The value is looked up before parameters are mapped, so the body does not count. Source: assumed. */
function readRouteLocation(value: unknown): FrontLocation {
  const word = String(value ?? '').toUpperCase();
  if (word === 'QUERY') return 'QUERY';
  if (word === 'HEAD' || word === 'HEADER') return 'HEAD';
  return invalidRoute('must have the Location HEAD or QUERY; others are not supported by this server');
}

function readRule(row: unknown): StageRoute['rules'][number] {
  if (!isLoose(row)) return invalidRoute('must hold objects in RouteRules');
  const value = row['ResultValue'];
  if (typeof value !== 'string') return invalidRoute('must have a text ResultValue in each rule');
  const numberAt = (name: string): ExactNumber | null => {
    const given = row[name];
    if (given === undefined || given === null || given === '') return null;
    const number = readExactNumber(String(given));
    return Number.isFinite(Number(number)) ? number : invalidRoute(`must have a number as ${name}`);
  };
  const equals = row['ConditionValue'];
  const rule = {
    equals: equals === undefined || equals === null || equals === '' ? null : String(equals),
    min: numberAt('MinValue'),
    max: numberAt('MaxValue'),
    value,
  };
  if (rule.equals === null && rule.min === null && rule.max === null) {
    return invalidRoute('must have a ConditionValue, MinValue or MaxValue in each rule');
  }
  if (rule.min !== null && rule.max !== null && comparable(rule.min) > comparable(rule.max)) {
    return invalidRoute(`must have no MinValue above its MaxValue: ${rule.min} and ${rule.max}`);
  }
  return rule;
}
