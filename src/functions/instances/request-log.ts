// The output of one instance: a byte stream in which Start and End markers separate the requests.
// Keeps the tail of the request under way and forwards whole lines. Owned by instance.ts.
import { removeFrom } from '../../base/roster.ts';

/** One line that function code wrote. `requestId` is null outside of a request. */
export type LogLine = {
  readonly functionKey: string;
  readonly instanceId: string;
  readonly requestId: string | null;
  /** Without the line end; cut at lineLimitBytes. */
  readonly text: string;
};

/** What an instance writes, and the part of it that is a request's. */
export type OutputLog = {
  /** A request begins. `isStartFirst` (unless said so): its Start marker comes before all that it writes. */
  begin(requestId: string, isStartFirst?: boolean): void;
  /** A request was sent ahead: it will begin. Absent: each begins as it is sent. */
  expect?(requestId: string): void;
  /** True when nothing more can come for this request, or of an instance that serves none yet (null). */
  isComplete(requestId: string | null): boolean;
  /** Calls `run` once when that is so. */
  whenComplete(requestId: string | null, run: () => void): void;
  receive(chunk: Buffer): void;
  /** The stream has ended: the process and all that held its output are gone. */
  close(): void;
  /**
   * The request's output from Start to End marker, at most the last tailLimitBytes.
   * Markers that the instance did not write are added; `endSuffix` is what follows the id in an added End.
   */
  tail(requestId: string, endSuffix: string): Buffer;
  /** Nobody asks for the request's output any more: it goes as soon as all of it has come. */
  settled?(requestId: string): void;
  /** The end of what was written outside of requests, as it is. */
  unmarkedTail(): string;
};

/** Source: docs: the last 4 KB; a line is cut at 32 KB. */
export const tailLimitBytes = 4096;
const lineLimitBytes = 32 * 1024;
/** Forwarded bytes of one request; what comes after is dropped, which one line says. */
const forwardLimitBytes = 1024 * 1024;
const newline = 0x0a;
const none = Buffer.alloc(0);

/** What one request has written. */
type Part = {
  readonly requestId: string | null;
  startMarker: Buffer;
  endMarker: Buffer;
  /** From its Start marker when that has come; older bytes cut off. */
  tail: Buffer;
  isCut: boolean;
  /** What comes before its Start marker is another's. Else its children may have written it. */
  isStartFirst: boolean;
  hasStart: boolean;
  hasEnd: boolean;
  isSettled: boolean;
  onEnd: (() => void) | null;
};

function newPart(requestId: string | null): Part {
  const flags = { isCut: false, isStartFirst: true, hasStart: false, hasEnd: false, isSettled: false };
  return { requestId, startMarker: none, endMarker: none, tail: none, ...flags, onEnd: null };
}

/** Requests before and behind the one that runs whose parts are known, beside those that somebody waits for. */
const otherLimit = 64;
const startWords = Buffer.from('FC Invoke Start RequestId: ');

/**
 * Reads the log stream of one instance that serves one request at a time.
 * Holds at most the tail, one marker's length and one unfinished line, whatever is written; where requests are sent
 * ahead, a tail each of the last ones: the answer to one may be read before its output, or after the next one's.
 */
export class RequestLog implements OutputLog {
  readonly #forward: (requestId: string | null, text: string) => void;
  /** Of the request that runs. */
  #current = newPart(null);
  /** Whose output comes. */
  #writing = this.#current;
  /** Of requests that were sent ahead, and those that ran before them. */
  readonly #others: Part[] = [];
  #isClosed = false;
  #line: Buffer = none;
  #isLineCut = false;
  #forwarded = 0;
  #isOverflowed = false;

  constructor(forward: (requestId: string | null, text: string) => void) {
    this.#forward = forward;
  }

  /** True when nothing more can come for this request: its End marker is here, or the stream has ended. */
  isComplete(requestId: string | null = null): boolean {
    return this.#partOf(requestId).hasEnd || this.#isClosed;
  }

