// How many instances are to be kept at a moment: the default target, schedules, and use. Asked by provisioner.ts.
import { type Cron, createWallClock, lastFiring, parseCron, type WallClock } from '../../base/cron.ts';
import type { Provision, ScheduledTarget, TrackedTarget } from '../../model/scaling.ts';

type Schedule = ScheduledTarget & { readonly cron: { readonly cron: Cron; readonly wall: WallClock } | null };

/** A provision with its expressions read once. */
export type Plan = { readonly provision: Provision; readonly schedules: readonly Schedule[] };

/** An expression that cannot be read (control checks them) never fires. */
export function makePlan(provision: Provision): Plan {
  const schedules = provision.schedules.map((schedule) => {
    if (schedule.fires.kind === 'at') return { ...schedule, cron: null };
    const [cron, wall] = [parseCron(schedule.fires.expression), createWallClock(schedule.fires.timeZone)];
    return { ...schedule, cron: cron === null || wall === null ? null : { cron, wall } };
  });
  return { provision, schedules };
}

/** When it last fired; null: not yet. */
function firedAt(schedule: Schedule, since: number, now: number): number | null {
  const oldest = Math.max(since, schedule.startAt ?? since);
  const newest = Math.min(now, schedule.endAt ?? now);
  if (newest < oldest) return null;
  if (schedule.fires.kind === 'at') {
    const { time } = schedule.fires;
    return time >= oldest && time <= newest ? time : null;
  }
  return schedule.cron && lastFiring(schedule.cron.cron, schedule.cron.wall, newest, oldest);
}

/** The target of the schedule that fired last, of the higher one when two did at once; without any the default. */
function scheduledTarget({ provision, schedules }: Plan, now: number): number {
  let last = { at: Number.NEGATIVE_INFINITY, target: provision.target };
  for (const schedule of schedules) {
    const at = firedAt(schedule, provision.since, now);
    if (at === null || at < last.at) continue;
    last = { at, target: at === last.at ? Math.max(last.target, schedule.target) : schedule.target };
  }
  return last.target;
}

function isInForce({ startAt, endAt }: TrackedTarget, now: number): boolean {
  return (startAt === null || now >= startAt) && (endAt === null || now <= endAt);
}

/** Instances' worth of requests under way, and of processor time; averaged by the caller. */
export type Busy = { readonly use: number; readonly cpu: number };

/**
 * The instances to keep now (epoch ms). A tracking policy that is in force takes its part between its bounds, and the
 * schedules' target holds beside it.
 */
export function targetAt(plan: Plan, now: number, busy: Busy): number {
  let target = scheduledTarget(plan, now);
  for (const policy of plan.provision.tracking) {
    if (!isInForce(policy, now)) continue;
    const wanted = Math.ceil(busy[policy.metric] / policy.metricTarget - 1e-9);
    target = Math.max(target, Math.min(policy.maximum, Math.max(policy.minimum, wanted)));
  }
  return target;
}
