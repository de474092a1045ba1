// One instance as the data process knows it: its state, its connection, its output and the request that it runs.
// Made by pool.ts; invoke.ts delivers requests to it and releases it.
import { afterRead } from '../../base/after-read.ts';
import { newRequestId } from '../../base/ids.ts';
import { nowhere } from '../../base/roster.ts';
import type { Hook } from '../../model/function.ts';
import type { Exit } from '../launcher/port.ts';
import { giveFunction } from '../spares/give-function.ts';
import type { Spare } from '../spares/spare.ts';
import type { Deadline } from './deadlines.ts';
import type { Call, Ended, InstanceDeps, InstanceEvents, Outcome, StartFailure, StartTimes } from './instance-port.ts';
import { judgeStart } from './judge.ts';
import { PeakMemory } from './memory.ts';
import { openRoad } from './open-road.ts';
import { checkProgram, describeProgramFailure } from './program.ts';
import { type OutputLog, RequestLog } from './request-log.ts';
import { Requests } from './requests.ts';
import type { Road, RoadEvents } from './road.ts';
import { SharedLog } from './shared-log.ts';
import type { StartPlan } from './start-plan.ts';
import { type EndReason, type InstanceState, isAlive, isReady, move } from './state.ts';
import type { LaterWait } from './waits.ts';

/** How long frames and output of a process that has exited may still be on their way. */
const drainMs = 100;
/** How long the launcher may take to tell of an exit, and with it of the memory that was used. */
const tellMs = 500;

export class Instance {
  readonly id: string;
  readonly startedAt: number; // when it was made, epoch ms
  /** Of its first process; 0 before that is started. */
  pid = 0;
  readonly plan: StartPlan;
  readonly log: OutputLog;
  readonly #deps: InstanceDeps;
  readonly #events: InstanceEvents<Instance>;
  readonly #requests: Requests;
  /** Ends the wait for its hello. */
  #helloCame = () => {};
  readonly #drain: Deadline = { place: nowhere, at: 0, expire: () => this.#requests.ended() };
  #state: InstanceState;
  address: string | null = null; // its own in a network of its own
  #road: Road | null = null;
  #holds = 0;
  #ending: Promise<void> | null = null;
  #isConnected = false;
  /** It can be asked before its hello. */
  #isTrusted = false;
  /** It has been asked to load the function before its hello. */
  #early: LaterWait<Outcome> | null = null;
  isUnwell = false;
  #isFreezeReported = false;
  /** Resolves when the launcher has told of the exit. */
  readonly #exit = Promise.withResolvers<void>();
  #howExited: Exit | null = null;
  readonly #memory = new PeakMemory();
  /** The process that waited for it; null: it has none, or no longer. */
  #spare: Spare | null;
  #times: StartTimes = { isSpare: false, startMs: 0, codeMs: 0, loadMs: 0, initializerMs: 0 };

