// The Function Compute backend for event functions: writes the event, invokes, reads the result. Called by call-backend.ts.
import { assertNever } from '../../base/assert-never.ts';
import { CallOff } from '../../base/call-off.ts';
import { afterLimit } from '../../base/pausable-limit.ts';
import type { Backend, FunctionTarget } from '../../model/api.ts';
import { functionKey } from '../../model/function.ts';
import type { CallerSignal, InvocationOutcome, InvokeRefusalCode, InvokeRequest } from '../../model/invocation.ts';
import type { FaultSide } from '../../model/record.ts';
import { type FunctionAnswer, readFunctionResult, type WrongShape } from '../../wire/function-result.ts';
import type { BackendAnswer, Mapped } from '../context.ts';
import { ClientGone, refuse } from '../errors.ts';
import { writeHeaderText } from '../header-text.ts';
import { signOutgoing } from '../policies/backend-signature.ts';
import { noteInvocation } from '../states.ts';
import { assumeRole } from './assume-role.ts';
import { writeEvent } from './function-event-document.ts';

type FunctionBackend = Extract<Backend, { kind: 'function-event' }>;
type Facts = Exclude<InvocationOutcome, { kind: 'refused' }>;

/** One header line of a function, name and value. Source: docs (fc: 8 KB of response headers). */
const headerValueLimit = 8192;
const logLimit = 4096;
const gotLimit = 200;

/** Headers that a function cannot set, because they belong to the connection or to the gateway. Source: assumed. */
const heldBack: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'server',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-ca-request-id',
  'x-ca-error-code',
  'x-ca-error-message',
  'x-ca-debug-info',
  'x-yunmen-why',
]);

/** Errors: A403FC, D502FC, D504TO, ClientGone. */
export async function callFunctionEvent(given: Mapped, backend: FunctionBackend): Promise<BackendAnswer> {
  assumeRole(given, backend.roleArn);
  const signed = signOutgoing(given, given.outgoing);
  const mapped = signed instanceof Promise ? await signed : signed;
  const raw = rawBody(mapped);
  let read: FunctionAnswer | WrongShape | undefined;
  const invoke: InvokeRequest = {
    target: backend.target,
    requestId: mapped.requestId,
    event: writeEvent(mapped.outgoing, raw instanceof Promise ? await raw : raw),
    wantsLogTail: false,
    isUnusable: (body) => {
      read = readFunctionResult(body);
      return !read.ok;
    },
  };
  const called = calledOf(mapped, backend.target, backend.timeoutMs);
  const { name } = called;
  const outcome = await invokeWithin(mapped, invoke, called);
  if (outcome.kind !== 'refused') noteInvocation(mapped, outcome);
  switch (outcome.kind) {
    case 'success': {
      const result = read ?? readFunctionResult(outcome.body);
      if (!result.ok) throw wrongShape(name, result, outcome);
      return { status: result.status, headers: ownHeaders(result.headers), body: result.body };
    }
    case 'function-error':
      throw functionFailed(name, outcome);
    case 'refused':
      throw invocationRefused(name, outcome.code, outcome.message);
    default:
      return assertNever(outcome);
  }
}

const noBytes = Buffer.alloc(0);

/** The client's bytes where they are sent as they are; nothing is read otherwise. Errors: I413RL, ClientGone. */
export function rawBody({ outgoing, body }: Mapped): Promise<Buffer> | Buffer {
  return outgoing.body.kind === 'raw' && body.isPresent ? body.bytes() : noBytes;
}

/** The function that is called, as errors name it, and what holds for the call. */
export type Called = {
  readonly name: string;
  readonly timeoutMs: number;
  /** While it says so the limit rests; null: it never does. */
  readonly isPaused: (() => boolean) | null;
};

export function calledOf({ deps }: Mapped, target: FunctionTarget, timeoutMs: number): Called {
  const name = functionKey(target.serviceName, target.functionName);
  return { name, timeoutMs, isPaused: deps.pauseOf?.(target) ?? null };
}

export function invokeWithin(mapped: Mapped, invoke: InvokeRequest, called: Called): Promise<InvocationOutcome> {
  return within(mapped, (signal) => mapped.deps.invoke(invoke, signal), called);
}

/** Settles with the outcome, the time-out (D504TO) or the caller's leaving, whatever is first; the latter two abort. */
export function within<T>(mapped: Mapped, run: (signal: CallerSignal) => Promise<T>, called: Called): Promise<T> {
  const { clock } = mapped.deps;
  return new Promise((resolve, reject) => {
    const caller = new CallOff();
    let cancelTimer = nothing;
    let forget = nothing;
    const settle = () => {
      cancelTimer();
      forget();
    };
    const stop = (error: Error) => {
      settle();
      reject(error);
      caller.abort();
    };
    cancelTimer = afterLimit(clock, called.timeoutMs, called.isPaused, () => stop(timedOut(called)));
    forget = mapped.request.onGone(() => stop(new ClientGone()));
    run(caller).then(
      (outcome) => {
        settle();
        resolve(outcome);
      },
      (error: unknown) => {
        settle();
        reject(error); // After a stop this says nothing new: the promise is settled.
      },
    );
  });
}

