// Leave to serve, where several data processes answer for one server: control gives it for a moment at a time, and to none that
// is behind, so that a write can be acknowledged without waiting for a process that lags. Asked by the gateway before each request.
import type { Clock } from './base/clock.ts';

export class ServingLease {
  readonly #clock: Clock;
  readonly #ask: () => Promise<number>;
  #until = Number.NEGATIVE_INFINITY;
  #lengthMs = 0;
  #asking: Promise<void> | null = null;

  /** `ask` resolves with how long the process may serve, in ms, counted from the moment of asking. */
  constructor(clock: Clock, ask: () => Promise<number>) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /**
   * Null: a request may begin now. Otherwise resolves when one may.
   *
   * Under load the lease is renewed before it ends, so nothing waits; after a pause the first request waits for control once.
   * Errors: rejects when control gives none: it ends this process then, or has gone itself.
   */
  enter(): Promise<void> | null {
    const leftMs = this.#until - this.#clock.monotonic();
    if (leftMs <= 0) return this.#wait();
    // Who waits for the renewal hears of its failure; here it is only early.
    if (leftMs * 2 < this.#lengthMs && this.#asking === null) this.#renew().catch(() => {});
    return null;
  }

  async #wait(): Promise<void> {
    while (this.#until <= this.#clock.monotonic()) await this.#renew();
  }

  #renew(): Promise<void> {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #askOnce(): Promise<void> {
    const askedAt = this.#clock.monotonic();
    this.#lengthMs = await this.#ask();
    this.#until = askedAt + this.#lengthMs;
  }
}
