// What a fault between gateway and backend is to the caller: code, words, whose side. Called by http-exchange.ts and its like.

import { ClientGone, Refusal, refuse } from '../errors.ts';
import { BackendFault } from '../outbound/fault.ts';
import { BodyTooLarge } from '../request-body.ts';

/** The code and sentence for a fault. The caller's message may name the backend's address as the cloud's does; the record's never. */
export function wordFault(error: Error, host: string): Error {
  if (error instanceof Refusal || error instanceof ClientGone || error instanceof BodyTooLarge) return error;
  if (!(error instanceof BackendFault)) return error;
  switch (error.kind) {
    case 'resolve':
      return refuse(
        'D504RE',
        { Domain: host },
        {
          side: 'api-owner',
          field: 'ServiceAddress',
          expected: 'a domain that can be resolved from the gateway',
          message:
            "The domain of the API's backend cannot be resolved: correct the backend's address, or the gateway's DNS.",
        },
      );
    case 'illegal':
      return refuse(
        'D504IL',
        { Domain: host, Address: error.detail },
        {
          side: 'api-owner',
          field: 'ServiceAddress',
          expected: 'a public address, or one that the operator allows',
          message:
            "The API's backend is at an address that this gateway does not connect to (loopback, private or its own). The operator can open ranges with --allow-backend.",
        },
      );
    case 'connect':
      return connectFailed(
        error.message,
        'The backend could not be connected to: is it up, and reachable from the gateway?',
      );
    case 'closed':
      return connectFailed(error.message, 'The backend closed the connection without an answer.');
    case 'tls':
      return refuse(
        'D504CS',
        { Reason: error.message },
        {
          side: 'api-owner',
          field: 'ServiceAddress',
          expected: 'a TLS server with a certificate that the gateway trusts',
          got: error.message,
          message: `The TLS connection to the backend failed (${error.message}).`,
        },
      );
    case 'response':
      return refuse(
        'N502RE',
        { Reason: error.message },
        {
          side: 'api-owner',
          field: 'backend response',
          expected: 'a whole HTTP/1.1 response',
          got: error.message,
          message: `The backend's response could not be relayed: ${error.message}.`,
        },
      );
    case 'busy':
      return refuse(
        'X503BZ',
        {},
        {
          side: 'platform',
          field: 'backend',
          got: error.message,
          message: `The gateway has no connection left for this call: ${error.message}.`,
        },
      );
  }
}

function connectFailed(reason: string, message: string): Refusal {
  return refuse('D504CO', { Reason: reason }, { side: 'api-owner', field: 'ServiceAddress', message });
}

/** `wasHeldBack`: when the time ran out the gateway was waiting for the caller to take what had come. */
export function timedOut(timeoutMs: number, wasHeldBack: boolean): Refusal {
  return refuse(
    'D504TO',
    {},
    {
      side: wasHeldBack ? 'client' : 'api-owner',
      field: 'ServiceTimeout',
      expected: `a whole answer within ${timeoutMs} ms`,
      got: wasHeldBack ? 'an answer that the caller read too slowly' : 'no whole answer yet',
      message: wasHeldBack
        ? `The caller took the answer so slowly that it was not through within the API's ServiceTimeout of ${timeoutMs} ms.`
        : `The backend did not finish its answer within the API's ServiceTimeout of ${timeoutMs} ms; the gateway stopped waiting. Raise ServiceTimeout or make the backend faster.`,
    },
  );
}
