// The W3C trace context that goes with a request: what a caller sent is continued, otherwise the request's own id makes one.
// Source: docs (www.w3.org/TR/trace-context).

/** `traceId` 32, `parentId` 16 lower-case hex digits; `flags` two. */
export type TraceParent = { readonly traceId: string; readonly parentId: string; readonly flags: string };

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Null for a header that must be ignored: malformed, version ff, ids of zeros, something after a version 00. */
export function parseTraceParent(header: string): TraceParent | null {
  const [, version, traceId = '', parentId = '', flags = '', more] = pattern.exec(header.trim()) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return null;
  return { traceId, parentId, flags };
}

/** The 32 hex digits of a request id, a UUID: the id of a trace that begins with this request. */
export function ownTraceId(requestId: string): string {
  return requestId.replaceAll('-', '').toLowerCase();
}

/**
 * What is sent on: the same trace, with the gateway's span as the parent; flags as they came, `01` for a trace of our own,
 * since every request has a record.
 */
export function formatTraceParent(requestId: string, received: TraceParent | null): string {
  const own = ownTraceId(requestId);
  return `00-${received?.traceId ?? own}-${own.slice(16)}-${received?.flags ?? '01'}`;
}
