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
