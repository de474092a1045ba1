// The host's room for instances: how many there may be, and memory for them. Kept by plane.ts, asked by its pools.
import type { HostMemory } from '../host-memory.ts';

/** What is needed of a pool. */
export type RoomSeeker = {
  /** When its longest unused instance that may end became idle; null: it has none. */
  readonly oldestIdleSince: number | null;
  endOldestIdle(): void;
  /** No instance can be started for it, and none of its own will free. */
  refuseForLackOfRoom(message: string): void;
};

export type PlacesDeps<P> = {
  readonly count: number;
  readonly memory: HostMemory;
  /** All pools whose idle instances may end. */
  pools(): Iterable<P>;
  /** There may be room again: this one wanted some. */
  want(pool: P): void;
};

export class Places<P extends RoomSeeker> {
  readonly #deps: PlacesDeps<P>;
  #free: number;
  /** Instances that are ending: their memory comes back. */
  #ending = 0;
  /** Pools that found no room. */
  readonly #starved = new Set<P>();

  constructor(deps: PlacesDeps<P>) {
    this.#deps = deps;
    this.#free = deps.count;
  }

  /**
   * Takes a place for an instance, by ending the longest unused one of any pool if need be. False: there is no room now;
   * the pool is asked again when there may be.
   */
  take(pool: P): boolean {
    if (this.#free <= 0) this.#evict();
    const lack = this.#deps.memory.lack();
    if (this.#free > 0 && lack === null) {
      this.#free -= 1;
      return true;
    }
    this.#starved.add(pool);
    if (lack !== null && !this.#evict() && this.#ending === 0) pool.refuseForLackOfRoom(lack);
    return false;
  }

  /** An instance is told to end. */
  giveBack(): void {
    this.#free += 1;
    this.#ending += 1;
    this.#feed();
  }

  /** Nothing of it is left. */
  ended(): void {
    this.#ending = Math.max(0, this.#ending - 1);
    this.#deps.memory.changed();
    this.#feed();
  }

  becameIdle(): void {
    this.#feed();
  }

  #feed(): void {
    if (this.#starved.size === 0) return;
    const hungry = [...this.#starved];
    this.#starved.clear();
    for (const pool of hungry) this.#deps.want(pool);
  }

  /** Ends the instance that has been idle longest, of any function. */
  #evict(): boolean {
    let oldest: P | null = null;
    for (const pool of this.#deps.pools()) {
      const since = pool.oldestIdleSince;
      if (since !== null && (oldest === null || since < (oldest.oldestIdleSince ?? since))) oldest = pool;
    }
    oldest?.endOldestIdle();
    return oldest !== null;
  }
}
