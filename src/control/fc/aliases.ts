// Actions on aliases: names for versions of a service (FC 2) or function (FC 3), with shares of the calls for other versions.
import { randomHex } from '../../base/ids.ts';
import { latest, qualifiedKey } from '../../model/function.ts';
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { AliasRow } from '../../store/rows.ts';
import { formatUtcSeconds } from '../../wire/utc-time.ts';
import type { FcAction } from '../action.ts';
import { fcError } from '../errors.ts';
import { commit } from '../ports.ts';
import { routeOf } from './alias-route.ts';
import type { FcAnswer } from './call.ts';
import { checkIfMatch, checkName } from './names.ts';
import { collectPage, readFcPage } from './pages.ts';
import { describeOwner, getAlias, getOwner, getVersion, type Owner } from './qualifiers.ts';
import { removeScalingOfQualifier } from './scaling-removal.ts';
import { checkDescription } from './setting-rules.ts';
import { type FcRecord, fcRecord, fcText } from './types.ts';

/** Aliases of one owner. Source: assumed. */
const aliasLimit = 500;
const policies = ['Random', 'Content'] as const;

function show(row: AliasRow): Readonly<Record<string, unknown>> {
  return {
    aliasName: row.aliasName,
    versionId: row.versionId,
    description: row.description,
    additionalVersionWeight: row.additionalVersionWeight,
    resolvePolicy: row.resolvePolicy ?? undefined,
    routePolicy: row.routePolicy ?? undefined,
    createdTime: formatUtcSeconds(row.createdAt),
    lastModifiedTime: formatUtcSeconds(row.modifiedAt),
  };
}

function answer(row: AliasRow): FcAnswer {
  return { kind: 'json', value: show(row), etag: row.etag };
}

/** What a body sets. Absent members stay as they are; an empty description or map clears. Source: sdk. */
function settingsIn(body: FcRecord): Partial<AliasRow> {
  const weights = fcRecord(body, 'additionalVersionWeight');
  const routePolicy = fcRecord(body, 'routePolicy');
  const resolvePolicy = fcText(body, 'resolvePolicy');
  if (resolvePolicy !== '' && !policies.some((known) => known === resolvePolicy)) {
    throw fcError(
      'InvalidArgument',
      `ResolvePolicy is set to an invalid value (allowed: ${policies.join(' | ')}, actual: '${resolvePolicy.slice(0, 50)}')`,
    );
  }
  return {
    ...('versionId' in body ? { versionId: fcText(body, 'versionId') } : {}),
    ...('description' in body ? { description: checkDescription(fcText(body, 'description')) } : {}),
    ...(weights === null ? {} : { additionalVersionWeight: readWeights(weights) }),
    ...(resolvePolicy === '' ? {} : { resolvePolicy }),
    ...(routePolicy === null ? {} : { routePolicy }),
  };
}

/** Errors: InvalidArgument. Source: docs. */
function readWeights(map: FcRecord): Readonly<Record<string, number>> {
  const weights = Object.entries(map).map(([versionId, weight]) => [versionId, Number(weight)] as const);
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  // Shares like 0.1 + 0.2 + 0.7 may add up to a little more than 1.
  if (weights.some(([, weight]) => !(weight >= 0 && weight <= 1)) || total > 1 + 1e-9) {
    throw fcError(
      'InvalidArgument',
      'AdditionalVersionWeight is set to an invalid value: shares of 0 to 1, at most 1 in all',
    );
  }
  return Object.fromEntries(weights);
}

/** Every version that an alias names must be there; its own main version may have a share too. Source: sdk. */
async function checkVersions(tx: ReadTransaction, owner: Owner, row: AliasRow): Promise<void> {
  if (row.versionId === '') throw fcError('InvalidArgument', 'VersionId is required');
  for (const versionId of new Set([row.versionId, ...Object.keys(row.additionalVersionWeight)])) {
    if (versionId !== latest) await getVersion(tx, owner, versionId);
  }
}

