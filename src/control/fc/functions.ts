// Actions on functions, the same for the three versions: create, get, list, update, delete, and the code's download URL.
import { randomUUID } from 'node:crypto';
import { randomHex } from '../../base/ids.ts';
import { functionKey, versionOwner } from '../../model/function.ts';
import type { FunctionRow } from '../../store/rows.ts';
import type { FcAction } from '../action.ts';
import { fcError } from '../errors.ts';
import { commit } from '../ports.ts';
import { queryValue, type Received } from '../received.ts';
import type { FcCall } from './call.ts';
import { codeOfImage, takeCode } from './code.ts';
import { generationOf, settingsIn, withDefaults } from './function-settings.ts';
import { mergeLayers, resolveLayers } from './layer-arns.ts';
import { checkIfMatch, checkName, fc3Name, functionNotFound, getFunction, getService } from './names.ts';
import { collectPage, readFcPage } from './pages.ts';
import { publishFunction, settingsOf } from './publishing.ts';
import {
  changedPublication,
  getOwner,
  getQualifiedFunction,
  markServiceChanged,
  resolveVersion,
} from './qualifiers.ts';
import { removeScalingOfFunction } from './scaling-removal.ts';
import { checkSettings } from './setting-rules.ts';
import { functionAnswer, showFunction } from './show-function.ts';
import { hasTags, readQueryTags, readTags } from './tag-lists.ts';
import { type FcRecord, fcRecord, fcText } from './types.ts';
import { removeVersions } from './versions.ts';

/** The service that a new or changed function belongs to; null in FC 3. */
function ownService(call: FcCall): string | null {
  return call.version === '2023-03-30' ? null : (call.path['serviceName'] ?? '');
}

export const createFunction: FcAction = async (call) => {
  const { deps, body } = call;
  const serviceName = ownService(call);
  const functionName = checkName('FunctionName', fcText(body, 'functionName'));
  const settings = withDefaults(call.version, settingsIn(body));
  checkSettings(settings, { generation: generationOf(call.version), runtimes: deps.runtimes });
  await refuseTaken(call, serviceName, functionName);
  await mergeLayers(deps, settings);
  const code = (await takeCode(call)) ?? (await codeOfImage(call, settings));
  if (code === null) throw fcError('InvalidArgument', 'Code is required: send code.zipFile');
  const now = deps.clock.now();
  const made: FunctionRow = {
    key: functionKey(serviceName, functionName),
    serviceName,
    functionName,
    functionId: randomUUID(),
    settings,
    packageSha256: code.sha256,
    codeChecksum: code.checksum,
    codeSizeBytes: code.sizeBytes,
    tags: readTags(body['tags'] ?? []),
    etag: randomHex(16),
    createdAt: now,
    modifiedAt: now,
  };
  const row = await commit(deps, async (tx) => {
    const service = serviceName === null ? null : await getService(tx, serviceName);
    if ((await tx.rows.functions.get(made.key)) !== null) throw alreadyExists(serviceName, functionName);
    const whole = { ...made, layers: await resolveLayers(tx, deps.account, settings) };
    await tx.rows.functions.insert(whole);
    await publishFunction(tx, deps, whole, service);
    if (service !== null) await markServiceChanged(tx, service);
    return whole;
  });
  return functionAnswer(call, row);
};

function alreadyExists(serviceName: string | null, functionName: string): Error {
  const where = serviceName === null ? '' : ` in service '${serviceName}'`;
  return fcError('FunctionAlreadyExists', `function '${functionName}' already exists${where}`);
}

/** Said before a package is stored for nothing; the write looks again. */
async function refuseTaken(call: FcCall, serviceName: string | null, functionName: string): Promise<void> {
  await call.deps.store.read(async (tx) => {
    if (serviceName !== null) await getService(tx, serviceName);
    if ((await tx.rows.functions.get(functionKey(serviceName, functionName))) !== null) {
      throw alreadyExists(serviceName, functionName);
    }
  });
}

export const getFunctionAction: FcAction = async (call) => {
  const row = await call.deps.store.read((tx) => getQualifiedFunction(tx, call));
  return functionAnswer(call, row);
};

export const getFunctionCode: FcAction = async (call) => {
  const row = await call.deps.store.read((tx) => getQualifiedFunction(tx, call));
  return { kind: 'json', value: { url: call.signCodeUrl(row.packageSha256), checksum: row.codeChecksum } };
};

export const listFunctions: FcAction = (call) => (call.version === '2023-03-30' ? listFc3(call) : listOfService(call));

async function listOfService(call: FcCall) {
  const page = readFcPage(call.received);
  const found = await call.deps.store.read(async (tx) => {
    const owner = await getOwner(tx, call);
    const version = await resolveVersion(tx, owner, call.qualifier);
    const base = version === null ? `${call.path['serviceName'] ?? ''}/` : `${owner.key}/${version.versionId}/`;
    const fetch = async (startKey: string | null, limit: number): Promise<FunctionRow[]> => {
      const start = startKey === null ? {} : { startKey: `${base}${startKey}` };
      const query = { prefix: `${base}${page.prefix}`, limit, ...start };
      if (version === null) return await tx.rows.functions.list(query);
      return (await tx.rows.functionVersions.list(query)).map((frozen) => frozen.function);
    };
    return collectPage(page, { fetch, keyOf: (row) => row.functionName, keep: () => true });
  });
  const functions = found.rows.map((row) => showFunction(call, row));
  return { kind: 'json', value: { functions, nextToken: found.nextToken } } as const;
}

