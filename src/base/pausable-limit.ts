// A limit of time that may rest: while something pauses it, no time passes. Used by whoever waits for a function.
import type { Clock } from './clock.ts';

/** How often it is looked at, ms: a pause is seen so late at most. */
const lookMs = 500;

/** Times monotonic, ms. */
export class PausableLimit {
  readonly #isPaused: () => boolean;
  #leftMs: number;
  #seenAt: number;

  constructor(limitMs: number, isPaused: () => boolean, now: number) {
    this.#isPaused = isPaused;
    this.#leftMs = limitMs;
    this.#seenAt = now;
  }

  /** When it was last looked at. */
  get leftMs(): number {
    return this.#leftMs;
  }

  /** In how many ms to look again; 0: it is over. */
  look(now: number): number {
    if (!this.#isPaused()) this.#leftMs -= now - this.#seenAt;
    this.#seenAt = now;
    return this.#leftMs <= 0 ? 0 : Math.min(this.#leftMs, lookMs);
  }
}

/**
 * Calls `run` when the limit is over; the result cancels. `isPaused` null: it never rests, and is a time-out like all others of
 * its length, which share a timer.
 */
export function afterLimit(
  clock: Clock,
  limitMs: number,
  isPaused: (() => boolean) | null,
  run: () => void,
): () => void {
  if (isPaused === null) return clock.after(limitMs, run);
  const limit = new PausableLimit(limitMs, isPaused, clock.monotonic());
  let cancel = () => {};
  const look = () => {
    const inMs = limit.look(clock.monotonic());
    if (inMs === 0) run();
    else cancel = clock.after(inMs, look);
  };
  look();
  return () => cancel();
}
