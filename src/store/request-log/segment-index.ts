// The index of a closed segment: what its lines are about, and where each request id is. Made once when the segment is closed,
// kept beside it as `<segment>.idx`. Called by segments.ts and search.ts.
import { type FileHandle, open, readFile, writeFile } from 'node:fs/promises';

/** What the index of a file of lines holds of each. */
export type IndexedMembers = {
  readonly requestId: string;
  /** Epoch ms. */
  readonly at: number;
  readonly status: number | null;
  readonly apiId: string | null;
  readonly appId: number | null;
};

/** What a search needs to pass a segment over. Times in epoch ms; a list that would be too long is null: it may hold anything. */
export type SegmentSummary = {
  readonly from: number;
  readonly to: number;
  readonly lines: number;
  readonly apiIds: readonly string[] | null;
  readonly appIds: readonly number[] | null;
  readonly statuses: readonly number[] | null;
};

/** Longest list in a summary. */
const listLimit = 500;
const wordBytes = 4;
/** A position is [hash of the id, offset of its line], in words of 32 bits, sorted by hash. */
const positionWords = 2;

/** 32-bit FNV-1a. */
export function idHash(requestId: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < requestId.length; i++) hash = Math.imul(hash ^ requestId.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

export function indexPath(segmentPath: string): string {
  return segmentPath.replace(/\.jsonl$/, '.idx');
}

/** Lets other work run between two pieces of a long one. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

class Seen<Value extends string | number> {
  #values: Set<Value> | null = new Set();
  /** `copy` gives what is kept: of a text that is part of a larger one, one of its own. */
  add(value: Value | null, copy: (value: Value) => Value): void {
    if (value === null || this.#values === null || this.#values.has(value)) return;
    this.#values.add(copy(value));
    if (this.#values.size > listLimit) this.#values = null;
  }
  list(): Value[] | null {
    return this.#values === null ? null : [...this.#values];
  }
}

const same = <Value>(value: Value): Value => value;
const copied = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');

/** What is read of a segment at once; a longer line is read whole. Others get their turn while it is read. */
const pieceBytes = 128 * 1024;

/** A file in pieces of whole lines, as bytes: what is indexed is ASCII. */
async function* piecesOf(file: FileHandle): AsyncGenerator<{ readonly offset: number; readonly text: string }, void> {
  let buffer = Buffer.allocUnsafeSlow(pieceBytes);
  let held = 0;
  for (let offset = 0; ; ) {
    const { bytesRead } = await file.read(buffer, held, buffer.length - held, offset + held);
    held += bytesRead;
    const isLast = bytesRead === 0;
    const whole = isLast ? held : buffer.lastIndexOf(10, held - 1) + 1;
    yield { offset, text: buffer.toString('latin1', 0, whole) };
    if (isLast) return;
    if (whole === 0 && held === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
    buffer.copyWithin(0, whole, held);
    held -= whole;
    offset += whole;
  }
}

/** Positions as they stand in the file. Kept as numbers of 64 bits, which sort faster than pairs and leave nothing behind. */
class Positions {
  #words = new Uint32Array(4096 * positionWords);
  count = 0;

  add(hash: number, offset: number): void {
    const at = this.count * positionWords;
    if (at === this.#words.length) {
      const larger = new Uint32Array(2 * at);
      larger.set(this.#words);
      this.#words = larger;
    }
    // Little endian, as all machines are that this runs on: the hash is the upper half.
    this.#words[at] = offset;
    this.#words[at + 1] = hash;
    this.count += 1;
  }

  /** In the order of their hashes. */
  toBuffer(): Buffer {
    new BigUint64Array(this.#words.buffer, 0, this.count).sort();
    const bytes = Buffer.allocUnsafe(this.count * positionWords * wordBytes);
    for (let i = 0; i < this.count * positionWords; i++) bytes.writeUInt32LE(this.#words[i ^ 1] ?? 0, i * wordBytes);
    return bytes;
  }
}

/** Reads a segment and writes its index. Shape: one line of JSON (the summary), then the positions. Errors: those of the disk. */
export async function buildIndex(
  segmentPath: string,
  read: (line: string) => IndexedMembers | null,
): Promise<SegmentSummary> {
  const [apiIds, appIds, statuses] = [new Seen<string>(), new Seen<number>(), new Seen<number>()];
  const positions = new Positions();
  let [from, to] = [Number.MAX_SAFE_INTEGER, 0];
  const file = await open(segmentPath, 'r');
  try {
    for await (const { offset, text } of piecesOf(file)) {
      for (let start = 0, end = 0; start < text.length; start = end + 1) {
        end = text.indexOf('\n', start);
        if (end === -1) end = text.length;
        const record = read(text.slice(start, end));
        if (record === null) continue;
        positions.add(idHash(record.requestId), offset + start);
        from = Math.min(from, record.at);
        to = Math.max(to, record.at);
        apiIds.add(record.apiId, copied);
        appIds.add(record.appId, same);
        statuses.add(record.status, same);
      }
    }
  } finally {
    await file.close();
  }
  const summary: SegmentSummary = {
    from,
    to,
    lines: positions.count,
    apiIds: apiIds.list(),
    appIds: appIds.list(),
    statuses: statuses.list(),
  };
  const head = Buffer.from(`${JSON.stringify(summary)}\n`);
  await writeFile(indexPath(segmentPath), Buffer.concat([head, positions.toBuffer()]), { mode: 0o600 });
  return summary;
}

/** The summary of an index file; null when there is none or it was cut. */
export async function readSummary(segmentPath: string): Promise<SegmentSummary | null> {
  try {
    const bytes = await readFile(indexPath(segmentPath));
    const end = bytes.indexOf(10);
    const summary = JSON.parse(bytes.toString('utf8', 0, end)) as SegmentSummary;
    const expected = end + 1 + summary.lines * positionWords * wordBytes;
    return bytes.length === expected ? summary : null;
  } catch {
    return null; // Not there or not whole: it is made anew.
  }
}

/** Offsets of the lines that may be of this request. */
export async function findOffsets(segmentPath: string, requestId: string): Promise<number[]> {
  const bytes = await readFile(indexPath(segmentPath));
  const start = bytes.indexOf(10) + 1;
  const count = Math.floor((bytes.length - start) / (positionWords * wordBytes));
  const wordAt = (position: number, word: number) =>
    bytes.readUInt32LE(start + (position * positionWords + word) * wordBytes);
  const hash = idHash(requestId);
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (wordAt(middle, 0) < hash) low = middle + 1;
    else high = middle;
  }
  const offsets: number[] = [];
  for (let at = low; at < count && wordAt(at, 0) === hash; at++) offsets.push(wordAt(at, 1));
  return offsets;
}

/** Longest line that is read, in bytes; records bound their texts far below. */
const lineLimit = 256 * 1024;

/** The line that begins at an offset. */
export async function readLineAt(segmentPath: string, offset: number): Promise<string> {
  const file = await open(segmentPath, 'r');
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(lineLimit), 0, lineLimit, offset);
    const end = buffer.indexOf(10);
    return buffer.toString('utf8', 0, end === -1 || end > bytesRead ? bytesRead : end);
  } finally {
    await file.close();
  }
}
