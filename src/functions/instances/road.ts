// How an instance is spoken to, whatever it is: frames with a bootstrap, HTTP with a custom runtime's server, the runtime
// API that a Go program polls. Kept by instance.ts; a road is a file: frame-road.ts, http-road.ts, runtime-api-road.ts.
import type { Clock } from '../../base/clock.ts';
import type { Limits } from '../limits.ts';
import type { Answer, Question } from './exchange.ts';
import type { PortClaims } from './port-claims.ts';
import type { StartPlan } from './start-plan.ts';

export type RoadDeps = { readonly clock: Clock; readonly limits: Limits; readonly ports: PortClaims };

export type RoadEvents = {
  /** It can be asked now. Called once, before any answer. */
  onReady(): void;
  /** It cannot be asked any more (`violation` says what it did against the rules). A second call changes nothing. */
  onLost(violation: string | null): void;
  /** It should be asked no more, though it can be. Called once. */
  onUnwell(why: string): void;
  onOutput(chunk: Buffer): void;
  onOutputEnd(): void;
  /** Something that an operator should see: a second connection, a wrong token. */
  onSuspicion(text: string): void;
};

/** Something that was asked; several may be on their way. */
export type Asking = {
  /** Nobody waits for the answer any more; none comes. */
  cancel(): void;
};

/** How an instance takes requests while one runs. */
export type SentAhead = {
  /** So many it keeps. */
  readonly limit: number;
  /**
   * What was sent and has not begun when this returns will not begin: it answers 'recalled', some time. What has begun is
   * known when all that the instance has sent by now is read.
   */
  recall(): void;
};

/** Opened before the process is started: what it will need to connect is there then. */
export type Road = {
  /**
   * It leads to an instance of this function from now on. Once, before the function's code runs.
   *
   * Errors: rejects when what it needs cannot be had; close() is then the caller's.
   */
  adopt(plan: StartPlan): Promise<void>;
  /** What the process must be told of it; there once it was adopted. */
  readonly environment: Readonly<Record<string, string>>;
  /** The launcher runs the function's process. */
  started(): void;
  /**
   * Whether a process that waited can be asked before it is ready: it answers when it is. For who knows that it alone could
   * have connected.
   */
  trust(): boolean;
  /** Null: it is sent a request when it runs none. */
  readonly ahead: SentAhead | null;
  /** The answer comes once, never before ask() has returned. */
  ask(question: Question, onAnswer: (answer: Answer) => void): Asking;
  /** Nothing will be asked for some time; the process may stand still meanwhile. */
  rest(): void;
  /** Closes all sockets and removes the socket directory. No event and no answer comes any more. */
  close(): void;
};
