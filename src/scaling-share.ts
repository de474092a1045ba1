// What one of several data processes does of what an owner asked for all of them together. Used by data-plane.ts.
import type { InstanceLimit, Provision } from './model/scaling.ts';
import { type Among, shareOf } from './model/shares.ts';

/** All parts together are the limit: a process that has used its own up asks the others before it refuses (elsewhere.ts). */
export function limitShare(limit: InstanceLimit | null, among: Among): InstanceLimit | null {
  return limit && { ...limit, maximum: shareOf(limit.maximum, among, limit.functionKey) };
}

/** Each process follows the requests that it has itself; the bounds of that are divided too. */
export function provisionShare(provision: Provision | null, among: Among): Provision | null {
  if (provision === null || among.dataProcesses === 1) return provision;
  const share = (total: number) => shareOf(total, among, provision.functionKey);
  return {
    ...provision,
    target: share(provision.target),
    schedules: provision.schedules.map((each) => ({ ...each, target: share(each.target) })),
    tracking: provision.tracking.map((each) => ({
      ...each,
      minimum: share(each.minimum),
      maximum: share(each.maximum),
    })),
  };
}
