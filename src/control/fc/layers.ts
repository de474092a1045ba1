// Actions on layers: code that several functions share. A layer has versions; each is one package and never changes.
import type { ReadTransaction, WriteTransaction } from '../../store/port.ts';
import type { LayerRow, LayerVersionRow } from '../../store/rows.ts';
import { formatUtcSeconds } from '../../wire/utc-time.ts';
import type { FcAction } from '../action.ts';
import { fcError } from '../errors.ts';
import { commit } from '../ports.ts';
import { queryValue, type Received } from '../received.ts';
import type { FcAnswer, FcCall } from './call.ts';
import { takeCode } from './code.ts';
import { layerArn, readLayerArn } from './layer-arns.ts';
import { checkName } from './names.ts';
import { collectPage, readFcPage } from './pages.ts';
import { checkDescription, refuseSetting } from './setting-rules.ts';
import { fcText } from './types.ts';

/** Versions that one layer may have at a time. Source: docs. */
const versionLimit = 100;
const runtimeLimit = 30;
const licenseLimit = 256;

/** FC 3 spells acl as text; each version names the ARN otherwise. */
function show(call: FcCall, layer: LayerRow, row: LayerVersionRow): Readonly<Record<string, unknown>> {
  const arn = layerArn(call.deps.account, row);
  const acl = layer.isPublic ? 1 : 0;
  const isFc3 = call.version === '2023-03-30';
  return {
    layerName: row.layerName,
    version: row.version,
    description: row.description,
    license: row.license,
    code: { repositoryType: 'OSS', location: call.signCodeUrl(row.packageSha256) },
    codeSize: row.codeSizeBytes,
    // The answer of CreateLayerVersion is spelled so in one client. Source: sdk (fc-operations.json).
    codesize: row.codeSizeBytes,
    codeChecksum: row.codeChecksum,
    compatibleRuntime: row.compatibleRuntime,
    createTime: formatUtcSeconds(row.createdAt),
    ...(isFc3 ? { layerVersionArn: arn, acl: String(acl) } : { arn, arnV2: arn, acl }),
  };
}

function answer(call: FcCall, { layer, row }: Found): FcAnswer {
  return { kind: 'json', value: show(call, layer, row) };
}

type Found = { readonly layer: LayerRow; readonly row: LayerVersionRow };

async function getLayer(tx: ReadTransaction, layerName: string): Promise<LayerRow> {
  const layer = await tx.rows.layers.get(layerName);
  if (layer === null) throw fcError('LayerNotFound', `layer '${layerName.slice(0, 150)}' does not exist`);
  return layer;
}

async function getLayerVersion(tx: ReadTransaction, layerName: string, version: string): Promise<Found> {
  const layer = await getLayer(tx, layerName);
  const row = /^[1-9]\d{0,14}$/.test(version) ? await tx.rows.layerVersions.get(`${layerName}/${version}`) : null;
  if (row === null) {
    const name = version.slice(0, 50);
    throw fcError('LayerVersionNotFound', `version '${name}' of layer '${layerName}' does not exist`);
  }
  return { layer, row };
}

function readRuntimes(call: FcCall): readonly string[] {
  const given = call.body['compatibleRuntime'];
  const runtimes = Array.isArray(given) ? given.map(String) : [];
  if (runtimes.length > runtimeLimit) {
    throw fcError(
      'InvalidArgument',
      `CompatibleRuntime contains too many values (max: ${runtimeLimit}, actual: ${runtimes.length})`,
    );
  }
  const known = call.deps.runtimes;
  for (const runtime of runtimes) {
    if (!known.isKnown(runtime)) refuseSetting('CompatibleRuntime', known.all.join(' | '), runtime);
  }
  return runtimes;
}

/** Numbers go on from the last one given, so none is used twice. */
export const createLayerVersion: FcAction = async (call) => {
  const { deps, body, path } = call;
  const layerName = checkName('LayerName', path['layerName'] ?? '');
  const facts = {
    description: checkDescription(fcText(body, 'description')),
    license: fcText(body, 'license'),
    compatibleRuntime: readRuntimes(call),
  };
  if (facts.license.length > licenseLimit)
    refuseSetting('License', `at most ${licenseLimit} characters`, facts.license);
  const code = await takeCode(call);
  if (code === null) throw fcError('InvalidArgument', 'Code is required: send code.zipFile');
  const found = await commit(deps, async (tx) => {
    const former = await tx.rows.layers.get(layerName);
    const versions = await tx.rows.layerVersions.list({ prefix: `${layerName}/`, limit: versionLimit });
    if (versions.length >= versionLimit) {
      throw fcError('LimitExceededError', `layer '${layerName}' has ${versionLimit} versions; delete some first`);
    }
    const row: LayerVersionRow = {
      layerName,
      version: (former?.lastVersion ?? 0) + 1,
      ...facts,
      packageSha256: code.sha256,
      codeChecksum: code.checksum,
      codeSizeBytes: code.sizeBytes,
      createdAt: deps.clock.now(),
    };
    const layer = { layerName, lastVersion: row.version, isPublic: former?.isPublic ?? false, newest: row };
    if (former === null) await tx.rows.layers.insert(layer);
    else await tx.rows.layers.update(layer);
    await tx.rows.layerVersions.insert(row);
    return { layer, row };
  });
  return answer(call, found);
};

