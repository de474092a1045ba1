// The door of the RPC products at `/`: reads the call, checks who signed it, runs the action, and answers as JSON or XML.
import { stringifyExactly } from '../../base/exact-number.ts';
import { headerText } from '../../wire/openapi-signature.ts';
import { sha256Hex } from '../../wire/openapi-signature-v3.ts';
import { parseQuery, type QueryPair } from '../../wire/percent-encoding.ts';
import { RpcParameters } from '../../wire/rpc-parameters.ts';
import { toXml } from '../../wire/xml-answer.ts';
import type { Registered, RpcAction } from '../action.ts';
import { authenticate } from '../authenticate.ts';
import { isRpcVersion, loadRpcCatalogue, type RpcCatalogue, type RpcVersion, rpcVersions } from '../catalogue.ts';
import { ApiError, isStoreBusy, openApiError } from '../errors.ts';
import { forbidden, isAllowed, showTo } from '../permissions.ts';
import type { ControlDeps } from '../ports.ts';
import { type Answer, BodyTooLarge, type Received } from '../received.ts';
import { openApiSignatureError } from '../signature-errors.ts';
import { shapeAnswer } from './answer-shape.ts';
import { readArguments } from './arguments.ts';

/** The actions of each RPC product that are not refused. */
export type RpcRegistry = Readonly<Record<RpcVersion, Readonly<Record<string, Registered<RpcAction>>>>>;

/** What is known of a call before anything can go wrong with it. */
type Asked = {
  readonly action: string;
  readonly version: string;
  readonly format: 'JSON' | 'XML' | null;
  readonly parameters: RpcParameters;
};

function readAsked(received: Received, pairs: readonly QueryPair[]): Asked {
  const parameters = new RpcParameters(pairs);
  const isSignedInHeaders = headerText(received.headers, 'authorization') !== '';
  const format = parameters.get('Format')?.toUpperCase() ?? (isSignedInHeaders ? 'JSON' : 'XML');
  return {
    action: parameters.get('Action') ?? headerText(received.headers, 'x-acs-action'),
    version: parameters.get('Version') ?? headerText(received.headers, 'x-acs-version'),
    format: format === 'JSON' || format === 'XML' ? format : null,
    parameters,
  };
}

function render(
  asked: Asked,
  status: number,
  root: string,
  body: Readonly<Record<string, unknown>>,
  requestId: string,
): Answer {
  const isXml = asked.format === 'XML';
  return {
    status,
    headers: {
      'content-type': isXml ? 'text/xml;charset=utf-8' : 'application/json;charset=utf-8',
      'x-acs-request-id': requestId,
    },
    body: isXml ? toXml(root, body) : stringifyExactly(body),
  };
}

/** The error body. Source: docs. */
function renderError(received: Received, asked: Asked, error: ApiError): Answer {
  const product = isRpcVersion(asked.version) ? rpcVersions[asked.version] : 'CloudAPI';
  const recommend = new URLSearchParams({ q: error.code, product, requestId: received.requestId });
  const body = {
    RequestId: received.requestId,
    HostId: received.host,
    Code: error.code,
    Message: error.message,
    Recommend: `https://next.api.aliyun.com/troubleshoot?${recommend}`,
  };
  return render(asked, error.status, 'Error', body, received.requestId);
}

