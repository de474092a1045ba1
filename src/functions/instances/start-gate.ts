// How many instances of all functions may be starting at once, and whose turn it is. Shared by all pools.

/** Something that may want to start an instance. */
export type Starter = {
  /** How many of its instances are starting. */
  readonly starting: number;
  /** Starts one if one is still wanted; false says that none is. */
  startOne(): boolean;
};

/**
 * Gives start slots in turn, so that a function whose instances crash at start cannot keep the others from starting.
 * One that wants many leaves a quarter of the slots to the others, so that these need not wait for a start to end.
 * Bounded by the number of starters; one is in the queue at most once.
 */
export class StartGate {
  readonly #limit: number;
  readonly #share: number;
  readonly #turn = new Set<Starter>();
  #starting = 0;

  constructor(limit: number) {
    this.#limit = limit;
    this.#share = limit - Math.floor(limit / 4);
  }

  get starting(): number {
    return this.#starting;
  }

  /** `starter` may need an instance: it is asked when it is its turn. */
  want(starter: Starter): void {
    this.#turn.add(starter);
    this.#give();
  }

  /** A start that startOne() began has come to its end, well or not. */
  finished(): void {
    this.#starting -= 1;
    this.#give();
  }

  #give(): void {
    while (this.#starting < this.#limit) {
      const next = this.#next();
      if (next === null) return;
      this.#turn.delete(next);
      // Counted first: a start that fails at once calls finished() from within.
      this.#starting += 1;
      if (next.startOne()) this.#turn.add(next);
      else this.#starting -= 1;
    }
  }

  /** The first in the queue that has not its share already. */
  #next(): Starter | null {
    for (const starter of this.#turn) if (starter.starting < this.#share) return starter;
    return null;
  }
}
