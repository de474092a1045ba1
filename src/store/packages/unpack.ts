// Checks a zip and writes its files below a directory, read-only and synced. Runs in the worker.
import { isUtf8 } from 'node:buffer';
import { chmodSync, closeSync, fchmodSync, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, inflateRawSync } from 'node:zlib';
import { type Entry, fromBufferPromise, getFileNameLowLevel, type ZipFile } from 'yauzl';
import { syncTree } from '../sync-files.ts';
import { checkEntryName, type EntryKind, EntryTree, isInsideLink } from './entry-names.ts';
import { type PackageLimits, Refused } from './limits.ts';

/** Entries up to this size are inflated in one go, larger ones piece by piece. */
const wholeBytes = 8 * 1024 * 1024;
const linkLimitBytes = 4096;

type Planned = { readonly entry: Entry; readonly path: string; readonly mode: number };
type Plan = {
  readonly files: readonly Planned[];
  readonly links: readonly Planned[];
  readonly directories: readonly string[];
};

/**
 * Unpacks `zip` into `target`, which must not exist yet.
 *
 * Afterwards every file is 0444 or 0555 and every directory 0755 (so that the owner can remove the data directory by plain means),
 * all of it synced. Links are made last, so nothing is ever written through one.
 * Errors: Refused; on any error the caller removes what is there.
 */
export async function unpackZip(zip: Buffer, target: string, limits: PackageLimits): Promise<void> {
  const file = await openZip(zip);
  if (file.entryCount > limits.entries) {
    throw new Refused('too-large', `the zip has ${file.entryCount} entries; ${limits.entries} are allowed`);
  }
  const plan = await readPlan(file, limits);
  const reader = new EntryReader(file, zip, limits.unpackedBytes);
  mkdirSync(target, { mode: 0o755 });
  for (const path of plan.directories) mkdirSync(join(target, path), { mode: 0o755 });
  for (const planned of plan.files) await writeFile(reader, planned, join(target, planned.path));
  for (const planned of plan.links) await makeLink(reader, planned, join(target, planned.path));
  // Whatever the umask made of them.
  for (const path of [...plan.directories, '']) chmodSync(join(target, path), 0o755);
  // Only now, with all files written: the disk then takes them in one sweep.
  syncTree(target);
}

async function openZip(zip: Buffer): Promise<ZipFile> {
  try {
    return await fromBufferPromise(zip, { decodeStrings: false, strictFileNames: true, validateEntrySizes: true });
  } catch (error) {
    throw notAZip(error);
  }
}

function notAZip(error: unknown): Refused {
  return new Refused('not-a-zip', `the code is not a usable zip file: ${messageOf(error)}`, error);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Reads the whole directory of the zip and judges it before anything is written. */
async function readPlan(file: ZipFile, limits: PackageLimits): Promise<Plan> {
  const tree = new EntryTree();
  const files: Planned[] = [];
  const links: Planned[] = [];
  let claimedBytes = 0;
  for await (const entry of entriesOf(file)) {
    const name = nameOf(entry);
    const verdict = checkEntryName(name);
    if (!verdict.ok) throw new Refused('unsafe-entry', verdict.message);
    const { path } = verdict;
    const { kind, mode } = kindOf(entry, name);
    refuseUndecodable(entry, path, kind);
    claimedBytes += entry.uncompressedSize;
    if (claimedBytes > limits.unpackedBytes) throw tooLarge(limits.unpackedBytes, path);
    if (path === '') {
      if (kind === 'directory') continue;
      throw new Refused('unsafe-entry', `entry ${JSON.stringify(name)} names the package itself`);
    }
    const conflict = tree.add(path, kind);
    if (conflict !== null) throw new Refused('unsafe-entry', conflict);
    if (kind === 'file') files.push({ entry, path, mode });
    if (kind === 'link') links.push({ entry, path, mode });
  }
  if (files.length === 0) throw new Refused('not-a-zip', 'the zip holds no file');
  return { files, links, directories: tree.directories };
}

/** The entries, with the library's complaints turned into refusals. */
async function* entriesOf(file: ZipFile): AsyncGenerator<Entry> {
  const entries = file.eachEntry()[Symbol.asyncIterator]();
  for (;;) {
    let next: IteratorResult<Entry>;
    try {
      next = await entries.next();
    } catch (error) {
      throw notAZip(error);
    }
    if (next.done === true) return;
    yield next.value;
  }
}

/** The name: UTF-8 when it is valid UTF-8 (many tools write it without saying so), else as the zip's own rule has it. */
function nameOf(entry: Entry): string {
  const decoded = getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true);
  const says = (entry.generalPurposeBitFlag & 0x800) !== 0 || entry.extraFields.some(({ id }) => id === 0x7075);
  return !says && isUtf8(entry.fileNameRaw) ? entry.fileNameRaw.toString('utf8') : decoded;
}

/** Systems whose zips carry a Unix mode in the upper half of the external attributes: Unix, macOS. */
const unixHosts = new Set([3, 19]);

