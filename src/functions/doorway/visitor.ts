// Who knocks at the doorway: the instance behind an address. Told by the plane, asked by the doorway's servers.
import { functionKey } from '../../model/function.ts';
import type { StartPlan } from '../instances/start-plan.ts';
import type { NetworkMode } from '../launcher/port.ts';

export type Visitor = {
  readonly instanceId: string;
  readonly functionKey: string;
  readonly accountId: string;
  readonly regionId: string;
  readonly network: NetworkMode;
};

export function visitorOf({ launch, load }: StartPlan): Visitor {
  const {
    function: { name },
    service,
    accountId,
    region,
  } = load.context;
  return {
    instanceId: launch.instanceId,
    functionKey: functionKey(service.name === '' ? null : service.name, name),
    accountId,
    regionId: region,
    network: launch.network ?? 'host',
  };
}

/** Null when no instance has that address (any more). */
export type FindVisitor = (address: string) => Visitor | null;
