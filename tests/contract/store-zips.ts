// Builds zips byte by byte, so that tests can make the ones no tool would. Used by the store's tests.
import { crc32, deflateRawSync } from 'node:zlib';

export type ZipEntry = {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  /** Unix mode with its type bits; null writes an entry as from DOS. */
  readonly mode?: number | null;
  readonly method?: 0 | 8 | 12;
  readonly flags?: number;
  /** Lies: what the zip says instead of the truth. */
  readonly saidSize?: number;
  readonly saidCrc?: number;
};

export const fileMode = 0o100644;
export const programMode = 0o100755;
export const linkMode = 0o120777;
export const directoryMode = 0o040755;

const utf8Flag = 0x800;

type Built = { readonly local: Buffer; readonly central: (offset: number) => Buffer };

function buildEntry(entry: ZipEntry): Built {
  const { method = 8, mode = fileMode, flags = utf8Flag } = entry;
  const name = Buffer.from(entry.name);
  const content = Buffer.from(entry.content ?? '');
  const data = method === 8 ? deflateRawSync(content) : content;
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(flags, 2);
  common.writeUInt16LE(method, 4);
  common.writeUInt16LE(0x5a21, 8);
  common.writeUInt32LE(entry.saidCrc ?? crc32(content), 10);
  common.writeUInt32LE(data.length, 14);
  common.writeUInt32LE(entry.saidSize ?? content.length, 18);
  common.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, name, data]);
  const central = (offset: number) => {
    const head = Buffer.from('PK\x01\x02\x14\x00', 'latin1');
    head.writeUInt8(mode === null ? 0 : 3, 5);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((mode ?? 0) << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    return Buffer.concat([head, common, tail, name]);
  };
  return { local, central };
}

export function buildZip(entries: readonly ZipEntry[]): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const { local, central } = buildEntry(entry);
    locals.push(local);
    centrals.push(central(offset));
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}
