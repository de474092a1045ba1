// The door of the compute plane: one invocation, in order: admit, acquire, deliver, settle.
// Called by the gateway and by control's InvokeFunction.
import type { FunctionConfig } from '../model/function.ts';
import type {
  CallerSignal,
  ColdStart,
  FunctionErrorType,
  InvocationFacts,
  InvocationOutcome,
  InvokeFunction,
  InvokeRefusalCode,
  InvokeRequest,
} from '../model/invocation.ts';
import { describeEnd, describeUsage, endDocument, errorTypeOf, type PlatformEnd } from './documents.ts';
import type { Instance } from './instances/instance.ts';
import type { Ended } from './instances/instance-port.ts';
import { type Pool, plainWish } from './instances/pool.ts';
import type { Acquired, Wish } from './instances/pool-port.ts';
import { allowedInstances, isExhausted } from './instances/quota.ts';
import type { EndReason } from './instances/state.ts';
import type { Plane } from './plane.ts';

/** A request with the pool of the configuration it was admitted on; it finishes on that one. */
type Admitted = { readonly request: InvokeRequest; readonly pool: Pool<Instance>; readonly config: FunctionConfig };
type Ready = Extract<Acquired<Instance>, { kind: 'ready' }>;
type Refused = Extract<InvocationOutcome, { kind: 'refused' }>;
/** Times that a request may find its function replaced while the interpreter is looked for. */
const openAttempts = 10;

type Delivered = { readonly ended: Ended; readonly durationMs: number };
/** Events of more bytes are not sent ahead: an instance reads them while it runs nothing. */
const aheadLimitBytes = 16 * 1024;
const mayGoAhead: Wish = { mayGoAhead: true, isReturned: false };
const returned: Wish = { mayGoAhead: false, isReturned: true };

/** What invokes a function where another data process has an instance for it; null: none has. */
export type InvokeElsewhere = (
  request: InvokeRequest,
  signal: CallerSignal,
) => InvocationOutcome | null | Promise<InvocationOutcome | null>;

/**
 * Makes the function by which everybody invokes functions. It never rejects for what a function does. `elsewhere` is asked
 * before a call is refused because this process may have no more instances; null: it is the only one, or the last one asked.
 */
export function createInvoke(plane: Plane, elsewhere: InvokeElsewhere | null): InvokeFunction {
  return async (request, signal) => {
    const found = plane.find(request.target);
    if (!found.ok) return refuse(found.code, found.message);
    const admitted = admit(plane, request, found.config) ?? (await admitFirst(plane, request, found.config));
    if ('kind' in admitted)
      return elsewhere === null ? admitted : await tryElsewhere(elsewhere, request, admitted, signal);
    try {
      let wish = wishOf(request);
      for (;;) {
        const acquired = take(admitted.pool, wish) ?? (await acquire(plane, admitted, wish, signal));
        if (acquired.kind === 'refused') return acquired;
        if (acquired.kind === 'start-failed') return settleFailedStart(admitted, acquired);
        const { ended, durationMs } = await deliver(plane, admitted, acquired.instance, signal);
        if (ended.kind !== 'recalled') {
          const outcome = settle(plane, admitted, acquired, { ended, durationMs });
          return outcome instanceof Promise ? await outcome : outcome;
        }
        // Once at most: it is not sent ahead again.
        admitted.pool.takeBack(acquired.instance);
        if (signal.aborted) return refuse('ClientClosedRequest', 'Invocation canceled by client');
        wish = returned;
      }
    } finally {
      plane.leave(admitted.pool);
    }
  };
}

/** Where this process may have no more instances, its part of the limit says nothing yet of the whole. */
async function tryElsewhere(
  elsewhere: InvokeElsewhere,
  request: InvokeRequest,
  refused: Refused,
  signal: CallerSignal,
): Promise<InvocationOutcome> {
  if (refused.code !== 'ResourceExhausted') return refused;
  const outcome = await elsewhere(request, signal);
  if (outcome !== null) return outcome;
  const { functionName } = request.target;
  return refuse('ResourceExhausted', `function '${functionName}' has as many requests under way as it may have`);
}

