// The names of layer versions, and how a function's list of them becomes packages. Used by the layer and function actions.
import type { Account } from '../../model/account.ts';
import type { ReadTransaction } from '../../store/port.ts';
import type { FunctionLayer, LayerVersionRow } from '../../store/rows.ts';
import { fcError } from '../errors.ts';
import type { ControlDeps } from '../ports.ts';
import { type FcRecord, fcText } from './types.ts';

/** Layers of one function. Source: docs. */
const layerLimit = 5;

/** `acs:fc:<region>:<account>:layers/<name>/versions/<version>`. Source: docs. */
export function layerArn(
  { regionId, accountId }: Account,
  row: Pick<LayerVersionRow, 'layerName' | 'version'>,
): string {
  return `acs:fc:${regionId}:${accountId}:layers/${row.layerName}/versions/${row.version}`;
}

/** Null for what is no ARN of a layer version of this account and region. */
export function readLayerArn(
  { regionId, accountId }: Account,
  arn: string,
): { readonly layerName: string; readonly version: string } | null {
  const match = /^acs:fc:([\w-]*):(\w*):layers\/([\w-]+)\/versions\/(\d+)$/.exec(arn);
  const [, region, account, layerName, version] = match ?? [];
  if (layerName === undefined || version === undefined) return null;
  return region === regionId && account === accountId ? { layerName, version } : null;
}

function arnsIn(settings: FcRecord): readonly string[] {
  const layers = settings['layers'];
  return Array.isArray(layers) ? layers.map(String) : [];
}

/**
 * What the settings' layers lead to, in their order.
 * Errors: InvalidArgument (too many, the same twice, not for this runtime; texts assumed), LayerVersionNotFound.
 */
export async function resolveLayers(
  tx: ReadTransaction,
  account: Account,
  settings: FcRecord,
): Promise<readonly FunctionLayer[]> {
  const arns = arnsIn(settings);
  if (arns.length > layerLimit) {
    throw fcError('InvalidArgument', `Layers contains too many values (max: ${layerLimit}, actual: ${arns.length})`);
  }
  const runtime = fcText(settings, 'runtime');
  const layers: FunctionLayer[] = [];
  for (const arn of arns) {
    if (layers.some((layer) => layer.arn === arn)) {
      throw fcError('InvalidArgument', `Duplicate layer '${arn.slice(0, 200)}' in Layers is not allowed`);
    }
    const row = await findLayerVersion(tx, account, arn);
    if (row.compatibleRuntime.length > 0 && !row.compatibleRuntime.includes(runtime)) {
      const allowed = row.compatibleRuntime.join(' | ');
      throw fcError('InvalidArgument', `layer '${arn}' is for the runtimes ${allowed}, not for ${runtime}`);
    }
    layers.push({ arn, packageSha256: row.packageSha256, sizeBytes: row.codeSizeBytes });
  }
  return layers;
}

async function findLayerVersion(tx: ReadTransaction, account: Account, arn: string): Promise<LayerVersionRow> {
  const named = readLayerArn(account, arn);
  const row = named && (await tx.rows.layerVersions.get(`${named.layerName}/${named.version}`));
  if (row === null) throw fcError('LayerVersionNotFound', `layer version '${arn.slice(0, 200)}' does not exist`);
  return row;
}

/**
 * Puts a function's layers over each other, before the row that names them is written.
 * Errors: as resolveLayers(), and InvalidArgument when they are too large together.
 */
export async function mergeLayers({ store, account }: ControlDeps, settings: FcRecord): Promise<void> {
  if (arnsIn(settings).length === 0) return;
  const layers = await store.read((tx) => resolveLayers(tx, account, settings));
  const merged = await store.packages.merge(layers.map((layer) => layer.packageSha256));
  if (!merged.ok) throw fcError('InvalidArgument', `Layers were refused: ${merged.message}`);
}
