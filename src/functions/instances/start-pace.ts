// How fast instances of one function may be started when they keep dying. Asked by pool.ts.

/** So many deaths in a row change nothing: the next call makes a new instance, as the cloud does. */
const freeDeaths = 5;
/** Then a pause, doubled with each further death, up to a limit; ms. */
const startPause = { first: 100, limit: 10_000 };
/** An instance that dies in its first request may be the request's doing: a shorter pause, one start at a time. */
const crashPause = { first: 10, limit: 100 };
/** Ends for which the function is to blame fade by half in this time, ms; with more than so many left of them its starts give way. */
const blame = { halfMs: 5_000, most: 3 };

/**
 * Counts deaths until an instance has served a request well. One that dies at its start has nothing to say to further
 * callers but what it said to the last: they are answered with that while the pause lasts.
 */
export class StartPace {
  #failures = 0;
  #crashes = 0;
  #pausedUntil = 0;
  #blame = 0;
  #blamedAt = 0;

  /** No start before this time (monotonic ms). */
  get pausedUntil(): number {
    return this.#pausedUntil;
  }

  /** Its instances die: it gets one start at a time. */
  get isLooping(): boolean {
    return this.#failures > freeDeaths || this.#crashes > freeDeaths;
  }

  /**
   * Its starts are to delay nobody: they cost more than a request, and it causes them again and again, though some of its
   * requests may end well.
   */
  givesWay(now: number): boolean {
    return this.isLooping || this.#blameAt(now) > blame.most;
  }

  /** An instance ended for a reason that lies in the function. */
  ended(now: number): void {
    this.#blame = this.#blameAt(now) + 1;
    this.#blamedAt = now;
  }

  /** An instance did not become ready. */
  startFailed(now: number): void {
    this.#failures += 1;
    this.#pause(now, this.#failures, startPause);
  }

  /** One became ready and died before it had served anything well. */
  crashed(now: number): void {
    this.#crashes += 1;
    this.#pause(now, this.#crashes, crashPause);
  }

  /** An instance became ready: what failed was not the start itself. */
  started(): void {
    this.#failures = 0;
  }

  /** A request was served well. */
  served(): void {
    this.#failures = 0;
    this.#crashes = 0;
    this.#pausedUntil = 0;
  }

  #blameAt(now: number): number {
    return this.#blame * 0.5 ** ((now - this.#blamedAt) / blame.halfMs);
  }

  #pause(now: number, deaths: number, { first, limit }: { readonly first: number; readonly limit: number }): void {
    if (deaths <= freeDeaths) return;
    // A handful of starts are under way at once: those that die together are one step.
    if (now < this.#pausedUntil) return;
    this.#pausedUntil = now + Math.min(limit, first * 2 ** Math.min(30, deaths - freeDeaths - 1));
  }
}