/** What is sent ahead fits one frame; and the tail of a request's output is read before the next one begins. */
function wishOf({ event, wantsLogTail, http, sink }: InvokeRequest): Wish {
  const isSmall = event.length <= aheadLimitBytes && http === undefined && sink === undefined;
  return isSmall && !wantsLogTail ? mayGoAhead : plainWish;
}

/** Finds the pool; who is admitted counts there from now on, until it leaves. Null: it has none yet, see admitFirst. */
function admit(plane: Plane, request: InvokeRequest, config: FunctionConfig): Admitted | Refused | null {
  const { limits } = plane;
  if (request.event.length > limits.invocationBytes) {
    return refuse('EntityTooLarge', `payload size exceeds maximum allowed size (${limits.invocationBytes} bytes)`);
  }
  const pool = plane.poolOf(config);
  if (pool === null) return null;
  if (pool.inFlight >= pool.most * pool.concurrency) {
    return refuse(
      'ResourceExhausted',
      `function '${config.key}' has ${pool.inFlight} requests under way, its limit is ${pool.most} instances`,
    );
  }
  // Behind a request that stands at a breakpoint the others wait.
  if (isExhausted(pool) && !plane.isDebugged(config)) {
    return refuse(
      'ResourceExhausted',
      `function '${config.key}' has ${(pool.quota ?? pool).inFlight} requests under way, it may have ${allowedInstances(pool)} instances`,
    );
  }
  if (plane.alone >= limits.instancesInAll && pool.concurrency === 1) {
    return refuse(
      'ResourceExhausted',
      `${plane.alone} requests are under way, the limit is ${limits.instancesInAll} instances`,
    );
  }
  plane.enter(pool);
  return { request, pool, config };
}

/** Admits the first request of a configuration: its interpreter is chosen first. */
async function admitFirst(plane: Plane, request: InvokeRequest, first: FunctionConfig): Promise<Admitted | Refused> {
  let config = first;
  // Once, unless the configuration is replaced meanwhile.
  for (let attempt = 0; attempt < openAttempts; attempt += 1) {
    const opened = await plane.openPool(config);
    if (!opened.ok) return refuse(opened.code, opened.message);
    const admitted = admit(plane, request, config);
    if (admitted !== null) return admitted;
    const found = plane.find(request.target);
    if (!found.ok) return refuse(found.code, found.message);
    config = found.config;
  }
  return refuse('InternalServerError', 'the function changes faster than it can be started');
}

/** The warm way: an idle instance at once. */
function take(pool: Pool<Instance>, wish: Wish): Ready | null {
  const instance = pool.take(wish);
  return instance === null ? null : { kind: 'ready', instance, coldStart: null };
}

/** Waits for an instance to free or to start. */
async function acquire(
  plane: Plane,
  { request, pool }: Admitted,
  wish: Wish,
  signal: CallerSignal,
): Promise<Ready | Extract<Acquired<Instance>, { kind: 'start-failed' }> | Refused> {
  const bytes = request.event.length;
  // One that comes back was accepted already; there are as few as instances can be sent ahead.
  if (!wish.isReturned && !plane.mayWait(bytes))
    return refuse('ResourceThrottled', 'too many requests wait for an instance');
  plane.waitBegins(bytes);
  const acquired = await pool.wait(request.requestId, signal, wish);
  plane.waitEnds(bytes);
  switch (acquired.kind) {
    case 'closed':
      return refuse('InternalServerError', 'the server is stopping');
    case 'caller-gone':
      return refuse('ClientClosedRequest', 'Invocation canceled by client');
    case 'no-room':
      return refuse('ResourceThrottled', acquired.message);
    case 'ready':
      return acquired;
    case 'start-failed':
      if (acquired.failure.kind !== 'platform') return acquired;
      plane.report(`instance ${acquired.instance.id} could not be started: ${acquired.failure.message}`);
      return refuse('InternalServerError', 'the instance could not be started');
  }
}

