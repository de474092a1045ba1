// The instances of one published configuration of one function, and the requests that wait for one.
// Called by invoke.ts (take, wait, putBack) and functions.ts (retire, sweep).

import { newRequestId } from '../../base/ids.ts';
import { nowhere, removeFrom } from '../../base/roster.ts';
import type { FunctionConfig } from '../../model/function.ts';
import type { CallerSignal, ColdStart } from '../../model/invocation.ts';
import { shareOf } from '../../model/shares.ts';
import { type Kept, nothingKept } from '../provisioning/kept.ts';
import { shareLimitsOf } from './concurrency.ts';
import { Freezer } from './freezer.ts';
import { Growth } from './growth.ts';
import { hold, isHeldBack } from './hold.ts';
import { IdleInstances } from './idle.ts';
import type { InstanceEvents, StartFailure } from './instance-port.ts';
import type { Acquired, PoolDeps, PooledInstance, Runnable, Waiter, Wish } from './pool-port.ts';
import { allowedInstances, type Quota } from './quota.ts';
import { Recheck } from './recheck.ts';
import { Shares } from './shares.ts';
import { describeFailure } from './start-failures.ts';
import type { Starter } from './start-gate.ts';
import { StartPace } from './start-pace.ts';
import { blamed, type EndReason, isAlive } from './state.ts';
import { WaitQueue } from './wait-queue.ts';

export const plainWish: Wish = { mayGoAhead: false, isReturned: false };

/**
 * Idle instances are reused last in, first out; waiting requests are served first in, first out, by whichever
 * instance frees first. While this process is the narrow place, quick requests wait for the few instances that the
 * processors can run at once, though others are idle: those would do the same work with colder caches. An instance that
 * fails to start answers one waiting request with its failure, so a function that cannot start causes as many starts as
 * it has callers, and no more.
 */
export class Pool<I extends PooledInstance> implements Starter {
  readonly config: FunctionConfig;
  readonly #deps: PoolDeps<I, Pool<I>>;
  readonly #choice: Runnable;
  readonly #instances = new Set<I>();
  readonly #idle = new IdleInstances<I>();
  /** Those that have not served a request well yet. */
  readonly #unproven = new Set<I>();
  /** Those that are claimed, of a pool whose instances run one request at a time. */
  readonly #claimed: I[] = [];
  readonly #waiting = new WaitQueue<I>();
  readonly #recheck: Recheck;
  readonly #growth: Growth;
  readonly #freezer: Freezer<I>;
  /** Instances that are not ending; those of them that are starting. */
  #alive = 0;
  #starting = 0;
  #isRetired = false;
  readonly #pace = new StartPace();
  /** How the last start failed: what callers are told while the pace lets no other begin. */
  #lastFailure: { readonly instance: I; readonly failure: StartFailure } | null = null;
  /** Requests admitted and not yet answered; kept by invoke.ts. */
  inFlight = 0;
  /** The limit that its function's owner has set; kept by quota.ts. */
  quota: Quota | null = null;
  /** Why no instance could be started when one was wanted last. */
  #lackOfRoom = '';
  #kept: Kept = nothingKept;
  /** Instances that it may have by the function's bound. */
  readonly most: number;
  /** Null: an instance runs one request at a time. */
  readonly #shares: Shares<I> | null;