const nothing = () => {};

/** The same for headers that come as they were received. */
export function passedHeaders(given: readonly string[]): string[] {
  return given.filter((_text, at) => {
    const name = (given[at - (at % 2)] ?? '').toLowerCase();
    return !heldBack.has(name) && !name.startsWith('x-fc-');
  });
}

export function ownHeaders(given: readonly string[]): string[] {
  const headers: string[] = [];
  let hasType = false;
  for (let i = 0; i + 1 < given.length; i += 2) {
    const name = given[i] ?? '';
    const lowerName = name.toLowerCase();
    if (heldBack.has(lowerName)) continue;
    if (lowerName === 'content-type') hasType = true;
    headers.push(name, writeHeaderText(given[i + 1] ?? '', headerValueLimit));
  }
  // Source: assumed.
  if (!hasType) headers.push('Content-Type', 'application/json; charset=UTF-8');
  return headers;
}

function logOf(facts: Facts): string | null {
  return facts.logTail === null ? null : facts.logTail.subarray(-logLimit).toString('utf8');
}

export function wrongShape(name: string, wrong: WrongShape, facts: Facts): Error {
  return refuse(
    'D502FC',
    { Reason: wrong.reason },
    {
      side: 'function',
      field: wrong.field,
      expected: wrong.expected,
      got: wrong.got,
      functionLog: logOf(facts),
      message: `The function ${name} ran, but the gateway cannot use what it returned: ${wrong.reason}. It must return JSON with statusCode, headers, body and isBase64Encoded.`,
    },
  );
}

export function functionFailed(name: string, outcome: Extract<InvocationOutcome, { kind: 'function-error' }>): Error {
  const got = outcome.body.toString('utf8').slice(0, gotLimit);
  // The words of the compute plane, which a function's own exception may have too. Source: docs.
  const limit = /"Function (?:initialization )?timed out after ([\d.]+) seconds[" ]/.exec(got)?.[1];
  if (limit !== undefined && outcome.errorType !== 'HandledInvocationError') {
    return refuse(
      'D502FC',
      { Reason: `function error ${outcome.errorType}` },
      {
        side: 'function',
        field: "the function's timeout",
        expected: `a result within ${limit} s`,
        got,
        functionLog: logOf(outcome),
        message: `The function ${name} ran into its own time-out of ${limit} s (not into the API's ServiceTimeout) and was ended. Raise the function's timeout or make it faster.`,
      },
    );
  }
  return refuse(
    'D502FC',
    { Reason: `function error ${outcome.errorType}` },
    {
      side: 'function',
      field: 'result',
      expected: 'a result without an exception',
      got,
      functionLog: logOf(outcome),
      message: `The function ${name} failed (${outcome.errorType}); its error and output are in the record of this request.`,
    },
  );
}

/** Whose business a refusal is. */
const refusalSides: Readonly<Record<InvokeRefusalCode, FaultSide>> = {
  ServiceNotFound: 'api-owner',
  FunctionNotFound: 'api-owner',
  VersionNotFound: 'api-owner',
  AliasNotFound: 'api-owner',
  InvalidArgument: 'api-owner',
  EntityTooLarge: 'client',
  ResourceExhausted: 'platform',
  ResourceThrottled: 'platform',
  ClientClosedRequest: 'client',
  BadResponse: 'function',
  CAFileNotFound: 'function',
  CAFilePermission: 'function',
  CAExited: 'function',
  FunctionNotStarted: 'function',
  InternalServerError: 'platform',
};

export function invocationRefused(name: string, code: InvokeRefusalCode, detail: string): Error {
  return refuse(
    'D502FC',
    { Reason: code },
    {
      side: refusalSides[code],
      field: 'function',
      expected: `the function ${name} to be invocable`,
      got: detail.slice(0, gotLimit),
      message: `The function ${name} of the API's backend was not run: ${code}.`,
    },
  );
}

function timedOut({ name, timeoutMs }: Called): Error {
  return refuse(
    'D504TO',
    {},
    {
      side: 'api-owner',
      field: 'ServiceTimeout',
      expected: `an answer within ${timeoutMs} ms`,
      got: 'no answer yet',
      message: `The function ${name} did not answer within the API's ServiceTimeout of ${timeoutMs} ms; the gateway stopped waiting. Raise ServiceTimeout or make the function faster (its first call starts an instance).`,
    },
    // Of functions, classic instances say so; of other backends "Async Service". Source: docs.
    'Service Unavailable',
  );
}
