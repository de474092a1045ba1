// The control plane as one listener: from a raw HTTP request to the product that answers it. Started by the composition.
import { randomBytes, randomUUID } from 'node:crypto';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Clock } from '../base/clock.ts';
import { newFc3RequestId, newRequestId } from '../base/ids.ts';
import type { HttpAuthentication, SignedHttpCall } from '../model/http-function.ts';
import { headerText } from '../wire/openapi-signature.ts';
import { parseQuery, splitTarget } from '../wire/percent-encoding.ts';
import { createTokenSealer } from '../wire/security-token.ts';
import { fcVersions } from './catalogue.ts';
import { type CodeUrls, codeUrlPrefix, createCodeUrls } from './code-urls.ts';
import { fcError } from './errors.ts';
import { FcEndpoint, renderFcError } from './fc/endpoint.ts';
import { authenticateHttp, httpTriggerPrefix } from './fc/http-authentication.ts';
import { answerObject, isObjectCall } from './fc/object-endpoint.ts';
import { answerHealth } from './health-endpoint.ts';
import { KeyUse } from './key-use.ts';
import { answerMetrics } from './metrics-endpoint.ts';
import { createNonces } from './nonces.ts';
import { type ControlDeps, type ControlOptions, defaultControlSettings, tokenKeyPurpose } from './ports.ts';
import { answerPrivate, privatePrefix } from './private-api.ts';
import { type Answer, queryValue, type Received, readBody } from './received.ts';
import { fcRegistry, rpcRegistry } from './registry.ts';
import { answerRpc, answerUnknownPath } from './rpc/endpoint.ts';
import { isUpgrade, serveUpgrades } from './upgrades.ts';

/** Idle connections are kept this long, in ms. Source: sdk (the real service: 90 s). */
const keepAliveMs = 90_000;
/** Request line and headers together, in bytes: old clients send whole API definitions in the query. */
const headLimitBytes = 256 * 1024;

export type Control = {
  /** For further routes (console, metrics); add them before listen(). */
  readonly app: FastifyInstance;
  /** Whether a call of an HTTP trigger is signed by who may make it. Never rejects. */
  authenticateHttp(call: SignedHttpCall): Promise<HttpAuthentication>;
  /** Port 0 takes any free one. Gives the address, `http://127.0.0.1:8081`. */
  listen(where: { readonly host: string; readonly port: number }): Promise<string>;
  /** Stops accepting and waits for what runs. */
  close(): Promise<void>;
};

/** Signature nonces remembered at once: 15 minutes of some 500 calls a second. */
const nonceLimit = 500_000;

/** Makes the control plane; nothing listens yet. */
export function createControl(options: ControlOptions): Control {
  const keyUse = new KeyUse(options);
  const deps: ControlDeps = {
    ...options,
    nonces: options.nonces ?? createNonces(nonceLimit, options.clock),
    tokens: createTokenSealer(options.store.deriveKey(tokenKeyPurpose)),
    probeLogs: options.probeLogs ?? (async () => {}),
    deliverLogs: options.deliverLogs ?? (async () => {}),
    functionUrls: options.functionUrls ?? (() => null),
    openExec:
      options.openExec ??
      (async () => ({ ok: false, code: 'InvalidArgument', message: 'nothing can be run in instances here' })),
    forwardHttp: options.forwardHttp ?? ((_request, response) => void response.writeHead(404).end()),
    noteKeyUse: (accessKeyId) => keyUse.note(accessKeyId),
    settings: { ...defaultControlSettings, ...options.settings },
  };
  const codeUrls = createCodeUrls(randomBytes(32), deps.clock);
  const fc = new FcEndpoint(deps, fcRegistry, codeUrls);
  const app = fastify({
    logger: false,
    keepAliveTimeout: keepAliveMs,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    exposeHeadRoutes: false,
    bodyLimit: deps.settings.codeBodyLimitBytes,
    http: { maxHeaderSize: headLimitBytes, shouldUpgradeCallback: isUpgrade },
    frameworkErrors: (_error, request, reply) => void respond(deps, fc, codeUrls, request, reply),
  });
  acceptAnyBody(app);
  app.all('/*', (request, reply) => respond(deps, fc, codeUrls, request, reply));
  app.setNotFoundHandler((request, reply) => respond(deps, fc, codeUrls, request, reply));
  const upgrades = serveUpgrades(app.server, deps.clock, (received) => route(deps, fc, codeUrls, received));
  return {
    app,
    authenticateHttp: (call) => authenticateHttp(deps, call),
    async listen({ host, port }) {
      await app.listen({ host, port });
      const address = app.server.address();
      if (address === null || typeof address === 'string') throw new Error('the API listener has no address');
      return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
    },
    async close() {
      upgrades.close();
      await closeApp(app, deps.clock);
      await fc.close();
    },
  };
}

