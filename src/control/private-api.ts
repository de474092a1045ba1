// This server's own calls under /yunmen/, for its own commands: JSON in and out, signed like any other call.
// Errors have the form of Function Compute's.
import { sha256Hex } from '../wire/openapi-signature-v3.ts';
import { decodePercent } from '../wire/percent-encoding.ts';
import { createKey, deleteKey, disableKey, enableKey, listKeys } from './access-keys.ts';
import { authenticate } from './authenticate.ts';
import { ApiError, fcError, isStoreBusy, openApiError } from './errors.ts';
import { renderFcError } from './fc/endpoint.ts';
import { readLoopDelay, startLoopDelay, stopLoopDelay } from './loop-delay.ts';
import { isAllowed } from './permissions.ts';
import type { ControlDeps } from './ports.ts';
import type { PrivateAction } from './private-call.ts';
import { type Answer, BodyTooLarge, type Received } from './received.ts';
import { getRequest, listOutput, listRequests } from './request-records.ts';
import { fcSignatureError } from './signature-errors.ts';

export const privatePrefix = '/yunmen/';

/** Largest body of these calls, in bytes. */
const bodyLimitBytes = 16 * 1024;

type PrivateRoute = {
  readonly method: string;
  /** `*` stands for the name. */
  readonly path: string;
  /** By this name permissions.ts decides: `Get` and `List` are open to read-only keys. */
  readonly operation: string;
  readonly run: PrivateAction;
};

const routes: readonly PrivateRoute[] = [
  { method: 'GET', path: 'requests', operation: 'ListRequests', run: listRequests },
  { method: 'GET', path: 'requests/*', operation: 'GetRequest', run: getRequest },
  { method: 'GET', path: 'output', operation: 'ListOutput', run: listOutput },
  { method: 'GET', path: 'keys', operation: 'ManageKeys', run: listKeys },
  { method: 'POST', path: 'keys', operation: 'ManageKeys', run: createKey },
  { method: 'POST', path: 'keys/*/enable', operation: 'ManageKeys', run: enableKey },
  { method: 'POST', path: 'keys/*/disable', operation: 'ManageKeys', run: disableKey },
  { method: 'DELETE', path: 'keys/*', operation: 'ManageKeys', run: deleteKey },
  { method: 'POST', path: 'loop-delay', operation: 'MeasureProcesses', run: startLoopDelay },
  { method: 'GET', path: 'loop-delay', operation: 'MeasureProcesses', run: readLoopDelay },
  { method: 'DELETE', path: 'loop-delay', operation: 'MeasureProcesses', run: stopLoopDelay },
];

function findRoute({ method, path }: Received): { readonly route: PrivateRoute; readonly name: string } | null {
  const segments = path.slice(privatePrefix.length).split('/');
  for (const route of routes) {
    const pattern = route.path.split('/');
    const isMatch =
      pattern.length === segments.length && pattern.every((piece, at) => piece === '*' || piece === segments[at]);
    if (!isMatch || route.method !== method) continue;
    return { route, name: decodePercent(segments[pattern.indexOf('*')] ?? '') };
  }
  return null;
}

function readJson(body: Buffer): unknown {
  if (body.length === 0) return null;
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new ApiError('InvalidArgument', 400, `the body is no JSON: ${cause instanceof Error ? cause.message : ''}`);
  }
}

async function run(deps: ControlDeps, received: Received): Promise<Answer> {
  const identity = await authenticate(deps, 'yunmen', received, received.query);
  if (!identity.ok) throw fcSignatureError(identity.problem);
  const found = findRoute(received);
  if (found === null)
    throw fcError('PathNotSupported', `'${received.method}' against '${received.path}' is not supported`);
  const { route, name } = found;
  if (!isAllowed(identity.caller, 'yunmen', route.operation)) {
    throw fcError('AccessDenied', `the caller is not authorized to perform 'yunmen:${route.operation}'`);
  }
  const body = await received.readBody(bodyLimitBytes);
  if (identity.payloadHash !== null && identity.payloadHash !== sha256Hex(body)) {
    throw fcError('SignatureNotMatch', 'the body does not have the hash that x-acs-content-sha256 says');
  }
  const answer = await route.run({ deps, name, query: received.query, body: readJson(body) });
  const headers = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-acs-request-id': received.requestId,
  };
  return { status: 200, headers, body: JSON.stringify(answer) };
}

/** Answers; never throws. */
export async function answerPrivate(deps: ControlDeps, received: Received): Promise<Answer> {
  try {
    return await run(deps, received);
  } catch (error) {
    if (error instanceof ApiError) return renderFcError(received, error);
    if (error instanceof BodyTooLarge)
      return renderFcError(received, fcError('EntityTooLarge', `the body is over ${error.limitBytes} bytes`));
    if (isStoreBusy(error))
      return renderFcError(received, fcError('ResourceThrottled', 'the server is busy, retry later'));
    deps.log.error('a private call failed', { requestId: received.requestId, error: String(error) });
    return renderFcError(received, openApiError('InternalError', 'an internal error has occurred'));
  }
}
