// The temporary credentials of functions: made when first needed, renewed long before they end. Asked by plane.ts for each request.
import type { Clock } from '../base/clock.ts';
import type { Credentials, FunctionConfig } from '../model/function.ts';

/** Source: docs (36 hours). */
const lifetimeMs = 36 * 60 * 60 * 1000;
/** Renewed so long after they were made, so that a request always gets ones that are good for another day. */
const renewAfterMs = 12 * 60 * 60 * 1000;

/** Makes credentials for a function that end at `expiresAt` (epoch ms). */
export type IssueCredentials = (config: FunctionConfig, expiresAt: number) => Credentials;

/** The credentials that a function has now; the same object until they are renewed. */
export type CredentialsOf = (config: FunctionConfig) => Credentials;

/** Kept beside each published configuration, and gone with it. */
export function createRoleCredentials(clock: Clock, issue: IssueCredentials): CredentialsOf {
  const made = new WeakMap<FunctionConfig, { readonly credentials: Credentials; readonly renewAt: number }>();
  return (config) => {
    const now = clock.now();
    const known = made.get(config);
    // A clock that was set back would keep them beyond their end.
    if (known !== undefined && now < known.renewAt && now >= known.renewAt - renewAfterMs) return known.credentials;
    const credentials = issue(config, now + lifetimeMs);
    made.set(config, { credentials, renewAt: now + renewAfterMs });
    return credentials;
  };
}
