// Why an instance could not be started, in words: what currentError of a provision configuration tells. Called by pool.ts.
import { describeEnd } from '../documents.ts';
import type { StartFailure } from './instance-port.ts';

/** Of an error document. */
const problemBytes = 500;

export function describeFailure(failure: StartFailure): string {
  switch (failure.kind) {
    case 'platform':
    case 'refused':
      return failure.message;
    case 'ended':
      return describeEnd(failure.end);
    case 'error':
      return failure.body.toString('utf8', 0, problemBytes);
  }
}
