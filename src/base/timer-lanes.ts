// Many time-outs of the same few lengths, nearly all cancelled before they come: one timer for each length. Used by clock.ts.

type Entry = { at: number; run: (() => void) | null; before: Entry | null; after: Entry | null };

/** Shorter delays get a timer of their own: there is little to share. */
const sharedFromMs = 1_000;
/** What a timer of Node can wait at most. */
const timerLimitMs = 2 ** 31 - 1;
/** Lengths that share timers at once; further ones get timers of their own. */
const laneLimit = 64;

/** Starts a timer; the result cancels it. */
export type StartTimer = (delayMs: number, run: () => void) => () => void;

type LaneDeps = {
  readonly now: () => number;
  readonly start: StartTimer;
  readonly soon: (run: () => void) => void;
};

/** The time-outs of one length, in the order of their time. */
class Lane {
  readonly #delayMs: number;
  readonly #now: () => number;
  readonly #start: StartTimer;
  readonly #soon: (run: () => void) => void;
  #first: Entry | null = null;
  #last: Entry | null = null;
  #isFiring = false;
  #isLookedAt = false;
  /** Null: none waits. */
  #cancelTimer: (() => void) | null = null;

  constructor(delayMs: number, how: LaneDeps) {
    this.#delayMs = delayMs;
    this.#now = how.now;
    this.#start = how.start;
    this.#soon = how.soon;
  }

  get isEmpty(): boolean {
    return this.#first === null;
  }

  add(run: () => void): () => void {
    const entry: Entry = { at: this.#now() + this.#delayMs, run, before: this.#last, after: null };
    if (this.#last === null) this.#first = entry;
    else this.#last.after = entry;
    this.#last = entry;
    if (!this.#isFiring) this.#cancelTimer ??= this.#start(this.#delayMs, () => this.#fire());
    return () => {
      if (entry.run === null) return;
      this.#remove(entry);
      if (this.#first === null && !this.#isFiring) this.#lookSoon();
    };
  }

  /** Where each request has one for a moment, the next one's comes before this. */
  #lookSoon(): void {
    if (this.#isLookedAt) return;
    this.#isLookedAt = true;
    this.#soon(() => {
      this.#isLookedAt = false;
      if (this.#first === null) this.#rest();
    });
  }

  #remove(entry: Entry): void {
    const { before, after } = entry;
    if (before === null) this.#first = after;
    else before.after = after;
    if (after === null) this.#last = before;
    else after.before = before;
    // One in the old generation would keep all that follow it.
    entry.run = entry.before = entry.after = null;
  }

  #rest(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  #fire(): void {
    const now = this.#now();
    this.#isFiring = true;
    try {
      // The timer may be a fraction of a millisecond early. What runs may add and cancel.
      while (this.#first !== null && this.#first.at <= now + 1) {
        const { run } = this.#first;
        this.#remove(this.#first);
        run?.();
      }
    } finally {
      this.#isFiring = false;
      this.#cancelTimer = null;
      if (this.#first !== null)
        this.#cancelTimer = this.#start(Math.max(1, Math.ceil(this.#first.at - now)), () => this.#fire());
    }
  }
}

/** Starts time-outs like `start`, in lanes where that saves timers. `now` is monotonic ms; `soon` runs after what is under way. */
export function createTimerLanes(
  now: () => number,
  start: StartTimer,
  soon: (run: () => void) => void = setImmediate,
): StartTimer {
  const lanes = new Map<number, Lane>();
  return (delayMs, run) => {
    if (!(delayMs >= sharedFromMs && delayMs <= timerLimitMs)) return start(delayMs, run);
    let lane = lanes.get(delayMs);
    if (lane === undefined) {
      if (lanes.size >= laneLimit && !forgetOne(lanes)) return start(delayMs, run);
      lane = new Lane(delayMs, { now, start, soon });
      lanes.set(delayMs, lane);
    }
    return lane.add(run);
  };
}

/** False: all of them are in use. */
function forgetOne(lanes: Map<number, Lane>): boolean {
  for (const [delayMs, lane] of lanes) if (lane.isEmpty) return lanes.delete(delayMs);
  return false;
}
