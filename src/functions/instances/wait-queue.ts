// Who waits for an instance of one pool, in order. Kept by pool.ts.
import type { Waiter } from './pool-port.ts';

/** First come, first served; but those that had an instance already, which did not begin them, come first. */
export class WaitQueue<I> {
  /** Oldest first (a Set keeps order and removes in constant time). Bounded by limits.waitingTotal. */
  readonly #returned = new Set<Waiter<I>>();
  readonly #waiting = new Set<Waiter<I>>();

  get size(): number {
    return this.#returned.size + this.#waiting.size;
  }

  get first(): Waiter<I> | null {
    for (const waiter of this.#returned) return waiter;
    for (const waiter of this.#waiting) return waiter;
    return null;
  }

  add(waiter: Waiter<I>): void {
    if (waiter.isReturned) this.#returned.add(waiter);
    else this.#waiting.add(waiter);
  }

  /** False: it does not wait any more. */
  delete(waiter: Waiter<I>): boolean {
    return this.#waiting.delete(waiter) || this.#returned.delete(waiter);
  }

  takeFirst(): Waiter<I> | null {
    const { first } = this;
    if (first !== null) this.delete(first);
    return first;
  }

  takeAll(): Waiter<I>[] {
    const all = [...this.#returned, ...this.#waiting];
    this.#returned.clear();
    this.#waiting.clear();
    return all;
  }
}
