// When the idle instances of one pool are frozen. Kept by pool.ts.
import type { Clock } from '../../base/clock.ts';
import { nowhere } from '../../base/roster.ts';
import type { Hook } from '../../model/function.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import type { IdleInstances } from './idle.ts';
import type { PooledInstance } from './pool-port.ts';

export type FreezerDeps<I extends PooledInstance> = {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** How long an instance is idle before, ms. */
  readonly freezeMs: number;
  readonly hook: Hook | null;
  /** The pool's own. */
  readonly idle: IdleInstances<I>;
  /** Its instances run on while they are idle. */
  keepsCpu(): boolean;
  isRetired(): boolean;
  /** An instance is wanted now. */
  isWanted(): boolean;
  offer(instance: I): void;
};

/** One deadline for all instances: it is looked at again when it comes. */
export class Freezer<I extends PooledInstance> {
  readonly #deps: FreezerDeps<I>;
  readonly #deadline: Deadline = { place: nowhere, at: 0, expire: () => this.#freezeUnused() };
  #isDue = false;

  constructor(deps: FreezerDeps<I>) {
    this.#deps = deps;
  }

  /** An instance is idle. */
  plan(): void {
    const { freezeMs, idle, deadlines } = this.#deps;
    if (this.#isDue || this.#deps.isRetired() || this.#deps.keepsCpu()) return;
    if (freezeMs === 0) {
      this.#freezeUnused();
      return;
    }
    const [next] = idle.freezable;
    if (next === undefined) return;
    this.#isDue = true;
    this.#deadline.at = next.state.since + freezeMs;
    deadlines.add(this.#deadline);
  }

  close(): void {
    this.#deps.deadlines.remove(this.#deadline);
  }

  /** Freezes what has been idle for the limit. */
  #freezeUnused(): void {
    const { clock, freezeMs, idle, hook } = this.#deps;
    this.#isDue = false;
    if (this.#deps.keepsCpu()) return;
    const before = clock.monotonic() - freezeMs;
    for (const instance of idle.freezable) {
      if (instance.state.since > before) continue;
      if (hook === null) instance.freeze();
      else void this.#freezeByHook(instance, hook);
    }
    if (freezeMs > 0) this.plan();
  }

  /** While the hook runs the instance serves nobody; who comes meanwhile is served before it freezes. */
  async #freezeByHook(instance: I, hook: Hook): Promise<void> {
    const { idle } = this.#deps;
    idle.remove(instance);
    if (!(await instance.prepareFreeze(hook))) return;
    if (this.#deps.isWanted() || this.#deps.isRetired() || instance.isHeld) return this.#deps.offer(instance);
    idle.add(instance);
    instance.freeze();
  }
}
