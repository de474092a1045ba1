// The door of the data plane: one HTTP request, in order. Each step is a file and knows what the steps before it learned.
//
//   Received → Matched → Identified → Admitted → Mapped → Replied
//
// Called by gateway.ts for a socket, and by tests with request values.
import { STATUS_CODES } from 'node:http';
import type { Clock } from '../base/clock.ts';
import { InternalTimeout } from '../base/internal-timeout.ts';
import type { Failure, RequestRecord } from '../model/record.ts';
import { admit } from './admit.ts';
import { answerBackend, answerError, answerPreflight, answerRedirect } from './answer.ts';
import { RelayedBody } from './backends/relayed-body.ts';
import type { Begun, GatewayReply, GatewayRequest, PipelineDeps, Progress, Replied } from './context.ts';
import { ClientGone, Refusal, refuse } from './errors.ts';
import { identify } from './identify.ts';
import { withResponseBody } from './logged-parts.ts';
import { mapRequest } from './map.ts';
import { match } from './match.ts';
import { begin, receive } from './receive.ts';
import { reply } from './reply.ts';
import { receivedBytes, recordOf } from './request-record.ts';
import type { Snapshot } from './snapshot.ts';

/** `reply` null: the caller has gone, nothing can be sent. */
export type PipelineResult = { readonly reply: GatewayReply | null; readonly record: RequestRecord };

/** Answers one request on the snapshot it began with. Never rejects. */
export async function runPipeline(
  request: GatewayRequest,
  snapshot: Snapshot,
  deps: PipelineDeps,
): Promise<PipelineResult> {
  const begun = begin(request, snapshot, deps);
  try {
    const received = receive(begun);
    const matched = match(received);
    if (matched.kind === 'preflight') return finish(matched, answerPreflight(matched));
    if (matched.kind === 'redirect') return finish(matched, answerRedirect(matched));
    const identified = await identify(matched);
    // These two seldom wait: an `await` of what is there already would cost as much as they do.
    const admitting = admit(identified);
    const admitted = admitting instanceof Promise ? await admitting : admitting;
    const mapping = mapRequest(admitted);
    const mapped = mapping instanceof Promise ? await mapping : mapping;
    const replied = await reply(mapped);
    return finish(replied, answerBackend(replied, reasonPhrase), backendFailure(replied));
  } catch (error) {
    return failed(begun, error);
  }
}

function reasonPhrase(status: number): string {
  return STATUS_CODES[status] ?? 'Unknown';
}

function finish(progress: Progress, reply: GatewayReply, failure: Failure | null = null): PipelineResult {
  return { reply, record: recordOf(progress, reply.status, failure, reply) };
}

/** A failure that the backend answered by itself; it is passed on as it is, without a code of the gateway. */
function backendFailure({ answer, api }: Replied): Failure | null {
  if (answer.status < 400) return null;
  const isFunction = api.backend.kind === 'function-event' || api.backend.kind === 'function-http';
  return {
    code: String(answer.status),
    side: isFunction ? 'function' : 'api-owner',
    field: 'statusCode',
    expected: null,
    got: String(answer.status),
    message: `The ${isFunction ? 'function' : 'backend'} answered ${answer.status} by itself; the gateway passed its answer on.`,
    functionLog: null,
  };
}

const clientGone: Failure = {
  code: '499',
  side: 'client',
  field: null,
  expected: null,
  got: null,
  message: 'The caller closed the connection before the whole answer.',
  functionLog: null,
};

/** The one place where errors end. The steps filled in what they learned, so the record says how far the request came. */
function failed(begun: Begun, error: unknown): PipelineResult {
  const progress: Progress = begun;
  if (error instanceof ClientGone) {
    return {
      reply: null,
      record: recordOf(progress, 499, clientGone, null),
    };
  }
  const refusal = refusalOf(error);
  if (refusal === null) begun.deps.reportBug(error, begun.requestId);
  return refused(progress, refusal ?? internalError());
}

function refused(progress: Progress, refusal: Refusal): PipelineResult {
  const reply = answerError(progress, refusal);
  return { reply, record: recordOf(progress, reply.status, refusal.failure, reply) };
}

/** Null: nobody foresaw it. */
function refusalOf(error: unknown): Refusal | null {
  if (error instanceof Refusal) return error;
  return error instanceof InternalTimeout ? internalTimeout(error) : null;
}

/** One of the server's own processes was asked and did not answer. Source: docs; the wording is assumed. */
export function internalTimeout({ message }: InternalTimeout): Refusal {
  return refuse(
    'X504TO',
    {},
    {
      side: 'platform',
      field: 'control process',
      got: message,
      message: 'A process of this server that has to agree to each call did not answer in time; try again.',
    },
  );
}

/** The record of an answer that went out while it came in: complete, or broken off by `error`. */
export function recordOfRelayed(
  { reply, record: made }: PipelineResult,
  request: GatewayRequest,
  error: Error | null,
  clock: Clock,
): RequestRecord {
  const logged = made.logged === null || reply === null ? made : withResponseBody(made, reply);
  const body = reply?.body instanceof RelayedBody ? reply.body : null;
  const isBodiless = made.method === 'HEAD' || made.status === 204 || made.status === 304;
  const record = {
    ...logged,
    coldStart: body?.coldStart ?? logged.coldStart,
    requestBytes: receivedBytes(request),
    responseBytes: isBodiless ? 0 : (body?.handedBytes ?? logged.responseBytes),
  };
  const totalMs = Math.max(record.totalMs, clock.now() - record.at);
  if (error === null) return { ...record, totalMs };
  if (error instanceof ClientGone) return { ...record, totalMs, status: 499, failure: clientGone };
  const refusal = error instanceof Refusal ? error : internalError();
  return { ...record, totalMs, failure: refusal.failure };
}

function internalError(): Refusal {
  return refuse(
    'X500ER',
    {},
    {
      side: 'unknown',
      message: 'The gateway failed on this request and does not know why; the server log has the details under its id.',
    },
  );
}
