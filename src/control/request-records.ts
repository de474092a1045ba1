// GET /yunmen/requests/<id>: why a request failed, for `yunmen why`. GET /yunmen/requests and /yunmen/output: for `yunmen logs`.
import type { OutputQuery } from '../model/output.ts';
import type { RequestQuery } from '../model/record.ts';
import { ApiError } from './errors.ts';
import type { PrivateCall } from './private-call.ts';
import { queryValue } from './received.ts';

/** Errors: NotFoundRequest. */
export async function getRequest({ deps, name }: PrivateCall): Promise<object> {
  const record = await deps.requests.find(name);
  if (record === null) {
    throw new ApiError(
      'NotFoundRequest',
      404,
      `nothing is known of request ${name.slice(0, 100)}: it is too long ago, or the log was sampled`,
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

/** Records in one answer. */
const pageLimit = 1_000;

/** A number from 0 on, or null when it is not given. Errors: InvalidArgument. */
function readNumber(call: PrivateCall, name: string, most: number): number | null {
  const text = queryValue(call.query, name);
  if (text === null || text === '') return null;
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (number <= most) return number;
  throw new ApiError(
    'InvalidArgument',
    400,
    `${name} must be a whole number up to ${most}, not '${text.slice(0, 100)}'`,
  );
}

/** `{records: [...]}`, the newest first. `status` may be a first digit as in 5. Times in epoch ms. Errors: InvalidArgument. */
export async function listRequests(call: PrivateCall): Promise<object> {
  const query: RequestQuery = {
    apiId: queryValue(call.query, 'api') || null,
    functionName: queryValue(call.query, 'function') || null,
    appId: readNumber(call, 'app', Number.MAX_SAFE_INTEGER),
    status: readNumber(call, 'status', 999),
    since: readNumber(call, 'since', Number.MAX_SAFE_INTEGER),
    until: readNumber(call, 'until', Number.MAX_SAFE_INTEGER),
    limit: readNumber(call, 'limit', pageLimit) ?? 100,
  };
  return { records: await call.deps.requests.search(query) };
}

/** `{lines: [...]}`: what functions printed, the newest first; of one function, of one request. Times in epoch ms. Errors: InvalidArgument. */
export async function listOutput(call: PrivateCall): Promise<object> {
  const query: OutputQuery = {
    functionName: queryValue(call.query, 'function') || null,
    requestId: queryValue(call.query, 'request') || null,
    since: readNumber(call, 'since', Number.MAX_SAFE_INTEGER),
    until: readNumber(call, 'until', Number.MAX_SAFE_INTEGER),
    limit: readNumber(call, 'limit', pageLimit) ?? 100,
  };
  return { lines: await call.deps.output.search(query) };
}
