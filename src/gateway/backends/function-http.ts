// The Function Compute backend for HTTP functions: the base URL leads to a function of this installation and is never fetched.
// An event handler of FC 3 gets the HTTP document; HTTP handlers of FC 2 and servers get the call itself. Called by reply.ts.
import { assertNever } from '../../base/assert-never.ts';
import type { CallContent } from '../../model/alias-route.ts';
import type { Backend, FunctionTarget } from '../../model/api.ts';
import { namesAlias } from '../../model/function.ts';
import type { HttpFunctionOutcome, HttpFunctionRequest, HttpFunctions } from '../../model/http-function.ts';
import type { InvocationOutcome } from '../../model/invocation.ts';
import { coldStartOf } from '../../model/record.ts';
import { kindOfHttpResult, writeHttpEvent } from '../../wire/function-http-event.ts';
import { readFunctionResult } from '../../wire/function-result.ts';
import { parseQuery } from '../../wire/percent-encoding.ts';
import { decodePath } from '../../wire/query.ts';
import type { BackendAnswer, Mapped } from '../context.ts';
import { Refusal, refuse } from '../errors.ts';
import { signOutgoing } from '../policies/backend-signature.ts';
import { noteInvocation } from '../states.ts';
import { assumeRole } from './assume-role.ts';
import { breakerKey } from './breaker.ts';
import {
  type Called,
  calledOf,
  invocationRefused,
  invokeWithin,
  ownHeaders,
  passedHeaders,
  within,
  wrongShape,
} from './function-event.ts';
import { backendMethod, backendPath, backendQuery } from './http-request.ts';
import { StreamedAnswer } from './streamed-answer.ts';

type FunctionHttp = Extract<Backend, { kind: 'function-http' }>;
const noBytes = Buffer.alloc(0);

/** Errors: A403FC, D502FC, D504TO, I404SR, ClientGone, those of the body. */
export async function callFunctionHttp(mapped: Mapped, backend: FunctionHttp): Promise<BackendAnswer> {
  const { target: named, triggerId } = servedTarget(mapped, backend);
  const target = namesAlias(named.qualifier) ? { ...named, content: contentOf(mapped) } : named;
  assumeRole(mapped, backend.roleArn);
  await signOutgoing(mapped, { method: backendMethod(backend.method, mapped), path: pathOf(mapped, backend) });
  const called = calledOf(mapped, target, backend.timeoutMs);
  const { name } = called;
  const { httpFunctions } = mapped.deps;
  if (httpFunctions !== undefined && !httpFunctions.takesEvents(target)) {
    return callByHttp(mapped, await httpCallOf(mapped, backend, target), { httpFunctions, called });
  }
  const invocation = {
    target,
    requestId: mapped.requestId,
    event: await eventOf(mapped, backend, { accountId: httpFunctions?.accountOf(target) ?? '', triggerId }),
    wantsLogTail: false,
  };
  const outcome = await invokeWithin(mapped, invocation, called);
  if (outcome.kind !== 'refused') noteInvocation(mapped, outcome);
  return answerOf(name, outcome);
}

/**
 * Answers with the head as soon as it is there, where the function sends the body in chunks; the time-out is over all of it.
 * Errors: D502FC, D504TO, ClientGone; of a body that breaks off N502RE.
 */
function callByHttp(
  mapped: Mapped,
  request: HttpFunctionRequest,
  { httpFunctions, called }: { readonly httpFunctions: HttpFunctions; readonly called: Called },
): Promise<BackendAnswer> {
  return new Promise((resolve, reject) => {
    const streamed = new StreamedAnswer(({ status, headers }, body) =>
      resolve({ status, headers: passedHeaders(headers), body }),
    );
    within(mapped, (signal) => httpFunctions.call({ ...request, sink: streamed }, signal), called)
      .then((outcome) => {
        const told = outcome.kind === 'answer' ? outcome.facts : outcome.kind === 'refused' ? null : outcome;
        if (told !== null) noteInvocation(mapped, told);
        const { body } = streamed;
        if (body === null) resolve(passedOn(called.name, outcome));
        else {
          // The record was made when the head came.
          body.coldStart = told === null ? null : coldStartOf(told);
          if (outcome.kind === 'answer') body.end();
          else body.fail(brokenOff(called.name));
        }
      })
      .catch((error: unknown) => {
        const { body } = streamed;
        if (body === null) return reject(error);
        // An answer that began is out of reply.ts's sight.
        if (error instanceof Refusal && error.code === 'D504TO' && !body.isHeldBack) {
          mapped.deps.backends.breakers.timedOut(breakerKey(mapped));
        }
        body.fail(error instanceof Error ? error : new Error(String(error)));
      });
  });
}

function brokenOff(name: string): Error {
  const message = `The function ${name} broke off in the middle of its answer.`;
  return refuse(
    'N502RE',
    { Reason: 'the function broke off its answer' },
    { side: 'function', field: 'body', message },
  );
}

/** The function, and the trigger behind the base URL; empty where none has a host of its own. */
function servedTarget(
  mapped: Mapped,
  backend: FunctionHttp,
): { readonly target: FunctionTarget; readonly triggerId: string } {
  const { baseUrl } = backend;
  const host = URL.canParse(baseUrl) ? new URL(baseUrl).hostname : '';
  // The host of a published trigger says more than what the URL's words were taken for when the API was defined.
  const published = mapped.deps.httpFunctions?.targetOf(host) ?? null;
  const target = published ?? backend.target;
  if (target !== null) return { target, triggerId: published?.triggerId ?? '' };
  throw notServed(
    'the base URL names no function here',
    'FcBaseUrl',
    'the URL of an HTTP trigger of this installation',
    `The FcBaseUrl of the API ${mapped.api.apiName} names no function of this installation; URLs elsewhere are not fetched.`,
  );
}