  constructor(plan: StartPlan, deps: InstanceDeps, events: InstanceEvents<Instance>, spare: Spare | null = null) {
    this.#spare = spare;
    this.id = plan.launch.instanceId;
    this.startedAt = deps.clock.now();
    this.plan = plan;
    this.#deps = deps;
    this.#events = events;
    this.#state = { kind: 'starting', since: deps.clock.monotonic() };
    const forward = (requestId: string | null, text: string) => deps.forwardLine(requestId, text);
    this.log = plan.concurrency > 1 ? new SharedLog(forward) : new RequestLog(forward);
    const { clock, deadlines, limits } = deps;
    this.#requests = new Requests({
      clock,
      deadlines,
      limits,
      plan,
      log: this.log,
      memory: this.#memory,
      pid: () => this.pid,
      road: () => (this.#isConnected || this.#isTrusted ? this.#road : null),
      begins: (now) => this.#begins(now),
      lost: (violation) => this.#lost(violation),
      report: (text) => this.#report(text),
    });
  }

  get state(): InstanceState {
    return this.#state;
  }

  get times(): StartTimes {
    return this.#times;
  }

  /** Peak memory as the process last told it, KB. */
  get peakKb(): number {
    return this.#memory.kb;
  }

  /**
   * Starts the process, loads the function and runs its initializer; then it is idle and onReady is called, or
   * onStartFailed and it ends. `requestId` is the request for which it is started: the initializer is told it.
   */
  async start(initializer: Hook | null, requestId: string): Promise<void> {
    const failure =
      (await this.#launch()) ??
      (await this.#load()) ??
      (initializer && (await this.#initialize(initializer, requestId)));
    if (!isAlive(this.#state)) return;
    if (failure === null) {
      this.#state = move(this.#state, { kind: 'idle', since: this.#deps.clock.monotonic() });
      this.#events.onReady(this);
      return;
    }
    if (failure.kind === 'ended') {
      const hasExited = failure.end.kind === 'exited' || failure.end.kind === 'initializer-exited';
      await Promise.all([this.outputCompleted(drainMs / 2), hasExited ? this.exitTold() : null]);
    } else if (failure.kind !== 'platform') await this.outputCompleted(drainMs / 10);
    if (!isAlive(this.#state)) return;
    this.#events.onStartFailed(this, failure);
    await this.stop(failure.kind === 'platform' ? 'start-failed' : 'load-failed');
  }

  /**
   * Runs one request; the instance must have been claimed for it, and be ready, or busy with fewer requests than it takes at
   * once, or take it ahead (`onTurn` then tells when it begins). It stays busy until each is released, or until stop().
   */
  invoke(call: Call, onTurn: () => void): Promise<Ended> {
    // The request goes out meanwhile: it is read as soon as the process goes on.
    if (this.#state.kind === 'frozen') void this.#setFrozen(false);
    // It was given before it was known that it ends.
    if (!isAlive(this.#state)) return Promise.resolve({ kind: 'recalled' });
    return this.#requests.invoke(call, onTurn);
  }

  #begins(now: number): void {
    if (this.#state.kind === 'busy' && this.plan.concurrency > 1) return;
    this.#state = move(this.#state, { kind: 'busy', since: now });
  }

  /** Whether a request can be given up without ending the instance: nobody else notices. */
  get letsGo(): boolean {
    return this.plan.road.kind === 'http' && this.plan.concurrency > 1;
  }

  /** The caller has gone: the request ends as 'caller-gone'. The owner then stops the instance, unless it lets go. */
  abandon(requestId: string): void {
    this.#requests.abandon(requestId);
  }

  /** A request will be given to it. */
  claim(): void {
    this.#requests.claim();
  }

  /** Whether it can be given one more request than it has, which it begins after those. */
  get hasRoomAhead(): boolean {
    return this.#requests.hasRoomAhead;
  }

  /** After a request that ended well, or was recalled: idle again, when it has no other. */
  release(): void {
    if (!this.#requests.release() || this.#state.kind !== 'busy') return;
    this.#state = move(this.#state, { kind: 'idle', since: this.#deps.clock.monotonic() });
  }

  /**
   * Runs the hook before a freeze; the instance is idle, and idle again when this gives true. Its failure changes
   * nothing; a hook that does not end in its time ends the instance: nobody can tell when it would be ready again.
   */
  async prepareFreeze(hook: Hook): Promise<boolean> {
    const { since } = this.#state;
    this.#state = move(this.#state, { kind: 'freezing', since });
    const outcome = await this.#runHook('preFreeze', hook);
    if (this.#state.kind !== 'freezing') return false;
    if (outcome.kind === 'answer') {
      this.#state = move(this.#state, { kind: 'idle', since });
      return true;
    }
    void this.stop(outcome.kind === 'expired' ? 'timed-out' : 'exited');
    return false;
  }

  get isHeld(): boolean {
    return this.#holds > 0;
  }

  /** Somebody works in it by hand. */
  hold(): void {
    this.#holds += 1;
    if (this.#state.kind !== 'frozen') return;
    this.#state = move(this.#state, { kind: 'idle', since: this.#state.since });
    void this.#setFrozen(false);
  }

  /** Nobody does any more, if all have let go: as if it had been used now. */
  letGo(): void {
    this.#holds -= 1;
    if (this.#state.kind === 'idle') this.#state = { kind: 'idle', since: this.#deps.clock.monotonic() };
  }

  /** Nothing of an idle instance runs any more until its next request. */
  freeze(): void {
    this.#state = move(this.#state, { kind: 'frozen', since: this.#state.since });
    this.#road?.rest();
    void this.#setFrozen(true);
  }

  /**
   * Ends it; a second call only waits. `graceMs` lies between SIGTERM and SIGKILL, 0 kills at once.
   * Resolves when nothing is left.
   */
  stop(reason: EndReason, graceMs = 0): Promise<void> {
    this.#ending ??= this.#end(reason, graceMs);
    if (reason === 'closed') this.#hurry();
    return this.#ending;
  }

  /** The launcher says that the process has ended and nothing of it is left. */
  exited(exit: Exit): void {
    if (this.#spare !== null) {
      // Before its hello another takes its place.
      this.#requests.ended();
      return;
    }
    this.#memory.told(exit.peakMemoryKb);
    this.#howExited = exit;
    this.#exit.resolve();
    if (!isAlive(this.#state)) return;
    if (this.state.kind === 'starting') this.#report(`ended (${exit.signal ?? exit.code}) before it said hello`);
    // What it has sent may not be read yet: the end of its connection (or of its output) is the end of the request.
    if (!this.#isConnected) this.log.whenComplete(null, () => this.#requests.ended());
    this.#drain.at = this.#deps.clock.monotonic() + drainMs;
    this.#deps.deadlines.add(this.#drain);
    if (isReady(this.#state)) void this.stop('exited');
  }

  /** Waits, at most tellMs, until the launcher has told of the exit, and with it of the peak memory. */
  async exitTold(): Promise<void> {
    const late: Deadline = {
      place: nowhere,
      at: this.#deps.clock.monotonic() + tellMs,
      expire: () => this.#exit.resolve(),
    };
    this.#deps.deadlines.add(late);
    await this.#exit.promise;
    this.#deps.deadlines.remove(late);
  }

  /** Peak memory of a process that cannot tell it any more, KB; of one that has gone, whose number may be another's, as it was. */
  measurePeakKb(): number {
    if (this.#state.kind !== 'gone') this.#memory.measure(this.pid);
    return this.#memory.kb;
  }

  async #end(reason: EndReason, graceMs: number): Promise<void> {
    const former = this.#state;
    this.#state = move(former, { kind: 'stopping', since: this.#deps.clock.monotonic(), reason });
    this.#requests.giveUp();
    this.#events.onStopping(this);
    const { preStop } = this.plan;
    if (preStop !== null && isReady(former) && this.#isConnected) {
      if (former.kind === 'frozen') void this.#setFrozen(false);
      const { closingHookMs } = this.#deps.limits;
      const limitMs = reason === 'closed' ? Math.min(preStop.timeoutMs, closingHookMs) : preStop.timeoutMs;
      await this.#runHook('preStop', { ...preStop, timeoutMs: limitMs });
    }
    try {
      await this.#deps.launcher.stop(this.id, graceMs);
    } catch (error) {
      // The launcher has gone, and its instances with it.
      this.#report(`could not be stopped: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#deps.deadlines.remove(this.#drain);
    this.#requests.close();
    this.#road?.close();
    this.log.close();
    this.#state = move(this.#state, { kind: 'gone', since: this.#deps.clock.monotonic(), reason });
    this.#events.onGone(this);
  }

  /** The server is being closed: a hook that runs before the end has little time left. */
  #hurry(): void {
    if (this.#state.kind === 'stopping') this.#requests.hurry(this.#deps.limits.closingHookMs);
  }

  async #runHook(hook: 'preFreeze' | 'preStop', { handler, timeoutMs }: Hook): Promise<Outcome> {
    const requestId = newRequestId();
    this.log.begin(requestId);
    const outcome = await this.#requests.ask({ type: 'hook', head: { hook, handler, requestId } }, timeoutMs);
    if (outcome.kind !== 'answer') this.#report(`its ${hook} hook did not end within ${timeoutMs} ms`);
    return outcome;
  }

  /** What cannot be frozen runs on; what cannot be thawed has ended, which its connection tells. */
  async #setFrozen(isFrozen: boolean): Promise<void> {
    try {
      await this.#deps.launcher.setFrozen(this.id, isFrozen);
    } catch (error) {
      if (this.#state.kind !== 'frozen' || this.#isFreezeReported) return;
      this.#isFreezeReported = true;
      this.#report(`could not be frozen: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Opens the sockets, has the process started and waits for its hello. */
  async #launch(): Promise<StartFailure | null> {
    const { launch } = this.plan;
    const { launcher, limits } = this.#deps;
    try {
      const wrong = this.plan.program && checkProgram(this.plan.program);
      if (wrong !== null) await this.#spare?.stop();
      if (wrong !== null) return wrong;
      if (this.#spare !== null && (await this.#startFromSpare(this.#spare))) return null;
      if (this.#deps.turn) await this.#deps.turn;
      if (isAlive(this.#state)) this.#road = await openRoad(this.plan, this.#deps, this.#roadEvents());
      if (this.#road === null || !isAlive(this.#state)) {
        this.#road?.close();
        return { kind: 'platform', message: 'the instance was stopped' };
      }
      const hello = this.#waitForHello(limits.startMs);
      const environment = { ...launch.environment, ...this.#road.environment };
      ({ pid: this.pid, address: this.address = null } = await launcher.start({ ...launch, environment }));
      this.#road.started();
      const outcome = await hello;
      this.#times = { ...this.#times, startMs: this.#since(this.#state.since) };
      if (outcome.kind === 'hello') return null;
      if (outcome.kind === 'disconnected') return await this.#startFailed(outcome, limits.startMs);
      return { kind: 'platform', message: `the instance did not start within ${limits.startMs} ms` };
    } catch (error) {
      this.#requests.giveUp();
      return { kind: 'platform', message: error instanceof Error ? error.message : String(error) };
    }
  }

  /** False: the process that waited is gone, for whatever reason, and its id can be used anew. */
  async #startFromSpare(spare: Spare): Promise<boolean> {
    const began = this.#deps.clock.monotonic();
    this.address = spare.address;
    const problem = await giveFunction(spare, {
      plan: this.plan,
      launcher: this.#deps.launcher,
      events: this.#roadEvents(),
      waitForHello: async (road) => {
        this.#road = road;
        return (await this.#waitForHello(this.#deps.limits.assignMs)).kind;
      },
      onTrusted: () => {
        this.#isTrusted = true;
        if (isAlive(this.#state)) this.#early = this.#askLoad();
      },
    });
    this.#spare = null;
    if (problem === null) {
      this.pid = spare.pid;
      this.#times = { ...this.#times, isSpare: true, codeMs: this.#since(began) };
      return true;
    }
    if (isAlive(this.#state)) this.#report(`a process that waited could not be given it: ${problem}`);
    this.#road = null;
    this.#isTrusted = false;
    this.#early?.settle({ kind: 'recalled' });
    this.#early = null;
    return false;
  }

  #waitForHello(limitMs: number): Promise<Outcome> {
    const hello = this.#requests.wait(limitMs);
    this.#helloCame = () => hello.settle({ kind: 'hello' });
    return hello.outcome;
  }

  #roadEvents(): RoadEvents {
    return {
      onReady: () => this.#hello(),
      onLost: (violation) => this.#lost(violation),
      onUnwell: (why) => this.#becomeUnwell(why),
      onOutput: (chunk) => this.log.receive(chunk),
      onOutputEnd: () => this.log.close(),
      onSuspicion: (text) => this.#report(text),
    };
  }

  async #load(): Promise<StartFailure | null> {
    if (this.#state.kind !== 'starting') return null;
    const began = this.#deps.clock.monotonic();
    this.#state = move(this.#state, { kind: 'loading', since: began });
    const load = this.#early ?? this.#askLoad();
    load.begin();
    const outcome = await load.outcome;
    this.#times = { ...this.#times, loadMs: this.#since(began) };
    const limitMs = this.#loadMs;
    if (this.plan.program !== null && outcome.kind !== 'answer') return await this.#startFailed(outcome, limitMs);
    return judgeStart(outcome, 'UnhandledInvocationError', { kind: 'timed-out', limitMs }, { kind: 'exited' });
  }

  get #loadMs(): number {
    return this.plan.loadMs ?? this.#deps.limits.loadMs;
  }

  #askLoad(): LaterWait<Outcome> {
    return this.#requests.askLater({ type: 'load', head: this.plan.load }, this.#loadMs);
  }

  /** Of a program: nobody of the platform is in there to tell what went wrong, so what it wrote does. */
  async #startFailed(outcome: Outcome, limitMs: number): Promise<StartFailure> {
    const { program } = this.plan;
    if (program === null) return { kind: 'ended', end: { kind: 'exited' } };
    const hasExited = outcome.kind !== 'expired';
    if (hasExited) await Promise.all([this.outputCompleted(drainMs / 2), this.exitTold()]);
    const exit = hasExited ? this.#howExited : null;
    return describeProgramFailure(program, { exit, limitMs, output: this.log.unmarkedTail() });
  }

  async #initialize(hook: Hook, requestId: string): Promise<StartFailure | null> {
    if (this.#state.kind !== 'loading') return null;
    const began = this.#deps.clock.monotonic();
    const limitMs = hook.timeoutMs;
    this.#state = move(this.#state, { kind: 'initializing', since: began });
    const head = { hook: 'initialize', handler: hook.handler, requestId } as const;
    const outcome = await this.#requests.ask({ type: 'hook', head }, limitMs);
    this.#times = { ...this.#times, initializerMs: this.#since(began) };
    const late = { kind: 'initializer-timed-out', limitMs } as const;
    return judgeStart(outcome, 'InitializationError', late, { kind: 'initializer-exited' });
  }

  #hello(): void {
    this.#isConnected = true;
    this.#isTrusted = false;
    this.#early?.begin(); // the answer may be read in the same moment
    this.#helloCame();
  }

  #becomeUnwell(why: string): void {
    if (!isAlive(this.#state)) return;
    this.isUnwell = true;
    this.#report(`is replaced: ${why}`);
    this.#events.onUnwell(this);
  }

  #lost(violation: string | null): void {
    // What comes of an instance that is told to end changes nothing.
    if (violation !== null && !isAlive(this.#state)) return;
    this.#isConnected = false;
    if (violation !== null) this.#report(`broke the protocol: ${violation}`);
    if (violation === null) this.#requests.ended();
    else this.#requests.giveUp();
    if (isReady(this.#state)) void this.stop(violation === null ? 'exited' : 'protocol');
  }

  /** Waits, at most `limitMs`, until all output of the request (or of a process that ended) has come. */
  outputCompleted(limitMs: number, requestId: string | null = null): Promise<void> {
    if (this.log.isComplete(requestId)) return Promise.resolve();
    return new Promise((resolve) => {
      const { clock, deadlines } = this.#deps;
      const late: Deadline = { place: nowhere, at: clock.monotonic() + limitMs, expire: () => afterRead(resolve) };
      deadlines.add(late);
      this.log.whenComplete(requestId, () => {
        deadlines.remove(late);
        resolve();
      });
    });
  }

  #since(monotonic: number): number {
    return this.#deps.clock.monotonic() - monotonic;
  }

  #report(text: string): void {
    this.#deps.report(`instance ${this.id}: ${text}`);
  }
}
