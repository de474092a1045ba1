// The door of Function Compute: finds the operation, checks who signed, reads the body, runs the action, answers as the version does.
import type { FcAction, Registered } from '../action.ts';
import { authenticate } from '../authenticate.ts';
import { type FcCatalogue, type FcVersion, loadFcCatalogue } from '../catalogue.ts';
import { type CodeUrls, reachableHost } from '../code-urls.ts';
import { ApiError, fcError, isStoreBusy } from '../errors.ts';
import { forbidden, isAllowed, showTo } from '../permissions.ts';
import type { ControlDeps } from '../ports.ts';
import { type Answer, BodyTooLarge, queryValue, type Received } from '../received.ts';
import { fcSignatureError } from '../signature-errors.ts';
import { Bodies } from './bodies.ts';
import type { FcAnswer } from './call.ts';
import { compileFcRoutes, type FcRoute, type FcRouter, findFcRoute } from './routes.ts';
import { readFcBody, shapeFcAnswer } from './types.ts';

/** The actions of each version that are not refused. */
export type FcRegistry = Readonly<Record<FcVersion, Readonly<Record<string, Registered<FcAction>>>>>;

type Loaded = { readonly catalogue: FcCatalogue; readonly router: FcRouter };

/** Answers calls of the three versions; keeps each version's compiled routes once loaded. */
export class FcEndpoint {
  readonly #deps: ControlDeps;
  readonly #registry: FcRegistry;
  readonly #codeUrls: CodeUrls;
  readonly #bodies: Bodies;
  /** At most one entry a version. */
  readonly #loaded = new Map<FcVersion, Promise<Loaded>>();

  constructor(deps: ControlDeps, registry: FcRegistry, codeUrls: CodeUrls) {
    this.#deps = deps;
    this.#registry = registry;
    this.#codeUrls = codeUrls;
    this.#bodies = new Bodies(deps.clock);
  }

  /** Never throws. */
  async answer(received: Received, version: FcVersion): Promise<Answer> {
    try {
      return await this.#run(received, version);
    } catch (error) {
      return renderFcError(received, this.#asApiError(received, error));
    }
  }

  /** Ends the thread for large bodies. */
  close(): Promise<void> {
    return this.#bodies.close();
  }

  #load(version: FcVersion): Promise<Loaded> {
    const known = this.#loaded.get(version);
    if (known !== undefined) return known;
    const loading = loadFcCatalogue(version).then((catalogue) => ({ catalogue, router: compileFcRoutes(catalogue) }));
    this.#loaded.set(version, loading);
    return loading;
  }

  async #run(received: Received, version: FcVersion): Promise<Answer> {
    const { catalogue, router } = await this.#load(version);
    const identity = await authenticate(this.#deps, 'FC', received, received.query);
    if (!identity.ok) throw fcSignatureError(identity.problem);
    const route = findFcRoute(router, received.method, received.path);
    if (route !== null && !isAllowed(identity.caller, 'FC', route.name)) throw forbidden('FC', route.name);
    const actions = this.#registry[version];
    const registered = route !== null && Object.hasOwn(actions, route.name) ? actions[route.name] : undefined;
    if (route === null || registered === undefined) throw notSupported(received);
    const raw = await received.readBody(this.#bodyLimit(route));
    const type = route.operation.body ?? 'bytes';
    const wantsHash = identity.payloadHash !== null;
    const { sha256, body } = await this.#bodies.read(raw, { isJson: type !== 'bytes', wantsHash });
    if (identity.payloadHash !== sha256) {
      throw fcError('SignatureNotMatch', 'the body does not have the hash that x-acs-content-sha256 says');
    }
    if (body.kind === 'malformed') throw fcError('InvalidArgument', 'the request body is not valid JSON');
    const answer = await registered.run({
      deps: this.#deps,
      version,
      received,
      path: route.members,
      qualifier: route.members['qualifier'] || queryValue(received.query, 'qualifier') || 'LATEST',
      ...(body.kind === 'bytes'
        ? { body: {}, zipFile: null, raw: asBuffer(body.bytes) }
        : { body: readFcBody(catalogue, type, body.json), zipFile: body.zipFile, raw: empty }),
      signCodeUrl: (sha256) => this.#codeUrls.sign(reachableHost(received.host, received.localPort), sha256),
    });
    const shown = answer.kind === 'json' ? { ...answer, value: showTo(identity.caller, answer.value) } : answer;
    return renderFcAnswer(received, catalogue, route, shown);
  }

  #bodyLimit(route: FcRoute): number {
    const { settings } = this.#deps;
    if (route.name === 'InvokeFunction') return settings.eventLimitBytes;
    if (withCode.has(route.name)) return settings.codeBodyLimitBytes;
    return settings.bodyLimitBytes;
  }

  #asApiError(received: Received, error: unknown): ApiError {
    if (error instanceof ApiError) return error;
    if (error instanceof BodyTooLarge) {
      return fcError('EntityTooLarge', `payload size exceeds maximum allowed size (${error.limitBytes} bytes)`);
    }
    if (isStoreBusy(error)) return fcError('ResourceThrottled', 'the server is busy, retry later');
    this.#deps.log.error('a function API action failed', {
      requestId: received.requestId,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    return fcError('InternalServerError', 'an internal error has occurred. Please retry.');
  }
}

/** Operations whose bodies may bring a zip. */
const withCode = new Set(['CreateFunction', 'UpdateFunction', 'CreateLayerVersion', 'PublishLayerVersion']);
const empty = Buffer.alloc(0);

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Source: docs. */
export function notSupported(received: Received): ApiError {
  return fcError('PathNotSupported', `'${received.method}' against '${received.path}' is not supported`);
}

/** Newer SDKs and Node read the type's beginning; both id headers go on every answer. Source: sdk. */
function fixedHeaders(received: Received): Record<string, string> {
  return { 'x-fc-request-id': received.requestId, 'x-acs-request-id': received.requestId };
}

/** One body that the clients of all versions can read. Source: assumed superset. */
export function renderFcError(received: Received, error: ApiError): Answer {
  const body = {
    RequestId: received.requestId,
    Code: error.code,
    Message: error.message,
    ErrorCode: error.code,
    ErrorMessage: error.message,
  };
  return {
    status: error.status,
    headers: { ...fixedHeaders(received), 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
}

function renderFcAnswer(received: Received, catalogue: FcCatalogue, route: FcRoute, answer: FcAnswer): Answer {
  const headers = fixedHeaders(received);
  switch (answer.kind) {
    case 'empty':
      return { status: 204, headers, body: '' };
    case 'session':
      return { status: 101, headers, body: '', session: { stream: answer.stream, options: answer.options } };
    case 'bytes':
      return { status: 200, headers: { ...headers, ...answer.headers }, body: answer.body };
    case 'json': {
      const shape = route.operation.response ?? 'any';
      if (answer.etag !== undefined) headers['etag'] = answer.etag;
      return {
        status: 200,
        headers: { ...headers, ...answer.headers, 'content-type': 'application/json' },
        body: JSON.stringify(shapeFcAnswer(catalogue, shape, answer.value)),
      };
    }
  }
}
