// How many requests each instance of a function runs that takes several at once. Kept by pool.ts, for such functions only.
import type { EndReason } from './state.ts';

/** `most` at once in one instance; from `enough` on a further instance is started. Source: docs. */
export type ShareLimits = { readonly most: number; readonly enough: number };

/** `inFlight`: requests admitted; `alive`, `starting`, `idle`: instances; `waiting`: requests without one. */
export type SharesStanding = {
  readonly inFlight: number;
  readonly alive: number;
  readonly starting: number;
  readonly idle: number;
  readonly waiting: number;
};

/** Bounded by the instances of one function. */
export class Shares<I> {
  readonly limits: ShareLimits;
  /** Requests by instance; those without any are not here. */
  readonly #running = new Map<I, number>();
  /** Those that take no more requests, and why they end with their last. */
  readonly #leaving = new Map<I, EndReason>();

  constructor(limits: ShareLimits) {
    this.limits = limits;
  }

  /** The fullest that runs fewer than `limit`, so that others can come to rest; null when none does. */
  fullestBelow(limit: number): I | null {
    let best: I | null = null;
    let most = 0;
    for (const [instance, running] of this.#running) {
      if (running >= limit || running <= most || this.#leaving.has(instance)) continue;
      best = instance;
      most = running;
    }
    return best;
  }

  hasRoom(instance: I): boolean {
    return !this.#leaving.has(instance) && this.of(instance) < this.limits.most;
  }

  of(instance: I): number {
    return this.#running.get(instance) ?? 0;
  }

  add(instance: I): void {
    this.#running.set(instance, this.of(instance) + 1);
  }

  /** A request has ended; gives how many are left. */
  remove(instance: I): number {
    const left = this.of(instance) - 1;
    if (left > 0) this.#running.set(instance, left);
    else this.#running.delete(instance);
    return Math.max(0, left);
  }

  /** It takes no more requests. */
  leave(instance: I, reason: EndReason): void {
    if (!this.#leaving.has(instance)) this.#leaving.set(instance, reason);
  }

  /** Why it ends with its last request; null: it goes on. */
  leavesFor(instance: I): EndReason | null {
    return this.#leaving.get(instance) ?? null;
  }

  /** Whether a further instance is wanted. */
  wantsMore({ inFlight, alive, starting, idle, waiting }: SharesStanding): boolean {
    const takers = alive - this.#leaving.size;
    const isShort = inFlight > takers * this.limits.enough;
    // Requests whose callers have gone run on, though nobody counts them any more.
    return idle === 0 && (isShort || (waiting > 0 && starting === 0));
  }

  forget(instance: I): void {
    this.#running.delete(instance);
    this.#leaving.delete(instance);
  }
}
