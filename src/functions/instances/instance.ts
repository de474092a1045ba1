// One instance as the data process knows it: its state, its connection, its output and the request that it runs.
// Made by pool.ts; invoke.ts delivers requests to it and releases it.
import type { Clock } from '../../base/clock.ts';
import { newRequestId } from '../../base/ids.ts';
import type { Credentials, Hook } from '../../model/function.ts';
import type { FunctionErrorType } from '../../model/invocation.ts';
import type { FrameHeads, InstanceFrame } from '../../wire/frames.ts';
import { writeHttpParams } from '../../wire/http-params.ts';
import type { PlatformEnd } from '../documents.ts';
import type { Exit, Launcher } from '../launcher/port.ts';
import type { Limits } from '../limits.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import { Endpoint } from './endpoint.ts';
import { type Answer, Exchange, type Question } from './exchange.ts';
import type { Call, Ended, InstanceEvents, StartFailure, StartTimes } from './instance-port.ts';
import { readPeakMemoryKb } from './memory.ts';
import { RequestLog } from './request-log.ts';
import { frameCredentials, type StartPlan } from './start-plan.ts';
import { type EndReason, type InstanceState, isAlive, isReady, move } from './state.ts';

export type InstanceDeps = {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly launcher: Launcher;
  readonly limits: Limits;
  forwardLine(requestId: string | null, text: string): void;
  /** For the operator, not for the function's log. */
  report(text: string): void;
};

const nothing = {};
/** How long frames and output of a process that has exited may still be on their way. */
const drainMs = 100;

/** What an instance is waited for, and what came instead. */
type Outcome =
  | { readonly kind: 'hello' }
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'expired' }
  | { readonly kind: 'disconnected' }
  | { readonly kind: 'caller-gone' };

export class Instance {
  readonly id: string;
  readonly plan: StartPlan;
  readonly log: RequestLog;
  readonly #deps: InstanceDeps;
  readonly #events: InstanceEvents<Instance>;
  readonly #deadline: Deadline = { at: 0, expire: () => this.#settle({ kind: 'expired' }) };
  readonly #drain: Deadline = { at: 0, expire: () => this.#settle({ kind: 'disconnected' }) };
  #state: InstanceState;
  #endpoint: Endpoint | null = null;
  #exchange: Exchange | null = null;
  #waiting: ((outcome: Outcome) => void) | null = null;
  #ending: Promise<void> | null = null;
  #isConnected = false;
  #isFreezeReported = false;
  #nextStream = 1;
  /** The credentials that the function has been told. */
  #told: Credentials | null;
  /** Resolves when the launcher has told of the exit. */
  readonly #exit = Promise.withResolvers<void>();
  #pid = 0;
  #peakKb = 0;
  #times: StartTimes = { startMs: 0, loadMs: 0, initializerMs: 0 };

  constructor(plan: StartPlan, deps: InstanceDeps, events: InstanceEvents<Instance>) {
    this.id = plan.launch.instanceId;
    this.plan = plan;
    this.#told = plan.credentials;
    this.#deps = deps;
    this.#events = events;
    this.#state = { kind: 'starting', since: deps.clock.monotonic() };
    this.log = new RequestLog((requestId, text) => deps.forwardLine(requestId, text));
  }

  get state(): InstanceState {
    return this.#state;
  }

  get times(): StartTimes {
    return this.#times;
  }

