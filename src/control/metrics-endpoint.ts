// GET /metrics on the API listener: to callers on this machine as they come, to others with a signature.
import { authenticate } from './authenticate.ts';
import { fcError } from './errors.ts';
import { renderFcError } from './fc/endpoint.ts';
import { writeMetrics } from './metrics-text.ts';
import { isAllowed } from './permissions.ts';
import type { ControlDeps } from './ports.ts';
import type { Answer, Received } from './received.ts';
import { fcSignatureError } from './signature-errors.ts';

function isLoopback(address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  return plain.startsWith('127.') || plain === '::1';
}

/** Answers; never throws. `peerAddress` is the socket's, whatever headers say. */
export async function answerMetrics(deps: ControlDeps, received: Received, peerAddress: string): Promise<Answer> {
  if (!isLoopback(peerAddress)) {
    const identity = await authenticate(deps, 'yunmen', received, received.query);
    if (!identity.ok) return renderFcError(received, fcSignatureError(identity.problem));
    if (!isAllowed(identity.caller, 'yunmen', 'GetMetrics')) {
      return renderFcError(
        received,
        fcError('AccessDenied', "the caller is not authorized to perform 'yunmen:GetMetrics'"),
      );
    }
  }
  try {
    const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'cache-control': 'no-store' };
    return { status: 200, headers, body: writeMetrics(await deps.readMetrics()) };
  } catch (error) {
    deps.log.error('the metrics cannot be read', { error: String(error) });
    return renderFcError(received, fcError('InternalServerError', 'the metrics cannot be read'));
  }
}
