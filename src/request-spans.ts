// The spans of requests to the gateway and to HTTP triggers: one of the server, and below it one of the function that was
// invoked. Made out of the records that requests leave anyway, and handed to trace-exporter.ts. Made by data-plane.ts.
import type { Clock } from './base/clock.ts';
import type { FunctionTarget } from './model/api.ts';
import type { InvocationOutcome, InvokeFunction } from './model/invocation.ts';
import type { RequestRecord } from './model/record.ts';
import type { Span, SpanValue } from './wire/otlp-spans.ts';
import { isSampled, ownTraceId } from './wire/traceparent.ts';

/** `end` null: it goes on. Its `outcome` null: the caller went away. */
type Invocation = {
  readonly target: FunctionTarget;
  readonly startMs: number;
  end: { readonly atMs: number; readonly outcome: InvocationOutcome | null } | null;
};

export type RequestSpans = {
  /** The same invocations, remembered until their request's record comes. Only for requests that leave one. */
  readonly watch: (invoke: InvokeFunction) => InvokeFunction;
  readonly add: (record: RequestRecord) => void;
};

/** Invocations whose request has no record yet; bounded by the requests under way, and by this where a record never comes. */
const openLimit = 50_000;

export function createRequestSpans(
  clock: Clock,
  ports: {
    readonly export: (span: Span) => void;
    /** The share of traces, 0 to 1, of callers that sent none. */
    readonly ratio: number;
  },
): RequestSpans {
  const open = new Map<string, Invocation>();
  return {
    watch: (invoke) => async (request, signal) => {
      const startMs = clock.now();
      const startedAt = clock.monotonic();
      const invocation: Invocation = { target: request.target, startMs, end: null };
      // The record of a caller that goes away comes before the end of what it asked for, and takes this with it.
      if (open.size < openLimit) open.set(request.requestId, invocation);
      const end = (outcome: InvocationOutcome | null) => {
        invocation.end = { atMs: startMs + clock.monotonic() - startedAt, outcome };
      };
      try {
        const outcome = await invoke(request, signal);
        end(outcome);
        return outcome;
      } catch (error) {
        end(null);
        throw error;
      }
    },
    add(record) {
      const invocation = open.get(record.requestId) ?? null;
      if (invocation !== null) open.delete(record.requestId);
      const own = ownTraceId(record.requestId);
      if (!(record.callerSpan?.isSampled ?? isSampled(own, ports.ratio))) return;
      ports.export(serverSpan(record, own));
      if (invocation !== null) ports.export(functionSpan(record, own, invocation));
    },
  };
}

/** Source: docs (OpenTelemetry semantic conventions for HTTP servers); names under `yunmen.` are ours. */
function serverSpan(record: RequestRecord, own: string): Span {
  const { failure } = record;
  const called = record.apiName ?? record.functionName;
  return {
    traceId: record.traceId ?? own,
    spanId: own.slice(16),
    parentSpanId: record.callerSpan?.spanId ?? null,
    name: called === null ? record.method : `${record.method} ${called}`,
    kind: 'server',
    startMs: record.at,
    endMs: record.at + record.totalMs,
    attributes: {
      'http.request.method': record.method,
      'url.path': record.path,
      'url.scheme': record.isTls ? 'https' : 'http',
      'server.address': record.host,
      'client.address': record.clientIp,
      'http.response.status_code': record.status,
      'http.request.body.size': record.requestBytes,
      'http.response.body.size': record.responseBytes,
      'error.type': failure?.code ?? null,
      'yunmen.request_id': record.requestId,
      'yunmen.group_id': record.groupId,
      'yunmen.api_id': record.apiId,
      'yunmen.stage': record.stage,
      'yunmen.app_id': record.appId,
      'faas.trigger': record.functionName === null ? null : 'http',
      'yunmen.function': record.functionName,
      'yunmen.qualifier': record.qualifier,
      'yunmen.backend_ms': record.backendMs,
      'yunmen.fault_side': failure?.side ?? null,
    },
    // A caller's own mistake is no error of a server. Source: docs (the same).
    error: failure !== null && record.status >= 500 ? failure.message : null,
  };
}

function nameOf({ serviceName, functionName }: FunctionTarget): string {
  return serviceName === null ? functionName : `${serviceName}/${functionName}`;
}

/** Its id: the request's first half, as the server's is the second. Source: docs (conventions for functions as a service). */
function functionSpan(record: RequestRecord, own: string, { target, startMs, end }: Invocation): Span {
  const outcome = end?.outcome ?? null;
  const facts = outcome === null || outcome.kind === 'refused' ? null : outcome;
  const coldStart = facts?.coldStart ?? null;
  const cold: Record<string, SpanValue | null> =
    coldStart === null
      ? {}
      : {
          'yunmen.cold_start.wait_ms': coldStart.waitMs,
          'yunmen.cold_start.start_ms': coldStart.startMs,
          'yunmen.cold_start.code_ms': coldStart.codeMs,
          'yunmen.cold_start.load_ms': coldStart.loadMs,
          'yunmen.cold_start.initializer_ms': coldStart.initializerMs,
        };
  return {
    traceId: record.traceId ?? own,
    spanId: own.slice(0, 16),
    parentSpanId: own.slice(16),
    name: `invoke ${nameOf(target)}`,
    kind: 'client',
    startMs,
    endMs: end?.atMs ?? record.at + record.totalMs,
    attributes: {
      'faas.invoked_name': nameOf(target),
      'faas.invoked_provider': 'alibaba_cloud',
      'faas.version': facts?.versionId ?? null,
      'faas.instance': facts?.instanceId ?? null,
      'faas.coldstart': facts === null ? null : coldStart !== null,
      'yunmen.function.duration_ms': facts?.durationMs ?? null,
      ...cold,
    },
    error: errorOf(outcome),
  };
}

function errorOf(outcome: InvocationOutcome | null): string | null {
  if (outcome === null) return 'the caller has gone';
  if (outcome.kind === 'refused') return `${outcome.code}: ${outcome.message}`;
  return outcome.kind === 'function-error' ? outcome.errorType : null;
}
