// Actions on versions: of a service in FC 2, of a function in FC 3. A version freezes configuration and code.
import { publishedFunctionKey, qualifiedKey } from '../../model/function.ts';
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { FunctionRow, VersionRow } from '../../store/rows.ts';
import { formatUtcSeconds } from '../../wire/utc-time.ts';
import type { FcAction } from '../action.ts';
import { fcError } from '../errors.ts';
import { type ControlDeps, commit } from '../ports.ts';
import { queryValue, type Received } from '../received.ts';
import { checkIfMatch } from './names.ts';
import { pageToken, readFcPage } from './pages.ts';
import { type FunctionVersion, functionsOf, publishVersion } from './publishing.ts';
import { describeOwner, getOwner, getVersion, type Owner, publicationOf } from './qualifiers.ts';
import { removeScalingOfQualifier } from './scaling-removal.ts';
import { checkDescription } from './setting-rules.ts';
import { fcText } from './types.ts';

/** Versions of one owner. Source: assumed. */
const versionLimit = 500;
/** Frozen functions looked at together. */
const pageSize = 200;

function show(row: VersionRow): Readonly<Record<string, unknown>> {
  return {
    versionId: row.versionId,
    description: row.description,
    createdTime: formatUtcSeconds(row.createdAt),
    lastModifiedTime: formatUtcSeconds(row.modifiedAt),
  };
}

/** Source: sdk (publishing twice without a change fails, but not when the version is gone). */
async function refuseUnchanged(tx: ReadTransaction, owner: Owner): Promise<void> {
  const { lastVersion, isChanged } = publicationOf(owner);
  if (isChanged || (await tx.rows.versions.get(`${owner.key}/${lastVersion}`)) === null) return;
  throw fcError(
    'VersionPublishError',
    `can not publish version for ${describeOwner(owner)}, detail: 'No changes were made since last publish'`,
  );
}

async function refuseTooMany(tx: ReadTransaction, owner: Owner): Promise<void> {
  const rows = await tx.rows.versions.list({ prefix: `${owner.key}/`, limit: versionLimit });
  if (rows.length < versionLimit) return;
  throw fcError('LimitExceededError', `${describeOwner(owner)} has ${versionLimit} versions; delete some first`);
}

async function* headsOf(tx: ReadTransaction, owner: Owner): AsyncGenerator<FunctionRow> {
  if (owner.kind === 'function') yield owner.row;
  else yield* functionsOf(tx, owner.service.serviceName);
}

async function freeze(tx: WriteTransaction, deps: ControlDeps, owner: Owner, version: FunctionVersion): Promise<void> {
  const { versionId, row } = version;
  await tx.rows.functionVersions.insert({ owner: owner.key, versionId, function: row });
  await publishVersion(tx, deps, version);
}

/** Numbers go on from the last one given, so none is used twice. Source: sdk. */
export const publishNewVersion: FcAction = async (call) => {
  const { deps, body, received } = call;
  const description = checkDescription(fcText(body, 'description'));
  const { row, etag } = await commit(deps, async (tx) => {
    const owner = await getOwner(tx, call);
    const holder = owner.kind === 'service' ? owner.service : owner.row;
    checkIfMatch(received, holder.etag);
    await refuseUnchanged(tx, owner);
    await refuseTooMany(tx, owner);
    const lastVersion = publicationOf(owner).lastVersion + 1;
    const versionId = String(lastVersion);
    const now = deps.clock.now();
    const service = owner.kind === 'service' ? owner.service : null;
    const row: VersionRow = { owner: owner.key, versionId, description, service, createdAt: now, modifiedAt: now };
    await tx.rows.versions.insert(row);
    await tx.publish('version', qualifiedKey(owner.key, versionId), { owner: owner.key, versionId });
    for await (const head of headsOf(tx, owner)) await freeze(tx, deps, owner, { row: head, service, versionId });
    const publication = { lastVersion, isChanged: false };
    if (owner.kind === 'service') await tx.rows.services.update({ ...owner.service, publication });
    else await tx.rows.functions.update({ ...owner.row, publication });
    return { row, etag: holder.etag };
  });
  return { kind: 'json', value: show(row), etag };
};

/** BACKWARD is the default: the newest first. Source: docs. */
function readDirection(received: Received): 'FORWARD' | 'BACKWARD' {
  const given = queryValue(received.query, 'direction') ?? '';
  const direction = given === '' ? 'BACKWARD' : given.toUpperCase();
  if (direction === 'FORWARD' || direction === 'BACKWARD') return direction;
  throw fcError(
    'InvalidArgument',
    `Direction is set to an invalid value (allowed: FORWARD | BACKWARD, actual: '${given.slice(0, 20)}')`,
  );
}

export const listVersions: FcAction = async (call) => {
  const page = readFcPage(call.received);
  const direction = readDirection(call.received);
  if (page.startKey !== null && !/^\d{1,15}$/.test(page.startKey)) {
    throw fcError('InvalidArgument', 'StartKey is set to an invalid value: it must be a version id');
  }
  const rows = await call.deps.store.read(async (tx) => {
    const { key } = await getOwner(tx, call);
    const start = page.startKey === null ? {} : { startKey: `${key}/${page.startKey}` };
    const isDescending = direction === 'BACKWARD';
    return tx.rows.versions.list({ prefix: `${key}/`, limit: page.limit + 1, isDescending, ...start });
  });
  const next = rows[page.limit];
  const nextToken = next === undefined ? undefined : pageToken(next.versionId);
  return { kind: 'json', value: { versions: rows.slice(0, page.limit).map(show), nextToken, direction } };
};

/** Also a version that an alias points to (source: sdk). Its triggers stay, and answer VersionNotFound. Source: docs. */
export const deleteVersion: FcAction = async (call) => {
  await commit(call.deps, async (tx) => {
    const owner = await getOwner(tx, call);
    const { versionId } = await getVersion(tx, owner, call.path['versionId'] ?? '');
    await removeVersion(tx, owner.key, versionId);
  });
  return { kind: 'empty' };
};

async function removeVersion(tx: WriteTransaction, owner: string, versionId: string): Promise<void> {
  const prefix = `${owner}/${versionId}/`;
  while (true) {
    const frozen = await tx.rows.functionVersions.list({ prefix, limit: pageSize });
    for (const { function: row } of frozen) {
      await tx.rows.functionVersions.delete(`${prefix}${row.functionName}`);
      await tx.publish('function', publishedFunctionKey(row.key, versionId), null);
    }
    if (frozen.length < pageSize) break;
  }
  await removeScalingOfQualifier(tx, owner, versionId);
  await tx.rows.versions.delete(`${owner}/${versionId}`);
  await tx.publish('version', qualifiedKey(owner, versionId), null);
}

/** Removes all versions and aliases of an owner that goes itself. */
export async function removeVersions(tx: WriteTransaction, owner: string): Promise<void> {
  const prefix = `${owner}/`;
  for (const { versionId } of await tx.rows.versions.list({ prefix, limit: versionLimit })) {
    await removeVersion(tx, owner, versionId);
  }
  await removeAliases(tx, owner);
}

export async function removeAliases(tx: WriteTransaction, owner: string): Promise<void> {
  const prefix = `${owner}/`;
  while (true) {
    const aliases = await tx.rows.aliases.list({ prefix, limit: pageSize });
    for (const { aliasName } of aliases) {
      await removeScalingOfQualifier(tx, owner, aliasName);
      await tx.rows.aliases.delete(`${prefix}${aliasName}`);
      await tx.publish('alias', qualifiedKey(owner, aliasName), null);
    }
    if (aliases.length < pageSize) return;
  }
}
