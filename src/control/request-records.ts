// GET /yunmen/requests/<id>: why a gateway request failed, for `yunmen why`.
import { ApiError } from './errors.ts';
import type { PrivateCall } from './private-call.ts';

/** Errors: NotFoundRequest. */
export async function getRequest({ deps, name }: PrivateCall): Promise<object> {
  const record = await deps.findFailure(name);
  if (record === null) {
    throw new ApiError(
      'NotFoundRequest',
      404,
      `nothing is known of request ${name.slice(0, 100)}: it did not fail, or too long ago`,
    );
  }
  const { failure } = record;
  return {
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
}
