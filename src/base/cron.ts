// Cron expressions of six fields, with seconds, in a time zone: when one last fired. Used by control (checks) and functions/ (schedules).

/** What a part of an expression may be; `names` stand for numbers from `low` on. */
type Field = { readonly low: number; readonly high: number; readonly names?: readonly string[] };

const months = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const weekdays = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
const fields: readonly Field[] = [
  { low: 0, high: 59 },
  { low: 0, high: 59 },
  { low: 0, high: 23 },
  { low: 1, high: 31 },
  { low: 1, high: 12, names: months },
  // 7 is Sunday too.
  { low: 0, high: 7, names: weekdays },
];

export type Cron = {
  readonly seconds: ReadonlySet<number>;
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  /** Both were restricted: a day fits when one of them does. */
  readonly eitherDay: boolean;
};

function readNumber(text: string, { low, high, names = [] }: Field): number | null {
  const named = names.indexOf(text.toUpperCase());
  const value = named >= 0 ? named + (names === months ? 1 : 0) : /^\d{1,2}$/.test(text) ? Number(text) : null;
  return value === null || value < low || value > high ? null : value;
}

/** `*`, `?`, `5`, `1-5`, each with `/step`; null for anything else. */
function readRange(text: string, field: Field): readonly number[] | null {
  const [range = '', stepText, ...rest] = text.split('/');
  if (rest.length > 0 || (stepText !== undefined && !/^[1-9]\d?$/.test(stepText))) return null;
  const step = Number(stepText ?? 1);
  let [first, last]: [number | null, number | null] = [field.low, field.high];
  if (range !== '*' && range !== '?') {
    const [from = '', to, ...more] = range.split('-');
    first = readNumber(from, field);
    last = to === undefined ? (stepText === undefined ? first : field.high) : readNumber(to, field);
    if (more.length > 0) return null;
  }
  if (first === null || last === null || first > last) return null;
  const values: number[] = [];
  for (let value = first; value <= last; value += step) values.push(value);
  return values;
}

function readField(text: string, field: Field): ReadonlySet<number> | null {
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const range = readRange(part, field);
    if (range === null) return null;
    for (const value of range) values.add(value);
  }
  return values;
}

/**
 * Shape: `second minute hour day month weekday`, e.g. `0 *\/30 8-18 ? * MON-FRI`. Null for what is no such expression.
 * A day must fit both day fields, unless both are restricted: then one of them is enough.
 */
export function parseCron(text: string): Cron | null {
  const parts = text.trim().split(/\s+/);
  if (parts.length !== fields.length) return null;
  const sets = fields.map((field, at) => readField(parts[at] ?? '', field));
  const [seconds, minutes, hours, days, months, weekdays] = sets;
  if (!seconds || !minutes || !hours || !days || !months || !weekdays) return null;
  const isOpen = (part: string | undefined) => /^[*?]$/.test(part ?? '');
  return {
    seconds,
    minutes,
    hours,
    days,
    months,
    weekdays: weekdays.has(7) ? new Set([...weekdays, 0]) : weekdays,
    eitherDay: !isOpen(parts[3]) && !isOpen(parts[5]),
  };
}

/** What the clocks of a zone show at an epoch time, as if that were UTC; ms. */
export type WallClock = (epochMs: number) => number;

/** Null for a zone that nobody knows. */
export function createWallClock(timeZone: string): WallClock | null {
  if (timeZone === '' || timeZone === 'UTC') return (epochMs) => epochMs;
  try {
    const numeric = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric' } as const;
    const rest = { minute: 'numeric', second: 'numeric', hourCycle: 'h23', timeZone } as const;
    const format = new Intl.DateTimeFormat('en-US', { ...numeric, ...rest });
    return cachedByQuarter((epochMs) => {
      const parts = new Map(format.formatToParts(epochMs).map(({ type, value }) => [type, Number(value)]));
      const of = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? 0;
      const seconds = Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'));
      return seconds + (((epochMs % 1000) + 1000) % 1000);
    });
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const quarterMs = 15 * 60 * 1000;
/** Quarters of an hour whose offset is remembered at a time. */
const rememberedQuarters = 64;

/** Zones change their offset at quarters of an hour only, and asking for it is dear. */
function cachedByQuarter(wall: WallClock): WallClock {
  const offsets = new Map<number, number>();
  return (epochMs) => {
    const quarter = Math.floor(epochMs / quarterMs);
    const known = offsets.get(quarter);
    if (known !== undefined) return epochMs + known;
    if (offsets.size >= rememberedQuarters) offsets.clear();
    const offset = wall(epochMs) - epochMs;
    offsets.set(quarter, offset);
    return epochMs + offset;
  };
}

/** The epoch time at which the clocks of the zone show `wallMs`; in a gap of theirs, about it. */
export function toEpoch(wall: WallClock, wallMs: number): number {
  const guess = wallMs - (wall(wallMs) - wallMs);
  return wallMs - (wall(guess) - guess);
}

const second = 1000;
const [minute, hour, day] = [60 * second, 3600 * second, 24 * 3600 * second];

/** The end of the part before the one of `length` ms that holds `at`. */
function before(at: number, length: number): number {
  return at - (at % length) - second;
}

/** The latest second at or before `at` (as a zone's clocks show it, ms) that fits; null when none does since `oldest`. */
function lastWall(cron: Cron, at: number, oldest: number): number | null {
  let time = at - (at % second);
  while (time >= oldest) {
    const date = new Date(time);
    const isDay = cron.days.has(date.getUTCDate());
    const isWeekday = cron.weekdays.has(date.getUTCDay());
    const fitsDay = cron.eitherDay ? isDay || isWeekday : isDay && isWeekday;
    if (!cron.months.has(date.getUTCMonth() + 1)) {
      time = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) - second;
    } else if (!fitsDay) time = before(time, day);
    else if (!cron.hours.has(date.getUTCHours())) time = before(time, hour);
    else if (!cron.minutes.has(date.getUTCMinutes())) time = before(time, minute);
    else if (!cron.seconds.has(date.getUTCSeconds())) time -= second;
    else return time;
  }
  return null;
}

/** When it last fired, at or before `at` and not before `oldest` (epoch ms); null when it did not. */
export function lastFiring(cron: Cron, wall: WallClock, at: number, oldest: number): number | null {
  const wallOldest = Math.min(oldest, wall(oldest)) - day;
  let found = lastWall(cron, wall(at), wallOldest);
  // Where the clocks are set back a wall time may be ahead of `at`.
  while (found !== null && toEpoch(wall, found) > at) found = lastWall(cron, found - second, wallOldest);
  if (found === null) return null;
  const fired = toEpoch(wall, found);
  return fired >= oldest ? fired : null;
}