function notServed(reason: string, field: string, expected: string, message: string): Error {
  return refuse('D502FC', { Reason: reason }, { side: 'api-owner', field, expected, message });
}

/** What aliases may go by: the request that the function is sent. */
function contentOf(mapped: Mapped): CallContent {
  const headers = sent(mapped.outgoing.headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  return { headers: Object.fromEntries(headers), query: [...mapped.outgoing.query] };
}

/** The path that the function sees: behind the base URL's unless only the business path is wanted. */
function pathOf(mapped: Mapped, backend: FunctionHttp): string {
  const before = backend.onlyBusinessPath ? '' : basePathOf(backend.baseUrl);
  return backendPath(backend.path, before, mapped) || '/';
}

/** The path of the base URL; the proxy prefix of FC 2 style URLs is the trigger's address and no part of it. */
function basePathOf(baseUrl: string): string {
  if (!URL.canParse(baseUrl)) return '';
  const { pathname } = new URL(baseUrl);
  return pathname.replace(/^\/2016-08-15\/proxy\/[^/]+\/[^/]+/, '').replace(/\/$/, '');
}

async function bodyOf({ outgoing, body }: Mapped): Promise<Buffer> {
  if (outgoing.body.kind === 'text') return Buffer.from(outgoing.body.text);
  return body.isPresent ? await body.bytes() : noBytes;
}

/** FC's own signature takes the place of a client's Authorization. Source: docs. */
function sent(headers: Iterable<readonly [name: string, value: string]>): (readonly [name: string, value: string])[] {
  return [...headers].filter(([name]) => name.toLowerCase() !== 'authorization');
}

/** The call itself. The base URL's host is the trigger's, so nothing of the path is its address. */
async function httpCallOf(mapped: Mapped, backend: FunctionHttp, target: FunctionTarget): Promise<HttpFunctionRequest> {
  const rawPath = pathOf(mapped, backend);
  // As with other backends: what is sent through keeps its spelling and repetitions.
  const query = backendQuery(mapped);
  return {
    target,
    requestId: mapped.requestId,
    rawPath,
    triggerId: '',
    wantsLogTail: false,
    sink: null,
    body: await bodyOf(mapped),
    call: {
      method: backendMethod(backend.method, mapped),
      path: decodePath(rawPath) ?? rawPath,
      requestUri: rawPath + query,
      clientIp: mapped.clientIp,
      host: URL.canParse(backend.baseUrl) ? new URL(backend.baseUrl).host : mapped.host,
      // With the further lines of repeated headers.
      headers: sent([...mapped.outgoing.headers, ...mapped.outgoing.moreHeaders]).flatMap(([name, value]) => [
        name,
        Buffer.from(value).toString('latin1'),
      ]),
      query: parseQuery(query.slice(1), true).flat(),
      basePath: null,
    },
  };
}

/** Whatever the function says is the backend's answer, as any backend's. */
function passedOn(name: string, outcome: HttpFunctionOutcome): BackendAnswer {
  switch (outcome.kind) {
    case 'answer':
      return { status: outcome.head.status, headers: passedHeaders(outcome.head.headers), body: outcome.body };
    case 'function-error':
      return failedFunction(outcome);
    case 'refused':
      throw invocationRefused(name, outcome.code, outcome.message);
    default:
      return assertNever(outcome);
  }
}

/** What the trigger answers by itself; relayed as any backend's answer. Source: docs, for FC 3 assumed. */
function failedFunction({ errorType, body }: Extract<InvocationOutcome, { kind: 'function-error' }>): BackendAnswer {
  return { status: 502, headers: ['Content-Type', 'application/json', 'X-Fc-Error-Type', errorType], body };
}

async function eventOf(
  mapped: Mapped,
  backend: FunctionHttp,
  of: { readonly accountId: string; readonly triggerId: string },
): Promise<Buffer> {
  const { outgoing, headers } = mapped;
  const rawPath = pathOf(mapped, backend);
  const bytes = await bodyOf(mapped);
  const contentType = [...outgoing.headers].find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? null;
  return writeHttpEvent({
    method: backendMethod(backend.method, mapped),
    rawPath,
    path: decodePath(rawPath) ?? rawPath,
    headers: new Map(sent(outgoing.headers)),
    query: outgoing.query,
    body: bytes,
    contentType,
    domainName: URL.canParse(backend.baseUrl) ? new URL(backend.baseUrl).hostname : mapped.host,
    sourceIp: mapped.clientIp,
    userAgent: headers.get('user-agent') ?? '',
    requestId: mapped.requestId,
    at: mapped.at,
    ...of,
  });
}

function answerOf(name: string, outcome: InvocationOutcome): BackendAnswer {
  switch (outcome.kind) {
    case 'success': {
      if (kindOfHttpResult(outcome.body) !== 'document') {
        return { status: 200, headers: ['Content-Type', 'application/json'], body: outcome.body };
      }
      const result = readFunctionResult(outcome.body);
      if (!result.ok) throw wrongShape(name, result, outcome);
      return { status: result.status, headers: ownHeaders(result.headers), body: result.body };
    }
    case 'function-error':
      return failedFunction(outcome);
    case 'refused':
      throw invocationRefused(name, outcome.code, outcome.message);
    default:
      return assertNever(outcome);
  }
}
