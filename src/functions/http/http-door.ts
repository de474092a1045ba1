// The door of HTTP triggers: one HTTP request, in order: find the trigger, admit, authenticate, read, call, answer.
// Made by functions.ts; the composition puts it on the http listener, and control sends what came for `/2016-08-15/proxy/`.
import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import { newFc3RequestId } from '../../base/ids.ts';
import { InternalTimeout } from '../../base/internal-timeout.ts';
import { namesAlias } from '../../model/function.ts';
import type {
  CallHttpFunction,
  HttpAuthentication,
  HttpFunctionRequest,
  HttpTrigger,
  JwtRule,
  SignedHttpCall,
} from '../../model/http-function.ts';
import { coldStartOf, type Failure, type RecordedColdStart, type RequestRecord } from '../../model/record.ts';
import { readCallerSpan } from '../../wire/caller-span.ts';
import { decodePercent, parseQuery, splitTarget } from '../../wire/percent-encoding.ts';
import { formatTraceParent, parseTraceParent, type TraceParent } from '../../wire/traceparent.ts';
import type { FindFunction } from '../plane.ts';
import { readFunctionHost, readProxyPath } from './address.ts';
import {
  corsHeaders,
  errorBody,
  factHeaders,
  mergeHeaders,
  platformHeaders,
  ResponseWriter,
  sendWhole,
} from './answer.ts';
import { HttpDoorError, httpError, httpErrorStatuses } from './errors.ts';
import { callerGone, failureOf, failureOfOutcome, httpRecordOf } from './http-record.ts';
import { type Claims, checkToken, needsToken, passClaims, readsForm } from './jwt.ts';
import { type BodyLimits, readHttpBody } from './request-body.ts';
import type { HttpTriggers } from './triggers.ts';

/** Whether a call is signed as it has to be. */
export type AuthenticateHttp = (call: SignedHttpCall, signal: AbortSignal) => Promise<HttpAuthentication>;

export type HttpDoorDeps = {
  readonly triggers: HttpTriggers;
  readonly find: FindFunction;
  readonly call: CallHttpFunction;
  readonly authenticate: AuthenticateHttp;
  readonly bodies: BodyLimits;
  readonly clock: Clock;
  /** The share of traces that begin here to keep, 0 to 1; null: no traces are kept, and a caller's goes to the function as it came. */
  readonly traceRatio: number | null;
  /** Takes the record of each call when its answer is out, or the caller has gone. */
  readonly report: (record: RequestRecord) => void;
  readonly reportBug: (error: unknown, requestId: string) => void;
};

/** Where a request came in: control passes on what came to the APIs' listener, and from whom. */
export type Origin = { readonly clientIp: string; readonly isApiListener: boolean };

/** `unready`: why no call may be served now; null: it may. */
export type HttpDoor = (
  request: IncomingMessage,
  response: ServerResponse,
  origin: Origin,
  unready?: InternalTimeout | null,
) => void;

/** Bytes of names and values, and of path with query. Source: docs. */
const headerLimitBytes = 8_192;
const targetLimitBytes = 4_096;

type Found = {
  readonly trigger: HttpTrigger;
  readonly basePath: string | null;
  readonly rawPath: string;
  readonly isDefaultDomain: boolean;
};

export function createHttpDoor(deps: HttpDoorDeps): HttpDoor {
  return (request, response, origin, unready = null) => {
    const context: Context = {
      deps,
      request,
      response,
      origin,
      trace: parseTraceParent(headerOf(request, 'traceparent')),
      at: deps.clock.now(),
      began: deps.clock.monotonic(),
      requestId: randomUUID(),
      own: [],
      trigger: null,
      requestBytes: null,
      responseBytes: null,
      call: null,
      coldStart: null,
      failure: null,
    };
    response.once('close', () => deps.report(recordOf(context)));
    serve(context, unready).catch((error: unknown) => fail(context, error));
  };
}

type Context = {
  readonly deps: HttpDoorDeps;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly origin: Origin;
  requestId: string;
  /** What the caller sent. */
  readonly trace: TraceParent | null;
  /** What the platform adds to the answer. */
  own: readonly string[];
  /** What follows is for the record. `at` epoch ms, `began` monotonic. */
  readonly at: number;
  readonly began: number;
  trigger: HttpTrigger | null;
  requestBytes: number | null;
  responseBytes: number | null;
  call: { readonly at: number; readonly ms: number } | null;
  coldStart: RecordedColdStart | null;
  failure: Failure | null;
};

