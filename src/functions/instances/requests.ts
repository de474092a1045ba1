// What one instance is asked: load, hooks and requests, each waited for with its limit; and the requests that it has been sent
// ahead. Owned by instance.ts, which keeps its states.
import type { Clock } from '../../base/clock.ts';
import { removeFrom } from '../../base/roster.ts';
import type { Credentials } from '../../model/function.ts';
import type { FrameHeads } from '../../wire/frames.ts';
import { pauseBy } from '../debugging.ts';
import type { Limits } from '../limits.ts';
import { Ahead } from './ahead.ts';
import type { Deadlines } from './deadlines.ts';
import type { Answer, Question } from './exchange.ts';
import type { Call, Ended, Outcome } from './instance-port.ts';
import { judgeCall } from './judge.ts';
import type { PeakMemory } from './memory.ts';
import type { OutputLog } from './request-log.ts';
import type { Road } from './road.ts';
import { frameCredentials, type StartPlan } from './start-plan.ts';
import { type LaterWait, type Wait, Waits } from './waits.ts';

export type RequestsDeps = {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly limits: Limits;
  readonly plan: StartPlan;
  readonly log: OutputLog;
  readonly memory: PeakMemory;
  readonly pid: () => number;
  /** Null: it is not connected. */
  readonly road: () => Road | null;
  /** A request begins (monotonic ms). */
  begins(now: number): void;
  /** It broke the protocol. */
  lost(violation: string): void;
  report(text: string): void;
};

type Caller = { readonly requestId: string; leave: () => void };

const nothing = {};
const disconnected = { kind: 'disconnected' } as const;
const callerGone = { kind: 'caller-gone' } as const;
const expired = { kind: 'expired' } as const;
const recalled = { kind: 'recalled' } as const;

export class Requests {
  readonly #deps: RequestsDeps;
  readonly #waits: Waits<Outcome>;
  /** How to end the waits of requests whose callers have gone. */
  readonly #callers: Caller[] = [];
  /** Null: it runs several requests at once, or under a debugger. */
  readonly #ahead: Ahead | null;
  /** Requests that have not been released. */
  #claims = 0;
  #unanswered = 0;
  /** Something that began was not answered, or was its last: it will be told to end, and begins nothing more. */
  #isDoomed = false;
  /** The credentials that the function has been told. */
  #told: Credentials | null;

  constructor(deps: RequestsDeps) {
    this.#deps = deps;
    const { plan, clock, deadlines } = deps;
    this.#told = plan.credentials;
    this.#waits = new Waits(clock, deadlines, pauseBy(plan.debugPort));
    const isSequential = plan.concurrency === 1 && plan.debugPort === null;
    this.#ahead = isSequential ? new Ahead({ clock, deadlines, recall: () => deps.road()?.ahead?.recall() }) : null;
  }

  /** A request will be given to it. */
  claim(): void {
    this.#claims += 1;
  }

  /** After a request; true when it has no other. */
  release(): boolean {
    this.#claims -= 1;
    return this.#claims === 0;
  }

  /** Whether a further request can be sent while one runs. */
  get hasRoomAhead(): boolean {
    return !this.#isDoomed && this.#ahead?.isOpen === true && this.#claims <= (this.#deps.road()?.ahead?.limit ?? 0);
  }

