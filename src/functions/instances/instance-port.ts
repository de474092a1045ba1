// What an instance is asked and what it tells its owner. Types only: kept by instance.ts, spoken by pool.ts and invoke.ts.
import type { Clock } from '../../base/clock.ts';
import type { Credentials } from '../../model/function.ts';
import type { HttpHandlerCall } from '../../model/http-handler.ts';
import type {
  CallerSpan,
  ColdStart,
  FunctionErrorType,
  InvokeRefusalCode,
  ResponseSink,
} from '../../model/invocation.ts';
import type { PlatformEnd } from '../documents.ts';
import type { Launcher } from '../launcher/port.ts';
import type { Limits } from '../limits.ts';
import type { Deadlines } from './deadlines.ts';
import type { Answer } from './exchange.ts';
import type { PortClaims } from './port-claims.ts';

/** A request to run. */
export type Call = {
  readonly requestId: string;
  readonly event: Buffer;
  /** A call of the HTTP handler; `event` is its body. */
  readonly http: HttpHandlerCall | null;
  readonly sink: ResponseSink | null;
  readonly wantsLogTail: boolean;
  /** The caller's; null: it names none. */
  readonly span: CallerSpan | null;
  readonly timeoutMs: number;
  /** The function's, as they are now. */
  readonly credentials: Credentials | null;
};

/** How a request ended on the instance. */
export type Ended =
  | { readonly kind: 'answered'; readonly answer: Extract<Answer, { kind: 'end' | 'error' }> }
  | { readonly kind: 'ended'; readonly end: PlatformEnd }
  /** The head of the answer to an HTTP call cannot be sent; the instance serves on. */
  | { readonly kind: 'bad-response'; readonly reason: string }
  /** It was sent ahead and has not begun: it is to be sent elsewhere. */
  | { readonly kind: 'recalled' }
  | { readonly kind: 'caller-gone' };

/** Why an instance never became ready. */
export type StartFailure =
  /** Not the function's fault. */
  | { readonly kind: 'platform'; readonly message: string }
  | { readonly kind: 'ended'; readonly end: PlatformEnd }
  /** The program of a custom runtime could not be started. */
  | { readonly kind: 'refused'; readonly code: InvokeRefusalCode; readonly message: string }
  /** The function's module or initializer failed; `body` is its error document. */
  | { readonly kind: 'error'; readonly errorType: FunctionErrorType; readonly body: Buffer };

/**
 * Milliseconds from the order to start until hello, for loading the module, and for the initializer. With a process that
 * waited (isSpare) codeMs is from the order until it had code and environment and said hello, and startMs is 0.
 */
export type StartTimes = Omit<ColdStart, 'waitMs'>;

export type InstanceEvents<I> = {
  onReady(instance: I): void;
  onStartFailed(instance: I, failure: StartFailure): void;
  /** It is not to get requests any more: its health check failed too often. Called once, while it is ready or busy. */
  onUnwell(instance: I): void;
  /** It is told to end: it serves nobody any more. Called once, also after onStartFailed. */
  onStopping(instance: I): void;
  /** Nothing of it is left. Called once. */
  onGone(instance: I): void;
};

export type InstanceDeps = {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly launcher: Launcher;
  readonly limits: Limits;
  readonly ports: PortClaims;
  readonly turn?: Promise<void> | null; // resolves when it may begin
  forwardLine(requestId: string | null, text: string): void;
  /** For the operator, not for the function's log. */
  report(text: string): void;
};

/** What an instance is waited for, and what came instead. */
export type Outcome =
  | { readonly kind: 'hello' }
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'expired' }
  | { readonly kind: 'disconnected' }
  /** It was sent ahead, and the instance will not begin it. */
  | { readonly kind: 'recalled' }
  | { readonly kind: 'caller-gone' };
