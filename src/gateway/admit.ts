// Step 4, Admitted: may this caller go on. Its grant, then the policies that the API is bound to.
// Called by pipeline.ts.
import type { PublishedGrant } from '../model/published.ts';
import type { Admitted, Identified } from './context.ts';
import { refuse } from './errors.ts';
import { applyPolicies } from './policies/policies-of-api.ts';
import { grantKey } from './snapshot.ts';

/** Errors: I403AA, A403EP, A403IP, T429GR, T429PA, T429PR. A promise only where a limit of calls has to be asked about. */
export function admit(identified: Identified): Admitted | Promise<Admitted> {
  const admitted = Object.assign(identified, { grant: checkGrant(identified) });
  const applied = applyPolicies(admitted);
  return applied === undefined ? admitted : applied.then(() => admitted);
}

/** Source: docs (gateway.md 2.8). */
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
        message: `The signature is right, but ${who} may not call ${what}: grant it (SetAppsAuthorities).`,
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