  constructor(config: FunctionConfig, choice: Runnable, deps: PoolDeps<I, Pool<I>>) {
    this.config = config;
    this.#choice = choice;
    this.#deps = deps;
    this.most = shareOf(deps.limits.instancesPerFunction, deps.limits.among, config.key);
    const limits = shareLimitsOf(config, choice);
    this.#shares = limits === null ? null : new Shares(limits);
    this.#growth = new Growth(deps.limits.startsAtOnce);
    this.#recheck = new Recheck(deps.deadlines, (planned) => this.#lookAgain(planned));
    this.#freezer = new Freezer({
      clock: deps.clock,
      deadlines: deps.deadlines,
      freezeMs: deps.limits.freezeMs,
      hook: config.preFreeze ?? null,
      idle: this.#idle,
      keepsCpu: () => this.#kept.keepsCpu,
      isRetired: () => this.#isRetired,
      isWanted: () => this.#waiting.size > 0,
      offer: (instance) => this.#offer(instance, null),
    });
  }

  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** Requests that one instance runs at once. */
  get concurrency(): number {
    return this.#shares?.limits.most ?? 1;
  }

  get starting(): number {
    return this.#starting;
  }

  get runtimeNote(): string | null {
    return this.#choice.note;
  }

  get instances(): ReadonlySet<I> {
    return this.#instances;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** When its longest unused instance became idle (monotonic ms); null when none is that may end. */
  get oldestIdleSince(): number | null {
    return this.#alive > this.#kept.minimum ? (this.#idle.oldest?.state.since ?? null) : null;
  }

  /** Provisioned instances that it keeps. */
  get minimum(): number {
    return this.#kept.minimum;
  }

  /** Whether instances may be started beyond those. */
  get allowsOnDemand(): boolean {
    return this.#kept.allowsOnDemand && this.config.disablesOnDemand !== true;
  }

  /** Why instances that are to be kept are missing; empty: none is, or they are on their way. */
  get problem(): string {
    if (this.#alive >= this.#kept.minimum) return '';
    if (this.#lastFailure === null) return this.#lackOfRoom;
    return describeFailure(this.#lastFailure.failure);
  }

  /** From now on so many instances are there, whoever calls: missing ones are started, idle ones do not end. */
  keep(kept: Kept): void {
    this.#kept = kept;
    if (this.#alive < kept.minimum) this.#grow();
  }

  /** An instance that is idle or takes the request ahead, now claimed for the caller; or null. */
  take(wish: Wish = plainWish): I | null {
    if (this.#shares !== null) return this.#takeShare(this.#shares);
    if (this.#waiting.size > 0) return null;
    const isHeld = this.#isHoldingBack(this.#busy);
    const instance = isHeld ? (wish.mayGoAhead ? this.#takerAhead() : null) : this.#idle.take();
    return instance === null ? null : this.#claim(instance);
  }

  #claim(instance: I): I {
    instance.claim();
    if (this.#shares === null && !this.#claimed.includes(instance)) this.#claimed.push(instance);
    return instance;
  }

  /** One that is busy and can be sent a further request. While requests are held back few are busy. */
  #takerAhead(): I | null {
    for (const instance of this.#claimed) if (instance.state.kind === 'busy' && instance.hasRoomAhead) return instance;
    return null;
  }

  /** One that has room for a further request; a further instance is begun when they all run enough. */
  #takeShare(shares: Shares<I>): I | null {
    const { most, enough } = shares.limits;
    const instance =
      this.#waiting.size > 0 ? null : (shares.fullestBelow(enough) ?? this.#idle.take() ?? shares.fullestBelow(most));
    if (instance === null) return null;
    shares.add(instance);
    if (this.#wantsStart()) this.#deps.gate.want(this);
    return this.#claim(instance);
  }

  /** Waits for an instance; starts one if that is the quicker way. */
  wait(requestId: string, signal: CallerSignal, wish: Wish = plainWish): Promise<Acquired<I>> {
    return new Promise((resolve) => {
      const waiter: Waiter<I> = {
        ...wish,
        place: nowhere,
        requestId,
        since: this.#deps.clock.monotonic(),
        resolve: (acquired) => {
          signal.removeEventListener('abort', onAbort);
          resolve(acquired);
        },
      };
      const onAbort = () => {
        if (this.#waiting.delete(waiter)) waiter.resolve({ kind: 'caller-gone' });
      };
      this.#waiting.add(waiter);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) {
        onAbort();
        return;
      }
      this.#grow();
    });
  }

  /** An instance after a request that took `durationMs` of it and ended well: serves who waits, or rests. */
  putBack(instance: I, durationMs: number): void {
    if (!isAlive(instance.state)) return; // another of its requests may have ended it meanwhile
    this.#release(instance);
    this.#pace.served();
    this.#unproven.delete(instance);
    this.#growth.served(durationMs);
    if (this.#shares === null) this.#goOn(instance);
    else if (this.#shares.remove(instance) === 0) this.#restOrLeave(this.#shares, instance);
    else this.#fill(this.#shares, instance, null);
  }

  /** An instance that did not begin a request which it was sent ahead. */
  takeBack(instance: I): void {
    if (!isAlive(instance.state)) return;
    this.#release(instance);
    this.#goOn(instance);
  }

  #release(instance: I): void {
    instance.release();
    if (instance.state.kind !== 'busy') removeFrom(this.#claimed, instance);
  }

  /** It has requests that it was sent ahead, and may get more; or rests. */
  #goOn(instance: I): void {
    if (instance.state.kind === 'busy') this.#fillAhead(instance);
    else this.#restOrEnd(instance);
  }

  /** Who waits is sent to it, as far as it keeps requests while it runs another. */
  #fillAhead(instance: I): void {
    while (this.#waiting.first?.mayGoAhead === true && instance.hasRoomAhead && this.#isHoldingBack(this.#busy)) {
      this.#give(instance, null);
    }
  }

  /** An instance after a request that ended badly: it ends when no other runs in it. */
  giveUp(instance: I, reason: EndReason, graceMs: number): void {
    const left = this.#shares?.remove(instance) ?? 0;
    if (this.#shares === null || left === 0 || reason === 'exited') void instance.stop(reason, graceMs);
    else this.#shares.leave(instance, reason);
  }

  #restOrEnd(instance: I): void {
    if (instance.isUnwell) void instance.stop('unwell');
    else this.#offer(instance, null);
  }

  /** No request runs in it any more. */
  #restOrLeave(shares: Shares<I>, instance: I): void {
    const reason = shares.leavesFor(instance);
    if (reason !== null) void instance.stop(reason, this.#deps.limits.graceMs);
    else this.#offer(instance, null);
  }

  /** Gives it to as many that wait as it has room for. */
  #fill(shares: Shares<I>, instance: I, coldStart: ((instance: I, waiter: Waiter<I>) => ColdStart) | null): void {
    while (this.#waiting.size > 0 && shares.hasRoom(instance)) {
      shares.add(instance);
      this.#give(instance, coldStart);
    }
  }

  /** No new requests come: idle instances end now, the others when the requests that were admitted are served. */
  retire(reason: EndReason): void {
    this.#isRetired = true;
    this.#kept = nothingKept;
    for (const instance of this.#idle.takeAll()) void instance.stop(reason);
    this.#settleIfDrained();
  }

  /** Ends everything at once; who waits is told. */
  async close(): Promise<void> {
    this.#isRetired = true;
    this.#idle.takeAll();
    this.#recheck.close();
    this.#freezer.close();
    for (const waiter of this.#waiting.takeAll()) waiter.resolve({ kind: 'closed' });
    await Promise.all([...this.#instances].map((instance) => instance.stop('closed')));
  }

  /** Ends instances that have been idle since before `before` (monotonic ms). */
  endIdleSince(before: number): void {
    while ((this.oldestIdleSince ?? before) < before) this.endOldestIdle();
  }

  /** Who waits is told, unless an instance of its own will free. */
  refuseForLackOfRoom(message: string): void {
    this.#lackOfRoom = message;
    if (this.#alive > 0) return;
    for (const waiter of this.#waiting.takeAll()) waiter.resolve({ kind: 'no-room', message });
  }

  /** Ends the longest unused instance, to make room elsewhere. */
  endOldestIdle(): void {
    void this.#idle.oldest?.stop('idle');
  }

  /** Until what this gives is called the instance is neither frozen nor ended for being unused; it serves on meanwhile. */
  hold(instance: I): () => void {
    instance.hold();
    return () => {
      instance.letGo();
      if (!instance.isHeld && this.#idle.remove(instance)) this.#offer(instance, null);
    };
  }

  startOne(): boolean {
    if (!this.#wantsStart()) return false;
    const { first } = this.#waiting; // without a request it is one of those that are kept
    if (!this.#deps.takePlace(this)) return false;
    this.#lackOfRoom = '';
    const began = this.#deps.clock.monotonic();
    let isStarting = true;
    /** `use` is done before others may start: it may make a further start needless. */
    const started = (use: () => void) => {
      const wasStarting = isStarting;
      isStarting = false;
      if (wasStarting) this.#starting -= 1;
      use();
      if (wasStarting) this.#deps.gate.finished();
    };
    const coldStart = (instance: I, waiter: Waiter<I>): ColdStart => ({
      waitMs: Math.max(0, began - waiter.since),
      ...instance.times,
    });
    const events: InstanceEvents<I> = {
      onReady: (ready) => {
        this.#pace.started();
        this.#unproven.add(ready);
        this.#growth.started(ready.times);
        started(() => this.#offer(ready, coldStart));
      },
      onStartFailed: (failed, failure) => {
        this.#lastFailure = { instance: failed, failure };
        this.#pace.startFailed(this.#deps.clock.monotonic());
        const waiter = this.#waiting.takeFirst();
        waiter?.resolve({ kind: 'start-failed', instance: failed, failure, coldStart: coldStart(failed, waiter) });
      },
      onUnwell: (unwell) => {
        if (this.#idle.has(unwell)) void unwell.stop('unwell');
        else this.#shares?.leave(unwell, 'unwell');
      },
      onStopping: (stopping) => {
        const reason = stopping.state.kind === 'stopping' ? stopping.state.reason : 'closed';
        if (blamed.has(reason)) this.#pace.ended(this.#deps.clock.monotonic());
        if (this.#unproven.delete(stopping) && reason === 'exited') this.#pace.crashed(this.#deps.clock.monotonic());
        this.#idle.remove(stopping);
        removeFrom(this.#claimed, stopping);
        this.#shares?.forget(stopping);
        started(() => {
          this.#alive -= 1;
          this.#deps.givePlaceBack();
        });
        this.#grow();
      },
      onGone: (gone) => {
        this.#instances.delete(gone);
        this.#deps.forget(gone);
        this.#settleIfDrained();
      },
    };
    const instance = this.#deps.createInstance(this.config, this.#choice, events, this.#pace.givesWay(began));
    this.#starting += 1;
    this.#alive += 1;
    this.#instances.add(instance);
    void instance.start(this.config.initializer, first?.requestId ?? newRequestId());
    return true;
  }

  /** Gives a ready instance to who waits longest; else it rests, or ends when the pool is retired. */
  #offer(instance: I, coldStart: ((instance: I, waiter: Waiter<I>) => ColdStart) | null): void {
    if (this.#shares !== null && this.#waiting.size > 0) {
      this.#fill(this.#shares, instance, coldStart);
    } else if (this.#waiting.size > 0 && (coldStart !== null || !this.#isHoldingBack(this.#busy - 1))) {
      this.#give(instance, coldStart);
      this.#fillAhead(instance);
    } else if (this.#isRetired) {
      void instance.stop('replaced');
    } else {
      this.#idle.add(instance);
      this.#deps.becameIdle();
      this.#freezer.plan();
    }
  }

  #give(instance: I, coldStart: ((instance: I, waiter: Waiter<I>) => ColdStart) | null): void {
    this.#growth.moved(this.#deps.clock.monotonic());
    const waiter = this.#waiting.takeFirst();
    if (waiter === null) return;
    this.#claim(instance);
    waiter.resolve({ kind: 'ready', instance, coldStart: coldStart === null ? null : coldStart(instance, waiter) });
  }

  /** Instances that serve a request or run a hook. */
  get #busy(): number {
    return this.#alive - this.#starting - this.#idle.size;
  }

  /** Whether an instance beside `others` busy ones is better left idle: see the class. */
  #isHoldingBack(others: number): boolean {
    if (this.#shares !== null || this.#isRetired) return false;
    const facts = { others, processors: this.#deps.limits.processors, typicalMs: this.#growth.typicalMs };
    return isHeldBack(facts, () => this.#deps.isLoopBusy());
  }

  #lookAgain(planned: number): void {
    const now = this.#deps.clock.monotonic();
    // This process itself stood still: what instances have answered meanwhile is not read yet, and says more than the wait.
    if (now > planned + hold.lateMs) this.#growth.moved(now);
    // When no request has ended for a while, what was held back is held back no more.
    this.#grow(now >= this.#waitsSince() + hold.limitMs);
  }

  #serveByIdle(isStalled: boolean): void {
    // A stall at most doubles how many run: it may be the machine's and not the function's.
    let extra = isStalled ? this.#busy : 0;
    while (this.#idle.size > 0 && this.#waiting.size > 0 && (!this.#isHoldingBack(this.#busy) || extra-- > 0)) {
      const instance = this.#idle.take();
      if (instance === null) return;
      if (this.#shares === null) this.#give(instance, null);
      else this.#fill(this.#shares, instance, null);
    }
  }

  #waitsSince(): number {
    return this.#growth.waitsSince(this.#waiting.first?.since ?? null);
  }

  #grow(isStalled = false): void {
    this.#serveByIdle(isStalled);
    this.#answerByLastFailure();
    if (this.#wantsStart()) {
      this.#deps.gate.want(this);
      return;
    }
    const isAnyHeld = this.#idle.size > 0 && this.#waiting.size > 0;
    if (isAnyHeld || this.#waiting.size > this.#starting) {
      // Waiting seems quicker than starting. Should that turn out wrong, look again.
      const waitMs = isAnyHeld ? hold.limitMs : this.#growth.startCostMs;
      this.#recheck.plan(Math.max(this.#waitsSince() + waitMs, this.#pace.pausedUntil));
    } else if (this.#alive < this.#kept.minimum && this.#pace.pausedUntil > this.#deps.clock.monotonic()) {
      this.#recheck.plan(this.#pace.pausedUntil);
    }
  }

  /** Nothing runs, and nothing may be started now because it died so often: who waits gets its error at once. */
  #answerByLastFailure(): void {
    if (this.#lastFailure === null || this.#alive > 0 || !this.#pace.isLooping) return;
    if (this.#deps.clock.monotonic() >= this.#pace.pausedUntil) return;
    const coldStart = { isSpare: false, waitMs: 0, startMs: 0, codeMs: 0, loadMs: 0, initializerMs: 0 };
    for (const waiter of this.#waiting.takeAll()) {
      waiter.resolve({ kind: 'start-failed', ...this.#lastFailure, coldStart });
    }
  }

  /** Whether an instance is missing that is to be kept, or one more would serve a waiting request sooner than those there are. */
  #wantsStart(): boolean {
    if (this.#alive >= this.most || this.#alive >= allowedInstances(this)) return false;
    if (this.#pace.isLooping && this.#starting > 0) return false;
    const now = this.#deps.clock.monotonic();
    if (now < this.#pace.pausedUntil) return false;
    if (this.#alive < this.#kept.minimum) return true;
    const starting = this.#starting;
    const counts = { starting, idle: this.#idle.size, waiting: this.#waiting.size };
    if (this.#shares !== null) {
      return this.#shares.wantsMore({ ...counts, inFlight: this.inFlight, alive: this.#alive });
    }
    const firstSince = this.#waiting.first?.since ?? null;
    return this.#growth.isQuicker({ ...counts, firstSince, serving: this.#alive - starting }, now);
  }

  #settleIfDrained(): void {
    if (!this.#isRetired || this.#instances.size > 0 || this.#waiting.size > 0) return;
    this.#recheck.close();
    this.#freezer.close();
    this.#deps.drained(this);
  }
}