function recordOf({ deps, request, response, origin, ...known }: Context): RequestRecord {
  const hasAnswer = response.headersSent;
  return httpRecordOf({
    ...known,
    method: request.method ?? '',
    host: request.headers.host ?? '',
    path: splitTarget(request.url ?? '/').path,
    clientIp: origin.clientIp,
    status: hasAnswer ? response.statusCode : httpErrorStatuses.ClientClosedRequest,
    totalMs: deps.clock.monotonic() - known.began,
    calledAt: known.call?.at ?? null,
    functionMs: known.call?.ms ?? null,
    failure: known.failure ?? (response.writableFinished ? null : callerGone),
  });
}

function send(context: Context, head: Parameters<typeof sendWhole>[1], body: Buffer): void {
  context.responseBytes = body.length;
  sendWhole(context.response, head, body);
}

async function serve(context: Context, unready: InternalTimeout | null): Promise<void> {
  const { request, response, origin } = context;
  const target = request.url ?? '/';
  const { path, query } = splitTarget(target);
  const own = (isDefaultDomain: boolean) => [
    ...platformHeaders({ requestId: context.requestId, isDefaultDomain, isApiListener: origin.isApiListener }),
    ...corsHeaders(request, context.trigger?.cors),
  ];
  context.own = own(false);
  if (unready !== null) throw unready;
  const found = find(context, path);
  const { trigger } = found;
  context.trigger = trigger;
  if (trigger.serviceName === null) context.requestId = newFc3RequestId(context.at);
  context.own = own(found.isDefaultDomain);
  checkSizes(request, target);
  admit(context, trigger);
  if (request.method === 'OPTIONS' && !trigger.methods.includes('OPTIONS')) {
    send(context, { status: 200, headers: [...context.own] }, noBytes);
    return;
  }
  const gone = goneSignal(response);
  const payloadHash = trigger.authType === 'function' ? await authenticate(context, target, gone) : null;
  const { jwt } = trigger;
  const claims = jwt === undefined || readsForm(jwt) ? null : await claimsOf(context, found, jwt, null);
  const body = await readHttpBody(request, response, context.deps.bodies);
  context.requestBytes = body.length;
  if (payloadHash !== null && createHash('sha256').update(body).digest('hex') !== payloadHash) {
    throw httpError('AccessDenied', 'the body does not have the hash that x-acs-content-sha256 says');
  }
  let prepared = requestOf(context, found, { query: query ?? '', body });
  if (jwt !== undefined) {
    const form = formOf(request, body);
    prepared = withClaims(prepared, jwt, claims ?? (await claimsOf(context, found, jwt, form)), form);
  }
  await callAndAnswer(context, prepared, gone);
}

const noBytes = Buffer.alloc(0);

function find({ deps, request, origin }: Context, path: string): Found {
  if (origin.isApiListener) {
    const address = readProxyPath(path);
    if (address === null) throw httpError('InvalidArgument', `'${path.slice(0, 200)}' names no function`);
    const trigger = deps.triggers.ofFunction(address);
    if (trigger !== null) return { trigger, ...address, isDefaultDomain: true };
    const function_ = deps.find(address);
    if (!function_.ok) throw new HttpDoorError(httpErrorStatuses[function_.code], function_.code, function_.message);
    const name = `${address.serviceName}/${address.functionName}`;
    throw httpError('TriggerNotFound', `function '${name}' has no HTTP trigger for qualifier '${address.qualifier}'`);
  }
  const host = request.headers.host ?? '';
  const address = readFunctionHost(host);
  const trigger = address === null ? null : deps.triggers.ofPrefix(address.urlPrefix);
  if (address === null || trigger === null) {
    throw httpError('DomainNameNotFound', `domain name '${host.replace(/:\d+$/, '').slice(0, 255)}' does not exist`);
  }
  return { trigger, basePath: null, rawPath: path, isDefaultDomain: address.isDefaultDomain };
}

function checkSizes({ rawHeaders }: IncomingMessage, target: string): void {
  const bytes = rawHeaders.reduce((sum, text) => sum + text.length, 0);
  if (bytes > headerLimitBytes) {
    throw httpError('InvalidArgument', `the headers of ${bytes} bytes exceed ${headerLimitBytes}`);
  }
  if (target.length > targetLimitBytes) {
    throw httpError('InvalidArgument', `path and query of ${target.length} bytes exceed ${targetLimitBytes}`);
  }
}