  /**
   * Sends one request, which must have been claimed. It begins at once; or, where one runs already and only one may, after
   * those before it, which `onTurn` tells.
   */
  invoke(call: Call, onTurn: () => void): Promise<Ended> {
    const { requestId, timeoutMs, event, http, sink, span } = call;
    const { clock, limits, plan } = this.#deps;
    if (this.#isDoomed && plan.concurrency === 1) return Promise.resolve(recalled);
    const isAhead = this.#unanswered > 0 && plan.concurrency === 1;
    // It was given before the others were recalled: the instance would not know that this one is.
    if (isAhead && this.#ahead?.isOpen !== true) return Promise.resolve(recalled);
    if (!isAhead) this.#begin(requestId, call.wantsLogTail);
    const facts = { requestId, tail: call.wantsLogTail, deadline: clock.now() + timeoutMs };
    const fresh = this.#freshCredentials(call.credentials);
    let head: FrameHeads['invoke'] = isAhead ? { ...facts, ahead: true } : facts;
    if (fresh !== nothing) head = { ...head, ...fresh };
    if (span !== null) head = { ...head, span };
    const wait = this.askLater({ type: 'invoke', head, event, http, sink }, timeoutMs);
    const leave = () => this.#leave(wait);
    const caller = { requestId, leave };
    this.#callers.push(caller);
    if (isAhead) this.#queue(caller, wait, onTurn);
    else wait.begin();
    return wait.outcome.then((outcome) => {
      removeFrom(this.#callers, caller);
      if (outcome.kind === 'recalled' && fresh !== nothing) this.#told = null; // the function has not been told them
      return judgeCall({ outcome, limitMs: timeoutMs, resultLimitBytes: limits.invocationBytes });
    });
  }

  /** The caller has gone: the request ends as 'caller-gone', or as 'recalled' if it has not begun. */
  abandon(requestId: string): void {
    this.#callers.findLast((caller) => caller.requestId === requestId)?.leave();
  }

  /** Asks and waits at most `limitMs` for the answer. */
  ask(question: Question, limitMs: number): Promise<Outcome> {
    const wait = this.askLater(question, limitMs);
    wait.begin();
    return wait.outcome;
  }

  /** A wait for something that nothing is asked for. */
  wait(limitMs: number): Wait<Outcome> {
    return this.#waits.begin(limitMs, expired);
  }

  /** It has ended, and all that it has sent is read: what was sent ahead and has not begun by then never will. */
  ended(): void {
    this.#waits.settleAll(disconnected, recalled);
  }

  /** Nobody waits any more, and nobody knows how far it came. */
  giveUp(): void {
    this.#waits.settleAll(disconnected, disconnected);
  }

  /** What is waited for now has at most `limitMs` left. */
  hurry(limitMs: number): void {
    this.#waits.hurry(limitMs);
  }

  close(): void {
    this.#ahead?.close();
  }

  /** The caller of what runs has gone. It may have ended by now: then the next has begun, and must not end with it. */
  #leave(wait: LaterWait<Outcome>): void {
    const isLast = this.#ahead?.recall(() => wait.settle(callerGone)) !== true;
    if (isLast) wait.settle(callerGone);
  }

  #begin(requestId: string, wantsTail: boolean): void {
    const now = this.#deps.clock.monotonic();
    this.#deps.begins(now);
    this.#ahead?.began(now);
    this.#deps.log.begin(requestId, wantsTail);
  }

  #queue(caller: Caller, wait: LaterWait<Outcome>, onTurn: () => void): void {
    const { requestId, leave } = caller;
    let isLeft = false;
    // Nobody knows whether it begins at this moment.
    caller.leave = () => {
      isLeft = true;
      this.#ahead?.recall();
    };
    const begin = () => {
      caller.leave = leave;
      this.#begin(requestId, false); // of which no tail is wanted
      wait.begin();
      onTurn();
      if (isLeft) leave();
    };
    this.#deps.log.expect?.(requestId);
    this.#ahead?.add({ begin, recalled: () => wait.settle(recalled), giveUp: () => wait.settle(disconnected) });
  }

  /** Asks now; its time runs from its begin() on, before which no answer may come. */
  askLater(question: Question, limitMs: number): LaterWait<Outcome> {
    let cancel = () => {};
    let isAnswered = false;
    this.#unanswered += 1;
    const onSettled = () => {
      this.#unanswered -= 1;
      if (!isAnswered && wait.isBegun) this.#isDoomed = true;
      cancel();
    };
    const wait = this.#waits.later({ limitMs, whenLate: expired, onSettled });
    const road = this.#deps.road();
    if (road === null) wait.settle(disconnected);
    else {
      const onAnswer = (answer: Answer) => {
        isAnswered = true;
        this.#answered(wait, answer);
      };
      ({ cancel } = road.ask(question, onAnswer));
    }
    return wait;
  }

  #answered(wait: LaterWait<Outcome>, answer: Answer): void {
    if (!wait.isBegun) {
      this.#deps.lost('an answer to a request that was sent ahead, before the answer to the one that runs');
      return;
    }
    const next = this.#hear(answer);
    if (next !== 'begins') this.#isDoomed = true;
    wait.settle({ kind: 'answer', answer });
    if (next === 'begins') this.#ahead?.advance();
    else if (next === 'unknown') this.#ahead?.giveUp();
  }

  /** Takes note of an answer. What that means for the request behind it, if there is one. */
  #hear(answer: Answer): 'begins' | 'never-begins' | 'unknown' {
    const { memory, clock, pid, report } = this.#deps;
    switch (answer.kind) {
      case 'end':
      case 'error':
        if (answer.rssKb === 0) memory.measureNowAndThen(pid(), clock.monotonic());
        else memory.told(answer.rssKb);
        return answer.kind === 'error' && answer.willExit ? 'never-begins' : 'begins';
      case 'recalled':
        this.#ahead?.refused();
        return 'begins';
      case 'bad-response':
        return 'begins';
      case 'violation':
        report(`broke the protocol: ${answer.reason}`);
        return 'unknown';
      case 'too-large':
        return answer.isWhole ? 'unknown' : 'never-begins';
      case 'lost':
        return 'never-begins';
    }
  }

  /** The member of the invoke frame; nothing when the function knows them. */
  #freshCredentials(credentials: Credentials | null): Pick<FrameHeads['invoke'], 'credentials'> {
    if (credentials === null || credentials === this.#told) return nothing;
    this.#told = credentials;
    return { credentials: frameCredentials(credentials) };
  }
}