/** Hands the request to the instance and waits for its end, the time-out, or the caller's leaving. */
function deliver(plane: Plane, admitted: Admitted, instance: Instance, signal: CallerSignal): Promise<Delivered> {
  const { request, config, pool } = admitted;
  let began = plane.clock.monotonic();
  const call = {
    requestId: request.requestId,
    event: request.event,
    http: request.http ?? null,
    sink: request.sink ?? null,
    wantsLogTail: request.wantsLogTail,
    span: request.span ?? null,
    timeoutMs: config.timeoutMs,
    credentials: plane.credentialsOf(config),
  };
  const ending = instance.invoke(call, () => {
    began = plane.clock.monotonic();
  });
  plane.background.begins(pool, instance);
  if (pool.concurrency > 1 && !instance.letsGo) return unlessGone(plane, admitted, { instance, ending }, signal);
  const leave = () => instance.abandon(request.requestId);
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();
  return ending.then((ended) => {
    signal.removeEventListener('abort', leave);
    plane.background.ends(pool, instance, isLast(ended));
    return { ended, durationMs: plane.clock.monotonic() - began };
  });
}

/** Other requests run in the instance: a request whose caller has gone runs to its end there, unheard. */
async function unlessGone(
  plane: Plane,
  { pool }: Admitted,
  { instance, ending }: { readonly instance: Instance; readonly ending: Promise<Ended> },
  signal: CallerSignal,
): Promise<Delivered> {
  const began = plane.clock.monotonic();
  const gone = Promise.withResolvers<'gone'>();
  const leave = () => gone.resolve('gone');
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();
  const ended = await Promise.race([ending, gone.promise]);
  signal.removeEventListener('abort', leave);
  if (ended !== 'gone') return { ended, durationMs: plane.clock.monotonic() - began };
  void ending.then((late) => {
    const isUsable = late.kind === 'answered' && !(late.answer.kind === 'error' && late.answer.willExit);
    if (isUsable) pool.putBack(instance, plane.clock.monotonic() - began);
    else giveUp(plane, pool, instance, late.kind === 'ended' ? reasonOf(late.end) : 'exited');
  });
  return { ended: { kind: 'caller-gone' }, durationMs: 0 };
}

/** Makes the outcome, and frees or ends the instance. A promise where the request's output is waited for. */
function settle(
  plane: Plane,
  admitted: Admitted,
  { instance, coldStart }: Ready,
  { ended, durationMs }: { readonly ended: Exclude<Ended, { kind: 'recalled' }>; readonly durationMs: number },
): InvocationOutcome | Promise<InvocationOutcome> {
  const { request, pool } = admitted;
  switch (ended.kind) {
    case 'caller-gone':
      if (pool.concurrency === 1) giveUp(plane, pool, instance, 'caller-gone');
      else if (instance.letsGo) pool.putBack(instance, durationMs);
      return refuse('ClientClosedRequest', 'Invocation canceled by client');
    case 'answered': {
      const { answer } = ended;
      const needsLog = answer.kind === 'error' || request.wantsLogTail || request.isUnusable?.(answer.body) === true;
      if (needsLog) return settleWithLog(plane, admitted, { instance, coldStart, answer, durationMs });
      instance.log.settled?.(request.requestId);
      const facts = factsOf(admitted, instance, { durationMs, coldStart, log: null });
      pool.putBack(instance, durationMs);
      return succeeded(answer, facts);
    }
    case 'bad-response':
      pool.putBack(instance, durationMs);
      return refuse('BadResponse', ended.reason);
    case 'ended': {
      const fail = () => {
        const outcome = failByPlatform(admitted, instance, ended.end, { durationMs, coldStart });
        giveUp(plane, pool, instance, reasonOf(ended.end));
        return outcome;
      };
      if (ended.end.kind !== 'exited') return fail();
      const told = [instance.outputCompleted(plane.limits.logWaitMs, request.requestId), instance.exitTold()];
      return Promise.all(told).then(fail);
    }
  }
}

type Answered = Extract<Ended, { kind: 'answered' }>['answer'];

/** The outcome with the end of the request's output, when that is there. */
async function settleWithLog(
  plane: Plane,
  admitted: Admitted,
  {
    instance,
    coldStart,
    answer,
    durationMs,
  }: { instance: Instance; coldStart: ColdStart | null; answer: Answered; durationMs: number },
): Promise<InvocationOutcome> {
  const { request, pool } = admitted;
  await instance.outputCompleted(plane.limits.logWaitMs, request.requestId);
  const log = instance.log.tail(request.requestId, answer.kind === 'end' ? '' : errorSuffix(answer.type));
  instance.log.settled?.(request.requestId);
  const facts = factsOf(admitted, instance, { durationMs, coldStart, log });
  if (answer.kind === 'error' && answer.willExit) giveUp(plane, pool, instance, 'exited');
  else pool.putBack(instance, durationMs);
  if (answer.kind === 'end') return succeeded(answer, facts);
  return { kind: 'function-error', errorType: answer.type, body: answer.body, ...facts };
}

