// The two shapes in which provisioned instances are asked for, and what data processes need of them. Called by provisions.ts.
import type { Provision } from '../../model/scaling.ts';
import type { ProvisionRow } from '../../store/rows.ts';
import { fcError } from '../errors.ts';
import { settingsOf } from './publishing.ts';
import { readCount, readList, readPolicy, readSchedule } from './schedule-rules.ts';
import { refuseSetting } from './setting-rules.ts';
import { type FcRecord, fcText } from './types.ts';

type Wanted = Pick<Provision, 'target' | 'schedules' | 'tracking' | 'keepsCpu' | 'allowsOnDemand'>;

/** Members of a provision configuration; FC 3's `defaultTarget` stands before the older `target`. Errors: InvalidArgument. */
function readProvision(settings: FcRecord): Wanted {
  const target = readCount(settings, 'target', 0);
  if (settings['alwaysAllocateGPU'] === true) refuseSetting('AlwaysAllocateGPU', 'false', true);
  return {
    target: readCount(settings, 'defaultTarget', target),
    schedules: readList(settings, 'scheduledActions', 'action').map(readSchedule),
    tracking: readList(settings, 'targetTrackingPolicies', 'policy').map((item) =>
      readPolicy(item, 'minCapacity', 'maxCapacity'),
    ),
    keepsCpu: settings['alwaysAllocateCPU'] === true,
    allowsOnDemand: true,
  };
}

/** Members of a scaling configuration. Errors: InvalidArgument, also for what only the cloud's own pools have. */
function readScaling(settings: FcRecord): Wanted {
  const pool = fcText(settings, 'residentPoolId');
  if (pool !== '') throw fcError('InvalidArgument', `ResidentPoolId '${pool.slice(0, 100)}' does not exist`);
  if (settings['enableMixMode'] === true) refuseSetting('EnableMixMode', 'false', true);
  const policy = fcText(settings, 'requestDispatchPolicy');
  if (policy !== '') throw fcError('InvalidArgument', 'RequestDispatchPolicy is not supported by this server');
  return {
    target: readCount(settings, 'minInstances', 0),
    schedules: readList(settings, 'scheduledPolicies', 'policy').map(readSchedule),
    tracking: readList(settings, 'horizontalScalingPolicies', 'policy').map((item) =>
      readPolicy(item, 'minInstances', 'maxInstances'),
    ),
    keepsCpu: false,
    allowsOnDemand: settings['enableOnDemandScaling'] !== false,
  };
}

/** Errors: InvalidArgument. */
export function readWanted(kind: ProvisionRow['kind'], settings: FcRecord): Wanted {
  return kind === 'provision' ? readProvision(settings) : readScaling(settings);
}

/** What is published of a row. Its settings were read when they were given. */
export function provisionOf(row: ProvisionRow): Provision {
  const { functionKey, serviceName, functionName, qualifier, modifiedAt: since } = row;
  return { functionKey, serviceName, functionName, qualifier, since, ...readWanted(row.kind, settingsOf(row)) };
}
