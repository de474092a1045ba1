// What an instance is being waited for: each wait with its limit, all of them ended together when it goes.
// Owned by instance.ts.
import type { Clock } from '../../base/clock.ts';
import { PausableLimit } from '../../base/pausable-limit.ts';
import { nowhere, removeFrom } from '../../base/roster.ts';
import type { Deadline, Deadlines } from './deadlines.ts';

export type Wait<O> = {
  readonly outcome: Promise<O>;
  /** Ends the wait; a second call changes nothing. */
  settle(outcome: O): void;
};

/** A wait whose time begins later. */
export type LaterWait<O> = Wait<O> & { readonly isBegun: boolean; begin(): void };

export type WaitSpec<O> = {
  readonly limitMs: number;
  readonly whenLate: O;
  /** Runs first, whatever the outcome. */
  readonly onSettled: () => void;
};

/** Bounded by the requests that an instance takes at once, and those that it is sent ahead. */
export class Waits<O> {
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #isPaused: (() => boolean) | null;
  readonly #open: OpenWait<O>[] = [];

  /** While `isPaused` no time passes; null: it always does. */
  constructor(clock: Clock, deadlines: Deadlines, isPaused: (() => boolean) | null = null) {
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#isPaused = isPaused;
  }

  get size(): number {
    return this.#open.length;
  }

  /** Waits at most `limitMs`, then ends with `whenLate`. `onSettled` runs first, whatever the outcome. */
  begin(limitMs: number, whenLate: O, onSettled: () => void = () => {}): Wait<O> {
    const wait = this.later({ limitMs, whenLate, onSettled });
    wait.begin();
    return wait;
  }

  /** The same, but no time passes before it begins. */
  later(spec: WaitSpec<O>): LaterWait<O> {
    const wait = new OpenWait(spec, this);
    this.#open.push(wait);
    return wait;
  }

  /** `whenUnbegun`: of those whose time has not begun. */
  settleAll(outcome: O, whenUnbegun: O): void {
    for (const wait of [...this.#open]) wait.settle(wait.isBegun ? outcome : whenUnbegun);
  }

  /** What is waited for now has at most `limitMs` left, paused or not. */
  hurry(limitMs: number): void {
    const now = this.#clock.monotonic();
    for (const wait of this.#open) {
      if (!wait.isBegun) continue;
      const endsAt = wait.limit === null ? wait.at : now + wait.limit.leftMs;
      wait.limit = null;
      this.#move(wait, Math.min(endsAt, now + limitMs));
    }
  }

  /** Called by its waits only. */
  start(wait: OpenWait<O>): void {
    if (wait.isBegun || !this.#open.includes(wait)) return;
    const { limitMs } = wait.spec;
    const now = this.#clock.monotonic();
    wait.limit = this.#isPaused === null ? null : new PausableLimit(limitMs, this.#isPaused, now);
    wait.at = now + (wait.limit?.look(now) ?? limitMs);
    wait.isBegun = true;
    this.#deadlines.add(wait);
  }

  /** Called by its waits only: true when it had not ended. */
  close(wait: OpenWait<O>): boolean {
    if (!removeFrom(this.#open, wait)) return false;
    if (wait.isBegun) this.#deadlines.remove(wait);
    return true;
  }

  /** Called by its waits only: its time is over, unless it stood still. */
  expired(wait: OpenWait<O>): void {
    const inMs = wait.limit?.look(this.#clock.monotonic()) ?? 0;
    if (inMs === 0) wait.settle(wait.spec.whenLate);
    else this.#move(wait, this.#clock.monotonic() + inMs);
  }

  #move(deadline: Deadline, at: number): void {
    this.#deadlines.remove(deadline);
    deadline.at = at;
    this.#deadlines.add(deadline);
  }
}

/** One object for the wait, its deadline and its place among them: every request makes one. */
class OpenWait<O> implements LaterWait<O>, Deadline {
  readonly spec: WaitSpec<O>;
  readonly outcome: Promise<O>;
  readonly #owner: Waits<O>;
  readonly #resolve: (outcome: O) => void;
  place = nowhere;
  at = 0;
  /** Null: it is over at the deadline. */
  limit: PausableLimit | null = null;
  isBegun = false;

  constructor(spec: WaitSpec<O>, owner: Waits<O>) {
    this.spec = spec;
    this.#owner = owner;
    const { promise, resolve } = Promise.withResolvers<O>();
    this.outcome = promise;
    this.#resolve = resolve;
  }

  begin(): void {
    this.#owner.start(this);
  }

  settle(outcome: O): void {
    if (!this.#owner.close(this)) return;
    this.spec.onSettled();
    this.#resolve(outcome);
  }

  expire(): void {
    this.#owner.expired(this);
  }
}
