// The `x-fc-*` request headers by which the platform tells a custom runtime's server, and a program that polls the
// runtime API, what it calls. Made by functions/ for each request.
import type { CallerSpan } from '../model/invocation.ts';
import { callerSpanHeaders } from './caller-span.ts';
import type { FrameContext, FrameCredentials } from './frames.ts';

/** What does not change while an instance lives. */
export type CommonFacts = {
  readonly context: FrameContext;
  readonly instanceId: string;
  /** Empty: not configured. */
  readonly preStop: string;
  readonly preFreeze: string;
};

/** Times in epoch ms. */
export type RequestFacts = {
  readonly requestId: string;
  readonly deadline: number;
  readonly credentials: FrameCredentials | null;
  readonly retryCount: number;
  /** The caller's; null: it names none. */
  readonly span: CallerSpan | null;
  /** Who called by HTTP; null: the call is none. */
  readonly clientIp: string | null;
};

/**
 * Names and values in turn.
 *
 * Source: docs; an empty value is left out (assumed).
 */
export function instanceHeaders({ context, instanceId, preStop, preFreeze }: CommonFacts): readonly string[] {
  const { service } = context;
  const called = context.function;
  return given([
    ['x-fc-account-id', context.accountId],
    ['x-fc-region', context.region],
    ['x-fc-instance-id', instanceId],
    ['x-fc-function-name', called.name],
    ['x-fc-function-handler', called.handler],
    ['x-fc-function-memory', String(called.memory)],
    // Whole seconds: the Go client drops a request whose number it cannot read.
    ['x-fc-function-timeout', String(Math.ceil(called.timeout))],
    ['x-fc-function-initializer', called.initializer],
    ['x-fc-initialization-timeout', called.initializer === '' ? '' : String(Math.ceil(called.initializationTimeout))],
    ['x-fc-instance-lifecycle-pre-stop-handler', preStop],
    ['x-fc-instance-lifecycle-pre-freeze-handler', preFreeze],
    ['x-fc-service-name', service.name],
    ['x-fc-service-logproject', service.logProject],
    ['x-fc-service-logstore', service.logStore],
    ['x-fc-qualifier', service.qualifier],
    ['x-fc-version-id', service.versionId],
    ['x-fc-tracing-jaeger-endpoint', context.jaegerEndpoint ?? ''],
  ]);
}

/** Names and values in turn, of one request. */
export function requestHeaders(facts: RequestFacts): readonly string[] {
  const { requestId, deadline, credentials, retryCount, span, clientIp } = facts;
  const headers = given([
    ['x-fc-request-id', requestId],
    ['x-fc-function-deadline', String(deadline)],
    ['x-fc-access-key-id', credentials?.accessKeyId ?? ''],
    ['x-fc-access-key-secret', credentials?.accessKeySecret ?? ''],
    ['x-fc-security-token', credentials?.securityToken ?? ''],
    ['x-fc-retry-count', retryCount === 0 ? '' : String(retryCount)],
    ['x-fc-client-ip', clientIp ?? ''],
  ]);
  return span === null ? headers : [...headers, ...callerSpanHeaders(span)];
}

/** Values may be what users wrote: what a header cannot carry goes percent-encoded (assumed). */
function given(pairs: readonly (readonly [string, string])[]): readonly string[] {
  return pairs.filter(([, value]) => value !== '').flatMap(([name, value]) => [name, headerValue(value)]);
}

function headerValue(value: string): string {
  return /^[\x20-\x7e]*$/.test(value) ? value : encodeURIComponent(value);
}
