// What several data processes have running of a function, as one. Used by server.ts for control.
import type { InstancesNow } from './model/scaling.ts';

/** Each keeps its share of the target. */
export function joinInstances(all: readonly InstancesNow[]): InstancesNow {
  return {
    instances: all.flatMap(({ instances }) => instances),
    target: all.reduce((total, { target }) => total + target, 0),
    problem: all.find(({ problem }) => problem !== '')?.problem ?? '',
  };
}