function asApiError(deps: ControlDeps, received: Received, error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof BodyTooLarge) {
    return openApiError('RequestEntityTooLarge', `The request body may have at most ${error.limitBytes} bytes.`);
  }
  if (isStoreBusy(error)) return openApiError('ServiceUnavailable', 'The server is busy. Retry later.');
  deps.log.error('an API action failed', {
    requestId: received.requestId,
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
  return openApiError(
    'InternalError',
    'The request processing has failed due to some unknown error, exception or failure.',
  );
}

async function findOperation(asked: Asked, method: string): Promise<{ catalogue: RpcCatalogue; version: RpcVersion }> {
  if (asked.format === null) throw openApiError('InvalidParameter.Format', 'The parameter Format must be JSON or XML.');
  if (asked.action === '') throw openApiError('MissingAction', 'Action is mandatory for this action.');
  if (asked.version === '') throw openApiError('MissingVersion', 'Version is mandatory for this action.');
  if (!isRpcVersion(asked.version)) {
    throw openApiError('InvalidVersion', `Specified parameter Version is not valid: ${asked.version}.`);
  }
  const catalogue = await loadRpcCatalogue(asked.version);
  const operation = Object.hasOwn(catalogue.operations, asked.action) ? catalogue.operations[asked.action] : undefined;
  if (operation === undefined) throw unknownAction(asked.version, asked.action, 'is not an operation of this product');
  if (method !== 'POST' && (method !== 'GET' || operation.post)) {
    throw openApiError('UnsupportedHTTPMethod', `${asked.action} cannot be called with ${method}.`);
  }
  return { catalogue, version: asked.version };
}

/** Source: docs (CloudAPI has a wording of its own). */
function unknownAction(version: RpcVersion, action: string, why: string): ApiError {
  const code = version === '2016-07-14' ? 'InvalidApi.NotFound' : 'InvalidAction.NotFound';
  return openApiError(code, `Specified api is not found, please check your url and method: ${action} ${why}.`);
}

/** Form parameters; a body that is plainly JSON or binary gives none. */
function readForm(received: Received, body: Buffer): QueryPair[] {
  if (body.length === 0) return [];
  const type = headerText(received.headers, 'content-type').toLowerCase();
  if (type.includes('json') || type.includes('octet-stream')) return [];
  return parseQuery(body.toString('utf8'), true);
}

async function run(
  deps: ControlDeps,
  registry: RpcRegistry,
  received: Received,
  asked: Asked,
  body: Buffer,
): Promise<Answer> {
  const { catalogue, version } = await findOperation(asked, received.method);
  const identity = await authenticate(deps, catalogue.product, received, asked.parameters.pairs);
  if (!identity.ok) throw openApiSignatureError(identity.problem);
  if (identity.payloadHash !== null && identity.payloadHash !== sha256Hex(body)) {
    throw openApiError('SignatureDoesNotMatch', 'The body does not have the hash that x-acs-content-sha256 says.');
  }
  if (!isAllowed(identity.caller, catalogue.product, asked.action)) throw forbidden(catalogue.product, asked.action);
  const operation = catalogue.operations[asked.action];
  const actions = registry[version];
  const registered = Object.hasOwn(actions, asked.action) ? actions[asked.action] : undefined;
  if (operation === undefined || registered === undefined) {
    throw unknownAction(version, asked.action, 'is not offered by this server');
  }
  const args = readArguments(catalogue, operation, asked.parameters);
  const result = await registered.run({ args, deps });
  const shaped = shapeAnswer(operation.answer, { ...result, RequestId: received.requestId });
  const shown = showTo(identity.caller, shaped) as typeof shaped;
  return render(asked, 200, `${asked.action}Response`, shown, received.requestId);
}

/** Answers one RPC call; never throws. */
export async function answerRpc(deps: ControlDeps, registry: RpcRegistry, received: Received): Promise<Answer> {
  let asked = readAsked(received, received.query);
  try {
    const body = await received.readBody(deps.settings.bodyLimitBytes);
    asked = readAsked(received, [...received.query, ...readForm(received, body)]);
    return await run(deps, registry, received, asked, body);
  } catch (error) {
    return renderError(received, asked, asApiError(deps, received, error));
  }
}

/** What answers a path that belongs to no product. */
export function answerUnknownPath(received: Received): Answer {
  const asked = readAsked(received, received.query);
  const error = openApiError(
    'InvalidApi.NotFound',
    `Specified api is not found, please check your url and method: ${received.path}.`,
  );
  return renderError(received, { ...asked, format: 'JSON' }, error);
}