/** FC 2 functions are listed too, as `service$function`, unless fcVersion asks for one kind. Source: docs, the names assumed. */
function isListed(received: Received, prefix: string): (row: FunctionRow) => boolean {
  const asked = (name: string) => queryValue(received.query, name) ?? '';
  const kind = asked('fcVersion').toLowerCase();
  const runtime = asked('runtime');
  const name = asked('functionName');
  const description = asked('description');
  const gpuType = asked('gpuType');
  const group = asked('resourceGroupId');
  const tags = readQueryTags(received, 'tags');
  return (row) => {
    const settings = settingsOf(row);
    const isKind = kind === '' || (kind === 'v3') === (row.serviceName === null);
    return (
      isKind &&
      fc3Name(row).startsWith(prefix) &&
      (runtime === '' || fcText(settings, 'runtime') === runtime) &&
      (name === '' || fc3Name(row).includes(name)) &&
      (description === '' || fcText(settings, 'description').includes(description)) &&
      (gpuType === '' || fcText(fcRecord(settings, 'gpuConfig') ?? {}, 'gpuType') === gpuType) &&
      (group === '' || fcText(settings, 'resourceGroupId') === group) &&
      hasTags(row, tags)
    );
  };
}

async function listFc3(call: FcCall) {
  const { deps, received } = call;
  const page = readFcPage(received);
  const keep = isListed(received, page.prefix);
  const found = await deps.store.read((tx) =>
    collectPage(page, {
      fetch: (startKey, limit) => tx.rows.functions.list({ limit, ...(startKey === null ? {} : { startKey }) }),
      keyOf: (row) => row.key,
      keep,
    }),
  );
  const functions = found.rows.map((row) => showFunction(call, row));
  return { kind: 'json', value: { functions, nextToken: found.nextToken } } as const;
}

/** Absent members stay, `environmentVariables` is replaced as a whole, and without code the code stays. Source: docs. */
export const updateFunction: FcAction = async (call) => {
  const { deps, body, received } = call;
  const serviceName = ownService(call);
  const functionName = call.path['functionName'] ?? '';
  if (functionName.includes('$')) throw functionNotFound(serviceName, functionName);
  const change = (row: FunctionRow): FcRecord => {
    checkIfMatch(received, row.etag);
    const settings = { ...settingsOf(row), ...settingsIn(body) };
    checkSettings(settings, { generation: generationOf(call.version), runtimes: deps.runtimes });
    return settings;
  };
  const name = { serviceName, functionName };
  const planned = await deps.store.read(async (tx) => change(await getFunction(tx, name)));
  if ('layers' in body) await mergeLayers(deps, planned);
  const code = await takeCode(call);
  const row = await commit(deps, async (tx) => {
    const old = await getFunction(tx, name);
    const settings = change(old);
    const changed: FunctionRow = {
      ...old,
      settings,
      // Those that stay may have been deleted meanwhile: the function goes on with them.
      ...('layers' in body ? { layers: await resolveLayers(tx, deps.account, settings) } : {}),
      ...(code === null
        ? {}
        : {
            packageSha256: code.sha256,
            codeChecksum: code.checksum,
            codeSizeBytes: code.sizeBytes,
          }),
      ...(serviceName === null ? { publication: changedPublication(old) } : {}),
      etag: randomHex(16),
      modifiedAt: deps.clock.now(),
    };
    await tx.rows.functions.update(changed);
    const service = serviceName === null ? null : await getService(tx, serviceName);
    await publishFunction(tx, deps, changed, service);
    if (service !== null) await markServiceChanged(tx, service);
    return changed;
  });
  return functionAnswer(call, row);
};

/** Versions and aliases of a function of FC 3 go with it (assumed); those of a service stay. */
export const deleteFunction: FcAction = async (call) => {
  const serviceName = ownService(call);
  const functionName = call.path['functionName'] ?? '';
  await commit(call.deps, async (tx) => {
    const row = await getFunction(tx, { serviceName, functionName });
    checkIfMatch(call.received, row.etag);
    if ((await tx.rows.triggers.list({ prefix: `${row.key}:`, limit: 1 })).length > 0) {
      throw fcError('FunctionNotEmpty', `function '${functionName}' has active triggers`);
    }
    await removeScalingOfFunction(tx, row.key);
    await tx.rows.functions.delete(row.key);
    await tx.publish('function', row.key, null);
    if (serviceName !== null) await markServiceChanged(tx, await getService(tx, serviceName));
    else await removeVersions(tx, versionOwner(null, functionName));
  });
  return { kind: 'empty' };
};
