// Every error that an HTTP trigger answers by itself. Thrown by the steps of http-door.ts, written by answer.ts.
import { functionCallStatuses } from '../../wire/function-call-errors.ts';

/** Source: docs; those of the two that are added: assumed. */
export const httpErrorStatuses = { ...functionCallStatuses, DomainNameNotFound: 404, MethodNotAllowed: 405 } as const;

export type HttpErrorCode = keyof typeof httpErrorStatuses;

export class HttpDoorError extends Error {
  override readonly name = 'HttpDoorError';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export function httpError(code: HttpErrorCode, message: string): HttpDoorError {
  return new HttpDoorError(httpErrorStatuses[code], code, message);
}
