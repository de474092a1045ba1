// The limits of instances that owners set on their functions, and how much of each is in use. Kept by plane.ts, asked by
// invoke.ts before a request is admitted and by pool.ts before an instance is started.
import { type InstanceLimit, scalingKey } from '../../model/scaling.ts';

/** One limit. A request under way takes a part of an instance; several requests of a pool may share one. */
export type Quota = {
  maximum: number;
  /** True: all qualifiers of the function count together, provisioned instances too. */
  readonly isOfFunction: boolean;
  /** Requests under way of the pools that it holds for. */
  inFlight: number;
};

/** What a quota needs to know of a pool. */
export type LimitedPool = {
  readonly config: { readonly key: string; readonly qualifier: string };
  /** Requests that one instance runs at once. */
  readonly concurrency: number;
  /** Provisioned instances that it keeps. */
  readonly minimum: number;
  /** Whether it may have more than those. */
  readonly allowsOnDemand: boolean;
  readonly inFlight: number;
  quota: Quota | null;
};

/** All limits that are published. */
export class Quotas {
  /** By scalingKey(). */
  readonly #quotas = new Map<string, Quota>();

  /** Puts a pool under the limit that holds for it; without one it gets none. */
  attach(pool: LimitedPool): void {
    const quota = this.of(pool.config);
    if (pool.quota === quota) return;
    if (pool.quota !== null) pool.quota.inFlight -= pool.inFlight;
    if (quota !== null) quota.inFlight += pool.inFlight;
    pool.quota = quota;
  }

  /** The limit that holds for a configuration; null: none. */
  of({ key: functionKey, qualifier }: LimitedPool['config']): Quota | null {
    return (
      this.#quotas.get(scalingKey({ functionKey, qualifier })) ??
      this.#quotas.get(scalingKey({ functionKey, qualifier: null })) ??
      null
    );
  }

  /** A limit is published or withdrawn; `pools` are all that there are. */
  change(key: string, limit: InstanceLimit | null, pools: Iterable<LimitedPool>): void {
    const known = this.#quotas.get(key);
    if (limit !== null && known !== undefined) {
      known.maximum = limit.maximum;
      return;
    }
    if (limit === null) this.#quotas.delete(key);
    else this.#quotas.set(key, { maximum: limit.maximum, isOfFunction: limit.qualifier === null, inFlight: 0 });
    for (const pool of pools) this.attach(pool);
  }
}

/** Instances that `pool` may have by its limit, and by its provision when that allows no others. */
export function allowedInstances({
  quota,
  minimum,
  allowsOnDemand,
}: Pick<LimitedPool, 'quota' | 'minimum' | 'allowsOnDemand'>): number {
  const beyond = allowsOnDemand ? Number.POSITIVE_INFINITY : minimum;
  if (quota === null) return beyond;
  return Math.min(beyond, quota.isOfFunction ? quota.maximum : quota.maximum + minimum);
}

/** Requests that those instances could run beyond those under way; below 0 when there are more. */
export function freeRequests(pool: LimitedPool): number {
  return allowedInstances(pool) * pool.concurrency - (pool.quota ?? pool).inFlight;
}

/** Whether one more request would be more than those instances can run at once. */
export function isExhausted(pool: LimitedPool): boolean {
  if (pool.quota === null && pool.allowsOnDemand) return false;
  return freeRequests(pool) <= 0;
}
