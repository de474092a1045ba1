// How a function's layers come to where its instance looks for them. Called by start-plan.ts.
import { readdirSync } from 'node:fs';
import { sandboxLayersPath } from '../launcher/placement.ts';
import type { LaunchSpec } from '../launcher/port.ts';

/**
 * The directory as a whole; entry by entry where interpreters (`shown`, absolute) lie below /opt, so that both are there.
 * An entry that has the name of an interpreter's directory is then hidden by that.
 */
export function layerBinds(
  layersDirectory: string | null,
  layersPath: string | null,
  shown: readonly string[],
): LaunchSpec['readOnly'] {
  if (layersDirectory === null || layersPath === null) return [];
  const below = `${sandboxLayersPath}/`;
  const taken = shown.filter((path) => path.startsWith(below)).map((path) => path.slice(below.length).split('/')[0]);
  if (taken.length === 0) return [{ from: layersDirectory, to: layersPath }];
  return readdirSync(layersDirectory)
    .filter((name) => !taken.includes(name))
    .map((name) => ({ from: `${layersDirectory}/${name}`, to: `${layersPath}/${name}` }));
}