export const getLayerVersionAction: FcAction = async (call) => {
  const { layerName = '', version = '' } = call.path;
  return answer(call, await call.deps.store.read((tx) => getLayerVersion(tx, layerName, version)));
};

/** The path's last segment is a whole ARN, in one version named `layerArn` and in another `arn`. */
export const getLayerVersionByArn: FcAction = async (call) => {
  const arn = call.path['layerArn'] ?? call.path['arn'] ?? '';
  const named = readLayerArn(call.deps.account, arn);
  if (named === null) throw fcError('LayerVersionNotFound', `layer version '${arn.slice(0, 200)}' does not exist`);
  const { layerName, version } = named;
  return answer(call, await call.deps.store.read((tx) => getLayerVersion(tx, layerName, version)));
};

function readStartVersion(received: Received): number | null {
  const text = queryValue(received.query, 'startVersion') ?? '';
  if (text === '') return null;
  if (!/^\d{1,15}$/.test(text)) refuseSetting('StartVersion', 'a whole number', text);
  return Number(text);
}

/** Ascending from `startVersion`; `nextVersion` is absent on the last page. Source: docs; the order assumed. */
export const listLayerVersions: FcAction = async (call) => {
  const { layerName = '' } = call.path;
  const { limit } = readFcPage(call.received);
  const start = readStartVersion(call.received);
  const { layer, rows } = await call.deps.store.read(async (tx) => {
    const startKey = start === null ? {} : { startKey: `${layerName}/${start}` };
    const page = { prefix: `${layerName}/`, limit: limit + 1, ...startKey };
    return { layer: await getLayer(tx, layerName), rows: await tx.rows.layerVersions.list(page) };
  });
  const layers = rows.slice(0, limit).map((row) => show(call, layer, row));
  return { kind: 'json', value: { layers, nextVersion: rows[limit]?.version } };
};

/** Each layer by its newest version. `public` keeps the public ones; of the cloud's official ones there is none here. */
export const listLayers: FcAction = async (call) => {
  const page = readFcPage(call.received);
  const isAsked = (name: string) => (queryValue(call.received.query, name) ?? '').toLowerCase() === 'true';
  const [onlyPublic, onlyOfficial] = [isAsked('public'), isAsked('official')];
  const found = await call.deps.store.read((tx) =>
    collectPage(page, {
      fetch: (startKey, limit) =>
        tx.rows.layers.list({ prefix: page.prefix, limit, ...(startKey === null ? {} : { startKey }) }),
      keyOf: (layer) => layer.layerName,
      keep: ({ newest, isPublic }) => newest !== null && !onlyOfficial && (isPublic || !onlyPublic),
    }),
  );
  const layers = found.rows.flatMap((layer) => (layer.newest === null ? [] : [show(call, layer, layer.newest)]));
  return { kind: 'json', value: { layers, nextToken: found.nextToken } };
};

/** Functions that use the version go on with it. Source: docs. */
export const deleteLayerVersion: FcAction = async (call) => {
  const { layerName = '', version = '' } = call.path;
  await commit(call.deps, async (tx) => {
    const { layer, row } = await getLayerVersion(tx, layerName, version);
    await tx.rows.layerVersions.delete(`${layerName}/${row.version}`);
    await tx.rows.layers.update({ ...layer, newest: await newestOf(tx, layerName) });
  });
  return { kind: 'empty' };
};

async function newestOf(tx: WriteTransaction, layerName: string): Promise<LayerVersionRow | null> {
  const rows = await tx.rows.layerVersions.list({ prefix: `${layerName}/`, limit: 1, isDescending: true });
  return rows[0] ?? null;
}

/** FC 3 asks by `acl=0|1` or `public`; 2016-08-15 and 2021-04-06 by `public`. Source: sdk. */
export const putLayerAcl: FcAction = async (call) => {
  const { layerName = '' } = call.path;
  const asked = ['public', 'acl'].map((name) => (queryValue(call.received.query, name) ?? '').toLowerCase());
  const given = asked.find((text) => text !== '') ?? '';
  if (!['true', 'false', '1', '0'].includes(given)) refuseSetting('Public', 'true | false', given);
  await commit(call.deps, async (tx) => {
    const layer = await getLayer(tx, layerName);
    await tx.rows.layers.update({ ...layer, isPublic: given === 'true' || given === '1' });
  });
  return { kind: 'empty' };
};
