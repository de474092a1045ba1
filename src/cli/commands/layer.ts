// `yunmen layer publish|list|delete`: code that several functions share, over the public API.
import { resolve } from 'node:path';
import { readNumber, readText } from '../client/json.ts';
import { deleteLayerVersion, listLayers, publishLayer } from '../client/layers.ts';
import { findApiTarget, type TargetFlags } from '../client/local-server.ts';
import { columns, createPrinter } from '../output.ts';
import { packCode } from '../pack.ts';
import type { CliDeps } from '../server-port.ts';

export type LayerFlags = TargetFlags & {
  readonly json?: boolean;
  readonly code?: string;
  readonly runtime?: readonly string[];
  readonly description?: string;
};

export async function publish(name: string, flags: LayerFlags, deps: CliDeps): Promise<number> {
  const target = await findApiTarget(flags, deps.env, deps.cwd);
  const printer = createPrinter(deps, flags.json === true);
  const zip = await packCode(resolve(deps.cwd, flags.code ?? ''));
  const facts = { runtimes: flags.runtime ?? [], description: flags.description ?? '' };
  const answer = await publishLayer(target, name, zip, facts);
  printer.json(answer);
  printer.line(`published ${readText(answer, 'arn') ?? name}`);
  return 0;
}

export async function list(flags: LayerFlags, deps: CliDeps): Promise<number> {
  const layers = await listLayers(await findApiTarget(flags, deps.env, deps.cwd), '');
  const printer = createPrinter(deps, flags.json === true);
  printer.json({ layers });
  const rows = layers.map((layer) => [
    readText(layer, 'layerName') ?? '',
    String(readNumber(layer, 'version') ?? '?'),
    `${readNumber(layer, 'codeSize') ?? '?'} B`,
    readText(layer, 'arn') ?? '',
  ]);
  if (rows.length === 0) printer.line('no layers');
  else for (const line of columns([['NAME', 'NEWEST', 'SIZE', 'ARN'], ...rows])) printer.line(line);
  return 0;
}

export async function remove(name: string, version: string, flags: LayerFlags, deps: CliDeps): Promise<number> {
  await deleteLayerVersion(await findApiTarget(flags, deps.env, deps.cwd), name, version);
  const printer = createPrinter(deps, flags.json === true);
  printer.line(`deleted version ${version} of ${name}`);
  printer.json({ deleted: name, version });
  return 0;
}
