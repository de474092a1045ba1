// Step 4, Admitted: may this caller go on. Its grant, then the policies that the API is bound to.
// Called by pipeline.ts.
import type { PublishedGrant } from '../model/published.ts';
import type { Admitted, Identified } from './context.ts';
import { refuse } from './errors.ts';
import { checkIntranet } from './policies/intranet.ts';
import { applyPolicies } from './policies/policies-of-api.ts';
import { grantKey } from './snapshot.ts';
import { toAdmitted } from './states.ts';

/** Errors: I403AA, A403EP, A403IN, T429ID, A403IP, T429IN, T429GR, T429PA, T429PR. A promise only where a limit of calls has to be asked about. */
export function admit(identified: Identified): Admitted | Promise<Admitted> {
  const admitted = toAdmitted(identified, checkGrant(identified));
  checkIntranet(identified);
  const { ownDomainLimitPerDay: limit } = identified.deps.settings;
  if (limit !== null && identified.isOwnDomain) return admitAtOwnDomain(admitted, limit);
  const applied = applyPolicies(admitted);
  return applied === undefined ? admitted : applied.then(() => admitted);
}

const dayMs = 24 * 60 * 60 * 1000;

/** The domain that the gateway gives a group is for testing only. Days begin at midnight UTC. Source: docs. */
async function admitAtOwnDomain(admitted: Admitted, limit: number): Promise<Admitted> {
  const { deps, group, at } = admitted;
  const takes = [{ key: `domain/${group.groupId}`, limit }];
  if ((await deps.count({ windowMs: dayMs, window: Math.floor(at / dayMs), takes })) === -1) {
    await applyPolicies(admitted);
    return admitted;
  }
  throw refuse(
    'T429ID',
    { Domain: group.subDomain, Limit: String(limit) },
    {
      side: 'client',
      field: 'Host',
      expected: `at most ${limit} calls a day by ${group.subDomain}`,
      got: 'more',
      message: `The domain ${group.subDomain} is for testing and has had its ${limit} calls of this day (UTC): bind a domain to the group.`,
    },
  );
}

/** Source: docs. */
function checkGrant(identified: Identified): PublishedGrant | null {
  const { caller, api, stage, snapshot } = identified;
  if (caller.kind === 'anonymous') return null;
  const grant = snapshot.grants.get(grantKey(caller.appId, api.apiId, stage));
  if (grant !== undefined && (grant.expiresAt === null || grant.expiresAt > identified.at)) return grant;
  const who = `the app ${caller.appName} (${caller.appId})`;
  const what = `the API ${api.apiName} (${api.apiId}) in stage ${stage}`;
  if (grant === undefined) {
    throw refuse(
      'I403AA',
      {},
      {
        side: 'api-owner',
        field: 'grant',
        expected: `a grant of ${what} to ${who}`,
        got: 'none',
        message: `The ${caller.code === null ? 'signature' : 'AppCode'} is right, but ${who} may not call ${what}: grant it (SetAppsAuthorities).`,
      },
    );
  }
  throw refuse(
    'A403EP',
    {},
    {
      side: 'api-owner',
      field: 'grant',
      expected: 'a grant that has not ended',
      got: `ended at ${new Date(grant.expiresAt ?? 0).toISOString()}`,
      message: `The grant of ${what} to ${who} has ended: grant it again with a later AuthValidTime.`,
    },
  );
}
