// The index of a closed segment: what its lines are about, and where each request id is. Made once when the segment is closed,
// kept beside it as `<segment>.idx`. Called by segments.ts and search.ts.
import { open, readFile, writeFile } from 'node:fs/promises';
import { readIndexedMembers } from '../../wire/request-log-line.ts';

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
/** Lines that are read before others get their turn. */
const turnLines = 300;
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
  add(value: Value | null): void {
    if (value === null || this.#values === null) return;
    this.#values.add(value);
    if (this.#values.size > listLimit) this.#values = null;
  }
  list(): Value[] | null {
    return this.#values === null ? null : [...this.#values];
  }
}

/** Reads a segment and writes its index. Shape: one line of JSON (the summary), then the positions. Errors: those of the disk. */
export async function buildIndex(segmentPath: string): Promise<SegmentSummary> {
  const bytes = await readFile(segmentPath);
  const [apiIds, appIds, statuses] = [new Seen<string>(), new Seen<number>(), new Seen<number>()];
  const positions: [number, number][] = [];
  let [from, to] = [Number.MAX_SAFE_INTEGER, 0];
  for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
    end = bytes.indexOf(10, start);
    if (end === -1) end = bytes.length;
    // Bytes as they are: what is indexed is ASCII.
    const record = readIndexedMembers(bytes.toString('latin1', start, end));
    if (record !== null) {
      positions.push([idHash(record.requestId), start]);
      from = Math.min(from, record.at);
      to = Math.max(to, record.at);
      apiIds.add(record.apiId);
      appIds.add(record.appId);
      statuses.add(record.status);
    }
    if (positions.length % turnLines === 0) await nextTurn();
  }
  const summary: SegmentSummary = {
    from,
    to,
    lines: positions.length,
    apiIds: apiIds.list(),
    appIds: appIds.list(),
    statuses: statuses.list(),
  };
  positions.sort(([left], [right]) => left - right);
  const words = Uint32Array.from(positions.flat());
  const head = Buffer.from(`${JSON.stringify(summary)}\n`);
  await writeFile(indexPath(segmentPath), Buffer.concat([head, Buffer.from(words.buffer)]), { mode: 0o600 });
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
