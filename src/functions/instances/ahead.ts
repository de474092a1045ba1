// The requests that an instance was sent before it could begin them: so that it finds the next one without being woken for it.
// Owned by instance.ts; why, and how they are taken back: docs/decisions/0042-sent-ahead.md.
import { afterRead } from '../../base/after-read.ts';
import type { Clock } from '../../base/clock.ts';
import { nowhere } from '../../base/roster.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import { hold } from './hold.ts';

/** A request that has not begun. */
export type Turn = {
  begin(): void;
  /** It never begins. */
  recalled(): void;
  /** Nobody knows whether it began. */
  giveUp(): void;
};

export type AheadDeps = {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** Tells the instance. Errors: throws when that is not possible. */
  recall(): void;
  /** Default: the event loop's. */
  readonly afterRead?: (run: () => void) => void;
};

/**
 * Turns begin in the order in which they were sent, each with the answer to the one before. When the request that runs
 * takes long, those behind it are recalled: what has not begun will not begin, and its caller sends it elsewhere.
 *
 * Bounded by what the instance's bootstrap says that it keeps.
 */
export class Ahead {
  readonly #deps: AheadDeps;
  readonly #afterRead: (run: () => void) => void;
  /** Oldest first; without the one that runs. */
  readonly #turns: Turn[] = [];
  readonly #watch: Deadline = { place: nowhere, at: 0, expire: () => this.#look() };
  #isWatching = false;
  #isRecalling = false;
  #isOff = false;
  /** Counts the turns that began: a request that runs is known by it. */
  #turn = 0;
  #turnedAt = 0;
  /** The last turn that was under way, or began, while others were recalled: the instance may not have begun it. */
  #doubtful = 0;
  /** The turn behind which others were recalled: none is sent before it ends. */
  #stalled = 0;
  #afterRecall: (() => void)[] = [];

  constructor(deps: AheadDeps) {
    this.#deps = deps;
    this.#afterRead = deps.afterRead ?? afterRead;
  }

  /** Whether one more can be sent. */
  get isOpen(): boolean {
    return !this.#isOff && !this.#isRecalling && this.#turn !== this.#stalled;
  }

  /** The instance did not begin what runs. If that was not recalled, it cannot find out what is: nothing is sent ahead any more. */
  refused(): void {
    if (this.#turn !== this.#doubtful) this.#isOff = true;
  }

  /** A request runs from now on (monotonic ms). */
  began(now: number): void {
    this.#turn += 1;
    this.#turnedAt = now;
    if (this.#isRecalling) this.#doubtful = this.#turn;
  }

  add(turn: Turn): void {
    this.#turns.push(turn);
    this.#watchFrom(this.#turnedAt);
  }

  /** The request that ran has been answered. */
  advance(): void {
    this.#turns.shift()?.begin();
  }

  /**
   * Takes back all that have not begun. `then` runs when it is known which these are. False: there are none, and it does not
   * run.
   */
  recall(then: () => void = () => {}): boolean {
    if (this.#isRecalling) {
      this.#afterRecall.push(then);
      return true;
    }
    if (this.#turns.length === 0) return false;
    this.#isRecalling = true;
    this.#afterRecall = [then];
    // What runs as far as this process knows may not have begun there either.
    this.#doubtful = this.#turn;
    this.#deps.recall();
    // An answer that was sent before this moment begins the next turn yet: the instance may have begun it, and answers it or says that it did not.
    this.#afterRead(() => {
      this.#isRecalling = false;
      this.#stalled = this.#turn;
      for (const turn of this.#turns.splice(0)) turn.recalled();
      for (const run of this.#afterRecall.splice(0)) run();
    });
    return true;
  }

  /** The instance ends, and may have begun what is behind. */
  giveUp(): void {
    for (const turn of this.#turns.splice(0)) turn.giveUp();
  }

  close(): void {
    this.#isOff = true;
    this.#turns.length = 0;
    this.#deps.deadlines.remove(this.#watch);
  }

  #watchFrom(since: number): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#watch.at = since + hold.stalledMs;
    this.#deps.deadlines.add(this.#watch);
  }

  #look(): void {
    this.#isWatching = false;
    if (this.#turns.length === 0) return;
    if (this.#deps.clock.monotonic() < this.#turnedAt + hold.stalledMs) {
      this.#watchFrom(this.#turnedAt);
      return;
    }
    // This process may be the one that is late: the answer may lie there unread.
    const turn = this.#turn;
    this.#isWatching = true;
    this.#afterRead(() => {
      this.#isWatching = false;
      if (this.#turn === turn) this.recall();
      else if (this.#turns.length > 0) this.#watchFrom(this.#turnedAt);
    });
  }
}
