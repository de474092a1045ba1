// One invocation of a function: what is asked and how it ended. Spoken by gateway, control (InvokeFunction) and functions.
import type { CallOffSignal } from '../base/call-off.ts';
import type { FunctionTarget } from './api.ts';
import type { HttpHandlerCall, HttpHandlerHead } from './http-handler.ts';

/** Takes an answer to an HTTP call while it comes. Only for callers in the same process. */
export type ResponseSink = {
  /** Status and headers; the body follows. Once, and only for an answer that the function sends in chunks. */
  head(head: HttpHandlerHead): void;
  /** False: no more before drained(). */
  write(chunk: Buffer): boolean;
  /** Resolves when more can be taken, also when the caller has gone. */
  drained(): Promise<void>;
};

/** The span of the caller's that the function's own belong to, as OpenTracing writes it, and what is carried along with it. */
export type CallerSpan = { readonly context: string; readonly baggages: Readonly<Record<string, string>> };

export type InvokeRequest = {
  readonly target: FunctionTarget;
  /** Shown to the function and in every log line. */
  readonly requestId: string;
  readonly event: Buffer;
  /** Ask for the last 4 KB of the request's output. */
  readonly wantsLogTail: boolean;
  /** Absent: the caller names none. */
  readonly span?: CallerSpan;
  /** A call of the function's HTTP handler; `event` is its body. */
  readonly http?: HttpHandlerCall;
  /** With `http`: an answer in chunks goes here, and the outcome's body is empty. */
  readonly sink?: ResponseSink;
  /**
   * Looks at a successful result; true asks for the log tail after all, because the caller cannot use the result and
   * has to say why. Only for callers in the same process.
   */
  readonly isUnusable?: (result: Buffer) => boolean;
};

/** `X-Fc-Error-Type`. Source: docs. */
export type FunctionErrorType = 'HandledInvocationError' | 'UnhandledInvocationError' | 'InitializationError';

/** FC's own error codes that an invocation can be refused with; their statuses are in control's error table. */
export type InvokeRefusalCode =
  | 'ServiceNotFound'
  | 'FunctionNotFound'
  | 'VersionNotFound'
  | 'AliasNotFound'
  | 'InvalidArgument'
  | 'EntityTooLarge'
  | 'ResourceExhausted'
  | 'ResourceThrottled'
  | 'ClientClosedRequest'
  /** The head that an HTTP handler answered with cannot be sent. */
  | 'BadResponse'
  /** The program of a custom runtime is not there, may not be run, has exited, or does not listen. */
  | 'CAFileNotFound'
  | 'CAFilePermission'
  | 'CAExited'
  | 'FunctionNotStarted'
  | 'InternalServerError';

/**
 * Milliseconds spent before the handler ran. wait: until a process could be started. start: until it said hello; with a
 * process that was waiting already (isSpare) that is 0, and code is what giving it code and environment took. load:
 * importing the function's module. initializer: running it (0: it has none).
 */
export type ColdStart = {
  readonly isSpare: boolean;
  readonly waitMs: number;
  readonly startMs: number;
  readonly codeMs: number;
  readonly loadMs: number;
  readonly initializerMs: number;
};

/** What both a success and a function's failure know. Durations in ms, memory in MB. */
export type InvocationFacts = {
  readonly instanceId: string;
  readonly durationMs: number;
  readonly maxMemoryMb: number;
  readonly codeChecksum: string;
  readonly versionId: string;
  /**
   * The request's output from Start to End marker, at most the last 4 KB.
   * Success: null unless wantsLogTail or isUnusable asked for it. Function errors: always filled (it explains the error).
   */
  readonly logTail: Buffer | null;
  /** Null for a warm call. */
  readonly coldStart: ColdStart | null;
  /** Set when another interpreter than the named runtime served the call, e.g. `python3.9 ran on Python 3.11.2`. */
  readonly runtimeNote: string | null;
};

export type InvocationOutcome =
  | ({
      readonly kind: 'success';
      readonly body: Buffer;
      /** Of a request with `http`. */
      readonly http?: HttpHandlerHead;
    } & InvocationFacts)
  | ({
      readonly kind: 'function-error';
      readonly errorType: FunctionErrorType;
      /** The error document `{errorMessage, errorType?, stackTrace?}` as JSON bytes. */
      readonly body: Buffer;
    } & InvocationFacts)
  | { readonly kind: 'refused'; readonly code: InvokeRefusalCode; readonly message: string };

/** Aborts when the caller has gone. */
export type CallerSignal = CallOffSignal;

/** The narrow type by which neighbours invoke a function. */
export type InvokeFunction = (request: InvokeRequest, signal: CallerSignal) => Promise<InvocationOutcome>;
