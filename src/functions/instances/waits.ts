// What an instance is being waited for: each wait with its limit, all of them ended together when it goes.
// Owned by instance.ts.
import type { Clock } from '../../base/clock.ts';
import { PausableLimit } from '../../base/pausable-limit.ts';
import type { Deadline, Deadlines } from './deadlines.ts';

export type Wait<O> = {
  readonly outcome: Promise<O>;
  /** Ends the wait; a second call changes nothing. */
  settle(outcome: O): void;
};

/** `limit` null: it is over at the deadline. */
type Open<O> = { readonly deadline: Deadline; limit: PausableLimit | null; readonly settle: (outcome: O) => void };

/** Bounded by the requests that an instance takes at once. */
export class Waits<O> {
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #isPaused: (() => boolean) | null;
  readonly #open = new Set<Open<O>>();

  /** While `isPaused` no time passes; null: it always does. */
  constructor(clock: Clock, deadlines: Deadlines, isPaused: (() => boolean) | null = null) {
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#isPaused = isPaused;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Waits at most `limitMs`, then ends with `whenLate`. `onSettled` runs first, whatever the outcome. */
  begin(limitMs: number, whenLate: O, onSettled: () => void = () => {}): Wait<O> {
    const { promise, resolve } = Promise.withResolvers<O>();
    const settle = (outcome: O) => {
      if (!this.#open.delete(open)) return;
      this.#deadlines.remove(open.deadline);
      onSettled();
      resolve(outcome);
    };
    const now = this.#clock.monotonic();
    const limit = this.#isPaused === null ? null : new PausableLimit(limitMs, this.#isPaused, now);
    const expire = () => {
      const inMs = open.limit?.look(this.#clock.monotonic()) ?? 0;
      if (inMs === 0) settle(whenLate);
      else this.#move(open.deadline, this.#clock.monotonic() + inMs);
    };
    const open: Open<O> = { deadline: { at: now + (limit?.look(now) ?? limitMs), expire }, limit, settle };
    this.#open.add(open);
    this.#deadlines.add(open.deadline);
    return { outcome: promise, settle };
  }

  settleAll(outcome: O): void {
    for (const { settle } of [...this.#open]) settle(outcome);
  }

  /** What is waited for now has at most `limitMs` left, paused or not. */
  hurry(limitMs: number): void {
    const now = this.#clock.monotonic();
    for (const open of this.#open) {
      const endsAt = open.limit === null ? open.deadline.at : now + open.limit.leftMs;
      open.limit = null;
      this.#move(open.deadline, Math.min(endsAt, now + limitMs));
    }
  }

  #move(deadline: Deadline, at: number): void {
    this.#deadlines.remove(deadline);
    deadline.at = at;
    this.#deadlines.add(deadline);
  }
}
