// What a pool is given, what it gives, and what it needs to know of an instance. Types only: kept by pool.ts.
import type { Clock } from '../../base/clock.ts';
import type { Placed } from '../../base/roster.ts';
import type { FunctionConfig, Hook } from '../../model/function.ts';
import type { ColdStart } from '../../model/invocation.ts';
import type { InterpreterChoice } from '../choose-interpreter.ts';
import type { Limits } from '../limits.ts';
import type { Deadlines } from './deadlines.ts';
import type { InstanceEvents, StartFailure, StartTimes } from './instance-port.ts';
import type { StartGate } from './start-gate.ts';
import type { EndReason, InstanceState } from './state.ts';

/** What a pool needs to know of an instance. */
export type PooledInstance = {
  readonly id: string;
  readonly pid: number;
  readonly state: InstanceState;
  readonly times: StartTimes;
  /** It is to get no further requests. */
  readonly isUnwell: boolean;
  /** It can be given one more request than it has, which it begins after those. */
  readonly hasRoomAhead: boolean;
  /** Somebody works in it by hand. */
  readonly isHeld: boolean;
  hold(): void;
  letGo(): void;
  start(initializer: Hook | null, requestId: string): Promise<void>;
  /** A request will be given to it, or is: until it is released. */
  claim(): void;
  release(): void;
  prepareFreeze(hook: Hook): Promise<boolean>;
  freeze(): void;
  stop(reason: EndReason, graceMs?: number): Promise<void>;
};

/** What a waiting request gets. */
export type Acquired<I> =
  | { readonly kind: 'ready'; readonly instance: I; readonly coldStart: ColdStart | null }
  | {
      readonly kind: 'start-failed';
      readonly instance: I;
      readonly failure: StartFailure;
      readonly coldStart: ColdStart;
    }
  /** The host has no room for an instance. */
  | { readonly kind: 'no-room'; readonly message: string }
  | { readonly kind: 'closed' }
  | { readonly kind: 'caller-gone' };

export type Runnable = Extract<InterpreterChoice, { ok: true }>;

/** What pools share. */
export type PoolDeps<I extends PooledInstance, P> = {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly gate: StartGate;
  readonly limits: Limits;
  /** Makes an instance that has not begun to start; `givesWay`: its start is to delay nobody. */
  createInstance(config: FunctionConfig, choice: Runnable, events: InstanceEvents<I>, givesWay: boolean): I;
  /** Takes one of the host's places for an instance, by ending an idle one elsewhere if need be. False: none is free. */
  takePlace(pool: P): boolean;
  givePlaceBack(): void;
  /** An instance is idle: its place could be taken by a pool that found none. */
  becameIdle(): void;
  /** This process has no time left: more instances at once cannot make anything quicker. */
  isLoopBusy(): boolean;
  /** Forgets an instance that has gone. */
  forget(instance: I): void;
  /** A retired pool has no instances and no requests any more. */
  drained(pool: P): void;
};

/** What a request asks of a pool. */
export type Wish = {
  /** It may be sent to an instance that is busy. */
  readonly mayGoAhead: boolean;
  /** It had an instance, which did not begin it. */
  readonly isReturned: boolean;
};

export type Waiter<I> = Wish &
  Placed & {
    readonly requestId: string;
    readonly since: number;
    resolve(acquired: Acquired<I>): void;
  };
