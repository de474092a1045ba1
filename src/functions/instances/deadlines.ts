// Many deadlines on one timer: nothing is created per request but a place in a list. Used by everything here that waits.
import type { Clock } from '../../base/clock.ts';
import { type Placed, Roster } from '../../base/roster.ts';

/** Something that must happen at `at` (monotonic ms) unless it is removed before. */
export type Deadline = Placed & { at: number; expire(): void };

/**
 * The pending deadlines of a process. The timer is armed for the earliest one and looks through all when it fires
 * (there are as many as requests and instances: hundreds). Bounded by its users.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #pending = new Roster<Deadline>();
  #armedFor = Number.POSITIVE_INFINITY;
  #cancelTimer: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#pending.size;
  }

  add(deadline: Deadline): void {
    this.#pending.add(deadline);
    if (deadline.at < this.#armedFor) this.#arm(deadline.at);
  }

  remove(deadline: Deadline): void {
    this.#pending.delete(deadline);
  }

  /** Drops all; nothing expires any more. */
  close(): void {
    this.#pending.takeAll();
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#armedFor = Number.POSITIVE_INFINITY;
  }

  #arm(at: number): void {
    this.#cancelTimer?.();
    this.#armedFor = at;
    this.#cancelTimer = this.#clock.after(Math.max(1, Math.ceil(at - this.#clock.monotonic())), () => this.#fire());
  }

  #fire(): void {
    this.#cancelTimer = null;
    this.#armedFor = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    const due: Deadline[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const deadline of this.#pending.all()) {
      if (deadline.at <= now) due.push(deadline);
      else if (deadline.at < next) next = deadline.at;
    }
    if (next < this.#armedFor) this.#arm(next);
    // One that expires may remove another that is due as well: that one must then not expire.
    for (const deadline of due) if (this.#pending.delete(deadline)) deadline.expire();
  }
}
