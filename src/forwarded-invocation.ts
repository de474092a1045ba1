// How an invocation crosses the channel from control to data: small facts as JSON, event and result as raw bytes.
import type { Message } from './base/channel.ts';
import type { InvocationOutcome, InvokeRequest } from './model/invocation.ts';

type RequestHead = Omit<InvokeRequest, 'event'>;
type OutcomeHead<O = InvocationOutcome> = O extends { logTail: Buffer | null }
  ? Omit<O, 'body' | 'logTail'> & { readonly logTail: string | null }
  : O;

export function encodeRequest(request: InvokeRequest): { data: RequestHead; body: Buffer } {
  const { event, ...data } = request;
  return { data, body: event };
}

export function decodeRequest({ data, body }: Message): InvokeRequest {
  return { ...(data as RequestHead), event: body ?? Buffer.alloc(0) };
}

export function encodeOutcome(outcome: InvocationOutcome): Message {
  if (outcome.kind === 'refused') return { data: outcome };
  const { body, logTail, ...facts } = outcome;
  return { data: { ...facts, logTail: logTail?.toString('base64') ?? null }, body };
}

export function decodeOutcome({ data, body }: Message): InvocationOutcome {
  const head = data as OutcomeHead;
  if (head.kind === 'refused') return head;
  const logTail = head.logTail === null ? null : Buffer.from(head.logTail, 'base64');
  return { ...head, body: body ?? Buffer.alloc(0), logTail };
}
