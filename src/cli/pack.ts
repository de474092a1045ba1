// Turns a function's folder into the zip that the FC API takes: the same bytes for the same files, wherever it runs.
import { createHash } from 'node:crypto';
import type { BigIntStats, Dirent } from 'node:fs';
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { failed, systemCode } from './errors.ts';

/** What is never part of a package: our data, version control, build caches. Paths end with the name given here. */
const skippedNames = new Set(['.yunmen', '.git']);
const skippedPath = join('node_modules', '.cache');

/** Limit of the service for a package sent through the API, bytes. Source: docs (CodeSizeLimit). */
const packageLimitBytes = 104_857_600;
/** More entries than this are taken for a mistake, such as packing a home folder. */
const entryLimit = 50_000;
const lookedAtOnce = 32;
/** Files that are together no larger than this need not be compressed. */
const quickLimitBytes = 16 * 1024 * 1024;
/** How far apart two changes must be to have different times: up to 10 ms on Linux, 2 s where times are whole seconds. */
const fineTimesMs = 20;
const coarseTimesMs = 2_500;
/**
 * The time that every entry carries. Made from local parts: the zip format's first time field knows no zone,
 * so a fixed instant would give other bytes in another zone.
 */
const fixedTime = () => new Date(2018, 3, 3, 0, 0, 0);

type Entry = (
  | { readonly kind: 'file'; readonly name: string; readonly path: string; readonly isExecutable: boolean }
  | { readonly kind: 'link'; readonly name: string; readonly target: string }
) & { readonly look: Look };

/**
 * What tells without reading that a file is as it was. `settlesAt`: from when on a further change would look different,
 * because until then the file system might give it the same time; epoch ms.
 */
type Look = { readonly text: string; readonly settlesAt: number; readonly bytes: number };

/** What there is to pack, by its looks only. */
export type Survey = {
  /** Lower-case hex SHA-256 of names, kinds, sizes, times. */
  readonly print: string;
  /** When a survey must have been made for an equal print to mean equal files; epoch ms. */
  readonly settlesAt: number;
  /** Errors: as packCode(). */
  pack(): Promise<Buffer>;
  /** The same files for a server nearby: what is small is not compressed, which takes longer than to send it. */
  packQuickly(): Promise<Buffer>;
};

/**
 * The zip for a folder or a zip file; a zip is passed as is, a single other file becomes the only entry.
 *
 * Kept: executable bits, symbolic links that stay inside the folder. `exclude` are absolute paths left out as well.
 * Errors: exit 1, naming the path: missing, a link that leads outside, no files, too many, too large.
 */
export async function packCode(path: string, exclude: readonly string[] = []): Promise<Buffer> {
  return await (await surveyCode(path, exclude)).pack();
}

/** The same without reading any file. Errors: as packCode(), but for what is too large. */
export async function surveyCode(path: string, exclude: readonly string[] = []): Promise<Survey> {
  const found = await lookUp(path);
  const entries: Entry[] = [];
  if (found === 'folder') {
    await collect(path, path, new Set(exclude), entries);
    if (entries.length === 0) throw failed(`${path} holds no files to pack`);
  } else {
    entries.push(await describeFile(path, path.slice(dirname(path).length + 1)));
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const hash = createHash('sha256').update(found);
  for (const { kind, name, look } of entries) hash.update(`\0${kind}\0${name}\0${look.text}`);
  const pack = async () => (found === 'zip' ? refuseTooLarge(await readFile(path), path) : writeZip(entries, path));
  const bytes = entries.reduce((sum, { look }) => sum + look.bytes, 0);
  return {
    print: hash.digest('hex'),
    settlesAt: entries.reduce((latest, { look }) => Math.max(latest, look.settlesAt), 0),
    pack,
    packQuickly: found === 'zip' || bytes > quickLimitBytes ? pack : () => writeStored(entries, path),
  };
}

async function lookUp(path: string): Promise<'folder' | 'zip' | 'file'> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return 'folder';
    return /\.(zip|jar)$/i.test(path) ? 'zip' : 'file';
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw failed(`there is no folder or zip ${path}`, { cause: error });
    throw error;
  }
}

