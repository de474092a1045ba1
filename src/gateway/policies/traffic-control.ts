// Traffic control: how many calls an API, an account and an app may make in a unit of time. Compiled when it is published;
// throttle() is called by admit.ts. The plug-in of the same name uses the same parts.
import type { Clock } from '../../base/clock.ts';
import type { CountCall, Take } from '../../base/window-counters.ts';
import type { PublishedTrafficControl } from '../../model/published.ts';

const unitMs = { SECOND: 1_000, MINUTE: 60_000, HOUR: 3_600_000, DAY: 86_400_000 } as const;

export type CompiledTrafficControl = {
  readonly id: string;
  readonly unit: PublishedTrafficControl['unit'];
  readonly windowMs: number;
  /** A call without room waits for the next second's, as far as that has some. Only for seconds. Source: docs. */
  readonly waits: boolean;
  readonly apiDefault: number;
  readonly userDefault: number | null;
  readonly appDefault: number | null;
  /** By AppId and by account id, in decimal. */
  readonly apps: ReadonlyMap<string, number>;
  readonly users: ReadonlyMap<string, number>;
  readonly accountId: string;
};

export function compileTrafficControl(
  policy: PublishedTrafficControl,
  options: { readonly quickReturn: boolean } = { quickReturn: false },
): CompiledTrafficControl {
  const specialsOf = (type: 'APP' | 'USER') =>
    new Map(policy.specials.filter((special) => special.type === type).map(({ key, limit }) => [key, limit]));
  return {
    id: policy.trafficControlId,
    unit: policy.unit,
    windowMs: unitMs[policy.unit],
    waits: policy.unit === 'SECOND' && !options.quickReturn,
    apiDefault: policy.apiDefault,
    userDefault: policy.userDefault,
    appDefault: policy.appDefault,
    apps: specialsOf('APP'),
    users: specialsOf('USER'),
    accountId: policy.accountId,
  };
}

export type LimitKind = 'API' | 'USER' | 'APP';
/** `place` is `apiId/stage`. `appId` null: the caller is no app, so only the API's limit works. */
export type ThrottledCall = { readonly place: string; readonly appId: number | null };
type Limit = Take & { readonly kind: LimitKind };

/**
 * The limits that a call counts against.
 *
 * Specials of the app or its account stand in for the default limits of both; the API's limit stays. Limits of all kinds are
 * for each API. Source: docs.
 */
export function limitsOf(control: CompiledTrafficControl, { place, appId }: ThrottledCall): Limit[] {
  const base = `${control.id}/${place}`;
  const limits: Limit[] = [{ kind: 'API', key: base, limit: control.apiDefault }];
  if (appId === null) return limits;
  const ofApp = control.apps.get(String(appId));
  const ofUser = control.users.get(control.accountId);
  const isSpecial = ofApp !== undefined || ofUser !== undefined;
  const user = ofUser ?? (isSpecial ? null : control.userDefault);
  const app = ofApp ?? (isSpecial ? null : control.appDefault);
  if (user !== null) limits.push({ kind: 'USER', key: `${base}/user/${control.accountId}`, limit: user });
  if (app !== null) limits.push({ kind: 'APP', key: `${base}/app/${appId}`, limit: app });
  return limits;
}

/** Null: the call may go on (after it waited, perhaps). Otherwise the limit that has no room, and for how long, in ms. */
export type Throttled = { readonly limit: Limit; readonly retryMs: number } | null;

type ThrottlePorts = { readonly clock: Clock; readonly count: CountCall };

/**
 * Counts a call and lets it through, lets it wait for the next second, or refuses it.
 *
 * A unit of time begins where the clock's does (days in UTC; source: assumed). Seconds: the bucket is filled to the limit at
 * the edge of the second; who finds it empty takes from the next filling and waits for that, so at most one filling waits,
 * and those who wait are served first. Source: docs; the filling at once is assumed.
 */
export async function throttle(
  control: CompiledTrafficControl,
  call: ThrottledCall,
  { clock, count }: ThrottlePorts,
): Promise<Throttled> {
  const limits = limitsOf(control, call);
  const { windowMs } = control;
  const now = clock.now();
  const window = Math.floor(now / windowMs);
  const edgeMs = (window + 1) * windowMs - now;
  let refusedBy = await count({ windowMs, window, takes: limits });
  if (refusedBy === -1) return null;
  if (control.waits) {
    refusedBy = await count({ windowMs, window: window + 1, takes: limits });
    if (refusedBy === -1) {
      await new Promise<void>((resolve) => clock.after(edgeMs, resolve));
      return null;
    }
  }
  const limit = limits[refusedBy];
  if (limit === undefined) throw new Error(`a counter refused for limit ${refusedBy} of ${limits.length}`);
  return { limit, retryMs: edgeMs };
}