/** How often connections are looked through that became idle after the closing began, in ms. */
const idleCheckMs = 50;

/** Closes the listener; a connection that still had to read a refused body is closed as soon as it is idle, not when it times out. */
async function closeApp(app: FastifyInstance, clock: Clock): Promise<void> {
  let cancel = () => {};
  const check = () => {
    app.server.closeIdleConnections();
    cancel = clock.after(idleCheckMs, check);
  };
  check();
  try {
    await app.close();
  } finally {
    cancel();
  }
}

/**
 * Bodies come with any content type, a wrong one or none, and are read by the endpoints themselves, each with its own limit.
 * The type as sent is still in rawHeaders; signatures need it.
 */
function acceptAnyBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.addHook('onRequest', (request, _reply, done) => {
    request.raw.headers['content-type'] = 'application/octet-stream';
    done();
  });
}

function sentContentType(rawHeaders: readonly string[]): string | undefined {
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === 'content-type') return rawHeaders[at + 1];
  }
  return undefined;
}

/** The version that a path belongs to; null for paths outside Function Compute. */
function fcVersionOf(path: string) {
  return fcVersions.find((version) => path === `/${version}` || path.startsWith(`/${version}/`)) ?? null;
}

/** Each service and generation writes its own. Source: docs. */
function requestIdFor(version: ReturnType<typeof fcVersionOf>, now: number): string {
  if (version === null) return newRequestId();
  return version === '2023-03-30' ? newFc3RequestId(now) : randomUUID();
}

function receive(request: FastifyRequest, reply: FastifyReply, clock: Clock): Received {
  const { raw } = request;
  const { path, query } = splitTarget(raw.url ?? '/');
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new Error('the caller has gone'));
  });
  return {
    method: raw.method ?? 'GET',
    path,
    query: query === null ? [] : parseQuery(query, true),
    headers: { ...raw.headers, 'content-type': sentContentType(raw.rawHeaders) },
    requestId: requestIdFor(fcVersionOf(path), clock.now()),
    host: headerText(raw.headers, 'host'),
    localPort: raw.socket.localPort ?? 80,
    peerAddress: raw.socket.remoteAddress ?? '',
    signal: gone.signal,
    stream: raw,
    readBody: (limitBytes) => readBody(raw, limitBytes),
  };
}

async function respond(
  deps: ControlDeps,
  fc: FcEndpoint,
  codeUrls: CodeUrls,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (request.raw.url?.startsWith(httpTriggerPrefix) === true) {
    void reply.hijack();
    deps.forwardHttp(request.raw, reply.raw);
    return reply;
  }
  const received = receive(request, reply, deps.clock);
  const answer = await route(deps, fc, codeUrls, received);
  void reply.code(answer.status).headers(answer.headers);
  if (answer.status === 204) return reply.send();
  return reply.send(Buffer.isBuffer(answer.body) ? answer.body : Buffer.from(answer.body));
}

/** Which product a request is for: by path, and at `/` by Version. Never by Host. */
async function route(deps: ControlDeps, fc: FcEndpoint, codeUrls: CodeUrls, received: Received): Promise<Answer> {
  const { path } = received;
  if (isObjectCall(received)) return answerObject(deps, received);
  const version = fcVersionOf(path);
  if (version !== null) return fc.answer(received, version);
  if (path === '/' || path === '') return answerRpc(deps, rpcRegistry, received);
  if (path === '/metrics' && received.method === 'GET') return answerMetrics(deps, received, received.peerAddress);
  if (path === '/healthz') return answerHealth(deps, received);
  if (path.startsWith(codeUrlPrefix)) return answerCode(deps, codeUrls, received);
  if (path.startsWith(privatePrefix)) return answerPrivate(deps, received);
  return answerUnknownPath(received);
}

/** A code package by its pre-signed URL. */
async function answerCode(deps: ControlDeps, codeUrls: CodeUrls, received: Received): Promise<Answer> {
  const expires = queryValue(received.query, 'expires') ?? '';
  const sha256 = codeUrls.verify(received.path, expires, queryValue(received.query, 'signature') ?? '');
  if (sha256 === null || (received.method !== 'GET' && received.method !== 'HEAD')) {
    return renderFcError(received, fcError('AccessDenied', 'the download URL is wrong or has expired'));
  }
  const zip = await deps.store.packages.read(sha256);
  if (zip === null) return renderFcError(received, fcError('FunctionNotFound', 'the code package is gone'));
  return { status: 200, headers: { 'content-type': 'application/zip' }, body: zip };
}
