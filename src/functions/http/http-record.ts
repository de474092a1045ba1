// The record of one finished call of an HTTP trigger, for the log of requests and the metrics. Made by http-door.ts.
import type { HttpFunctionOutcome, HttpTrigger } from '../../model/http-function.ts';
import type { Failure, FaultSide, RequestRecord } from '../../model/record.ts';
import { isFlagged, type TraceParent } from '../../wire/traceparent.ts';
import type { HttpDoorError } from './errors.ts';

/** Longest texts of a caller, and of a function, that a record keeps, in characters. */
const hostLimit = 255;
const pathLimit = 1024;
const methodLimit = 32;
const gotLimit = 500;

type Known =
  | 'requestId'
  | 'at'
  | 'method'
  | 'host'
  | 'path'
  | 'clientIp'
  | 'status'
  | 'totalMs'
  | 'coldStart'
  | 'failure';
type Sizes = 'requestBytes' | 'responseBytes';

/** What the steps of http-door.ts have learned. Times as in the record. */
export type HttpFacts = Pick<RequestRecord, Known | Sizes> & {
  /** What the caller sent. */
  readonly trace: TraceParent | null;
  readonly trigger: HttpTrigger | null;
  /** How long the function took, ms; null: it was not called. */
  readonly functionMs: number | null;
  readonly calledAt: number | null;
};

export function httpRecordOf(facts: HttpFacts): RequestRecord {
  const { trigger, trace } = facts;
  return {
    requestId: facts.requestId,
    at: facts.at,
    method: facts.method.slice(0, methodLimit),
    host: facts.host.slice(0, hostLimit),
    path: facts.path.slice(0, pathLimit),
    clientIp: facts.clientIp,
    isTls: false,
    groupId: null,
    apiId: null,
    apiName: null,
    functionName: trigger === null ? null : nameOf(trigger),
    qualifier: trigger?.qualifier ?? null,
    stage: null,
    appId: null,
    appName: null,
    appKey: null,
    nonce: null,
    initialRequestId: null,
    customTraceId: null,
    logged: null,
    traceId: trace?.traceId ?? null,
    callerSpan: trace === null ? null : { spanId: trace.parentId, isSampled: isFlagged(trace) },
    status: facts.status,
    requestBytes: facts.requestBytes,
    responseBytes: facts.responseBytes,
    totalMs: facts.totalMs,
    backendAt: facts.calledAt,
    backendMs: facts.functionMs,
    coldStart: facts.coldStart,
    failure: facts.failure,
  };
}

/** `service/function`, or `function` of FC 3. */
function nameOf({ serviceName, functionName }: HttpTrigger): string {
  return serviceName === null ? functionName : `${serviceName}/${functionName}`;
}

const nobodyKnows = { field: null, expected: null, got: null, functionLog: null };

export const callerGone: Failure = {
  ...nobodyKnows,
  code: 'ClientClosedRequest',
  side: 'client',
  message: 'The caller closed the connection before the whole answer.',
};

/** Codes that are not the caller's business; all others are. */
const sides: Readonly<Record<string, FaultSide>> = {
  CAFileNotFound: 'function',
  CAFilePermission: 'function',
  CAExited: 'function',
  FunctionNotStarted: 'function',
  BadResponse: 'function',
  ResourceExhausted: 'platform',
  ResourceThrottled: 'platform',
  InternalServerError: 'platform',
};

export function failureOf({ code, message }: Pick<HttpDoorError, 'code' | 'message'>): Failure {
  return { ...nobodyKnows, code, side: sides[code] ?? 'client', message };
}

/** The function failed, or answered a failure by itself; null when all is well. */
export function failureOfOutcome(outcome: HttpFunctionOutcome): Failure | null {
  switch (outcome.kind) {
    case 'refused':
      return failureOf(outcome);
    case 'function-error':
      return {
        code: outcome.errorType,
        side: 'function',
        field: 'result',
        expected: 'a result without an exception',
        got: outcome.body.toString('utf8', 0, 4 * gotLimit).slice(0, gotLimit),
        functionLog: outcome.logTail?.toString('utf8') ?? null,
        message: `The function failed (${outcome.errorType}); its error and output are in the record of this request.`,
      };
    case 'answer': {
      const { status } = outcome.head;
      if (status < 400) return null;
      const got = String(status);
      const message = `The function answered ${got} by itself; its answer was passed on.`;
      return { ...nobodyKnows, code: got, side: 'function', field: 'statusCode', got, message };
    }
  }
}
