// Which road leads to an instance. A new one is a kind in start-plan.ts and a line here. Called by instance.ts.
import { assertNever } from '../../base/assert-never.ts';
import type { Limits } from '../limits.ts';
import { FrameRoad } from './frame-road.ts';
import type { Road, RoadEvents } from './road.ts';
import type { StartPlan } from './start-plan.ts';

/** Errors: rejects when its sockets cannot be bound; nothing is left behind then. */
export function openRoad({ launch, road }: StartPlan, limits: Limits, events: RoadEvents): Promise<Road> {
  switch (road.kind) {
    case 'frames':
      return FrameRoad.open(launch, limits.invocationBytes, events);
    default:
      return assertNever(road.kind);
  }
}
