// The Function Compute backend for HTTP functions: the base URL leads to a function of this installation and is never fetched.
// An event handler of FC 3 gets the HTTP document. Called by reply.ts.
import { assertNever } from '../../base/assert-never.ts';
import type { Backend, FunctionTarget } from '../../model/api.ts';
import { functionKey } from '../../model/function.ts';
import type { InvocationOutcome } from '../../model/invocation.ts';
import { kindOfHttpResult, writeHttpEvent } from '../../wire/function-http-event.ts';
import { readFunctionResult } from '../../wire/function-result.ts';
import { decodePath } from '../../wire/query.ts';
import type { BackendAnswer, Mapped } from '../context.ts';
import { refuse } from '../errors.ts';
import { signOutgoing } from '../policies/backend-signature.ts';
import { assumeRole } from './assume-role.ts';
import { type Called, invocationRefused, invokeWithin, ownHeaders, wrongShape } from './function-event.ts';
import { backendMethod, backendPath } from './http-request.ts';

type FunctionHttp = Extract<Backend, { kind: 'function-http' }>;
const noBytes = Buffer.alloc(0);

/** Errors: A403FC, D502FC, D504TO, I404SR, ClientGone, those of the body. */
export async function callFunctionHttp(mapped: Mapped, backend: FunctionHttp): Promise<BackendAnswer> {
  const target = servedTarget(mapped, backend);
  assumeRole(mapped, backend.roleArn);
  await signOutgoing(mapped, { method: backendMethod(backend.method, mapped), path: pathOf(mapped, backend) });
  const name = functionKey(target.serviceName, target.functionName);
  const called: Called = { name, timeoutMs: backend.timeoutMs };
  const invocation = {
    target,
    requestId: mapped.requestId,
    event: await eventOf(mapped, backend),
    wantsLogTail: false,
  };
  return answerOf(name, await invokeWithin(mapped, invocation, called));
}

function servedTarget(mapped: Mapped, backend: FunctionHttp): FunctionTarget {
  if (backend.target === null) {
    throw notServed(
      'the base URL names no function here',
      'FcBaseUrl',
      'the URL of an HTTP trigger of this installation',
      `The FcBaseUrl of the API ${mapped.api.apiName} names no function of this installation; URLs elsewhere are not fetched.`,
    );
  }
  if (backend.version === '3.0') return backend.target;
  throw notServed(
    'HTTP handlers of FC 2.0 are not served',
    'FcVersion',
    '3.0, or an event function',
    `The API ${mapped.api.apiName} calls an HTTP handler of FC 2.0 (handler(request, response)), which this gateway does not serve yet: use an event function, or FC 3.0.`,
  );
}

function notServed(reason: string, field: string, expected: string, message: string): Error {
  return refuse('D502FC', { Reason: reason }, { side: 'api-owner', field, expected, message });
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

async function eventOf(mapped: Mapped, backend: FunctionHttp): Promise<Buffer> {
  const { outgoing, body, headers } = mapped;
  const rawPath = pathOf(mapped, backend);
  const bytes =
    outgoing.body.kind === 'text' ? Buffer.from(outgoing.body.text) : body.isPresent ? await body.bytes() : noBytes;
  const contentType = [...outgoing.headers].find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? null;
  // FC's own signature takes the place of a client's Authorization. Source: docs (gateway.md 4.3).
  const sent = [...outgoing.headers].filter(([name]) => name.toLowerCase() !== 'authorization');
  return writeHttpEvent({
    method: backendMethod(backend.method, mapped),
    rawPath,
    path: decodePath(rawPath) ?? rawPath,
    headers: new Map(sent),
    query: outgoing.query,
    body: bytes,
    contentType,
    domainName: URL.canParse(backend.baseUrl) ? new URL(backend.baseUrl).hostname : mapped.host,
    sourceIp: mapped.clientIp,
    userAgent: headers.get('user-agent') ?? '',
    requestId: mapped.requestId,
    at: mapped.at,
    accountId: '',
    triggerId: '',
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
      // What the trigger answers by itself; relayed as any backend's answer. Source: docs (function-runtime.md 7), for FC 3 assumed.
      return {
        status: 502,
        headers: ['Content-Type', 'application/json', 'X-Fc-Error-Type', outcome.errorType],
        body: outcome.body,
      };
    case 'refused':
      throw invocationRefused(name, outcome.code, outcome.message);
    default:
      return assertNever(outcome);
  }
}
