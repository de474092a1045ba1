// Fetches an image into the image directory as the bundle that images.ts opens. Called by `yunmen image pull`.
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { PulledImage, PullOptions } from '../../model/runtime-report.ts';
import { bundleNames } from '../images.ts';
import { findCredentials } from './credentials.ts';
import { parseImageName, Registry } from './registry.ts';
import { applyLayer, makeDirectory } from './unpack.ts';

const unpackedLimitBytes = 20 * 1024 * 1024 * 1024;
const entriesLimit = 1_000_000;

/** What an image says of its program. Source: docs (OCI image specification 1.1, config.md). */
type ImageConfig = {
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly Env?: readonly string[] | null;
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly Volumes?: Readonly<Record<string, unknown>> | null;
};

/** Errors: throws with what is wrong. What was begun is taken away again. */
export async function pullImage(
  reference: string,
  directory: string,
  { replaces, credentials }: PullOptions,
): Promise<PulledImage> {
  const image = parseImageName(reference);
  const [name] = bundleNames(reference) ?? [];
  if (image === null || name === undefined) throw new Error(`'${reference}' is no image reference`);
  const registry = new Registry(image, async () => credentials ?? (await findCredentials(image.registry, process.env)));
  const manifest = await registry.manifest();
  const place = `${directory}/${name}`;
  const before = await digestIn(place);
  if (before === manifest.digest) return { place, digest: before, isNew: false };
  if (before !== null && !replaces) {
    throw new Error(
      `${place} is there already with another content (--replace takes it away; instances that run lose it)`,
    );
  }
  const temporary = `${directory}/.pull-${randomUUID()}`;
  const rootfs = `${temporary}/rootfs`;
  try {
    await mkdir(rootfs, { recursive: true, mode: 0o755 });
    await chmod(rootfs, 0o755);
    const budget = { bytes: unpackedLimitBytes, entries: entriesLimit };
    for (const layer of manifest.layers) await applyLayer(rootfs, await registry.layer(layer), budget);
    const { config = {} } = (await registry.config(manifest.config)) as { config?: ImageConfig };
    const bundle = bundleOf(config, manifest.digest);
    for (const path of [bundle.process.cwd, ...bundle.mounts.map(({ destination }) => destination)]) {
      await makeDirectory(rootfs, path);
    }
    await writeFile(`${temporary}/config.json`, JSON.stringify(bundle, null, 2));
    await mkdir(dirname(place), { recursive: true });
    if (before !== null) await rm(place, { recursive: true });
    await rename(temporary, place);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  return { place, digest: manifest.digest, isNew: true };
}

/** Source: docs (the same, conversion.md). */
function bundleOf(config: ImageConfig, digest: string) {
  const args = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  if (args.length === 0) throw new Error('the image names no program (Entrypoint, Cmd)');
  const volumes = Object.keys(config.Volumes ?? {});
  return {
    ociVersion: '1.0.2',
    process: { args, env: config.Env ?? [], cwd: config.WorkingDir || '/' },
    root: { path: 'rootfs', readonly: true },
    mounts: volumes.map((destination) => ({ destination, type: 'tmpfs', source: 'none', options: ['rw'] })),
    annotations: { 'yunmen.digest': digest, 'yunmen.user': config.User ?? '' },
  };
}

/** Empty: not pulled by us. Null: nothing is there. */
async function digestIn(place: string): Promise<string | null> {
  try {
    const { annotations } = JSON.parse(await readFile(`${place}/config.json`, 'utf8')) as {
      annotations?: Record<string, string>;
    };
    return annotations?.['yunmen.digest'] ?? '';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
