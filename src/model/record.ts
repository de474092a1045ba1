// The record of one request to the gateway or to a function's URL, and why it failed. Made by gateway/ and functions/, kept and
// searched by control.
import type { ColdStart, InvocationFacts } from './invocation.ts';

/** Who has to act: the caller, the API's owner, the function's author, or whoever runs Yunmen. */
export type FaultSide = 'client' | 'api-owner' | 'function' | 'platform' | 'unknown';

/** Why a request failed, exactly. Never holds a computed signature, a secret or a backend's address. */
export type Failure = {
  /** Gateway code (`A403IS`, ...), Function Compute's (`AccessDenied`, ...) or, of an answer that a backend made by itself, its status as text. */
  readonly code: string;
  readonly side: FaultSide;
  /** What is wrong: a header, parameter or member name; null when it is no single thing. */
  readonly field: string | null;
  readonly expected: string | null;
  readonly got: string | null;
  /** One plain sentence: what happened and what to do next. */
  readonly message: string;
  /** The function's own output (tail), when a function was involved. */
  readonly functionLog: string | null;
};

/** The failure if the server answered it itself, with a code of its own; null for what a backend answered, and for a caller who hung up. */
export function ownError(failure: Failure | null): Failure | null {
  return failure === null || /^\d{3}$/.test(failure.code) ? null : failure;
}

/** What came before the handler of a cold call, and how long the handler ran then, ms. */
export type RecordedColdStart = ColdStart & { readonly handlerMs: number };

/** Null: the call was warm. */
export function coldStartOf({
  coldStart,
  durationMs,
}: Pick<InvocationFacts, 'coldStart' | 'durationMs'>): RecordedColdStart | null {
  return coldStart === null ? null : { ...coldStart, handlerMs: durationMs };
}

/** Texts of a request and its answer that the group wants in the log; null: not wanted, or there was none. Secrets are masked. */
export type LoggedParts = {
  readonly requestQueryString: string | null;
  /** JSON text, values by lower-case name. */
  readonly requestHeaders: string | null;
  /** The first 1,024 bytes. */
  readonly requestBody: string | null;
  readonly responseHeaders: string | null;
  readonly responseBody: string | null;
  /** JSON text. */
  readonly jwtClaims: string | null;
};

/** One finished request. Times in epoch ms, durations in ms, sizes in bytes. */
export type RequestRecord = {
  readonly requestId: string;
  readonly at: number;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly clientIp: string;
  readonly isTls: boolean;
  readonly groupId: string | null;
  readonly apiId: string | null;
  readonly apiName: string | null;
  /** The function whose trigger was called, `service/function` or `function`, and the qualifier; null for gateway requests. */
  readonly functionName: string | null;
  readonly qualifier: string | null;
  readonly stage: string | null;
  readonly appId: number | null;
  readonly appName: string | null;
  readonly appKey: string | null;
  /** `X-Ca-Nonce`. */
  readonly nonce: string | null;
  /** The request that this one was made for, where an API calls another through the gateway. */
  readonly initialRequestId: string | null;
  /** The trace that the caller sent; null: one of the request's own, which has the id's 32 hex digits. */
  readonly traceId: string | null;
  /** The id of the caller's own trace, where its group says where that is. */
  readonly customTraceId: string | null;
  /** The caller's span in that trace, and whether it wants the trace to be kept. Not in the log. */
  readonly callerSpan?: { readonly spanId: string; readonly isSampled: boolean } | null;
  readonly status: number;
  /** Of the body; null when it is not known. */
  readonly requestBytes: number | null;
  readonly responseBytes: number | null;
  readonly totalMs: number;
  /** When the backend was asked. */
  readonly backendAt: number | null;
  readonly backendMs: number | null;
  /** Of the function that was called; null: none was, or it was warm. */
  readonly coldStart: RecordedColdStart | null;
  readonly logged: LoggedParts | null;
  readonly failure: Failure | null;
};

/** What a search of the request log asks for; null: anything. `status` is a status or, below 10, its first digit. Times in epoch ms. */
export type RequestQuery = {
  readonly apiId: string | null;
  readonly appId: number | null;
  /** As RequestRecord.functionName. */
  readonly functionName: string | null;
  readonly status: number | null;
  /** From this time on. */
  readonly since: number | null;
  /** Before this time. */
  readonly until: number | null;
  readonly limit: number;
};