function publish(tx: WriteTransaction, row: AliasRow): Promise<void> {
  const { owner, aliasName, versionId, additionalVersionWeight } = row;
  const route = routeOf(row);
  return tx.publish('alias', qualifiedKey(owner, aliasName), {
    owner,
    aliasName,
    versionId,
    additionalVersionWeight,
    ...(route === null ? {} : { route }),
  });
}

export const createAlias: FcAction = async (call) => {
  const { deps, body } = call;
  const aliasName = checkName('AliasName', fcText(body, 'aliasName'));
  if (aliasName === latest)
    throw fcError('InvalidArgument', `AliasName is set to an invalid value: ${latest} is taken`);
  const now = deps.clock.now();
  const settings = settingsIn(body);
  const row = await commit(deps, async (tx) => {
    const owner = await getOwner(tx, call);
    const made: AliasRow = {
      owner: owner.key,
      aliasName,
      versionId: '',
      description: '',
      additionalVersionWeight: {},
      resolvePolicy: null,
      routePolicy: null,
      ...settings,
      etag: randomHex(16),
      createdAt: now,
      modifiedAt: now,
    };
    routeOf(made);
    await checkVersions(tx, owner, made);
    if ((await tx.rows.aliases.get(`${owner.key}/${aliasName}`)) !== null) {
      throw fcError(
        'AliasAlreadyExists',
        `alias ${aliasName} of ${describeOwner(owner).replaceAll("'", '')} already exists`,
      );
    }
    const others = await tx.rows.aliases.list({ prefix: `${owner.key}/`, limit: aliasLimit });
    if (others.length >= aliasLimit) {
      throw fcError('LimitExceededError', `${describeOwner(owner)} has ${aliasLimit} aliases; delete some first`);
    }
    await tx.rows.aliases.insert(made);
    await publish(tx, made);
    return made;
  });
  return answer(row);
};

export const getAliasAction: FcAction = async (call) =>
  answer(
    await call.deps.store.read(async (tx) => getAlias(tx, await getOwner(tx, call), call.path['aliasName'] ?? '')),
  );

export const listAliases: FcAction = async (call) => {
  const page = readFcPage(call.received);
  const found = await call.deps.store.read(async (tx) => {
    const base = `${(await getOwner(tx, call)).key}/`;
    return collectPage(page, {
      fetch: (startKey, limit) =>
        tx.rows.aliases.list({
          prefix: `${base}${page.prefix}`,
          limit,
          ...(startKey === null ? {} : { startKey: `${base}${startKey}` }),
        }),
      keyOf: (row) => row.aliasName,
      keep: () => true,
    });
  });
  return { kind: 'json', value: { aliases: found.rows.map(show), nextToken: found.nextToken } };
};

export const updateAlias: FcAction = async (call) => {
  const { deps, body, received } = call;
  const settings = settingsIn(body);
  const row = await commit(deps, async (tx) => {
    const owner = await getOwner(tx, call);
    const old = await getAlias(tx, owner, call.path['aliasName'] ?? '');
    checkIfMatch(received, old.etag);
    const changed: AliasRow = { ...old, ...settings, etag: randomHex(16), modifiedAt: deps.clock.now() };
    routeOf(changed);
    await checkVersions(tx, owner, changed);
    await tx.rows.aliases.update(changed);
    await publish(tx, changed);
    return changed;
  });
  return answer(row);
};

/** Triggers of the alias stay, as those of a version do (assumed): they answer AliasNotFound, and serve again when it is back. */
export const deleteAlias: FcAction = async (call) => {
  await commit(call.deps, async (tx) => {
    const row = await getAlias(tx, await getOwner(tx, call), call.path['aliasName'] ?? '');
    checkIfMatch(call.received, row.etag);
    await removeScalingOfQualifier(tx, row.owner, row.aliasName);
    await tx.rows.aliases.delete(`${row.owner}/${row.aliasName}`);
    await tx.publish('alias', qualifiedKey(row.owner, row.aliasName), null);
  });
  return { kind: 'empty' };
};
