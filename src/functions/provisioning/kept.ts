// What a pool is told to keep. Said by provisioner.ts, followed by pool.ts.

/** `minimum` instances are kept; not frozen when `keepsCpu`; further ones are started when `allowsOnDemand`. */
export type Kept = { readonly minimum: number; readonly keepsCpu: boolean; readonly allowsOnDemand: boolean };

export const nothingKept: Kept = { minimum: 0, keepsCpu: false, allowsOnDemand: true };
