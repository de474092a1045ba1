// One stream of a log: a row of files that is written at its end and loses its oldest. Used by request-log.ts and output-log.ts.
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { endCutLine, WriteQueue, writeAll } from '../write-queue.ts';
import { buildIndex, type IndexedMembers, indexPath, readSummary, type SegmentSummary } from './segment-index.ts';

export type SegmentBounds = {
  /** A file of this size is closed, in bytes. */
  readonly segmentBytes: number;
  /** All files of the stream together, in bytes. */
  readonly totalBytes: number;
  readonly ageMs: number;
  /** Bytes that wait for the disk; more are dropped. */
  readonly waitingBytes: number;
};

/** `summary` null: not closed, or its index could not be made. */
export type Segment = { readonly path: string; readonly bytes: number; readonly summary: SegmentSummary | null };

type Closed = { path: string; bytes: number; summary: SegmentSummary | null; closedAt: number };

const numberDigits = 10;

/** `<kind>-<number>.jsonl`, so that names sort as they were made. */
function segmentName(kind: string, number: number): string {
  return `${kind}-${String(number).padStart(numberDigits, '0')}.jsonl`;
}

export type SegmentsOptions = {
  readonly directory: string;
  readonly kind: string;
  readonly clock: Clock;
  readonly bounds: SegmentBounds;
  /** What the index holds of a line; null: it is none. */
  readonly read: (line: string) => IndexedMembers | null;
  /** Told what went wrong with the disk; the log goes on as far as it can. */
  readonly onError: (error: unknown) => void;
};

export class Segments {
  readonly #options: SegmentsOptions;
  readonly #closed: Closed[];
  #number: number;
  #file: FileHandle;
  #bytes: number;
  readonly #queue: WriteQueue;
  #indexing: Promise<void> = Promise.resolve();

  private constructor(
    options: SegmentsOptions,
    closed: Closed[],
    current: { number: number; file: FileHandle; bytes: number },
  ) {
    this.#options = options;
    this.#closed = closed;
    this.#number = current.number;
    this.#file = current.file;
    this.#bytes = current.bytes;
    const { onError, bounds } = options;
    this.#queue = new WriteQueue({
      waitingBytes: bounds.waitingBytes,
      write: (lines, bytes) => this.#write(lines, bytes),
      onError,
    });
  }

  /** Goes on with the newest file that has no index. A line that a crash cut is ended, so that it spoils no other. */
  static async open(options: SegmentsOptions): Promise<Segments> {
    const { directory, kind } = options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const pattern = new RegExp(`^${kind}-(\\d{${numberDigits}})\\.jsonl$`);
    const numbers = (await readdir(directory)).flatMap((name) => Number(pattern.exec(name)?.[1] ?? '') || []);
    numbers.sort((left, right) => left - right);
    const closed: Closed[] = [];
    for (const number of numbers) {
      const path = join(directory, segmentName(kind, number));
      const { size, mtimeMs } = await stat(path);
      closed.push({ path, bytes: size, summary: await readSummary(path), closedAt: mtimeMs });
    }
    const last = closed.at(-1);
    const goesOn = last !== undefined && last.summary === null && last.bytes < options.bounds.segmentBytes;
    if (goesOn) closed.pop();
    const number = goesOn ? (numbers.at(-1) ?? 1) : (numbers.at(-1) ?? 0) + 1;
    const file = await openForAppend(join(directory, segmentName(kind, number)));
    const segments = new Segments(options, closed, { number, file, bytes: await endCutLine(file) });
    for (const one of closed) if (one.summary === null) segments.#index(one);
    return segments;
  }

  /** Takes whole lines; false when they are dropped because too much waits for the disk. */
  append(lines: Buffer): boolean {
    return this.#queue.append(lines);
  }

  /** Resolves when what was appended is in the file. */
  flush(): Promise<void> {
    return this.#queue.flush();
  }

  /** Newest first; the first is the one that is written. */
  list(): Segment[] {
    const current = { path: this.#path(), bytes: this.#bytes, summary: null };
    return [current, ...this.#closed.toReversed()];
  }

  /** Resolves when every closed file has its index. */
  indexed(): Promise<void> {
    return this.#indexing;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#indexing;
    await this.#file.close();
  }

  #path(): string {
    return join(this.#options.directory, segmentName(this.#options.kind, this.#number));
  }

  async #write(lines: readonly Buffer[], bytes: number): Promise<void> {
    await writeAll(this.#file, lines, bytes);
    this.#bytes += bytes;
    if (this.#bytes >= this.#options.bounds.segmentBytes) await this.#rotate();
  }

  async #rotate(): Promise<void> {
    const path = this.#path();
    const next = await openForAppend(join(this.#options.directory, segmentName(this.#options.kind, this.#number + 1)));
    await this.#file.close();
    const closed = { path, bytes: this.#bytes, summary: null, closedAt: this.#options.clock.now() };
    this.#closed.push(closed);
    this.#number++;
    this.#file = next;
    this.#bytes = 0;
    this.#index(closed);
    await this.#prune();
  }

  /** One index at a time, beside the writing. */
  #index(segment: Closed): void {
    this.#indexing = this.#indexing.then(async () => {
      if (!this.#closed.includes(segment)) return;
      try {
        segment.summary = await buildIndex(segment.path, this.#options.read);
      } catch (error) {
        this.#options.onError(error);
      }
    });
  }

  async #prune(): Promise<void> {
    const { bounds, clock } = this.#options;
    let total = this.#closed.reduce((sum, { bytes }) => sum + bytes, 0);
    for (let oldest = this.#closed[0]; oldest !== undefined; oldest = this.#closed[0]) {
      const isOld = clock.now() - oldest.closedAt > bounds.ageMs;
      if (!isOld && total + bounds.segmentBytes <= bounds.totalBytes) return;
      this.#closed.shift();
      total -= oldest.bytes;
      await rm(oldest.path, { force: true });
      await rm(indexPath(oldest.path), { force: true });
    }
  }
}

function openForAppend(path: string): Promise<FileHandle> {
  const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
  return open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
}
