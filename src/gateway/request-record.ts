// The record of one finished request. Called by pipeline.ts.
import type { Failure, RequestRecord } from '../model/record.ts';
import type { Progress } from './context.ts';

/** Longest host and path that a record keeps, in characters. */
const hostLimit = 255;
const pathLimit = 1024;

/** Everything that is known of a request, however far it came. */
export function recordOf(progress: Progress, status: number, failure: Failure | null): RequestRecord {
  const { request, caller } = progress;
  return {
    requestId: progress.requestId,
    at: progress.at,
    method: progress.method,
    host: (progress.hostHeader ?? '').slice(0, hostLimit),
    path: (progress.path ?? pathOf(request.target)).slice(0, pathLimit),
    clientIp: progress.clientIp,
    groupId: progress.group?.groupId ?? null,
    apiId: progress.api?.apiId ?? null,
    apiName: progress.api?.apiName ?? null,
    stage: progress.stage ?? null,
    appId: caller?.kind === 'app' ? caller.appId : null,
    status,
    totalMs: progress.deps.clock.monotonic() - progress.startedAt,
    backendMs: progress.backendMs ?? null,
    failure,
  };
}

function pathOf(target: string): string {
  const mark = target.indexOf('?');
  return mark === -1 ? target : target.slice(0, mark);
}
