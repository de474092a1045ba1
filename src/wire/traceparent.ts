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

/** Whether the caller wants the trace to be kept. */
export function isFlagged({ flags }: TraceParent): boolean {
  return (Number.parseInt(flags, 16) & 1) === 1;
}

/** The last 32 hex digits of a request id, a UUID or `1-<8 digits>-<24 digits>`: the id of a trace that begins with this request. */
export function ownTraceId(requestId: string): string {
  return requestId.replaceAll('-', '').toLowerCase().slice(-32);
}

/**
 * Whether a trace that begins here is one of the share that is kept: by its id, so that everybody who looks decides alike.
 * Version and variant digits of a UUID, and the time of the other form, are in the first 17 digits; the last 13 are random.
 */
export function isSampled(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(19), 16) < ratio * 2 ** 52;
}

/**
 * What is sent on: the same trace, with the gateway's span as the parent; flags as they came, of a trace of our own whether it is one of the share
 * that is kept (all, where nobody says otherwise: every request has a record).
 */
export function formatTraceParent(requestId: string, received: TraceParent | null, ratio = 1): string {
  const own = ownTraceId(requestId);
  const flags = received?.flags ?? (isSampled(own, ratio) ? '01' : '00');
  return `00-${received?.traceId ?? own}-${own.slice(16)}-${flags}`;
}
