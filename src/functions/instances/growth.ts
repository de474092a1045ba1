// How long a function's requests and starts take, and whether one more instance would serve who waits sooner. Kept by pool.ts.
import type { StartTimes } from './instance-port.ts';
import { average, sum } from './measures.ts';

/** What a start is taken to cost before one has been seen, ms. */
const assumedStartMs = 100;

/** A pool whose instances run one request at a time. */
export type Standing = {
  /** Requests without an instance. */
  readonly waiting: number;
  /** Since when the first of them waits (monotonic ms); null: none does. */
  readonly firstSince: number | null;
  /** Instances that are starting, that are ready, and those of the latter that run nothing. */
  readonly starting: number;
  readonly serving: number;
  readonly idle: number;
};

export class Growth {
  /** Up to so many instances are started whatever requests take. */
  readonly #startsAtOnce: number;
  #typicalMs: number | null = null;
  #startCostMs = assumedStartMs;
  /** When a request was last given an instance (monotonic ms). */
  #movedAt = 0;

  constructor(startsAtOnce: number) {
    this.#startsAtOnce = startsAtOnce;
  }

  /** What a request takes; null: none has ended yet. */
  get typicalMs(): number | null {
    return this.#typicalMs;
  }

  get startCostMs(): number {
    return this.#startCostMs;
  }

  served(durationMs: number): void {
    this.#typicalMs = average(this.#typicalMs, durationMs);
  }

  started(times: StartTimes): void {
    this.#startCostMs = average(this.#startCostMs, sum(times));
  }

  /** A request was given an instance, or could not be because this process stood still. */
  moved(now: number): void {
    this.#movedAt = now;
  }

  /** Since when the first that waits does, or since the last was served, if that is later. */
  waitsSince(firstSince: number | null): number {
    return firstSince === null ? Number.POSITIVE_INFINITY : Math.max(firstSince, this.#movedAt);
  }

  /** Whether a start is the quicker way for one that waits. */
  isQuicker({ waiting, firstSince, starting, serving, idle }: Standing, now: number): boolean {
    if (firstSince === null || waiting <= starting || idle > 0) return false;
    if (serving < this.#startsAtOnce || this.#typicalMs === null) return true;
    const expectedMs = (waiting / serving) * this.#typicalMs;
    // What waited for the first instances tells nothing about how quick these are.
    const stalledMs = now - this.waitsSince(firstSince);
    return expectedMs > this.#startCostMs || stalledMs >= this.#startCostMs;
  }
}
