// The output of one instance: a byte stream in which Start and End markers separate the requests.
// Keeps the tail of the request under way and forwards whole lines. Owned by instance.ts.

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
  /** A request begins. */
  begin(requestId: string): void;
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

/**
 * Reads the log stream of one instance that serves one request at a time.
 * Holds at most the tail, one marker's length and one unfinished line, whatever is written.
 */
export class RequestLog implements OutputLog {
  readonly #forward: (requestId: string | null, text: string) => void;
  #requestId: string | null = null;
  #startMarker: Buffer = none;
  #endMarker: Buffer = none;
  /** What the request has written so far, from its Start marker when that has come; older bytes cut off. */
  #tail: Buffer = none;
  #isCut = false;
  #hasStart = false;
  #hasEnd = false;
  #isClosed = false;
  #onEnd: (() => void) | null = null;
  #line: Buffer = none;
  #isLineCut = false;
  #forwarded = 0;
  #isOverflowed = false;

  constructor(forward: (requestId: string | null, text: string) => void) {
    this.#forward = forward;
  }

  /** True when nothing more can come for this request: its End marker is here, or the stream has ended. */
  isComplete(): boolean {
    return this.#hasEnd || this.#isClosed;
  }

  /** A request begins: its output is what comes from now on. */
  begin(requestId: string): void {
    this.#flushLine();
    this.#requestId = requestId;
    this.#startMarker = none;
    this.#tail = none;
    this.#isCut = false;
    this.#hasStart = false;
    this.#hasEnd = false;
    this.#onEnd = null;
    this.#forwarded = 0;
    this.#isOverflowed = false;
  }

  whenComplete(_requestId: string | null, run: () => void): void {
    if (this.isComplete()) run();
    else this.#onEnd = run;
  }

  receive(chunk: Buffer): void {
    this.#forwardLines(chunk);
    if (this.#hasEnd) return;
    if (this.#requestId !== null && this.#startMarker.length === 0) {
      this.#startMarker = Buffer.from(`FC Invoke Start RequestId: ${this.#requestId}\n`);
      this.#endMarker = Buffer.from(`FC Invoke End RequestId: ${this.#requestId}`);
    }
    this.#tail = this.#tail.length === 0 ? chunk : Buffer.concat([this.#tail, chunk]);
    if (this.#requestId !== null) this.#findMarkers();
    const kept = tailLimitBytes + this.#endMarker.length + 128;
    if (!this.#hasEnd && this.#tail.length > kept) {
      this.#tail = Buffer.from(this.#tail.subarray(this.#tail.length - kept));
      this.#isCut = true;
    }
    if (this.#hasEnd) this.#notify();
  }

  close(): void {
    this.#isClosed = true;
    this.#flushLine();
    this.#notify();
  }

  tail(requestId: string, endSuffix: string): Buffer {
    const parts: Buffer[] = [];
    if (!this.#hasStart && !this.#isCut) parts.push(Buffer.from(`FC Invoke Start RequestId: ${requestId}\n`));
    parts.push(this.#tail);
    if (!this.#hasEnd) {
      const isLineOpen = this.#tail.length > 0 && this.#tail[this.#tail.length - 1] !== newline;
      parts.push(Buffer.from(`${isLineOpen ? '\n' : ''}FC Invoke End RequestId: ${requestId}${endSuffix}\n`));
    }
    const all = Buffer.concat(parts);
    return all.length > tailLimitBytes ? all.subarray(all.length - tailLimitBytes) : all;
  }

  unmarkedTail(): string {
    return this.#tail.toString('utf8');
  }

  #findMarkers(): void {
    if (!this.#hasStart) {
      const start = this.#tail.indexOf(this.#startMarker);
      if (start >= 0) {
        this.#hasStart = true;
        this.#isCut = false;
        this.#tail = this.#tail.subarray(start);
      }
    }
    const end = this.#tail.indexOf(this.#endMarker);
    if (end < 0) return;
    const lineEnd = this.#tail.indexOf(newline, end);
    if (lineEnd < 0) return;
    this.#tail = Buffer.from(this.#tail.subarray(Math.max(0, lineEnd + 1 - tailLimitBytes), lineEnd + 1));
    this.#hasEnd = true;
  }

  #notify(): void {
    const run = this.#onEnd;
    this.#onEnd = null;
    run?.();
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
      this.#forward(this.#requestId, this.#line.toString('utf8'));
    } else if (!this.#isOverflowed) {
      this.#isOverflowed = true;
      this.#forward(this.#requestId, `(more than ${forwardLimitBytes} bytes of output: the rest is not kept)`);
    }
    this.#line = none;
    this.#isLineCut = false;
  }
}