function succeeded({ body, http }: Extract<Answered, { kind: 'end' }>, facts: InvocationFacts): InvocationOutcome {
  return http === null ? { kind: 'success', body, ...facts } : { kind: 'success', body, http, ...facts };
}

/** The instance never became ready: the request for which it was started gets its error. */
function settleFailedStart(
  admitted: Admitted,
  { instance, failure, coldStart }: Extract<Acquired<Instance>, { kind: 'start-failed' }>,
): InvocationOutcome {
  const durationMs = coldStart.startMs + coldStart.codeMs + coldStart.loadMs + coldStart.initializerMs;
  switch (failure.kind) {
    case 'platform':
      return refuse('InternalServerError', 'the instance could not be started');
    case 'ended':
      return failByPlatform(admitted, instance, failure.end, { durationMs, coldStart });
    case 'refused':
      return refuse(failure.code, failure.message);
    case 'error': {
      const log = instance.log.tail(admitted.request.requestId, errorSuffix('UnhandledInvocationError'));
      const facts = factsOf(admitted, instance, { durationMs, coldStart, log });
      return { kind: 'function-error', errorType: failure.errorType, body: failure.body, ...facts };
    }
  }
}

function failByPlatform(
  admitted: Admitted,
  instance: Instance,
  platformEnd: PlatformEnd,
  { durationMs, coldStart }: { durationMs: number; coldStart: ColdStart | null },
): InvocationOutcome {
  const usage = { durationMs, memoryMb: toMegabytes(instance.measurePeakKb()) };
  const log = instance.log.tail(
    admitted.request.requestId,
    `, Error: ${describeEnd(platformEnd)} ${describeUsage(usage)}`,
  );
  return {
    kind: 'function-error',
    errorType: errorTypeOf(platformEnd),
    body: endDocument(platformEnd, usage),
    ...factsOf(admitted, instance, { durationMs, coldStart, log }),
  };
}

function factsOf(
  { config, pool }: Admitted,
  instance: Instance,
  { durationMs, coldStart, log }: { durationMs: number; coldStart: ColdStart | null; log: Buffer | null },
): InvocationFacts {
  return {
    instanceId: instance.id,
    durationMs,
    maxMemoryMb: toMegabytes(instance.peakKb),
    codeChecksum: config.code.checksum,
    versionId: config.versionId,
    logTail: log,
    coldStart,
    runtimeNote: pool.runtimeNote,
  };
}

/** Tells an instance to end, when no other request runs in it, without waiting for it: the answer goes out first. */
function giveUp(plane: Plane, pool: Pool<Instance>, instance: Instance, reason: EndReason): void {
  pool.giveUp(instance, reason, reason === 'timed-out' || reason === 'caller-gone' ? plane.limits.graceMs : 0);
}

/** The instance ends with the request. */
function isLast(ended: Ended): boolean {
  return (
    ended.kind === 'ended' || (ended.kind === 'answered' && ended.answer.kind === 'error' && ended.answer.willExit)
  );
}

function reasonOf(platformEnd: PlatformEnd): EndReason {
  switch (platformEnd.kind) {
    case 'timed-out':
    case 'initializer-timed-out':
      return 'timed-out';
    case 'exited':
    case 'initializer-exited':
      return 'exited';
    case 'result-too-large':
      return 'result-too-large';
  }
}

/** Source: docs. */
function errorSuffix(type: FunctionErrorType): string {
  return type === 'HandledInvocationError' ? ', Error: Handled function error' : ', Error: Unhandled function error';
}

function toMegabytes(kilobytes: number): number {
  return Math.round((kilobytes * 100) / 1024) / 100;
}

function refuse(code: InvokeRefusalCode, message: string): Refused {
  return { kind: 'refused', code, message };
}