async function collect(root: string, folder: string, exclude: ReadonlySet<string>, into: Entry[]): Promise<void> {
  const add = async (item: Dirent) => {
    const path = join(folder, item.name);
    if (skippedNames.has(item.name) || path.endsWith(sep + skippedPath) || exclude.has(path)) return;
    const name = relative(root, path).split(sep).join('/');
    if (item.isDirectory()) await collect(root, path, exclude, into);
    else if (item.isSymbolicLink()) into.push(await describeLink(root, path, name));
    else if (item.isFile()) into.push(await describeFile(path, name));
    // Sockets, pipes and devices cannot be packed, and no function could use them.
    if (into.length > entryLimit) throw failed(`${root} holds more than ${entryLimit} files: is it the right folder?`);
  };
  const items = await readdir(folder, { withFileTypes: true });
  // A file is looked at in a thread: several at once take a third of the time.
  for (let at = 0; at < items.length; at += lookedAtOnce) {
    await Promise.all(items.slice(at, at + lookedAtOnce).map(add));
  }
}

/** Follows the path when it is a link itself. */
async function describeFile(path: string, name: string): Promise<Entry> {
  const found = await stat(path, { bigint: true });
  return { kind: 'file', name, path, isExecutable: (found.mode & 0o111n) !== 0n, look: lookOf(found) };
}

async function describeLink(root: string, path: string, name: string): Promise<Entry> {
  const target = await readlink(path);
  const inside = relative(root, resolve(dirname(path), target));
  if (isAbsolute(target) || inside === '..' || inside.startsWith(`..${sep}`)) {
    throw failed(`${path} is a link to ${target}, outside the package; replace it with what it points to`);
  }
  return { kind: 'link', name, target, look: { text: target, settlesAt: 0, bytes: target.length } };
}

/** The time of change, unlike that of modification, cannot be set by who writes the file. */
function lookOf({ dev, ino, size, mode, ctimeNs }: BigIntStats): Look {
  const isWholeSecond = ctimeNs % 1_000_000_000n === 0n;
  const settlesAt = Number(ctimeNs / 1_000_000n) + (isWholeSecond ? coarseTimesMs : fineTimesMs);
  return { text: `${dev} ${ino} ${size} ${mode} ${ctimeNs}`, settlesAt, bytes: Number(size) };
}

async function writeZip(entries: readonly Entry[], path: string): Promise<Buffer> {
  const { ZipFile } = await import('yazl');
  const zip = new ZipFile();
  const collected = collectStream(zip.outputStream, path);
  const failure = new Promise<never>((_, reject) => zip.once('error', reject));
  // A link may be written before its target exists in the archive; unpacking makes it whole.
  for (const entry of entries) {
    const { name } = entry;
    if (entry.kind === 'link') zip.addBuffer(Buffer.from(entry.target), name, { ...optionsOf(entry), compress: false });
    else zip.addFile(entry.path, name, optionsOf(entry));
  }
  zip.end();
  return await Promise.race([collected, failure]);
}

/** All at once: the caller has seen to it that they are small. One that has grown meanwhile is refused where it is too large for a zip. */
async function writeStored(entries: readonly Entry[], path: string): Promise<Buffer> {
  const { ZipFile } = await import('yazl');
  const zip = new ZipFile();
  const collected = collectStream(zip.outputStream, path);
  for (let at = 0; at < entries.length; at += lookedAtOnce) {
    const read = async (entry: Entry) => ({
      entry,
      content: entry.kind === 'link' ? Buffer.from(entry.target) : await readFile(entry.path),
    });
    for (const { entry, content } of await Promise.all(entries.slice(at, at + lookedAtOnce).map(read))) {
      zip.addBuffer(content, entry.name, { ...optionsOf(entry), compress: false });
    }
  }
  zip.end();
  return await collected;
}

function optionsOf(entry: Entry) {
  const mode = entry.kind === 'link' ? 0o120777 : entry.isExecutable ? 0o100755 : 0o100644;
  return { mtime: fixedTime(), mode, forceDosTimestamp: true };
}

async function collectStream(stream: NodeJS.ReadableStream, path: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > packageLimitBytes) throw tooLarge(path);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function refuseTooLarge(zip: Buffer, path: string): Buffer {
  if (zip.length > packageLimitBytes) throw tooLarge(path);
  return zip;
}

function tooLarge(path: string): Error {
  return failed(
    `the package of ${path} is larger than ${packageLimitBytes / 1024 / 1024} MB, the service's limit; leave out what the function does not need`,
  );
}
