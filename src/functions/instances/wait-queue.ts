// Who waits for an instance of one pool, in order. Kept by pool.ts.
import { Roster } from '../../base/roster.ts';
import type { Waiter } from './pool-port.ts';

/** First come, first served; but those that had an instance already, which did not begin them, come first. */
export class WaitQueue<I> {
  /** Oldest first. Bounded by limits.waitingTotal. */
  readonly #returned = new Roster<Waiter<I>>();
  readonly #waiting = new Roster<Waiter<I>>();

  get size(): number {
    return this.#returned.size + this.#waiting.size;
  }

  get first(): Waiter<I> | null {
    return this.#returned.first ?? this.#waiting.first;
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
    return [...this.#returned.takeAll(), ...this.#waiting.takeAll()];
  }
}
