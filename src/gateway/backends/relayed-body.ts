// The body of a backend's answer on its way to the caller: handed on as it comes, held back when the caller is slow.
// Made by http-exchange.ts, read by listener.ts.

import type { RecordedColdStart } from '../../model/record.ts';

/** Who takes the body. `data` false: no more until resume(). Exactly one of `end` and `failed` comes, last. */
export type BodyReader = {
  data(chunk: Buffer): boolean;
  end(): void;
  failed(error: Error): void;
};

/** The connection it comes from. */
export type BodyOrigin = { pause(): void; resume(): void; cancel(): void };

/** Bytes that are held before anybody reads; then the connection is paused. */
export const heldLimitBytes = 64 * 1024;

export class RelayedBody {
  /** From Content-Length; null when it is not announced. */
  readonly announcedBytes: number | null;
  /** What is known of a function's start when its body has ended; null: nothing, or it was warm. */
  coldStart: RecordedColdStart | null = null;
  readonly #origin: BodyOrigin;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #reader: BodyReader | null = null;
  #isPaused = false;
  #isReaderFull = false;
  #handedBytes = 0;
  #outcome: { readonly error: Error | null } | null = null;
  /** The beginning, for the log; null: it is not wanted. */
  #excerpt: Buffer | null = null;
  #excerptLimit = 0;

  constructor(origin: BodyOrigin, announcedBytes: number | null) {
    this.#origin = origin;
    this.announcedBytes = announcedBytes;
  }

  /** Bytes that came and were not handed on. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Bytes that were handed on. */
  get handedBytes(): number {
    return this.#handedBytes;
  }

  /** The caller takes no more at the moment. */
  get isHeldBack(): boolean {
    return this.#isPaused;
  }

  /** All of it when it has come whole already; null while more is to come. Errors: what made it fail. */
  whole(): Buffer | null {
    if (this.#outcome === null) return null;
    if (this.#outcome.error !== null) throw this.#outcome.error;
    const [only] = this.#held;
    if (this.#held.length === 1 && only !== undefined) return only;
    return Buffer.concat(this.#held, this.#heldBytes);
  }

  /** From now on the first `limit` bytes are kept; before anything was handed on. */
  keepExcerpt(limit: number): void {
    this.#excerptLimit = limit;
    this.#excerpt = Buffer.concat(this.#held).subarray(0, limit);
  }

  /** Null: nothing was kept. */
  excerpt(): Buffer | null {
    return this.#excerpt;
  }

  push(chunk: Buffer): void {
    if (this.#excerpt !== null && this.#excerpt.length < this.#excerptLimit) {
      this.#excerpt = Buffer.concat([this.#excerpt, chunk.subarray(0, this.#excerptLimit - this.#excerpt.length)]);
    }
    if (this.#reader !== null && this.#heldBytes === 0 && !this.#isReaderFull) {
      this.#hand(this.#reader, chunk);
      return;
    }
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#isReaderFull || this.#heldBytes >= heldLimitBytes) this.#pause();
  }

  end(): void {
    this.#settle({ error: null });
  }

  fail(error: Error): void {
    this.#settle({ error });
  }

  /** Hands everything to `reader`, now and later. Called once. */
  consume(reader: BodyReader): void {
    this.#reader = reader;
    this.#flow(reader);
  }

  /** The reader can take more. */
  resume(): void {
    this.#isReaderFull = false;
    if (this.#reader !== null) this.#flow(this.#reader);
  }

  /** The caller has gone: the rest is not wanted. */
  cancel(): void {
    this.#reader = null;
    this.#held = [];
    this.#heldBytes = 0;
    this.#origin.cancel();
  }

  #settle(outcome: { readonly error: Error | null }): void {
    if (this.#outcome !== null) return;
    this.#outcome = outcome;
    if (this.#reader !== null) this.#flow(this.#reader);
  }

  #hand(reader: BodyReader, chunk: Buffer): void {
    this.#handedBytes += chunk.length;
    if (reader.data(chunk)) return;
    this.#isReaderFull = true;
    if (this.#outcome === null) this.#pause();
  }

  #flow(reader: BodyReader): void {
    while (!this.#isReaderFull) {
      const chunk = this.#held.shift();
      if (chunk === undefined) break;
      this.#heldBytes -= chunk.length;
      this.#hand(reader, chunk);
    }
    const outcome = this.#outcome;
    // A failure is told at once, an end when everything was taken.
    if (outcome !== null && (outcome.error !== null || !this.#isReaderFull)) this.#finish(reader);
    if (outcome !== null || this.#isReaderFull || !this.#isPaused) return;
    this.#isPaused = false;
    this.#origin.resume();
  }

  #finish(reader: BodyReader): void {
    this.#reader = null;
    const error = this.#outcome?.error ?? null;
    if (error === null) reader.end();
    else reader.failed(error);
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#origin.pause();
  }
}