  /** Peak memory as the process last told it, KB. */
  get peakKb(): number {
    return this.#peakKb;
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
    if (failure.kind !== 'platform') await this.outputCompleted(failure.kind === 'ended' ? drainMs / 2 : drainMs / 10);
    if (!isAlive(this.#state)) return;
    this.#events.onStartFailed(this, failure);
    await this.stop(failure.kind === 'platform' ? 'start-failed' : 'load-failed');
  }

  /** Runs one request; the instance must be idle, and stays busy until release() or stop(). */
  async invoke(call: Call): Promise<Ended> {
    const { requestId, timeoutMs } = call;
    // The request goes out meanwhile: it is read as soon as the process goes on.
    if (this.#state.kind === 'frozen') void this.#setFrozen(false);
    this.#state = move(this.#state, { kind: 'busy', since: this.#deps.clock.monotonic() });
    this.log.begin(requestId);
    const facts = { requestId, tail: call.wantsLogTail, deadline: this.#deps.clock.now() + timeoutMs };
    const http = call.http === null ? nothing : { http: writeHttpParams(call.http) };
    const head = { ...facts, ...this.#freshCredentials(call.credentials), ...http };
    const outcome = await this.#ask({ type: 'invoke', head, event: call.event }, timeoutMs);
    switch (outcome.kind) {
      case 'answer':
        return this.#judge(outcome.answer);
      case 'expired':
        return { kind: 'ended', end: { kind: 'timed-out', limitMs: timeoutMs } };
      case 'caller-gone':
        return { kind: 'caller-gone' };
      case 'hello':
      case 'disconnected':
        return { kind: 'ended', end: { kind: 'exited' } };
    }
  }

  /** The caller has gone: the request ends as 'caller-gone'. The owner then stops the instance. */
  abandon(): void {
    this.#settle({ kind: 'caller-gone' });
  }

  /** After a request that ended well: idle again. */
  release(): void {
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

  /** Nothing of an idle instance runs any more until its next request. */
  freeze(): void {
    this.#state = move(this.#state, { kind: 'frozen', since: this.#state.since });
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
    this.#peakKb = Math.max(this.#peakKb, exit.peakMemoryKb);
    this.#exit.resolve();
    if (!isAlive(this.#state)) return;
    if (!this.#isConnected) this.#report(`ended (${exit.signal ?? `code ${exit.code}`}) before it said hello`);
    // What it has sent may not be read yet: the end of its connection (or of its output) is the end of the request.
    if (!this.#isConnected) this.log.whenComplete(() => this.#settle({ kind: 'disconnected' }));
    this.#drain.at = this.#deps.clock.monotonic() + drainMs;
    this.#deps.deadlines.add(this.#drain);
    if (isReady(this.#state)) void this.stop('exited');
  }

  /** Waits, at most drainMs, until the launcher has told of the exit, and with it of the peak memory. */
  async exitTold(): Promise<void> {
    const late: Deadline = { at: this.#deps.clock.monotonic() + drainMs, expire: () => this.#exit.resolve() };
    this.#deps.deadlines.add(late);
    await this.#exit.promise;
    this.#deps.deadlines.remove(late);
  }

  /** Peak memory of a process that cannot tell it any more, KB. */
  measurePeakKb(): number {
    if (this.#pid > 0) this.#peakKb = Math.max(this.#peakKb, readPeakMemoryKb(this.#pid));
    return this.#peakKb;
  }

  async #end(reason: EndReason, graceMs: number): Promise<void> {
    const former = this.#state;
    this.#state = move(former, { kind: 'stopping', since: this.#deps.clock.monotonic(), reason });
    this.#settle({ kind: 'disconnected' });
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
    this.#endpoint?.close();
    this.log.close();
    this.#state = move(this.#state, { kind: 'gone', since: this.#deps.clock.monotonic(), reason });
    this.#events.onGone(this);
  }

  /** The server is being closed: a hook that runs before the end has little time left. */
  #hurry(): void {
    if (this.#state.kind !== 'stopping' || this.#waiting === null) return;
    const at = this.#deps.clock.monotonic() + this.#deps.limits.closingHookMs;
    if (at >= this.#deadline.at) return;
    this.#deps.deadlines.remove(this.#deadline);
    this.#deadline.at = at;
    this.#deps.deadlines.add(this.#deadline);
  }

  async #runHook(hook: 'preFreeze' | 'preStop', { handler, timeoutMs }: Hook): Promise<Outcome> {
    const requestId = newRequestId();
    this.log.begin(requestId);
    const outcome = await this.#ask({ type: 'hook', head: { hook, handler, requestId } }, timeoutMs);
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
      this.#endpoint = await Endpoint.open(launch.socketDirectory, launch.token, {
        onHello: () => this.#hello(),
        onFrame: (frame) => this.#receive(frame),
        onDisconnect: (violation) => this.#disconnected(violation),
        onOutput: (chunk) => this.log.receive(chunk),
        onOutputEnd: () => this.log.close(),
        onSuspicion: (text) => this.#report(text),
      });
      if (!isAlive(this.#state)) {
        this.#endpoint.close();
        return { kind: 'platform', message: 'the instance was stopped' };
      }
      const hello = this.#wait(limits.startMs);
      const { pid } = await launcher.start(launch);
      this.#pid = pid;
      const outcome = await hello;
      this.#times = { ...this.#times, startMs: this.#since(this.#state.since) };
      if (outcome.kind === 'hello') return null;
      if (outcome.kind === 'disconnected') return { kind: 'ended', end: { kind: 'exited' } };
      return { kind: 'platform', message: `the instance did not start within ${limits.startMs} ms` };
    } catch (error) {
      this.#settle({ kind: 'disconnected' });
      return { kind: 'platform', message: error instanceof Error ? error.message : String(error) };
    }
  }

  async #load(): Promise<StartFailure | null> {
    if (this.#state.kind !== 'starting') return null;
    const began = this.#deps.clock.monotonic();
    const limitMs = this.#deps.limits.loadMs;
    this.#state = move(this.#state, { kind: 'loading', since: began });
    const outcome = await this.#ask({ type: 'load', head: this.plan.load }, limitMs);
    this.#times = { ...this.#times, loadMs: this.#since(began) };
    return this.#judgeStart(outcome, 'UnhandledInvocationError', { kind: 'timed-out', limitMs }, { kind: 'exited' });
  }

  async #initialize(hook: Hook, requestId: string): Promise<StartFailure | null> {
    if (this.#state.kind !== 'loading') return null;
    const began = this.#deps.clock.monotonic();
    const limitMs = hook.timeoutMs;
    this.#state = move(this.#state, { kind: 'initializing', since: began });
    const head = { hook: 'initialize', handler: hook.handler, requestId } as const;
    const outcome = await this.#ask({ type: 'hook', head }, limitMs);
    this.#times = { ...this.#times, initializerMs: this.#since(began) };
    const late = { kind: 'initializer-timed-out', limitMs } as const;
    return this.#judgeStart(outcome, 'InitializationError', late, { kind: 'initializer-exited' });
  }

  /** The member of the invoke frame; nothing when the function knows them. */
  #freshCredentials(credentials: Credentials | null): Pick<FrameHeads['invoke'], 'credentials'> {
    if (credentials === null || credentials === this.#told) return nothing;
    this.#told = credentials;
    return { credentials: frameCredentials(credentials) };
  }

  #judgeStart(
    outcome: Outcome,
    errorType: FunctionErrorType,
    whenLate: PlatformEnd,
    whenGone: PlatformEnd,
  ): StartFailure | null {
    if (outcome.kind === 'expired') return { kind: 'ended', end: whenLate };
    if (outcome.kind !== 'answer') return { kind: 'ended', end: whenGone };
    const ended = this.#judge(outcome.answer);
    if (ended.kind !== 'answered') return { kind: 'ended', end: whenGone };
    return ended.answer.kind === 'end' ? null : { kind: 'error', errorType, body: ended.answer.body };
  }

  #judge(answer: Answer): Ended {
    switch (answer.kind) {
      case 'end':
      case 'error':
        this.#peakKb = Math.max(this.#peakKb, answer.rssKb);
        return { kind: 'answered', answer };
      case 'too-large':
        return { kind: 'ended', end: { kind: 'result-too-large', limitBytes: this.#deps.limits.invocationBytes } };
      case 'violation':
        this.#report(`broke the protocol: ${answer.reason}`);
        return { kind: 'ended', end: { kind: 'exited' } };
    }
  }

  /** Asks on a new stream; one at a time. */
  #ask(question: Question, limitMs: number): Promise<Outcome> {
    const exchange = new Exchange(this.#nextStream, question, this.#deps.limits.invocationBytes);
    this.#nextStream += 1;
    this.#exchange = exchange;
    const outcome = this.#wait(limitMs);
    if (this.#isConnected) this.#endpoint?.writeAll(exchange.open());
    else this.#settle({ kind: 'disconnected' });
    return outcome;
  }

  #wait(limitMs: number): Promise<Outcome> {
    this.#deadline.at = this.#deps.clock.monotonic() + limitMs;
    this.#deps.deadlines.add(this.#deadline);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  #settle(outcome: Outcome): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    this.#waiting = null;
    this.#exchange = null;
    this.#deps.deadlines.remove(this.#deadline);
    waiting(outcome);
  }

  #hello(): void {
    this.#isConnected = true;
    this.#settle({ kind: 'hello' });
  }

  #receive(frame: InstanceFrame): void {
    const exchange = this.#exchange;
    // Credits of a stream that has ended may still come; everything else off the current stream is a violation.
    if (exchange === null || frame.stream !== exchange.stream) {
      if (frame.type !== 'credit' && frame.type !== 'ping' && isAlive(this.#state)) {
        this.#disconnected(`a ${frame.type} frame on stream ${frame.stream} that is not open`);
      }
      return;
    }
    const { write, answer } = exchange.receive(frame);
    if (write.length > 0) this.#endpoint?.writeAll(write);
    if (answer !== null) this.#settle({ kind: 'answer', answer });
  }

  #disconnected(violation: string | null): void {
    this.#isConnected = false;
    if (violation !== null) this.#report(`broke the protocol: ${violation}`);
    this.#settle({ kind: 'disconnected' });
    if (isReady(this.#state)) void this.stop(violation === null ? 'exited' : 'protocol');
  }

  /** Waits, at most `limitMs`, until all output of the request (or of a process that ended) has come. */
  outputCompleted(limitMs: number): Promise<void> {
    if (this.log.isComplete) return Promise.resolve();
    return new Promise((resolve) => {
      const { clock, deadlines } = this.#deps;
      const late: Deadline = { at: clock.monotonic() + limitMs, expire: resolve };
      deadlines.add(late);
      this.log.whenComplete(() => {
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
