// Whether a call of an HTTP trigger with the authType `function` is signed by who may make it. Data processes ask, which
// hold no keys.
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { HttpAuthentication, SignedHttpCall } from '../../model/http-function.ts';
import { parseQuery, splitTarget } from '../../wire/percent-encoding.ts';
import { authenticate } from '../authenticate.ts';
import { ApiError, fcError } from '../errors.ts';
import { forbidden, isAllowed } from '../permissions.ts';
import type { ControlDeps } from '../ports.ts';
import { fcSignatureError } from '../signature-errors.ts';

/** Paths that lead to HTTP triggers. Source: docs. */
export const httpTriggerPrefix = '/2016-08-15/proxy/';

/** Source: docs. Never rejects. */
export async function authenticateHttp(deps: ControlDeps, call: SignedHttpCall): Promise<HttpAuthentication> {
  try {
    const { path, query } = splitTarget(call.requestUri);
    // Source: sdk (for Go: signs a blank and sends `+`).
    const pairs = query === null ? [] : parseQuery(query, true);
    const received = {
      method: call.method,
      path,
      query: pairs,
      headers: call.headers,
      requestId: randomUUID(),
      host: call.headers['host'] ?? '',
      localPort: 0,
      peerAddress: '',
      signal: new AbortController().signal,
      stream: Readable.from([]),
      readBody: () => Promise.resolve(Buffer.alloc(0)),
      isHttpTrigger: true,
    };
    const identity = await authenticate(deps, 'FC', received, pairs);
    if (!identity.ok) throw fcSignatureError(identity.problem);
    if (!isAllowed(identity.caller, 'FC', 'InvokeFunction')) throw forbidden('FC', 'InvokeFunction');
    return { ok: true, payloadHash: identity.payloadHash };
  } catch (error) {
    const known = error instanceof ApiError ? error : fcError('InternalServerError', 'an internal error has occurred.');
    if (known !== error) deps.log.error('a signature could not be checked', { error: String(error) });
    return { ok: false, status: known.status, code: known.code, message: known.message };
  }
}
