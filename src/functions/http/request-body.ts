// The body of an HTTP call of a function, whole, within its limit and the budget of all. Called by http-door.ts.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type BodyBudget, uncountedBytes } from '../../base/body-budget.ts';
import { httpError } from './errors.ts';

export type BodyLimits = { readonly limitBytes: number; readonly budget: BodyBudget };

/**
 * What it takes of the budget is given back when the response is over.
 *
 * Errors: EntityTooLarge, ResourceThrottled; the caller reads and throws away the rest of such a body.
 */
export function readHttpBody(
  request: IncomingMessage,
  response: ServerResponse,
  { limitBytes, budget }: BodyLimits,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let received = 0;
    let taken = 0;
    const refuse = (error: Error) => {
      request.off('data', onData);
      parts.length = 0;
      reject(error);
    };
    const tooLarge = () =>
      refuse(httpError('EntityTooLarge', `payload size exceeds maximum allowed size (${limitBytes} bytes)`));
    const onData = (part: Buffer) => {
      received += part.length;
      parts.push(part);
      if (received > limitBytes) tooLarge();
      else if (received > uncountedBytes) {
        if (!budget.take(part.length)) {
          refuse(httpError('ResourceThrottled', 'the bodies of all requests take too much memory, retry later'));
          return;
        }
        if (taken === 0) response.once('close', () => budget.giveBack(taken));
        taken += part.length;
      }
    };
    if (Number(request.headers['content-length'] ?? 0) > limitBytes) {
      tooLarge();
      return;
    }
    request.on('data', onData);
    request.on('end', () => resolve(parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)));
    request.on('error', reject);
    request.on('close', () => reject(httpError('ClientClosedRequest', 'the caller has gone')));
  });
}
