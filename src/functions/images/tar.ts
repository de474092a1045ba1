// Reads tar archives as layers of images are: ustar with the long names of POSIX (pax) and GNU. From a stream, entry by entry.

export type TarEntry = {
  /** `other`: devices and pipes. */
  readonly kind: 'file' | 'hardlink' | 'symlink' | 'directory' | 'other';
  readonly name: string;
  /** What a link leads to; empty for others. */
  readonly link: string;
  readonly mode: number;
  readonly size: number;
};

const blockBytes = 512;
/** Long names and pax records. */
const extraLimitBytes = 1024 * 1024;
const kinds: Readonly<Record<string, TarEntry['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'directory',
  '3': 'other',
  '4': 'other',
  '6': 'other',
};

/** The content of an entry is read by content() before the next is asked for; what is not read is skipped. */
export class TarReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();
  /** Of the entry under way: content, and what fills its last block. */
  #left = 0;
  #padding = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Null at the end. Errors: throws on what is no tar, is cut short, or has sparse files. */
  async next(): Promise<TarEntry | null> {
    const long: { path?: string; linkpath?: string; size?: string } = {};
    while (true) {
      await this.#skip();
      const block = await this.#exactly(blockBytes, true);
      if (block === null || block.every((byte) => byte === 0)) return null;
      const header = readHeader(block);
      this.#left = header.size;
      this.#padding = (blockBytes - (header.size % blockBytes)) % blockBytes;
      switch (header.type) {
        case 'L':
          long.path = untilZero(await this.#extra());
          break;
        case 'K':
          long.linkpath = untilZero(await this.#extra());
          break;
        case 'x':
          Object.assign(long, readPax(await this.#extra()));
          break;
        case 'g': // of the whole archive: nothing that is used here
          break;
        default:
          return this.#entry(header, long);
      }
    }
  }

  async *content(): AsyncGenerator<Uint8Array> {
    while (this.#left > 0) {
      const part = await this.#some(this.#left);
      this.#left -= part.length;
      yield part;
    }
  }

  /** Reads on to the end of the stream, so that whoever counts its bytes has seen all. */
  async drain(): Promise<void> {
    this.#rest = new Uint8Array();
    while ((await this.#source.next()).done !== true);
  }

  #entry(header: Header, long: { path?: string; linkpath?: string; size?: string }): TarEntry {
    const kind = kinds[header.type];
    if (kind === undefined) throw new Error(`a tar entry has the type '${header.type}', which is not read`);
    if (long.size !== undefined) {
      const size = Number(long.size);
      if (!Number.isSafeInteger(size) || size < 0) throw new Error('a tar entry has no size');
      this.#left = size;
      this.#padding = (blockBytes - (size % blockBytes)) % blockBytes;
    }
    if (kind !== 'file') {
      // Links may name the size of what they lead to; they have no content.
      if (kind !== 'other' && header.size > 0 && header.type === '1') this.#left = this.#padding = 0;
    }
    return {
      kind,
      name: long.path ?? header.name,
      link: long.linkpath ?? header.link,
      mode: header.mode,
      size: this.#left,
    };
  }

  async #skip(): Promise<void> {
    for await (const _part of this.content());
    if (this.#padding > 0) await this.#exactly(this.#padding, false);
    this.#padding = 0;
  }

  async #extra(): Promise<Buffer> {
    if (this.#left > extraLimitBytes) throw new Error('a tar entry has a name that is too long');
    const parts = [];
    for await (const part of this.content()) parts.push(part);
    return Buffer.concat(parts);
  }

  /** Null: the stream ends here, which is an error unless `mayEnd`. */
  async #exactly(bytes: number, mayEnd: boolean): Promise<Buffer | null> {
    const whole = Buffer.alloc(bytes);
    let filled = 0;
    while (filled < bytes) {
      const part = await this.#some(bytes - filled, mayEnd && filled === 0);
      if (part.length === 0) return null;
      whole.set(part, filled);
      filled += part.length;
    }
    return whole;
  }

  /** At least one byte, at most `bytes`; none at the end, if there may be one. */
  async #some(bytes: number, mayEnd = false): Promise<Uint8Array> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#source.next();
      if (done === true) {
        if (mayEnd) return new Uint8Array();
        throw new Error('a tar archive is cut short');
      }
      this.#rest = value;
    }
    const part = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(part.length);
    return part;
  }
}

type Header = Omit<TarEntry, 'kind'> & { readonly type: string };

function readHeader(block: Buffer): Header {
  const stated = octal(block, 148, 8);
  let sum = 0;
  for (const [at, byte] of block.entries()) sum += at >= 148 && at < 156 ? 0x20 : byte;
  if (sum !== stated) throw new Error('a tar header has a wrong checksum');
  const isPosix = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isPosix ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  return {
    type: block.toString('latin1', 156, 157),
    name: prefix === '' ? name : `${prefix}/${name}`,
    link: text(block, 157, 100),
    mode: octal(block, 100, 8),
    size: octal(block, 124, 12),
  };
}

function text(block: Buffer, at: number, length: number): string {
  return untilZero(block.subarray(at, at + length));
}

function untilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
}

/** Octal digits, or (GNU, large numbers) bytes after a first bit. */
function octal(block: Buffer, at: number, length: number): number {
  const field = block.subarray(at, at + length);
  const value =
    ((field[0] ?? 0) & 0x80) === 0
      ? Number.parseInt(untilZero(field).trim() || '0', 8)
      : field.subarray(1).reduce((all, byte) => all * 256 + byte, (field[0] ?? 0) & 0x7f);
  if (!Number.isSafeInteger(value)) throw new Error('a tar header has a number that is none');
  return value;
}

/** Records of `<length> <key>=<value>\n`; the keys that matter. */
function readPax(bytes: Buffer): { path?: string; linkpath?: string; size?: string } {
  const found: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString('latin1', at, blank));
    if (blank === -1 || !Number.isInteger(length) || length <= blank - at || at + length > bytes.length) {
      throw new Error('a pax record of a tar archive is malformed');
    }
    const record = bytes.toString('utf8', blank + 1, at + length - 1);
    const [key = '', value] = [record.slice(0, record.indexOf('=')), record.slice(record.indexOf('=') + 1)];
    if (key.startsWith('GNU.sparse.')) throw new Error('a tar archive has sparse files, which are not read');
    if (key === 'path' || key === 'linkpath' || key === 'size') found[key] = value;
    at += length;
  }
  return found;
}
