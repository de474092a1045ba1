// GET /yunmen/requests/<id>: why a gateway request failed, for `yunmen why`. Signed like any other call.
import { sha256Hex } from '../wire/openapi-signature-v3.ts';
import { authenticate } from './authenticate.ts';
import { ApiError, fcError, openApiError } from './errors.ts';
import { renderFcError } from './fc/endpoint.ts';
import type { ControlDeps } from './ports.ts';
import { type Answer, BodyTooLarge, type Received } from './received.ts';
import { fcSignatureError } from './signature-errors.ts';

export const requestRecordPrefix = '/yunmen/requests/';

async function find(deps: ControlDeps, received: Received): Promise<Answer> {
  if (received.method !== 'GET')
    throw fcError('PathNotSupported', `'${received.method}' against '${received.path}' is not supported`);
  const identity = await authenticate(deps, 'yunmen', received, received.query);
  if (!identity.ok) throw fcSignatureError(identity.problem);
  const body = await received.readBody(0);
  if (identity.payloadHash !== null && identity.payloadHash !== sha256Hex(body)) {
    throw fcError('SignatureNotMatch', 'the body does not have the hash that x-acs-content-sha256 says');
  }
  const requestId = received.path.slice(requestRecordPrefix.length);
  const record = await deps.findFailure(requestId);
  if (record === null) {
    throw new ApiError(
      'NotFoundRequest',
      404,
      `nothing is known of request ${requestId.slice(0, 100)}: it did not fail, or too long ago`,
    );
  }
  const { failure } = record;
  const answer = {
    requestId: record.requestId,
    code: failure?.code ?? null,
    side: failure?.side ?? null,
    field: failure?.field ?? null,
    expected: failure?.expected ?? null,
    got: failure?.got ?? null,
    message: failure?.message ?? null,
    functionLog: failure?.functionLog ?? null,
    record,
  };
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(answer) };
}

/** Answers; never throws. Errors: 404 NotFoundRequest, and those of signatures. */
export async function answerRequestRecord(deps: ControlDeps, received: Received): Promise<Answer> {
  try {
    return await find(deps, received);
  } catch (error) {
    if (error instanceof ApiError) return renderFcError(received, error);
    if (error instanceof BodyTooLarge)
      return renderFcError(received, fcError('EntityTooLarge', 'this call takes no body'));
    deps.log.error('looking up a request failed', { requestId: received.requestId, error: String(error) });
    return renderFcError(received, openApiError('InternalError', 'an internal error has occurred'));
  }
}
