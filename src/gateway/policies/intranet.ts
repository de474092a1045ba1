// Who may not come from the internet: to APIs with DisableInternet, groups without InternetEnable, and domains that are bound for
// the intranet. Called by admit.ts.
import type { Identified } from '../context.ts';
import { refuse } from '../errors.ts';

type Call = Pick<Identified, 'api' | 'group' | 'clientIp' | 'isIntranetDomain' | 'host' | 'deps'>;

/**
 * Errors: A403IN. The caller's address decides, not the domain by which it comes, which is the caller's own word.
 * Source: docs for the rule; that addresses decide is assumed.
 */
export function checkIntranet({ api, group, clientIp, isIntranetDomain, host, deps }: Call): void {
  const isGroupClosed = group.isIntranetOnly === true;
  if (!api.auth.disableInternet && !isGroupClosed && !isIntranetDomain) return;
  if (deps.intranet.has(clientIp)) return;
  const what = api.auth.disableInternet
    ? `The API ${api.apiName} has DisableInternet`
    : isGroupClosed
      ? `The group ${group.groupId} has InternetEnable false`
      : `The domain ${host} is for the intranet only`;
  throw refuse(
    'A403IN',
    { Reason: '' },
    {
      side: 'api-owner',
      field: 'client address',
      expected: 'an address of the intranet (--intranet)',
      got: clientIp,
      message: `${what}, and ${clientIp} is an address of the internet.`,
    },
  );
}
