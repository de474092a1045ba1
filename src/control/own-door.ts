// Who may use a page of this server's own (/metrics, /healthz): a signature, and a key that may do it.
// Called by metrics-endpoint.ts and health-endpoint.ts.
import { authenticate } from './authenticate.ts';
import { fcError } from './errors.ts';
import { renderFcError } from './fc/endpoint.ts';
import { isAllowed } from './permissions.ts';
import type { ControlDeps } from './ports.ts';
import type { Answer, Received } from './received.ts';
import { fcSignatureError } from './signature-errors.ts';

export type Admission = { readonly ok: true } | { readonly ok: false; readonly answer: Answer };

/** Never throws. */
export async function isAdmitted(deps: ControlDeps, received: Received, action: string): Promise<Admission> {
  const identity = await authenticate(deps, 'yunmen', received, received.query);
  if (!identity.ok) return { ok: false, answer: renderFcError(received, fcSignatureError(identity.problem)) };
  if (isAllowed(identity.caller, 'yunmen', action)) return { ok: true };
  const error = fcError('AccessDenied', `the caller is not authorized to perform 'yunmen:${action}'`);
  return { ok: false, answer: renderFcError(received, error) };
}
