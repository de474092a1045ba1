// The policies that hold for one request's API in its stage. Applied in this order by admit.ts: IP control, then limits of calls.
import type { Admitted, Identified } from '../context.ts';
import { refuse } from '../errors.ts';
import { type CompiledIpControl, isAddressAllowed } from './ip-control.ts';
import { type CompiledTrafficControl, type LimitKind, throttle } from './traffic-control.ts';

type Call = Pick<Identified, 'snapshot' | 'api' | 'stage' | 'caller' | 'clientIp' | 'group' | 'deps'>;

function placeOf({ api, stage }: Call): string {
  return `${api.apiId}/${stage}`;
}

function appIdOf({ caller }: Call): number | null {
  return caller.kind === 'app' ? caller.appId : null;
}

/** Errors: A403IP, T429IN, T429GR, T429PA, T429PR. */
export function applyPolicies(call: Call): void | Promise<void> {
  const { policies } = call.snapshot;
  const binding = policies.bindings.size === 0 ? undefined : policies.bindings.get(placeOf(call));
  const ipControl = policies.ipControls.get(binding?.ipControlId ?? '');
  if (ipControl !== undefined) checkAddress(call, ipControl);
  const trafficControl = policies.trafficControls.get(binding?.trafficControlId ?? '');
  const groupLimit = groupLimitOf(call);
  if (groupLimit !== null || call.deps.settings.instanceLimitPerSecond !== null) {
    return checkRates(call, groupLimit, trafficControl);
  }
  if (trafficControl !== undefined) return checkTraffic(call, trafficControl);
}

/** The group's own limit, or the server's for all groups, whichever is less; null: neither. */
function groupLimitOf({ group, deps }: Call): number | null {
  const limit = deps.settings.groupLimitPerSecond;
  const own = group.options?.callsPerSecond ?? null;
  return own === null || (limit !== null && limit < own) ? limit : own;
}

function checkAddress(call: Call, control: CompiledIpControl): void {
  if (isAddressAllowed(control, call.clientIp, appIdOf(call))) return;
  throw refuse(
    'A403IP',
    {},
    {
      side: 'api-owner',
      field: 'client address',
      expected:
        control.type === 'ALLOW' ? 'an address that the IP control allows' : 'an address that it does not refuse',
      got: call.clientIp,
      message: `The IP control ${control.id} of the API ${call.api.apiName} does not let ${call.clientIp} call it in stage ${call.stage}.`,
    },
  );
}

/** The limits of everything here and of the group, counted together: a call that one refuses counts for neither. */
async function checkRates(
  call: Call,
  groupLimit: number | null,
  trafficControl: CompiledTrafficControl | undefined,
): Promise<void> {
  const { clock, count, settings } = call.deps;
  const limits = [
    { code: 'T429IN', what: 'This gateway', key: 'instance', limit: settings.instanceLimitPerSecond },
    {
      code: 'T429GR',
      what: `The group ${call.group.groupId}`,
      key: `group/${call.group.groupId}`,
      limit: groupLimit,
    },
  ] as const;
  const takes = limits.flatMap((row) => (row.limit === null ? [] : { ...row, limit: row.limit }));
  const window = Math.floor(clock.now() / 1_000);
  const refusing = takes[await count({ windowMs: 1_000, window, takes })];
  if (refusing !== undefined) {
    throw refuse(
      refusing.code,
      {},
      {
        side: 'platform',
        field: refusing.code === 'T429IN' ? 'calls of all groups' : 'calls of the group',
        expected: `at most ${refusing.limit} a second`,
        got: 'more',
        message: `${refusing.what} has had its ${refusing.limit} calls of this second.`,
      },
    );
  }
  if (trafficControl !== undefined) await checkTraffic(call, trafficControl);
}

const limitNames: Readonly<Record<LimitKind, string>> = {
  API: 'all callers together',
  USER: 'the apps of one account together',
  APP: 'one app',
};

/** Source: docs: basic limits of users and apps answer T429PR in the classic words. */
async function checkTraffic(call: Call, control: CompiledTrafficControl): Promise<void> {
  const throttled = await throttle(control, { place: placeOf(call), appId: appIdOf(call) }, call.deps);
  if (throttled === null) return;
  const { kind, limit } = throttled.limit;
  const unit = control.unit.toLowerCase();
  const why = {
    side: 'client',
    field: `calls of ${limitNames[kind]}`,
    expected: `at most ${limit} a ${unit}`,
    got: 'more',
    message: `The traffic control ${control.id} lets ${limitNames[kind]} call the API ${call.api.apiName} ${limit} times a ${unit}; try again in ${throttled.retryMs} ms.`,
  } as const;
  if (kind === 'API') throw refuse('T429PA', {}, why);
  throw refuse('T429PR', { Kind: kind }, why);
}

/** The key that requests to the API's backend are signed with; null: they are not. */
export function signatureKeyOf({ snapshot, api, stage }: Pick<Admitted, 'snapshot' | 'api' | 'stage'>) {
  const { policies } = snapshot;
  if (policies.bindings.size === 0) return null;
  const binding = policies.bindings.get(`${api.apiId}/${stage}`);
  return policies.signatureKeys.get(binding?.signatureId ?? '') ?? null;
}
