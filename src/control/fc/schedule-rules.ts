// Schedules and policies of provisioned instances: read from what was given, refused in the words that clients compare.
// Called by provision-settings.ts.
import { createWallClock, parseCron, toEpoch, type WallClock } from '../../base/cron.ts';
import type { ScheduledTarget, TrackedTarget } from '../../model/scaling.ts';
import { fcError } from '../errors.ts';
import { refuseSetting } from './setting-rules.ts';
import { type FcRecord, fcNumber, fcText, isFcRecord } from './types.ts';

/** Source: sdk. */
const listLimit = 100;
/** More than any installation has. Source: assumed. */
export const highestTarget = 100_000;
const metrics = { ProvisionedConcurrencyUtilization: 'use', CPUUtilization: 'cpu' } as const;
/** Known to the cloud; nothing here measures them. */
const unmeasured = ['GPUMemUtilization', 'GPUSmUtilization', 'GPUDecoderUtilization', 'GPUEncoderUtilization'];

/** The records of a list member; its name as messages spell it. Errors: InvalidArgument for too many or names used twice. */
export function readList(settings: FcRecord, member: string, kind: 'action' | 'policy'): readonly FcRecord[] {
  const spelled = `${member.charAt(0).toUpperCase()}${member.slice(1)}`;
  const value = settings[member];
  const list = Array.isArray(value) ? value.filter(isFcRecord) : [];
  if (list.length > listLimit) {
    throw fcError('InvalidArgument', `${spelled} contains too many values (max: ${listLimit}, actual: ${list.length})`);
  }
  const names = new Set<string>();
  for (const item of list) {
    const name = fcText(item, 'name');
    if (name === '') throw fcError('InvalidArgument', `Each of ${spelled} needs a name`);
    if (names.has(name)) {
      throw fcError('InvalidArgument', `Duplicate ${kind} name '${name.slice(0, 100)}' in ${spelled} is not allowed`);
    }
    names.add(name);
  }
  return list;
}

type Zone = { readonly name: string; readonly wall: WallClock };

function readZone(item: FcRecord): Zone {
  const name = fcText(item, 'timeZone');
  const wall = createWallClock(name);
  return wall === null ? refuseSetting('TimeZone', 'a name like Asia/Shanghai', name) : { name, wall };
}

/** `2020-10-10T10:10:10Z`; with a time zone also without the Z, as its clocks show it. Null: not such a time. */
function readTime(text: string, { name, wall }: Zone): number | null {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(Z?)$/.exec(text);
  if (match === null || (match[2] === '' && name === '')) return null;
  const time = Date.parse(`${match[1]}Z`);
  if (Number.isNaN(time)) return null;
  return match[2] === 'Z' ? time : toEpoch(wall, time);
}

/** A bound; null when it is not given. Source: sdk. */
function readBound(item: FcRecord, member: 'startTime' | 'endTime', zone: Zone): number | null {
  const text = fcText(item, member);
  if (text === '') return null;
  const time = readTime(text, zone);
  if (time !== null) return time;
  const spelled = member === 'startTime' ? 'StartTime' : 'EndTime';
  throw fcError(
    'InvalidArgument',
    `The ${spelled} is not in UTC time format (example: '2020-10-10T10:10:10Z', actual: '${text.slice(0, 100)}')`,
  );
}

function readBounds(item: FcRecord, zone: Zone): Pick<ScheduledTarget, 'startAt' | 'endAt'> {
  const [startAt, endAt] = [readBound(item, 'startTime', zone), readBound(item, 'endTime', zone)];
  if (startAt !== null && endAt !== null && endAt < startAt) {
    throw fcError('InvalidArgument', 'The EndTime is before the StartTime');
  }
  return { startAt, endAt };
}

/** `at(2020-10-10T10:10:10Z)` or `cron(0 0 4 * * *)`. Source: sdk. */
function readExpression(item: FcRecord, zone: Zone): ScheduledTarget['fires'] {
  const text = fcText(item, 'scheduleExpression');
  const [, kind, inner = ''] = /^(at|cron)\((.*)\)$/.exec(text) ?? [];
  const time = kind === 'at' ? readTime(inner, zone) : null;
  if (time !== null) return { kind: 'at', time };
  if (kind === 'cron' && parseCron(inner) !== null) return { kind, expression: inner, timeZone: zone.name };
  throw fcError(
    'InvalidArgument',
    `The ScheduleExpression should be atTime or cron expression (example: ['at(2020-10-10T10:10:10Z)', 'cron(0 */30 * * * *)'], actual: '${text.slice(0, 100)}')`,
  );
}

/** A count of instances. Errors: InvalidArgument. */
export function readCount(record: FcRecord, member: string, fallback: number): number {
  const value = fcNumber(record, member) ?? fallback;
  if (Number.isInteger(value) && value >= 0 && value <= highestTarget) return value;
  return refuseSetting(`${member.charAt(0).toUpperCase()}${member.slice(1)}`, `0-${highestTarget}`, value);
}

export function readSchedule(item: FcRecord): ScheduledTarget {
  const zone = readZone(item);
  return { ...readBounds(item, zone), fires: readExpression(item, zone), target: readCount(item, 'target', 0) };
}

/** GPU metrics are refused: no instance here has one. */
function readMetric(name: string): TrackedTarget['metric'] {
  for (const [known, metric] of Object.entries(metrics)) if (known === name) return metric;
  if (!unmeasured.includes(name))
    refuseSetting('MetricType', [...Object.keys(metrics), ...unmeasured].join(' | '), name);
  throw fcError('InvalidArgument', `MetricType ${name} is not supported by this server`);
}

/** `low` and `high` name the members of the bounds, which differ by operation. */
export function readPolicy(item: FcRecord, low: string, high: string): TrackedTarget {
  const metric = readMetric(fcText(item, 'metricType'));
  const metricTarget = fcNumber(item, 'metricTarget') ?? 0;
  if (!(metricTarget > 0 && metricTarget <= 1)) refuseSetting('MetricTarget', 'more than 0, at most 1', metricTarget);
  const [minimum, maximum] = [readCount(item, low, 0), readCount(item, high, 0)];
  if (maximum < minimum) {
    throw fcError(
      'InvalidArgument',
      `${high} ${maximum} of policy '${fcText(item, 'name')}' is less than ${low} ${minimum}`,
    );
  }
  return { metric, ...readBounds(item, readZone(item)), metricTarget, minimum, maximum };
}
