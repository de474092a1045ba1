// The trace that a request belongs to: read from what the caller sent, written for backends. Called by map.ts, http-request.ts
// and request-record.ts.
import { formatTraceParent, parseTraceParent, type TraceParent } from '../wire/traceparent.ts';
import type { Mapped } from './context.ts';

/** The caller's trace; null when it sent none that can be continued. */
export function continuedTrace(headers: ReadonlyMap<string, string> | undefined): TraceParent | null {
  const header = headers?.get('traceparent');
  return header === undefined ? null : parseTraceParent(header);
}

/** The `traceparent` for a backend, a trace of this request's own where the caller sent none. */
export function traceParentFor({ requestId, headers, deps }: Pick<Mapped, 'requestId' | 'headers' | 'deps'>): string {
  return formatTraceParent(requestId, continuedTrace(headers), deps.settings.traceRatio ?? 1);
}
