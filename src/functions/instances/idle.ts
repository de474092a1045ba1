// The instances of a pool that serve nobody at the moment, the longest unused first. Kept by pool.ts.
import type { PooledInstance } from './pool-port.ts';

export class IdleInstances<I extends Pick<PooledInstance, 'state' | 'isHeld'>> {
  /** By the time of their last use. Bounded by the pool's instances. */
  readonly #list: I[] = [];

  get size(): number {
    return this.#list.length;
  }

  has(instance: I): boolean {
    return this.#list.includes(instance);
  }

  /** The one that was used last: its caches are the warmest. */
  take(): I | null {
    return this.#list.pop() ?? null;
  }

  takeAll(): I[] {
    return this.#list.splice(0);
  }

  /** At its place by the time of its last use. */
  add(instance: I): void {
    const { since } = instance.state;
    let at = this.#list.length;
    while (at > 0 && (this.#list[at - 1]?.state.since ?? since) > since) at -= 1;
    this.#list.splice(at, 0, instance);
  }

  /** False: it is none of these. */
  remove(instance: I): boolean {
    const at = this.#list.indexOf(instance);
    if (at >= 0) this.#list.splice(at, 1);
    return at >= 0;
  }

  /** The longest unused one that may end: nobody works in it by hand. */
  get oldest(): I | null {
    return this.#list.find(({ isHeld }) => !isHeld) ?? null;
  }

  /** Those that are not frozen, and may be; the longest unused first. */
  get freezable(): readonly I[] {
    return this.#list.filter(({ state, isHeld }) => state.kind === 'idle' && !isHeld);
  }
}
