// Step 6, Replied: asks the API's backend, whatever kind it is. A new kind is a file in backends/ and a case here.
// Called by pipeline.ts.
import { assertNever } from '../base/assert-never.ts';
import type { Backend } from '../model/api.ts';
import { breakerKey } from './backends/breaker.ts';
import { callFunctionEvent } from './backends/function-event.ts';
import { callFunctionHttp } from './backends/function-http.ts';
import { callHttp } from './backends/http.ts';
import { answerMock } from './backends/mock.ts';
import { RelayedBody } from './backends/relayed-body.ts';
import { sharedBackend } from './backends/shared.ts';
import { callVpc } from './backends/vpc.ts';
import type { BackendAnswer, Mapped, Replied } from './context.ts';
import { ClientGone, Refusal, refuse } from './errors.ts';
import { noteBackendMs, toReplied } from './states.ts';

/** Errors: those of the backend's kind, D503CB and D503BB of the breaker, D504CO for a kind that is not served, X503BZ. */
export async function reply(mapped: Mapped): Promise<Replied> {
  const { clock, backends } = mapped.deps;
  const key = breakerKey(mapped);
  const startedAt = clock.monotonic();
  backends.breakers.admit(key, mapped.api.apiName);
  let replied: Replied;
  try {
    const answer = wholeIfThere(await callBackend(mapped, mapped.api.backend));
    backends.breakers.answered(key);
    replied = toReplied(mapped, answer, clock.monotonic() - startedAt);
  } catch (error) {
    if (error instanceof Refusal && error.code === 'D504TO') backends.breakers.timedOut(key);
    else if (tellsNothing(error)) backends.breakers.unsettled(key);
    else backends.breakers.answered(key);
    // The record of a failed call tells how long its backend took.
    noteBackendMs(mapped, clock.monotonic() - startedAt);
    throw error;
  }
  holdAnswer(replied);
  return replied;
}

/** Of the backend: the caller has gone, or did something wrong, or there was no room here. */
function tellsNothing(error: unknown): boolean {
  if (error instanceof Refusal) return error.failure.side === 'client' || error.failure.side === 'platform';
  return error instanceof ClientGone;
}

/** A body that came together with its head is a plain one. Errors: N502RE when it broke off just then. */
function wholeIfThere(answer: BackendAnswer): BackendAnswer {
  if (!(answer.body instanceof RelayedBody)) return answer;
  const body = answer.body.whole();
  return body === null ? answer : { ...answer, body };
}

/** A body that flows through is not kept; one that is whole is, as long as the caller does not take it. Errors: X503BZ. */
function holdAnswer({ request, answer: { body } }: Replied): void {
  if (body instanceof RelayedBody || request.holdAnswer(body.length)) return;
  throw refuse(
    'X503BZ',
    {},
    {
      side: 'platform',
      field: 'answer',
      got: `${body.length} bytes`,
      message: 'The answers that callers have not taken yet fill the memory that the gateway has for them; try again.',
    },
  );
}

function callBackend(mapped: Mapped, backend: Backend): BackendAnswer | Promise<BackendAnswer> {
  switch (backend.kind) {
    case 'function-event':
      return callFunctionEvent(mapped, backend);
    case 'function-http':
      return callFunctionHttp(mapped, backend);
    case 'http':
      return callHttp(mapped, backend);
    case 'vpc':
      return callVpc(mapped, backend);
    case 'shared':
      return callBackend(mapped, sharedBackend(mapped, backend));
    case 'mock':
      return answerMock(mapped, backend);
    case 'unserved':
      throw unserved(mapped, backend.wireKind);
    default:
      return assertNever(backend);
  }
}

function unserved({ api }: Mapped, wireKind: string): Error {
  return refuse(
    'D504CO',
    { Reason: `backend kind ${wireKind} is not served` },
    {
      side: 'platform',
      field: 'ServiceProtocol',
      expected: 'HTTP, VPC, FunctionCompute or Mock',
      got: wireKind,
      message: `The API ${api.apiName} has a backend of the kind ${wireKind}, which this gateway does not serve.`,
    },
  );
}