/** What an entry is. Errors: Refused for devices, pipes, sockets and contradictions. The mode keeps only its x bits. */
function kindOf(entry: Entry, name: string): { readonly kind: EntryKind; readonly mode: number } {
  const isNamedDirectory = name.endsWith('/');
  const attributes = unixHosts.has(entry.versionMadeBy >>> 8) ? entry.externalFileAttributes >>> 16 : 0;
  const mode = (attributes & 0o111) === 0 ? 0o444 : 0o555;
  const type = attributes & 0o170000;
  if (type === 0o040000 || (isNamedDirectory && (type === 0 || type === 0o100000))) {
    if (entry.uncompressedSize === 0) return { kind: 'directory', mode: 0o755 };
    throw new Refused('unsafe-entry', `entry ${JSON.stringify(name)} is a directory with content`);
  }
  if (type === 0 || type === 0o100000) return { kind: 'file', mode };
  if (type === 0o120000 && !isNamedDirectory) return { kind: 'link', mode };
  throw new Refused('unsafe-entry', `entry ${JSON.stringify(name)} is neither a file, a directory nor a link`);
}

function refuseUndecodable(entry: Entry, path: string, kind: EntryKind): void {
  const name = JSON.stringify(path);
  if (entry.isEncrypted()) throw new Refused('unsafe-entry', `entry ${name} is encrypted`);
  if (kind !== 'directory' && !entry.canDecodeFileData()) {
    throw new Refused(
      'not-a-zip',
      `entry ${name} is compressed with method ${entry.compressionMethod}; only deflate is known`,
    );
  }
  if (kind === 'link' && entry.uncompressedSize > linkLimitBytes) {
    throw new Refused('unsafe-entry', `entry ${name} is a link with a target that is too long`);
  }
}

function tooLarge(limitBytes: number, path: string): Refused {
  return new Refused(
    'too-large',
    `unpacked, the code is larger than ${limitBytes} bytes (reached at ${JSON.stringify(path)})`,
  );
}

/** Gives the content of entries, and holds the sum of the bytes that really come out against the limit. */
class EntryReader {
  readonly #file: ZipFile;
  readonly #zip: Buffer;
  readonly #limitBytes: number;
  #totalBytes = 0;

  constructor(file: ZipFile, zip: Buffer, limitBytes: number) {
    this.#file = file;
    this.#zip = zip;
    this.#limitBytes = limitBytes;
  }

  /** Errors: Refused when the bytes are damaged, or are not what the zip says of them. */
  async *read({ entry, path }: Planned): AsyncGenerator<Buffer> {
    let length = 0;
    let sum = 0;
    for await (const chunk of this.#chunks(entry, path)) {
      length += chunk.length;
      this.#totalBytes += chunk.length;
      if (this.#totalBytes > this.#limitBytes) throw tooLarge(this.#limitBytes, path);
      sum = crc32(chunk, sum);
      yield chunk;
    }
    if (length !== entry.uncompressedSize || sum !== entry.crc32) {
      throw new Refused('not-a-zip', `entry ${JSON.stringify(path)} is damaged: its content is not what the zip says`);
    }
  }

  async *#chunks(entry: Entry, path: string): AsyncGenerator<Buffer> {
    try {
      if (entry.uncompressedSize <= wholeBytes) yield await this.#inflate(entry);
      else for await (const chunk of await this.#file.openReadStreamPromise(entry)) yield Buffer.from(chunk);
    } catch (error) {
      throw new Refused('not-a-zip', `entry ${JSON.stringify(path)} is damaged: ${messageOf(error)}`, error);
    }
  }

  async #inflate(entry: Entry): Promise<Buffer> {
    const { fileDataStart } = await this.#file.readLocalFileHeaderPromise(entry, { minimal: true });
    const end = fileDataStart + entry.compressedSize;
    if (end > this.#zip.length) throw new Error('it ends behind the end of the zip');
    const raw = this.#zip.subarray(fileDataStart, end);
    if (entry.compressionMethod === 0) return raw;
    return inflateRawSync(raw, { maxOutputLength: Math.max(1, entry.uncompressedSize) });
  }
}

async function writeFile(reader: EntryReader, planned: Planned, path: string): Promise<void> {
  const handle = openSync(path, 'wx', 0o644);
  try {
    for await (const chunk of reader.read(planned)) {
      for (let at = 0; at < chunk.length; ) at += writeSync(handle, chunk, at);
    }
    fchmodSync(handle, planned.mode);
  } finally {
    closeSync(handle);
  }
}

async function makeLink(reader: EntryReader, planned: Planned, path: string): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of reader.read(planned)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const target = bytes.toString('utf8');
  if (!isUtf8(bytes) || !isInsideLink(planned.path, target)) {
    throw new Refused('unsafe-entry', `entry ${JSON.stringify(planned.path)} is a link that leads out of the package`);
  }
  symlinkSync(target, path);
}
