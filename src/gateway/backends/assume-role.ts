// The role that the gateway takes on to call a function: there are no policies, but the role must be one that exists.
// Called by the function backends before they invoke.
import type { Mapped } from '../context.ts';
import { refuse } from '../errors.ts';

/** Longest part of an ARN that is shown. */
const gotLimit = 200;

/** Errors: A403FC for a role that nobody has told this server of. Source: assumed. */
export function assumeRole({ deps, api, requestId }: Mapped, roleArn: string | null): void {
  const { knownRoles } = deps.settings;
  if (roleArn === null || knownRoles === null || knownRoles.has(roleArn)) return;
  throw refuse(
    'A403FC',
    { RequestId: requestId, Reason: 'EntityNotExist.Role' },
    {
      side: 'api-owner',
      field: 'RoleArn',
      expected: 'no role, or one that the server was started with (--roles)',
      got: roleArn.slice(0, gotLimit),
      message: `The API ${api.apiName} names a role that this server does not know: start it with --roles ${roleArn.slice(0, gotLimit)} (a comma list; * accepts every role), or take RoleArn out of the API.`,
    },
  );
}
