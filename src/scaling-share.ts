// What one of several data processes does of what an owner asked for all of them together. Used by data-plane.ts.
import type { InstanceLimit, Provision } from './model/scaling.ts';

/** How many processes there are, and which of them this is (from 0). */
export type Among = { readonly dataProcesses: number; readonly place: number };

/** All shares together are the whole. */
function shareOf(total: number, { dataProcesses, place }: Among): number {
  return Math.floor(total / dataProcesses) + (place < total % dataProcesses ? 1 : 0);
}

/**
 * A limit is divided upwards: a process with no share would refuse calls while the others have room. So all together may
 * exceed it by less than one instance a process.
 */
export function limitShare(limit: InstanceLimit | null, { dataProcesses }: Among): InstanceLimit | null {
  return limit && { ...limit, maximum: Math.ceil(limit.maximum / dataProcesses) };
}

/** Each process follows the requests that it has itself; the bounds of that are divided too. */
export function provisionShare(provision: Provision | null, among: Among): Provision | null {
  if (provision === null || among.dataProcesses === 1) return provision;
  return {
    ...provision,
    target: shareOf(provision.target, among),
    schedules: provision.schedules.map((each) => ({ ...each, target: shareOf(each.target, among) })),
    tracking: provision.tracking.map((each) => ({
      ...each,
      minimum: shareOf(each.minimum, among),
      maximum: shareOf(each.maximum, among),
    })),
  };
}
