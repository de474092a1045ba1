// Actions on throttling policies: how many calls APIs, accounts and apps may make in a unit of time.
import { randomHex } from '../../base/ids.ts';
import type { WriteTransaction } from '../../store/port.ts';
import type { TrafficControlRow } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { type ControlDeps, commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';
import { deploymentKey, getApp, readStage, utc } from './lookup.ts';
import { allPolicies, bindingActions, pageOfPolicies, refuseOneMore } from './policy-actions.ts';
import { bindingOfApi, notFound, type PolicyType, refuseBound } from './policy-bindings.ts';

const trafficControl: PolicyType = {
  kind: 'trafficControl',
  thing: 'TrafficControl',
  idName: 'TrafficControlId',
  nameOf: async (tx, id) => (await tx.rows.trafficControls.get(id))?.name ?? null,
};

const idOf = (row: TrafficControlRow) => row.trafficControlId;

/** Source: docs; the number of specials is assumed. */
const bounds = { calls: 100_000_000, specials: 100, description: 180 } as const;

/** Errors: Invalid{name}. */
function checkLimit(name: string, value: number, most: number, why: string): void {
  if (value >= 1 && value <= most) return;
  throw openApiError(`Invalid${name}`, `The parameter ${name} must be from 1 to ${most}${why}, not ${value}.`);
}

/** AppDefault ≤ UserDefault ≤ ApiDefault, and every special ≤ ApiDefault. Source: docs. */
function checkLimits(row: TrafficControlRow): void {
  const { apiDefault, userDefault, appDefault } = row;
  checkLimit('ApiDefault', apiDefault, bounds.calls, '');
  if (userDefault !== null) checkLimit('UserDefault', userDefault, apiDefault, ' (the ApiDefault)');
  if (appDefault !== null) {
    const [most, of] = userDefault === null ? [apiDefault, 'ApiDefault'] : [userDefault, 'UserDefault'];
    checkLimit('AppDefault', appDefault, most, ` (the ${of})`);
  }
  const highest = row.specials.reduce((most, { limit }) => Math.max(most, limit), 0);
  if (highest > apiDefault) {
    throw openApiError('InvalidApiDefault', `The ApiDefault ${apiDefault} is below the special limit ${highest}.`);
  }
}

function checkText(args: Arguments): void {
  const name = args.optionalText('TrafficControlName') ?? '';
  if (name.startsWith('_')) {
    throw openApiError('InvalidTrafficControlName', 'The parameter TrafficControlName may not start with _.');
  }
  if ([...(args.optionalText('Description') ?? '')].length > bounds.description) {
    throw openApiError('InvalidDescription', `The parameter Description may have ${bounds.description} characters.`);
  }
}

/** The catalogue has already brought it to its canonical spelling. */
function readUnit(text: string): TrafficControlRow['unit'] {
  if (text === 'SECOND' || text === 'MINUTE' || text === 'HOUR' || text === 'DAY') return text;
  throw openApiError('InvalidTrafficControlUnit', `There is no unit ${text.slice(0, 100)}.`);
}

async function getTrafficControl(tx: WriteTransaction, id: string): Promise<TrafficControlRow> {
  const row = await tx.rows.trafficControls.get(id);
  if (row === null) throw notFound(trafficControl, id);
  return row;
}

function publish(tx: WriteTransaction, deps: ControlDeps, row: TrafficControlRow): Promise<void> {
  const { trafficControlId, unit, apiDefault, userDefault, appDefault, specials } = row;
  const { accountId } = deps.account;
  const value = { trafficControlId, unit, apiDefault, userDefault, appDefault, specials, accountId };
  return tx.publish('trafficControl', trafficControlId, value);
}

export const createTrafficControl: RpcAction = async ({ args, deps }) => {
  checkText(args);
  const now = deps.clock.now();
  const row: TrafficControlRow = {
    trafficControlId: randomHex(16),
    name: args.text('TrafficControlName'),
    description: args.optionalText('Description') ?? '',
    unit: readUnit(args.text('TrafficControlUnit')),
    apiDefault: args.number('ApiDefault'),
    userDefault: args.optionalNumber('UserDefault'),
    appDefault: args.optionalNumber('AppDefault'),
    specials: [],
    createdAt: now,
    modifiedAt: now,
  };
  checkLimits(row);
  await commit(deps, async (tx) => {
    await refuseOneMore(trafficControl, tx.rows.trafficControls);
    await tx.rows.trafficControls.insert(row);
    await publish(tx, deps, row);
  });
  return { TrafficControlId: row.trafficControlId };
};

/** Reads, changes, checks and publishes one policy; in force at once, and the calls counted so far still count. */
async function change(
  deps: ControlDeps,
  id: string,
  apply: (row: TrafficControlRow, tx: WriteTransaction) => Promise<TrafficControlRow> | TrafficControlRow,
): Promise<void> {
  await commit(deps, async (tx) => {
    const changed = await apply(await getTrafficControl(tx, id), tx);
    checkLimits(changed);
    const row = { ...changed, modifiedAt: deps.clock.now() };
    await tx.rows.trafficControls.update(row);
    await publish(tx, deps, row);
  });
}

/** What is not given stays. */
export const modifyTrafficControl: RpcAction = async ({ args, deps }) => {
  checkText(args);
  const unit = args.optionalText('TrafficControlUnit') ?? '';
  const name = args.optionalText('TrafficControlName') ?? '';
  await change(deps, args.text('TrafficControlId'), (old) => ({
    ...old,
    name: name === '' ? old.name : name,
    description: args.optionalText('Description') ?? old.description,
    unit: unit === '' ? old.unit : readUnit(unit),
    apiDefault: args.optionalNumber('ApiDefault') ?? old.apiDefault,
    userDefault: args.optionalNumber('UserDefault') ?? old.userDefault,
    appDefault: args.optionalNumber('AppDefault') ?? old.appDefault,
  }));
  return {};
};

export const deleteTrafficControl: RpcAction = async ({ args, deps }) => {
  const id = args.text('TrafficControlId');
  await commit(deps, async (tx) => {
    await getTrafficControl(tx, id);
    await refuseBound(tx, trafficControl, id);
    await tx.rows.trafficControls.delete(id);
    await tx.publish('trafficControl', id, null);
  });
  return {};
};

type Special = TrafficControlRow['specials'][number];

function readSpecial(args: Arguments): Pick<Special, 'type' | 'key'> {
  const type = args.text('SpecialType') === 'USER' ? 'USER' : 'APP';
  const key = args.text('SpecialKey').trim();
  if (!/^\d{1,20}$/.test(key)) {
    const wanted = type === 'APP' ? 'an AppId' : 'an account id';
    throw openApiError('InvalidSpecialKey', `The parameter SpecialKey must be ${wanted}, not '${key.slice(0, 100)}'.`);
  }
  return { type, key };
}

function without(specials: readonly Special[], { type, key }: Pick<Special, 'type' | 'key'>): Special[] {
  return specials.filter((special) => special.type !== type || special.key !== key);
}

/** The same type and key again overwrites. Source: docs. */
export const addTrafficSpecialControl: RpcAction = async ({ args, deps }) => {
  const special = readSpecial(args);
  const limit = args.number('TrafficValue');
  await change(deps, args.text('TrafficControlId'), async (old, tx) => {
    checkLimit('TrafficValue', limit, old.apiDefault, ' (the ApiDefault)');
    if (special.type === 'APP') await getApp(tx, Number(special.key));
    const specials = [...without(old.specials, special), { ...special, limit }];
    if (specials.length > bounds.specials) {
      throw openApiError('ExceedLimitTrafficSpecialControl', `A policy may have ${bounds.specials} special entries.`);
    }
    return { ...old, specials };
  });
  return {};
};

export const deleteTrafficSpecialControl: RpcAction = async ({ args, deps }) => {
  const special = readSpecial(args);
  await change(deps, args.text('TrafficControlId'), (old) => {
    const specials = without(old.specials, special);
    if (specials.length < old.specials.length) return { ...old, specials };
    throw openApiError(
      'NotFoundTrafficSpecialControl',
      `The traffic control has no special entry ${special.type} ${special.key}.`,
    );
  });
  return {};
};

export const deleteAllTrafficSpecialControl: RpcAction = async ({ args, deps }) => {
  await change(deps, args.text('TrafficControlId'), (old) => ({ ...old, specials: [] }));
  return {};
};

function show(row: TrafficControlRow): object {
  const types = [...new Set(row.specials.map(({ type }) => type))];
  return {
    TrafficControlId: row.trafficControlId,
    TrafficControlName: row.name,
    Description: row.description,
    TrafficControlUnit: row.unit,
    ApiDefault: row.apiDefault,
    UserDefault: row.userDefault,
    AppDefault: row.appDefault,
    CreatedTime: utc(row.createdAt),
    ModifiedTime: utc(row.modifiedAt),
    SpecialPolicies: types.map((type) => ({
      SpecialType: type,
      Specials: row.specials
        .filter((special) => special.type === type)
        .map(({ key, limit }) => ({ SpecialKey: key, TrafficValue: limit })),
    })),
  };
}

/** With an API: the one that it is bound to in a stage; GroupId, ApiId and StageName go together. Source: docs. */
export const describeTrafficControls: RpcAction = async ({ args, deps }) => {
  const apiId = args.optionalText('ApiId') ?? '';
  const place = apiId === '' ? null : deploymentKey(apiId, readStage(args));
  return deps.store.read(async (tx) => {
    const bound = place === null ? null : await tx.rows.policyBindings.get(`${place}/trafficControl`);
    const all = await allPolicies(tx.rows.trafficControls, idOf);
    const found = all.filter((row) => place === null || idOf(row) === bound?.policyId);
    const page = pageOfPolicies(trafficControl, args, found, idOf);
    return { ...page.totals, TrafficControls: page.rows.map(show) };
  });
};

export const trafficControlBindings = bindingActions(trafficControl, 'ApiTrafficControls');

export const describeTrafficControlsByApi: RpcAction = async (call) => {
  const bound = await bindingOfApi(trafficControl, call);
  if (bound === null) return {};
  const { id, name, boundAt } = bound;
  return {
    TrafficControlItems: [{ TrafficControlItemId: id, TrafficControlItemName: name, BoundTime: boundAt }],
  };
};
