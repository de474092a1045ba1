// GET /healthz on the API listener: a bare `ok` for anybody, what keeps functions apart for who may know it.
// Called by control.ts.
import { isAdmitted } from './own-door.ts';
import type { ControlDeps } from './ports.ts';
import type { Answer, Received } from './received.ts';

/** Without a signature: text `ok`. With one: JSON `{status, isolation, network, carrier, launcher}`. */
export async function answerHealth(deps: ControlDeps, received: Received): Promise<Answer> {
  if (received.headers['authorization'] === undefined) {
    return { status: 200, headers: { 'content-type': 'text/plain' }, body: 'ok' };
  }
  const admitted = await isAdmitted(deps, received, 'GetHealth');
  if (!admitted.ok) return admitted.answer;
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  return { status: 200, headers, body: JSON.stringify({ status: 'ok', ...deps.health() }) };
}
