// Unpacks the layers of an image, one over the other, into a directory. What is in them is believed to be nothing: no path
// leads out of the directory, no link is followed but as it is meant inside, no owner, device or right above rwx is taken over.
import { createWriteStream } from 'node:fs';
import { chmod, link, lstat, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { type TarEntry, TarReader } from './tar.ts';

/** What may be unpacked yet; of all layers together. */
export type Budget = { bytes: number; entries: number };

const linkLimit = 40;
const whiteout = '.wh.';
const opaque = '.wh..wh..opq';

/** Errors: throws on what is no tar, or leads out of the directory, or is more than the budget. */
export async function applyLayer(root: string, layer: AsyncIterable<Uint8Array>, budget: Budget): Promise<void> {
  const tar = new TarReader(layer);
  /** What this layer has brought: whiteouts hide what is below it only. */
  const own = new Set<string>();
  for (let entry = await tar.next(); entry !== null; entry = await tar.next()) {
    budget.entries -= 1;
    budget.bytes -= entry.size;
    if (budget.entries < 0 || budget.bytes < 0) throw new Error('the image is larger than this server unpacks');
    const names = namesOf(entry.name);
    const name = names.pop();
    if (name === undefined) continue; // the root itself
    const parent = await openParent(root, names, own);
    if (name === opaque) await hideAll(parent, own);
    else if (name.startsWith(whiteout)) await hide(`${parent}/${checkName(name.slice(whiteout.length))}`, own);
    else await put(root, entry, { path: `${parent}/${name}`, tar, own });
  }
  await tar.drain();
}

/** Makes `path` and what it lies in; the host's path of it. Errors: as applyLayer. */
export function makeDirectory(root: string, path: string): Promise<string> {
  return openParent(root, namesOf(path), new Set());
}

function namesOf(path: string): string[] {
  return path
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .map(checkName);
}

function checkName(name: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/')) {
    throw new Error(`a layer of the image has a path that leads out of it ('${name}')`);
  }
  return name;
}

/** The host's path of a directory in the image, made where it is missing; links on the way lead where they do inside. */
async function openParent(root: string, names: readonly string[], own: Set<string>): Promise<string> {
  const left = [...names];
  const at: string[] = [];
  let links = 0;
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    if (name === '..') {
      at.pop(); // of a link: the root is its own parent
      continue;
    }
    const path = [root, ...at, name].join('/');
    const seen = await lstat(path).catch(() => null);
    if (seen?.isSymbolicLink() === true) {
      links += 1;
      if (links > linkLimit) throw new Error('a layer of the image has links in a circle');
      const target = await readlink(path);
      if (target.startsWith('/')) at.length = 0;
      left.unshift(...target.split('/').filter((part) => part !== '' && part !== '.'));
      continue;
    }
    if (seen?.isDirectory() !== true) {
      if (seen !== null) await rm(path);
      await mkdir(path, { mode: 0o755 });
      await chmod(path, 0o755);
    }
    own.add(path);
    at.push(name);
  }
  return [root, ...at].join('/');
}

/** Whatever user the program has in its instance can read all of it: nobody else is there. */
async function put(
  root: string,
  entry: TarEntry,
  { path, tar, own }: { readonly path: string; readonly tar: TarReader; readonly own: Set<string> },
): Promise<void> {
  const seen = await lstat(path).catch(() => null);
  if (seen !== null && !(entry.kind === 'directory' && seen.isDirectory())) await rm(path, { recursive: true });
  switch (entry.kind) {
    case 'directory':
      if (seen?.isDirectory() !== true) await mkdir(path);
      await chmod(path, 0o755);
      break;
    case 'symlink':
      await symlink(entry.link, path);
      break;
    case 'hardlink': {
      const names = namesOf(entry.link);
      const name = names.pop() ?? '';
      await link(`${await openParent(root, names, own)}/${checkName(name)}`, path);
      break;
    }
    case 'file':
      await pipeline(tar.content(), createWriteStream(path, { flags: 'wx', mode: 0o600 }));
      await chmod(path, (entry.mode & 0o111) === 0 ? 0o644 : 0o755);
      break;
    case 'other': // devices and pipes are the instance's own
      return;
  }
  own.add(path);
}

async function hide(path: string, own: ReadonlySet<string>): Promise<void> {
  if (!own.has(path)) await rm(path, { recursive: true, force: true });
}

async function hideAll(directory: string, own: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(directory)) await hide(`${directory}/${name}`, own);
}
