// A limit of time that may rest: while something pauses it, no time passes. Used by whoever waits for a function.

/** How often one that may rest is looked at, ms: a pause is seen so late at most. */
const lookMs = 500;

/** Times monotonic, ms. */
export class PausableLimit {
  readonly #isPaused: (() => boolean) | null;
  #leftMs: number;
  #seenAt: number;

  /** `isPaused` null: it never rests, and is not asked. */
  constructor(limitMs: number, isPaused: (() => boolean) | null, now: number) {
    this.#isPaused = isPaused;
    this.#leftMs = limitMs;
    this.#seenAt = now;
  }

  /** In how many ms to look again; 0: it is over. */
  look(now: number): number {
    if (this.#isPaused === null) return Math.max(0, this.#leftMs - (now - this.#seenAt));
    if (!this.#isPaused()) this.#leftMs -= now - this.#seenAt;
    this.#seenAt = now;
    return this.#leftMs <= 0 ? 0 : Math.min(this.#leftMs, lookMs);
  }

  /** The same with at most so much left, which does not rest any more. */
  hurry(limitMs: number, now: number): PausableLimit {
    return new PausableLimit(
      Math.min(this.#leftMs - (this.#isPaused === null ? now - this.#seenAt : 0), limitMs),
      null,
      now,
    );
  }
}
