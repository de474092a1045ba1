// GET /metrics on the API listener: to callers on this machine as they come, to others with a signature.
import { fcError } from './errors.ts';
import { renderFcError } from './fc/endpoint.ts';
import { writeMetrics } from './metrics-text.ts';
import { isAdmitted } from './own-door.ts';
import type { ControlDeps } from './ports.ts';
import type { Answer, Received } from './received.ts';

function isLoopback(address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  return plain.startsWith('127.') || plain === '::1';
}

/** Answers; never throws. `peerAddress` is the socket's, whatever headers say. */
export async function answerMetrics(deps: ControlDeps, received: Received, peerAddress: string): Promise<Answer> {
  if (!isLoopback(peerAddress)) {
    const admitted = await isAdmitted(deps, received, 'GetMetrics');
    if (!admitted.ok) return admitted.answer;
  }
  try {
    const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'cache-control': 'no-store' };
    return { status: 200, headers, body: writeMetrics(await deps.readMetrics()) };
  } catch (error) {
    deps.log.error('the metrics cannot be read', { error: String(error) });
    return renderFcError(received, fcError('InternalServerError', 'the metrics cannot be read'));
  }
}