function admit({ request }: Context, trigger: HttpTrigger): void {
  if (trigger.authType === 'jwt' && trigger.jwt === undefined) {
    throw httpError('InternalServerError', 'this trigger asks for tokens and has no rule for them');
  }
  // Source: docs for the words.
  if (trigger.disablesInternetUrl) {
    throw httpError('AccessDenied', 'access denied due to function internet URL is disable');
  }
  const { method = 'GET' } = request;
  const isPreflight = method === 'OPTIONS' && request.headers.origin !== undefined;
  if (!isPreflight && !trigger.methods.includes(method)) {
    throw httpError('MethodNotAllowed', `method '${method}' is not allowed (allowed: ${trigger.methods.join(', ')})`);
  }
  if (/^async$/i.test(headerOf(request, 'x-fc-invocation-type'))) {
    throw httpError('InvalidArgument', 'asynchronous HTTP calls are not supported by this server');
  }
}

/** What the body must hash to, when the signature says it. */
async function authenticate({ deps, request }: Context, target: string, gone: AbortSignal): Promise<string | null> {
  const headers: Record<string, string> = {};
  for (const name of Object.keys(request.headers)) headers[name] = headerOf(request, name);
  const signed = { method: request.method ?? 'GET', requestUri: target, headers };
  const result = await deps.authenticate(signed, gone);
  if (!result.ok) throw new HttpDoorError(result.status, result.code, result.message);
  return result.payloadHash;
}

function requestOf(
  context: Context,
  { trigger, basePath, rawPath }: Found,
  { query, body }: { readonly query: string; readonly body: Buffer },
): Omit<HttpFunctionRequest, 'sink'> & { readonly response: ServerResponse } {
  const { request, requestId, origin, response } = context;
  const { serviceName, functionName, qualifier } = trigger;
  const span = readCallerSpan(request.headers);
  const pairs = parseQuery(query, true);
  const content = { headers: request.headers, query: pairs };
  return {
    response,
    target: { serviceName, functionName, qualifier, ...(namesAlias(qualifier) ? { content } : {}) },
    requestId,
    rawPath,
    triggerId: trigger.triggerId,
    body,
    wantsLogTail: /^tail$/i.test(headerOf(request, 'x-fc-log-type')),
    ...(span === null ? {} : { span }),
    call: {
      method: request.method ?? 'GET',
      path: decodePercent(rawPath),
      requestUri: request.url ?? '/',
      clientIp: origin.clientIp,
      host: request.headers.host ?? '',
      headers: forwardedHeaders(request, origin.clientIp, traceParentOf(context)),
      query: pairs.flat(),
      basePath,
    },
  };
}

/** Source: docs, the set unconfirmed. `traceparent`: takes the place of the caller's; null: that goes on as it came. */
function forwardedHeaders(
  { rawHeaders, headers }: IncomingMessage,
  clientIp: string,
  traceparent: string | null,
): string[] {
  const own = /^(x-forwarded-for|x-forwarded-proto|x-real-ip|x-yunmen-.*)$/i;
  const before = headers['x-forwarded-for'];
  const kept: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const isReplaced = own.test(name) || (traceparent !== null && /^traceparent$/i.test(name));
    if (!isReplaced) kept.push(name, rawHeaders[at + 1] ?? '');
  }
  const chain = before === undefined ? clientIp : `${String(before)}, ${clientIp}`;
  kept.push('X-Forwarded-For', chain, 'X-Forwarded-Proto', 'http', 'X-Real-Ip', clientIp);
  return traceparent === null ? kept : [...kept, 'traceparent', traceparent];
}

/** What the function's own spans hang below; null where no traces are kept. */
function traceParentOf({ deps, trace, requestId }: Context): string | null {
  return deps.traceRatio === null ? null : formatTraceParent(requestId, trace, deps.traceRatio);
}

