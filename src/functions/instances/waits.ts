// What an instance is being waited for: each wait with its limit, all of them ended together when it goes.
// Owned by instance.ts.
import type { Clock } from '../../base/clock.ts';
import type { Deadline, Deadlines } from './deadlines.ts';

export type Wait<O> = {
  readonly outcome: Promise<O>;
  /** Ends the wait; a second call changes nothing. */
  settle(outcome: O): void;
};

type Open<O> = { readonly deadline: Deadline; readonly settle: (outcome: O) => void };

/** How often a paused limit is looked at. */
const pauseMs = 500;

/** Bounded by the requests that an instance takes at once. */
export class Waits<O> {
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #isPaused: () => boolean;
  readonly #open = new Set<Open<O>>();

  /** While `isPaused` nothing is late: it is asked when a limit is reached, and again after a while. */
  constructor(clock: Clock, deadlines: Deadlines, isPaused: () => boolean = () => false) {
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
    const expire = () => {
      if (!this.#isPaused()) {
        settle(whenLate);
        return;
      }
      deadline.at = this.#clock.monotonic() + pauseMs;
      this.#deadlines.add(deadline);
    };
    const deadline = { at: this.#clock.monotonic() + limitMs, expire };
    const open: Open<O> = { deadline, settle };
    this.#open.add(open);
    this.#deadlines.add(deadline);
    return { outcome: promise, settle };
  }

  settleAll(outcome: O): void {
    for (const { settle } of [...this.#open]) settle(outcome);
  }

  /** What is waited for now has at most `limitMs` left. */
  hurry(limitMs: number): void {
    const at = this.#clock.monotonic() + limitMs;
    for (const { deadline } of this.#open) {
      if (at >= deadline.at) continue;
      this.#deadlines.remove(deadline);
      deadline.at = at;
      this.#deadlines.add(deadline);
    }
  }
}
