// How many processes of one kind should be waiting. Pure; asked by spares.ts.

/** Unused for so long, one fewer waits; and after the longer time none. ms. */
const shrinkMs = 60_000;
const restMs = 10 * 60_000;
/** After a process that died or could not be started; doubled with each further one. ms. */
const pause = { first: 200, limit: 60_000 };

/** Times are monotonic milliseconds. */
export class Demand {
  readonly #most: number;
  #wanted = 0;
  #usedAt = 0;
  #shrunkAt = 0;
  #failures = 0;
  #pausedUntil = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get usedAt(): number {
    return this.#usedAt;
  }

  /** A function that could use one has been published. */
  expect(now: number): void {
    this.#usedAt = now;
    this.#shrunkAt = now;
    this.#wanted = Math.max(1, this.#wanted);
  }

  /** A function needed a process; `left` are still waiting, 0 when it found none or took the last. */
  used(now: number, left: number): void {
    this.expect(now);
    if (left === 0) this.#wanted = Math.min(this.#most, this.#wanted + 1);
  }

  /** How many should wait. */
  wanted(now: number): number {
    if (now - this.#usedAt > restMs) this.#wanted = 0;
    else if (this.#wanted > 1 && now - this.#usedAt > shrinkMs && now - this.#shrunkAt > shrinkMs) {
      this.#wanted -= 1;
      this.#shrunkAt = now;
    }
    return this.#wanted;
  }

  /** No start before this time. */
  get pausedUntil(): number {
    return this.#pausedUntil;
  }

  failed(now: number): void {
    this.#pausedUntil = now + Math.min(pause.limit, pause.first * 2 ** Math.min(20, this.#failures));
    this.#failures += 1;
  }

  /** One is ready. */
  succeeded(): void {
    this.#failures = 0;
  }
}
