// How many instances a function may and must have: limits and provisioned instances, as control publishes them.

/** Key: scalingKey(). A limit of instances; beyond it: ResourceExhausted. */
export type InstanceLimit = {
  readonly functionKey: string;
  /** Null: all versions and aliases of the function together, provisioned instances included (FC 3). */
  readonly qualifier: string | null;
  /** 0 blocks the function. */
  readonly maximum: number;
};

/** Shape: `<functionKey>@<qualifier>`, also for LATEST; `<functionKey>@` for all qualifiers. */
export function scalingKey({
  functionKey,
  qualifier,
}: {
  readonly functionKey: string;
  readonly qualifier: string | null;
}): string {
  return `${functionKey}@${qualifier ?? ''}`;
}

/** A number of instances that holds from one time on. Times in epoch ms. */
export type ScheduledTarget = {
  /** Before and after these it does not fire; null: no such bound. */
  readonly startAt: number | null;
  readonly endAt: number | null;
  /** Once at a time, or by a cron expression of six fields. */
  readonly fires:
    | { readonly kind: 'at'; readonly time: number }
    | { readonly kind: 'cron'; readonly expression: string; readonly timeZone: string };
  readonly target: number;
};

/**
 * Keeps a share near `metricTarget` (0 to 1): of provisioned instances that are in use, or of their processors that are
 * busy. Times in epoch ms.
 */
export type TrackedTarget = {
  readonly metric: 'use' | 'cpu';
  readonly startAt: number | null;
  readonly endAt: number | null;
  readonly metricTarget: number;
  readonly minimum: number;
  readonly maximum: number;
};

/** The provisioned instances of one qualifier of a function. Key: scalingKey(). */
export type Provision = {
  readonly functionKey: string;
  readonly serviceName: string | null;
  readonly functionName: string;
  readonly qualifier: string;
  /** Until a schedule says otherwise. */
  readonly target: number;
  readonly schedules: readonly ScheduledTarget[];
  readonly tracking: readonly TrackedTarget[];
  /** When it was set, epoch ms: what would have fired before does not count. */
  readonly since: number;
  /** True: its provisioned instances are not frozen between requests. */
  readonly keepsCpu: boolean;
  /** False: requests beyond the provisioned instances are refused. */
  readonly allowsOnDemand: boolean;
};

/** One instance as control tells of it. `startedAt` in epoch ms. */
export type InstanceFact = {
  readonly instanceId: string;
  readonly versionId: string;
  readonly qualifier: string;
  readonly startedAt: number;
};

/** What a qualifier of a function has at this moment. `target`: how many instances are to be kept now. */
export type InstancesNow = {
  readonly instances: readonly InstanceFact[];
  readonly target: number;
  /** Why provisioned instances are missing; empty: none is, or they are on their way. */
  readonly problem: string;
};

/** The narrow type by which control asks; a null qualifier means all of the function's. */
export type AskInstances = (of: {
  readonly functionKey: string;
  readonly qualifier: string | null;
}) => Promise<InstancesNow>;
