// The record of one finished request. Called by pipeline.ts.
import { hidden, isSecretName } from '../base/secret-names.ts';
import type { Failure, RequestRecord } from '../model/record.ts';
import { isFlagged } from '../wire/traceparent.ts';
import { RelayedBody } from './backends/relayed-body.ts';
import type { GatewayReply, GatewayRequest, Progress } from './context.ts';
import { loggedParts } from './logged-parts.ts';
import { continuedTrace } from './trace.ts';

/** Longest texts of a caller that a record keeps, in characters. */
const hostLimit = 255;
const pathLimit = 1024;
const idLimit = 128;

/** Everything that is known of a request, however far it came. `reply` null: the caller has gone. */
export function recordOf(
  progress: Progress,
  status: number,
  failure: Failure | null,
  reply: GatewayReply | null,
): RequestRecord {
  const { request, caller, headers } = progress;
  const app = caller?.kind === 'app' ? caller : null;
  const totalMs = progress.deps.clock.monotonic() - progress.startedAt;
  const trace = continuedTrace(headers);
  const backendMs = progress.backendMs ?? null;
  return {
    requestId: progress.requestId,
    at: progress.at,
    method: progress.method.slice(0, idLimit),
    host: (progress.hostHeader ?? '').slice(0, hostLimit),
    path: (maskedPath(progress) ?? progress.path ?? pathOf(request.target)).slice(0, pathLimit),
    clientIp: progress.clientIp,
    isTls: request.isTls,
    groupId: progress.group?.groupId ?? null,
    apiId: progress.api?.apiId ?? null,
    apiName: progress.api?.apiName ?? null,
    functionName: null,
    qualifier: null,
    stage: progress.stage ?? null,
    appId: app?.appId ?? null,
    appName: app?.appName ?? null,
    appKey: app?.appKey ?? null,
    nonce: headers?.get('x-ca-nonce')?.slice(0, idLimit) ?? null,
    initialRequestId: headers?.get('x-ca-api-gateway')?.slice(0, idLimit) ?? null,
    traceId: trace?.traceId ?? null,
    customTraceId: progress.group?.options === undefined ? null : customTraceOf(progress),
    callerSpan: trace === null ? null : { spanId: trace.parentId, isSampled: isFlagged(trace) },
    status,
    requestBytes: receivedBytes(request),
    responseBytes: reply === null ? null : sizeOf(reply),
    totalMs,
    backendAt: backendMs === null ? null : Math.round(progress.at + totalMs - backendMs),
    backendMs,
    coldStart: progress.coldStart ?? null,
    logged: progress.group?.options === undefined ? null : loggedParts(progress, reply),
    failure: failure === null ? null : masked(failure),
  };
}

function customTraceOf({ group, headers, query }: Progress): string | null {
  const place = group?.options?.tracePlace ?? null;
  if (place === null) return null;
  return (place.location === 'HEADER' ? headers : query)?.get(place.name)?.slice(0, idLimit) ?? null;
}

/** Of the body; what came of one that does not say how long it is, null when nothing of that was read. */
export function receivedBytes({ body }: GatewayRequest): number | null {
  if (!body.isPresent) return 0;
  return body.announcedBytes ?? (body.receivedBytes === 0 ? null : body.receivedBytes);
}

function sizeOf({ body, announcedBytes }: GatewayReply): number | null {
  if (typeof body === 'string') return Buffer.byteLength(body);
  return body instanceof RelayedBody ? (announcedBytes ?? null) : body.length;
}

/** A value of something that is named like a secret is not kept. */
function masked(failure: Failure): Failure {
  if (failure.field === null || !holdsValue(failure) || !isSecretName(failure.field)) return failure;
  return { ...failure, got: hidden };
}

/** The strings to sign of a signature's explanation hold no secret: they stand side by side in the record. */
function holdsValue({ code, got }: Failure): boolean {
  return got !== null && code !== 'A403IS';
}

/** The path without what stands where the API has a parameter that is named like a secret; null: it has none. */
export function maskedPath({ api, segments, baseLength = 0 }: Progress): string | null {
  if (api === undefined || segments === undefined || api.hiddenSegments.length === 0) return null;
  const shown = segments.map((text, at) => (api.hiddenSegments.includes(at - baseLength) ? hidden : text));
  return `/${shown.join('/')}`;
}

function pathOf(target: string): string {
  const mark = target.indexOf('?');
  return mark === -1 ? target : target.slice(0, mark);
}
