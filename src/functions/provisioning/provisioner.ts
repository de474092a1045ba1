// Keeps the provisioned instances of functions: looks each second at schedules and use, and tells pools how many to keep.
// Made by plane.ts; told by functions.ts what is published.
import type { Clock } from '../../base/clock.ts';
import type { FunctionTarget } from '../../model/api.ts';
import type { FunctionConfig } from '../../model/function.ts';
import { type Provision, scalingKey } from '../../model/scaling.ts';
import { CpuMeter, type Measured } from './cpu-meter.ts';
import { type Kept, nothingKept } from './kept.ts';
import { makePlan, type Plan, targetAt } from './target.ts';

/** What is needed of a pool. */
export type KeptPool = {
  readonly config: FunctionConfig;
  /** Requests that one instance runs at once. */
  readonly concurrency: number;
  readonly inFlight: number;
  readonly instances: Iterable<Measured>;
  /** Why instances that are to be kept could not be started; empty: they could. */
  readonly problem: string;
  keep(wants: Kept): void;
};

export type ProvisionerDeps = {
  readonly clock: Clock;
  /** Processor time of a process and its descendants, ms. Default: as /proc tells. */
  readonly readCpuMs?: (pid: number) => number;
  /** The configuration that a qualifier leads to: of an alias the one of its main version. */
  find(
    target: FunctionTarget,
  ): { readonly ok: true; readonly config: FunctionConfig } | { readonly ok: false; readonly message: string };
  poolOf(config: FunctionConfig): KeptPool | null;
  /** Makes the pool of a configuration, if it can. */
  openPool(config: FunctionConfig): Promise<{ readonly ok: true } | { readonly ok: false; readonly message: string }>;
};

const everyMs = 1_000;
/** Use is averaged over about so long. */
const averageMs = 10_000;
/** A target that use asks for is given up only after so long without need. Source: assumed. */
const releaseMs = 60_000;

type Held = {
  readonly plan: Plan;
  /** Instances' worth of requests under way and of processor time, averaged. */
  readonly busy: { use: number; cpu: number };
  /** Null: no policy follows CPU use. */
  readonly meter: CpuMeter | null;
  target: number;
  /** Until when a higher target that use asked for holds (epoch ms). */
  heldUntil: number;
  problem: string;
  /** What is kept now; null: there is no pool. */
  pool: KeptPool | null;
  isOpening: boolean;
};

/** Bounded by what is published. */
export class Provisioner {
  readonly #deps: ProvisionerDeps;
  /** By scalingKey(). */
  readonly #held = new Map<string, Held>();
  #cancelTick: (() => void) | null = null;
  #isClosed = false;

  constructor(deps: ProvisionerDeps) {
    this.#deps = deps;
  }

  /** A provision is published or withdrawn. */
  change(key: string, provision: Provision | null): void {
    const former = this.#held.get(key);
    this.#held.delete(key);
    if (provision === null) {
      former?.pool?.keep(nothingKept);
      return;
    }
    const meter = provision.tracking.some(({ metric }) => metric === 'cpu') ? new CpuMeter(this.#deps.readCpuMs) : null;
    const fresh = {
      busy: former?.busy ?? { use: 0, cpu: 0 },
      meter,
      target: 0,
      heldUntil: 0,
      problem: '',
      isOpening: false,
    };
    const held: Held = { plan: makePlan(provision), pool: former?.pool ?? null, ...fresh };
    this.#held.set(key, held);
    this.#look(held);
    this.#planTick();
  }

  /** A function changed: its provisioned instances have to be those of the new configuration. */
  functionChanged(functionKey: string): void {
    for (const held of this.#held.values()) {
      if (held.plan.provision.functionKey === functionKey) this.#look(held);
    }
  }

  /** A pool was made: what holds for it holds from its first request. */
  opened(pool: KeptPool): void {
    const held = this.#heldFor(pool.config);
    if (held !== undefined) this.#apply(held, pool);
  }

  /** What is to be kept of a qualifier now. */
  now(key: string): { readonly target: number; readonly problem: string } {
    const held = this.#held.get(key);
    return { target: held?.target ?? 0, problem: held?.pool?.problem || (held?.problem ?? '') };
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTick?.();
    this.#held.clear();
  }

  #heldFor({ key, qualifier }: FunctionConfig): Held | undefined {
    return this.#held.get(scalingKey({ functionKey: key, qualifier }));
  }

  #planTick(): void {
    if (this.#cancelTick !== null || this.#isClosed) return;
    this.#cancelTick = this.#deps.clock.after(everyMs, () => {
      this.#cancelTick = null;
      for (const held of this.#held.values()) {
        if (held.pool !== null) this.#measure(held, held.pool);
        this.#look(held);
      }
      if (this.#held.size > 0) this.#planTick();
    });
  }

  /** Each second: one part of a running average. */
  #measure({ busy, meter }: Held, pool: KeptPool): void {
    const weight = Math.min(1, everyMs / averageMs);
    busy.use += (pool.inFlight / pool.concurrency - busy.use) * weight;
    if (meter === null) return;
    const cores = meter.coresUsed(pool.instances, this.#deps.clock.monotonic());
    busy.cpu += (cores / (pool.config.cpu ?? 1) - busy.cpu) * weight;
  }

  #look(held: Held): void {
    const now = this.#deps.clock.now();
    const { plan } = held;
    const target = targetAt(plan, now, held.busy);
    const isTracked = plan.provision.tracking.length > 0;
    if (target >= held.target) held.heldUntil = now + releaseMs;
    if (target >= held.target || !isTracked || now >= held.heldUntil) held.target = target;
    void this.#provide(held);
  }

  /** Finds or makes the pool that the qualifier leads to now, and tells it. */
  async #provide(held: Held): Promise<void> {
    const { serviceName, functionName, qualifier } = held.plan.provision;
    const found = this.#deps.find({ serviceName, functionName, qualifier });
    if (!found.ok) {
      held.problem = found.message;
      held.pool?.keep(nothingKept);
      held.pool = null;
      return;
    }
    const pool = this.#deps.poolOf(found.config);
    if (pool !== null) return this.#apply(held, pool);
    if (held.target === 0 || held.isOpening) return;
    held.isOpening = true;
    // Tells opened() when it is made.
    const result = await this.#deps.openPool(found.config);
    held.isOpening = false;
    held.problem = result.ok ? '' : result.message;
  }

  #apply(held: Held, pool: KeptPool): void {
    if (held.pool !== null && held.pool !== pool) held.pool.keep(nothingKept);
    held.pool = pool;
    held.problem = '';
    const { keepsCpu, allowsOnDemand } = held.plan.provision;
    pool.keep({ minimum: held.target, keepsCpu, allowsOnDemand });
  }
}
