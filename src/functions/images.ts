// Container images that were unpacked on this machine: OCI bundles under the operator's image directory, found by the
// reference that a function names. Called by plane.ts when a function of custom-container is opened.
import { constants } from 'node:fs';
import { access, lstat, readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import type { FunctionConfig } from '../model/function.ts';

export type UnpackedImage = {
  /** As the instance sees it; begins with an absolute path. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** What the instance sees at `/code`, where it starts: the image's own working directory, on the host. */
  readonly workingDirectory: string;
  /** The top of the root, from the host's paths to the instance's. */
  readonly shows: readonly { readonly from: string; readonly to: string }[];
  /** Directories that it may write to, as the instance sees them: empty at every start. */
  readonly volumes: readonly string[];
};

export type ImageSettings = {
  /** Null: no images are served. */
  readonly directory: string | null;
  /** Instances have roots of their own. */
  readonly hasOwnRoot: boolean;
};

export type ImageChoice =
  | { readonly ok: true; readonly image: UnpackedImage }
  | { readonly ok: false; readonly message: string };

/** What an instance has of its own. */
const ownTops = new Set(['dev', 'proc', 'sys', 'tmp', 'run']);
/** A sandbox shows a few dozen things at most. */
const topsLimit = 26;
const volumesLimit = 4;
const segmentForm = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;
const configLimitBytes = 1024 * 1024;

/**
 * Where a reference may lie, best first: as it is written, without the registry, by its last name; each with and without
 * the tag; a digest as it is written only. Null for what is no reference.
 */
export function bundleNames(reference: string): readonly string[] | null {
  const [written = '', digest] = splitDigest(reference);
  const segments = written.split('/');
  if (digest === null || segments.some((segment) => !segmentForm.test(segment))) return null;
  const isRegistry = segments.length > 1 && /[.:]|^localhost$/.test(segments[0] ?? '');
  const places = [segments, isRegistry ? segments.slice(1) : segments, segments.slice(-1)].map((each) =>
    each.join('/'),
  );
  // What a digest names is there only as it was fetched by its digest.
  if (digest !== undefined) return places.slice(0, 1).map((name) => `${name.replace(/:[^/]*$/, '')}@${digest}`);
  const names = places.flatMap((name) => {
    const tagged = /:[^/]*$/.test(name) ? name : `${name}:latest`;
    return [tagged, tagged.replace(/:[^/]*$/, '')];
  });
  return [...new Set(names)];
}

/** Null: what stands behind the `@` is no digest that is known here. */
function splitDigest(reference: string): readonly [string, (string | null)?] {
  const at = reference.indexOf('@');
  if (at === -1) return [reference];
  const digest = reference.slice(at + 1);
  return [reference.slice(0, at), /^sha256:[0-9a-f]{64}$/.test(digest) ? digest : null];
}

/** A choice like an interpreter's; what is missing is named with the lines that would help. Never rejects. */
export async function chooseImage(
  config: FunctionConfig,
  { directory, hasOwnRoot }: ImageSettings,
): Promise<ImageChoice> {
  const refuse = (message: string): ImageChoice => ({ ok: false, message: `custom-container: ${message}` });
  const image = config.server?.image ?? null;
  if (image === null) return refuse('the function names no image');
  if (!image.isServer) return refuse('webServerMode false (a container that runs once and exits) is not served');
  if (!hasOwnRoot)
    return refuse('an image needs a root of its own: an isolation tier of user or strong, and the native launcher');
  const reference = image.reference;
  const names = bundleNames(reference);
  if (names === null) return refuse(`'${reference}' is no image reference`);
  const help = `fetch it: yunmen image pull ${reference} --image-dir <image-dir>`;
  if (directory === null)
    return refuse(`the server fetches no images; ${help}, and start the server with --image-dir <image-dir>`);
  for (const each of names) {
    const bundle = `${directory}/${each}`;
    if (!(await isDirectory(`${bundle}/rootfs`))) continue;
    const opened = await openBundle(bundle, config);
    return typeof opened === 'string' ? refuse(`${bundle}: ${opened}`) : { ok: true, image: opened };
  }
  return refuse(`the image '${reference}' is not in ${directory}; ${help}`);
}

/** What is in it, or what is wrong with it. */
async function openBundle(bundle: string, config: FunctionConfig): Promise<UnpackedImage | string> {
  const rootfs = `${bundle}/rootfs`;
  const bundled = await readConfig(`${bundle}/config.json`);
  if (bundled === null) return 'config.json does not tell what it runs (process.args)';
  const { process } = bundled;
  const { command = [], args = [] } = config.server ?? {};
  const [entry, ...rest] = process.args;
  const wanted =
    command.length > 0 ? [...command, ...args] : args.length > 0 ? [entry ?? '', ...args] : [entry ?? '', ...rest];
  const environment = environmentOf(process.env);
  const program = await findProgram(rootfs, wanted[0] ?? '', environment['PATH'] ?? '/usr/local/bin:/usr/bin:/bin');
  if (program === null) return `there is no program '${wanted[0]}' in it`;
  const shows = await topsOf(rootfs);
  if (shows === null) return `its root has more than ${topsLimit} entries, or links that lead out of it`;
  const inside = await inRoot(rootfs, process.cwd);
  if (inside === null || !(await isDirectory(inside))) return `its working directory ${process.cwd} is not there`;
  const volumes = await checkVolumes(rootfs, bundled.volumes);
  if (typeof volumes === 'string') return volumes;
  return { argv: [program, ...wanted.slice(1)], environment, workingDirectory: inside, shows, volumes };
}

/** Those of the image that are not memory in every instance; or what cannot be served of them. */
async function checkVolumes(rootfs: string, given: readonly string[]): Promise<readonly string[] | string> {
  const volumes = [...new Set(given.map(tidy))].filter((path) => !ownTops.has(path.split('/')[1] ?? ''));
  if (volumes.length > volumesLimit) return `it declares more than ${volumesLimit} volumes`;
  for (const path of volumes) {
    const inside = path === '/' ? null : await inRoot(rootfs, path);
    // What is mounted upon is found through no link.
    if (inside === null || inside !== `${await realpath(rootfs)}${path}`)
      return `its volume ${path} is no directory in it`;
    const content = await readdir(inside).catch(() => null);
    if (content === null) return `its volume ${path} is no directory in it`;
    if (content.length > 0) return `its volume ${path} has content, and volumes are empty here`;
  }
  return volumes;
}

type Process = { readonly args: readonly string[]; readonly env: readonly string[]; readonly cwd: string };
type BundleConfig = { readonly process: Process; readonly volumes: readonly string[] };

/**
 * What an OCI runtime configuration says of the program, and the memory it wants mounted beside what every container has: what unpackers
 * make of an image's volumes. Source: the OCI runtime specification 1.2, config.md.
 */
async function readConfig(path: string): Promise<BundleConfig | null> {
  try {
    if ((await stat(path)).size > configLimitBytes) return null;
    const { process, mounts = [] } = JSON.parse(await readFile(path, 'utf8')) as Readonly<{
      process?: Record<string, unknown>;
      mounts?: readonly Record<string, unknown>[];
    }>;
    const { args, env = [], cwd = '/' } = process ?? {};
    if (!isTexts(args) || args.length === 0 || !isTexts(env) || typeof cwd !== 'string') return null;
    const memory = mounts.flatMap(({ type, destination }) => (type === 'tmpfs' ? [String(destination)] : []));
    return { process: { args, env, cwd }, volumes: memory };
  } catch {
    return null; // not there, or no JSON: told by the caller
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function environmentOf(env: readonly string[]): Record<string, string> {
  const pairs = env.flatMap((each) => {
    const at = each.indexOf('=');
    const name = each.slice(0, at);
    return at > 0 && !name.startsWith('FC_') ? [[name, each.slice(at + 1)] as const] : [];
  });
  return Object.fromEntries(pairs);
}

async function topsOf(rootfs: string): Promise<UnpackedImage['shows'] | null> {
  const names = (await readdir(rootfs)).filter((name) => !ownTops.has(name)).sort();
  if (names.length > topsLimit) return null;
  const shows = [];
  for (const name of names) {
    const from = await inRoot(rootfs, `/${name}`);
    if (from !== null) shows.push({ from, to: `/${name}` });
  }
  return shows;
}

/** The host's path of a path in the image, links followed as they are meant inside; null when there is none. */
async function inRoot(rootfs: string, path: string, depth = 0): Promise<string | null> {
  let at = '';
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  for (const [index, part] of parts.entries()) {
    if (part === '..') return null;
    const info = await lstat(`${rootfs}${at}/${part}`).catch(() => null);
    if (info === null || depth > 8) return null;
    if (info.isSymbolicLink()) {
      const target = await readlink(`${rootfs}${at}/${part}`);
      const base = target.startsWith('/') ? target : `${at}/${target}`;
      return inRoot(rootfs, `${tidy(base)}/${parts.slice(index + 1).join('/')}`, depth + 1);
    }
    at = `${at}/${part}`;
  }
  return `${await realpath(rootfs)}${at}`;
}

/** Without `..`, which cannot lead above the root. */
function tidy(path: string): string {
  const kept: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') kept.pop();
    else if (part !== '' && part !== '.') kept.push(part);
  }
  return `/${kept.join('/')}`;
}

/** The absolute path inside of a command that is looked for as a shell would. */
async function findProgram(rootfs: string, command: string, path: string): Promise<string | null> {
  const candidates = command.includes('/') ? [command] : path.split(':').map((directory) => `${directory}/${command}`);
  for (const candidate of candidates) {
    if (!candidate.startsWith('/')) continue;
    const found = await inRoot(rootfs, candidate);
    const isExecutable =
      found !== null &&
      (await access(found, constants.X_OK).then(
        () => true,
        () => false,
      ));
    if (isExecutable) return tidy(candidate);
  }
  return null;
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() ?? false;
}
