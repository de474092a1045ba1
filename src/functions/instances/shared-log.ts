// The output of an instance that runs several requests at once: their lines come mixed. Owned by instance.ts.
import { type OutputLog, tailLimitBytes } from './request-log.ts';

const newline = 0x0a;
const lineLimitBytes = 32 * 1024;
/** Forwarded bytes since the last request began; what comes after is dropped, which one line says. */
const forwardLimitBytes = 1024 * 1024;
/** Requests whose part is still known. More than an instance runs at once. */
const requestLimit = 512;
const none = Buffer.alloc(0);

type Part = {
  /** Bytes of output before its Start marker, or before it began. */
  from: number;
  /** What comes before its Start marker is another's. Else its children may have written it. */
  readonly isStartFirst: boolean;
  /** The end of its part, when its End marker has come. */
  tail: Buffer | null;
  onEnd: (() => void) | null;
};

/**
 * A request's part is what the instance wrote from its Start marker, or what its children wrote before, to its End marker, lines of
 * other requests among it: the cloud cannot separate them either (docs). A whole line belongs to the request whose id
 * stands in it as a marker or logger writes it; without one, to nobody unless a single request runs.
 * Holds at most the last tailLimitBytes, one unfinished line, and such an end for each of the last requests.
 */
export class SharedLog implements OutputLog {
  readonly #forward: (requestId: string | null, text: string) => void;
  readonly #parts = new Map<string, Part>();
  #recent: Buffer = none;
  /** Bytes of whole lines so far. */
  #written = 0;
  #line: Buffer = none;
  #isLineCut = false;
  #forwarded = 0;
  #isClosed = false;
  #onClosed: (() => void)[] = [];

  constructor(forward: (requestId: string | null, text: string) => void) {
    this.#forward = forward;
  }

  begin(requestId: string, isStartFirst = true): void {
    this.#forwarded = 0;
    this.#parts.set(requestId, { from: this.#written, isStartFirst, tail: null, onEnd: null });
    const [oldest] = this.#parts.keys();
    if (this.#parts.size > requestLimit && oldest !== undefined) this.#parts.delete(oldest);
  }

  isComplete(requestId: string | null): boolean {
    if (this.#isClosed) return true;
    const part = requestId === null ? undefined : this.#parts.get(requestId);
    return part !== undefined && part.tail !== null;
  }

  whenComplete(requestId: string | null, run: () => void): void {
    const part = requestId === null ? undefined : this.#parts.get(requestId);
    if (this.isComplete(requestId)) run();
    else if (part === undefined) this.#onClosed.push(run);
    else part.onEnd = run;
  }

  receive(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      this.#keep(chunk.subarray(from, at));
      this.#endLine();
      from = at + 1;
    }
    this.#keep(chunk.subarray(from));
  }

  close(): void {
    this.#isClosed = true;
    if (this.#line.length > 0) this.#endLine();
    for (const part of this.#parts.values()) this.#notify(part);
    for (const run of this.#onClosed.splice(0)) run();
  }

  tail(requestId: string, endSuffix: string): Buffer {
    const part = this.#parts.get(requestId);
    const whole = part?.tail ?? this.#since(part?.from ?? this.#written);
    const start = Buffer.from(`FC Invoke Start RequestId: ${requestId}\n`);
    const end = Buffer.from(`FC Invoke End RequestId: ${requestId}${endSuffix}\n`);
    const startsAt = whole.indexOf(start);
    const isCut = whole.length >= tailLimitBytes;
    const early = startsAt < 0 ? none : whole.subarray(0, startsAt);
    const marked =
      startsAt < 0 ? [isCut ? none : start, whole] : [start, early, whole.subarray(startsAt + start.length)];
    const all = Buffer.concat([...marked, (part?.tail ?? null) === null ? end : none]);
    return all.subarray(Math.max(0, all.length - tailLimitBytes));
  }

  unmarkedTail(): string {
    return Buffer.concat([this.#recent, this.#line]).toString('utf8');
  }

  /** What was written after the first `from` bytes, as far as it is kept. */
  #since(from: number): Buffer {
    const size = Math.min(this.#recent.length, this.#written - from);
    return Buffer.from(this.#recent.subarray(this.#recent.length - size));
  }

  #keep(piece: Buffer): void {
    const room = lineLimitBytes - this.#line.length;
    if (piece.length > room) this.#isLineCut = true;
    const kept = piece.subarray(0, Math.max(0, room));
    if (kept.length > 0) this.#line = this.#line.length === 0 ? Buffer.from(kept) : Buffer.concat([this.#line, kept]);
  }

  #endLine(): void {
    const line = this.#line;
    const text = line.toString('utf8');
    const marker = /^FC \w+ (Start|End) RequestId: ([\w-]+)/.exec(text);
    const part = marker === null ? undefined : this.#parts.get(marker[2] ?? '');
    if (part !== undefined && marker?.[1] === 'Start' && part.isStartFirst) part.from = this.#written;
    this.#recent = Buffer.concat([this.#recent, line, Buffer.from([newline])]);
    this.#recent = this.#recent.subarray(Math.max(0, this.#recent.length - tailLimitBytes));
    this.#written += line.length + 1;
    this.#line = none;
    if (line.length > 0 || this.#isLineCut) this.#forwardLine(this.#ownerOf(text, marker?.[2] ?? null), text);
    this.#isLineCut = false;
    if (part === undefined || marker?.[1] !== 'End') return;
    part.tail = this.#since(part.from);
    this.#notify(part);
  }

  /** A logger writes `time id [LEVEL] text`. Source: docs. */
  #ownerOf(text: string, marked: string | null): string | null {
    if (marked !== null && this.#parts.has(marked)) return marked;
    const logged = /^\S+ ([\w-]+) \[/.exec(text)?.[1];
    if (logged !== undefined && this.#parts.has(logged)) return logged;
    const open = [...this.#parts].filter(([, part]) => part.tail === null);
    return open.length === 1 ? (open[0]?.[0] ?? null) : null;
  }

  #forwardLine(requestId: string | null, text: string): void {
    if (this.#forwarded > forwardLimitBytes) return;
    this.#forwarded += text.length;
    const isTooMuch = this.#forwarded > forwardLimitBytes;
    this.#forward(
      requestId,
      isTooMuch ? `(more than ${forwardLimitBytes} bytes of output: the rest is not kept)` : text,
    );
  }

  #notify(part: Part): void {
    const run = part.onEnd;
    part.onEnd = null;
    run?.();
  }
}