  /** A request begins: its output is what comes from now on, but for what the Start marker of another begins. */
  begin(requestId: string, isStartFirst = true): void {
    const expected = this.#otherOf(requestId);
    // Its answer may have been read before its output.
    if (this.#current.requestId !== null && !isOver(this.#current)) this.#keepOther(this.#current);
    if (expected !== undefined) removeFrom(this.#others, expected);
    this.#current = expected ?? newPart(requestId);
    this.#current.isStartFirst = isStartFirst;
    // The rest of what the one before has written may not be here yet.
    const isUnfinished = this.#writing !== this.#current && this.#writing.hasStart && !this.#writing.hasEnd;
    if (!isUnfinished && this.#writing !== this.#current) {
      this.#flushLine();
      this.#writing = this.#current;
    }
    this.#forwarded = 0;
    this.#isOverflowed = false;
  }

  /** A request will begin, and its output may come before that is known. */
  expect(requestId: string): void {
    this.#keepOther(newPart(requestId));
  }

  whenComplete(requestId: string | null, run: () => void): void {
    if (this.isComplete(requestId)) run();
    else this.#partOf(requestId).onEnd = run;
  }

  receive(chunk: Buffer): void {
    let rest = chunk;
    while (this.#others.length > 0) {
      const next = this.#nextStart(rest);
      if (next === null) break;
      if (next.at > 0) this.#take(rest.subarray(0, next.at));
      this.#flushLine();
      this.#writing = next.part;
      rest = rest.subarray(next.at);
    }
    this.#take(rest);
  }

  close(): void {
    this.#isClosed = true;
    this.#flushLine();
    for (const part of [this.#current, ...this.#others]) notify(part);
  }

  tail(requestId: string, endSuffix: string): Buffer {
    const { tail, hasStart, hasEnd, isCut } = this.#partOf(requestId);
    const parts: Buffer[] = [];
    if (!hasStart && !isCut) parts.push(Buffer.from(`FC Invoke Start RequestId: ${requestId}\n`));
    parts.push(tail);
    if (!hasEnd) {
      const isLineOpen = tail.length > 0 && tail[tail.length - 1] !== newline;
      parts.push(Buffer.from(`${isLineOpen ? '\n' : ''}FC Invoke End RequestId: ${requestId}${endSuffix}\n`));
    }
    const all = Buffer.concat(parts);
    return all.length > tailLimitBytes ? all.subarray(all.length - tailLimitBytes) : all;
  }

  settled(requestId: string): void {
    const part = this.#partOf(requestId);
    if (part.requestId !== requestId) return;
    part.isSettled = true;
    if (isOver(part)) removeFrom(this.#others, part);
  }

  unmarkedTail(): string {
    return this.#current.tail.toString('utf8');
  }

  #partOf(requestId: string | null): Part {
    return (requestId === null ? undefined : this.#otherOf(requestId)) ?? this.#current;
  }

  /** The newest come last, and are asked for most. */
  #otherOf(requestId: string): Part | undefined {
    return this.#others.findLast((part) => part.requestId === requestId);
  }

  #keepOther(part: Part): void {
    const before = part.requestId === null ? undefined : this.#otherOf(part.requestId);
    if (before !== undefined) removeFrom(this.#others, before); // sent ahead once before, and taken back
    this.#others.push(part);
    if (this.#others.length <= otherLimit) return;
    const oldest = this.#others.findIndex(({ onEnd }) => onEnd === null);
    if (oldest >= 0) this.#others.splice(oldest, 1);
  }

  /** Where the output of another request begins, which its Start marker tells. */
  #nextStart(chunk: Buffer): { readonly at: number; readonly part: Part } | null {
    for (let at = chunk.indexOf(startWords); at >= 0; at = chunk.indexOf(startWords, at + 1)) {
      const end = chunk.indexOf(newline, at);
      if (end < 0) return null;
      const requestId = chunk.toString('latin1', at + startWords.length, end);
      const part = requestId === this.#current.requestId ? this.#current : this.#otherOf(requestId);
      if (part !== undefined && part !== this.#writing && !part.hasStart) return { at, part };
    }
    return null;
  }

  #take(chunk: Buffer): void {
    const part = this.#writing;
    this.#forwardLines(chunk);
    if (part.hasEnd) return;
    prepareMarkers(part);
    part.tail = part.tail.length === 0 ? chunk : Buffer.concat([part.tail, chunk]);
    if (part.requestId !== null) findMarkers(part);
    const kept = tailLimitBytes + part.endMarker.length + 128;
    if (!part.hasEnd && part.tail.length > kept) {
      part.tail = Buffer.from(part.tail.subarray(part.tail.length - kept));
      part.isCut = true;
    }
    if (!part.hasEnd) return;
    notify(part);
    if (isOver(part)) removeFrom(this.#others, part);
    this.#writing = this.#current;
  }

  #forwardLines(chunk: Buffer): void {
    let from = 0;
    while (from < chunk.length) {
      const at = chunk.indexOf(newline, from);
      if (at < 0) {
        this.#keepLine(chunk.subarray(from));
        return;
      }
      this.#keepLine(chunk.subarray(from, at));
      this.#flushLine();
      from = at + 1;
    }
  }

  #keepLine(part: Buffer): void {
    const room = lineLimitBytes - this.#line.length;
    if (part.length > room) this.#isLineCut = true;
    const kept = part.subarray(0, Math.max(0, room));
    if (kept.length > 0) this.#line = Buffer.concat([this.#line, kept]);
  }

  #flushLine(): void {
    if (this.#line.length === 0 && !this.#isLineCut) return;
    const size = this.#line.length;
    if (!this.#isOverflowed && this.#forwarded + size <= forwardLimitBytes) {
      this.#forwarded += size;
      this.#forward(this.#writing.requestId, this.#line.toString('utf8'));
    } else if (!this.#isOverflowed) {
      this.#isOverflowed = true;
      this.#forward(this.#writing.requestId, `(more than ${forwardLimitBytes} bytes of output: the rest is not kept)`);
    }
    this.#line = none;
    this.#isLineCut = false;
  }
}

function prepareMarkers(part: Part): void {
  if (part.requestId === null || part.startMarker.length > 0) return;
  part.startMarker = Buffer.concat([startWords, Buffer.from(`${part.requestId}\n`)]);
  part.endMarker = Buffer.from(`FC Invoke End RequestId: ${part.requestId}`);
}

function findMarkers(part: Part): void {
  if (!part.hasStart) {
    const start = part.tail.indexOf(part.startMarker);
    if (start >= 0) {
      part.hasStart = true;
      part.isCut = false;
      const rest = part.tail.subarray(start);
      const isAllOfIt = part.isStartFirst || start === 0;
      part.tail = isAllOfIt
        ? rest
        : Buffer.concat([part.startMarker, part.tail.subarray(0, start), rest.subarray(part.startMarker.length)]);
    }
  }
  const end = part.tail.indexOf(part.endMarker);
  if (end < 0) return;
  const lineEnd = part.tail.indexOf(newline, end);
  if (lineEnd < 0) return;
  part.tail = Buffer.from(part.tail.subarray(Math.max(0, lineEnd + 1 - tailLimitBytes), lineEnd + 1));
  part.hasEnd = true;
}

function isOver({ hasEnd, isSettled }: Part): boolean {
  return hasEnd && isSettled;
}

function notify(part: Part): void {
  const run = part.onEnd;
  part.onEnd = null;
  run?.();
}
