// Which road leads to an instance. A new one is a kind in start-plan.ts and a line here. Called by instance.ts.

import { assertNever } from '../../base/assert-never.ts';
import { FrameRoad } from './frame-road.ts';
import { HttpRoad } from './http-road.ts';
import type { Road, RoadDeps, RoadEvents } from './road.ts';
import { RuntimeApiRoad } from './runtime-api-road.ts';
import type { StartPlan } from './start-plan.ts';

/** Errors: rejects when its sockets cannot be bound; nothing is left behind then. */
export async function openRoad(plan: StartPlan, deps: RoadDeps, events: RoadEvents): Promise<Road> {
  const road = await openWaitingRoad(plan, deps, events);
  try {
    await road.adopt(plan);
    return road;
  } catch (error) {
    road.close();
    throw error;
  }
}

/** For a process that waits for its function: of the plan nothing is taken but what holds for all that it could get. */
export function openWaitingRoad(plan: StartPlan, deps: RoadDeps, events: RoadEvents): Promise<Road> {
  const { road, launch } = plan;
  switch (road.kind) {
    case 'frames':
      return FrameRoad.open(launch, deps.limits.invocationBytes, events);
    case 'http':
      return HttpRoad.open(launch.socketDirectory, deps, events);
    case 'runtime-api':
      return RuntimeApiRoad.open(launch.socketDirectory, road, { deps, events });
    default:
      return assertNever(road);
  }
}