/** Who calls a trigger with tokens; nobody on a path that needs none. `form`: null when the token is never in one. */
async function claimsOf(context: Context, { rawPath }: Found, rule: JwtRule, form: string | null): Promise<Claims> {
  const { request, at } = context;
  if (!needsToken(rule, decodePercent(rawPath))) return {};
  const { query } = splitTarget(request.url ?? '/');
  const header = (name: string) => headerOf(request, name);
  const checked = await checkToken(rule, { header, query: query ?? '', form }, at);
  if (checked.ok) return checked.claims;
  context.failure = failureOf({ code: 'AccessDenied', message: `The token was not taken: ${checked.why}.` });
  // Source: docs for the words, the status unconfirmed.
  throw httpError('AccessDenied', 'invalid or expired jwt');
}

/** A byte a character; null when the body is no form. */
function formOf(request: IncomingMessage, body: Buffer): string | null {
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(headerOf(request, 'content-type'));
  return isForm ? body.toString('latin1') : null;
}

/** The call as the function is to see it. */
function withClaims(
  prepared: ReturnType<typeof requestOf>,
  rule: JwtRule,
  claims: Claims,
  form: string | null,
): ReturnType<typeof requestOf> {
  const { headers, requestUri } = prepared.call;
  const { path, query } = splitTarget(requestUri);
  const told = passClaims(rule, claims, { headers, query: query ?? '', form });
  return {
    ...prepared,
    body: told.form === form ? prepared.body : Buffer.from(told.form ?? '', 'latin1'),
    call: {
      ...prepared.call,
      headers: told.headers,
      requestUri: told.query === '' ? path : `${path}?${told.query}`,
      query: parseQuery(told.query, true).flat(),
    },
  };
}

async function callAndAnswer(
  context: Context,
  prepared: ReturnType<typeof requestOf>,
  gone: AbortSignal,
): Promise<void> {
  const { response, ...request } = prepared;
  const { deps } = context;
  const sink = new ResponseWriter(response, context.own);
  const [at, began] = [deps.clock.now(), deps.clock.monotonic()];
  const outcome = await deps.call({ ...request, sink }, gone);
  context.call = { at, ms: deps.clock.monotonic() - began };
  if (outcome.kind !== 'refused') context.coldStart = coldStartOf(outcome.kind === 'answer' ? outcome.facts : outcome);
  if (gone.aborted) return;
  context.failure = failureOfOutcome(outcome);
  if (sink.hasBegun) {
    context.responseBytes = sink.bytes;
    // The head is out: an end that went wrong can only be shown by breaking off.
    if (outcome.kind === 'answer') response.end();
    else response.destroy();
    return;
  }
  const isFc2 = request.target.serviceName !== null;
  switch (outcome.kind) {
    case 'answer': {
      const facts = isFc2 || request.wantsLogTail ? factHeaders(outcome.facts, request.wantsLogTail) : [];
      const { status, headers } = outcome.head;
      send(context, { status, headers: mergeHeaders(headers, [...context.own, ...facts]) }, outcome.body);
      return;
    }
    case 'function-error': {
      // Source: live (FC 2), for FC 3 assumed.
      const facts = isFc2 ? factHeaders(outcome, request.wantsLogTail) : [];
      const own = ['Content-Type', 'application/json', 'X-Fc-Error-Type', outcome.errorType, ...facts];
      send(context, { status: 502, headers: [...context.own, ...own] }, outcome.body);
      return;
    }
    case 'refused':
      throw new HttpDoorError(httpErrorStatuses[outcome.code], outcome.code, outcome.message);
  }
}

function fail(context: Context, error: unknown): void {
  const { response, request, requestId, own } = context;
  const known = knownError(error);
  if (known === null) context.deps.reportBug(error, requestId);
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  request.resume();
  const { status, code, message } = known ?? {
    status: 500,
    code: 'InternalServerError',
    message: 'an internal error has occurred. Please retry.',
  };
  context.failure ??= failureOf({ code, message });
  const body = errorBody(requestId, code, message);
  send(context, { status, headers: ['Content-Type', 'application/json', ...own] }, body);
}

/** Null: nobody foresaw it. The status of what did not come in time is assumed. */
function knownError(error: unknown): HttpDoorError | null {
  if (error instanceof HttpDoorError) return error;
  if (!(error instanceof InternalTimeout)) return null;
  const message = 'a process of this server that has to agree to the call did not answer in time. Please retry.';
  return new HttpDoorError(504, 'InternalServerError', message);
}

function headerOf({ headers }: IncomingMessage, name: string): string {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : (value ?? '');
}

/** Aborts when the caller has gone before the answer was out. */
function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new Error('the caller has gone'));
  });
  return gone.signal;
}
