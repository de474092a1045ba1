// What comes of a question to an instance: an answer, or what came instead. Used by instance.ts.
import type { FunctionErrorType } from '../../model/invocation.ts';
import type { PlatformEnd } from '../documents.ts';
import type { Answer } from './exchange.ts';
import type { Ended, Outcome, StartFailure } from './instance-port.ts';

export type Judged = { readonly outcome: Outcome; readonly limitMs: number; readonly resultLimitBytes: number };

export function judgeCall({ outcome, limitMs, resultLimitBytes }: Judged): Ended {
  switch (outcome.kind) {
    case 'answer':
      return judge(outcome.answer, resultLimitBytes);
    case 'expired':
      return { kind: 'ended', end: { kind: 'timed-out', limitMs } };
    case 'recalled':
    case 'caller-gone':
      return outcome;
    case 'hello':
    case 'disconnected':
      return exited;
  }
}

/** What an answer to `load` or to the initializer makes of a start; null: it goes on. */
export function judgeStart(
  outcome: Outcome,
  errorType: FunctionErrorType,
  whenLate: PlatformEnd,
  whenGone: PlatformEnd,
): StartFailure | null {
  if (outcome.kind === 'expired') return { kind: 'ended', end: whenLate };
  if (outcome.kind !== 'answer') return { kind: 'ended', end: whenGone };
  const { answer } = outcome;
  if (answer.kind === 'end') return null;
  return answer.kind === 'error' ? { kind: 'error', errorType, body: answer.body } : { kind: 'ended', end: whenGone };
}

const exited = { kind: 'ended', end: { kind: 'exited' } } as const;

function judge(answer: Answer, limitBytes: number): Ended {
  switch (answer.kind) {
    case 'end':
    case 'error':
      return { kind: 'answered', answer };
    case 'recalled':
    case 'bad-response':
      return answer;
    case 'too-large':
      return { kind: 'ended', end: { kind: 'result-too-large', limitBytes } };
    case 'lost':
    case 'violation':
      return exited;
  }
}
