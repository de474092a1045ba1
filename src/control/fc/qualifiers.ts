// What versions and aliases belong to, and how a qualifier leads to a version. Used by every action that takes one.
import { latest, versionOwner } from '../../model/function.ts';
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { AliasRow, FunctionRow, Publication, ServiceRow, VersionRow } from '../../store/rows.ts';
import { fcError } from '../errors.ts';
import type { FcCall } from './call.ts';
import { type FunctionName, functionNotFound, getFunction, getService, namedFunction } from './names.ts';

/** A service (FC 2) or a function (FC 3) that has versions. */
export type Owner =
  | { readonly kind: 'service'; readonly key: string; readonly service: ServiceRow }
  | { readonly kind: 'function'; readonly key: string; readonly row: FunctionRow };

/** `service 's'` or `function 'f'`, as messages name it. */
export function describeOwner(owner: Owner): string {
  return owner.kind === 'service' ? `service '${owner.service.serviceName}'` : `function '${owner.row.functionName}'`;
}

/** The owner that the path of a version's or alias's operation names. Errors: ServiceNotFound, FunctionNotFound. */
export async function getOwner(tx: ReadTransaction, call: FcCall): Promise<Owner> {
  if (call.version !== '2023-03-30')
    return ownerOf(tx, { serviceName: call.path['serviceName'] ?? '', functionName: '' });
  const functionName = call.path['functionName'] ?? '';
  // The versions of `service$function` are the service's, and are made there.
  if (functionName.includes('$')) throw functionNotFound(null, functionName);
  return ownerOf(tx, { serviceName: null, functionName });
}

async function ownerOf(tx: ReadTransaction, { serviceName, functionName }: FunctionName): Promise<Owner> {
  const key = versionOwner(serviceName, functionName);
  return serviceName === null
    ? { kind: 'function', key, row: await getFunction(tx, { serviceName, functionName }) }
    : { kind: 'service', key, service: await getService(tx, serviceName) };
}

const nothingPublished: Publication = { lastVersion: 0, isChanged: true };

export function publicationOf(owner: Owner): Publication {
  return (owner.kind === 'service' ? owner.service : owner.row).publication ?? nothingPublished;
}

/** What a row's `publication` becomes by any change. */
export function changedPublication(row: ServiceRow | FunctionRow): Publication {
  return { lastVersion: row.publication?.lastVersion ?? 0, isChanged: true };
}

/** Notes that something of the service has changed since its last version. */
export async function markServiceChanged(tx: WriteTransaction, service: ServiceRow): Promise<void> {
  if (service.publication?.isChanged !== false) return;
  await tx.rows.services.update({ ...service, publication: changedPublication(service) });
}

export async function getVersion(tx: ReadTransaction, owner: Owner, versionId: string): Promise<VersionRow> {
  const row = /^\d{1,15}$/.test(versionId) ? await tx.rows.versions.get(`${owner.key}/${versionId}`) : null;
  if (row === null) {
    throw fcError('VersionNotFound', `version '${versionId.slice(0, 150)}' of ${describeOwner(owner)} does not exist`);
  }
  return row;
}

export async function getAlias(tx: ReadTransaction, owner: Owner, aliasName: string): Promise<AliasRow> {
  const row = await tx.rows.aliases.get(`${owner.key}/${aliasName}`);
  if (row === null) {
    throw fcError('AliasNotFound', `alias '${aliasName.slice(0, 150)}' of ${describeOwner(owner)} does not exist`);
  }
  return row;
}

/** The version that a qualifier means to somebody who reads: an alias's main one. Null: LATEST. */
export async function resolveVersion(tx: ReadTransaction, owner: Owner, qualifier: string): Promise<VersionRow | null> {
  if (qualifier === latest) return null;
  const versionId = /^\d+$/.test(qualifier) ? qualifier : (await getAlias(tx, owner, qualifier)).versionId;
  return versionId === latest ? null : await getVersion(tx, owner, versionId);
}

/** The function that a call names, as it is or as it was in the version that the call names. */
export async function getQualifiedFunction(tx: ReadTransaction, call: FcCall): Promise<FunctionRow> {
  const name = namedFunction(call);
  if (call.qualifier === latest) return await getFunction(tx, name);
  const owner = await ownerOf(tx, name);
  const version = await resolveVersion(tx, owner, call.qualifier);
  if (version === null) return await getFunction(tx, name);
  const frozen = await tx.rows.functionVersions.get(`${owner.key}/${version.versionId}/${name.functionName}`);
  if (frozen === null) throw functionNotFound(name.serviceName, name.functionName);
  return frozen.function;
}

/** What is made for a qualifier of a function needs that there is one. Errors: AliasNotFound, VersionNotFound. */
export async function checkQualifier(tx: ReadTransaction, name: FunctionName, qualifier: string): Promise<void> {
  if (qualifier !== latest) await resolveVersion(tx, await ownerOf(tx, name), qualifier);
}
