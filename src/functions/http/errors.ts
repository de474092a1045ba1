// Every error that an HTTP trigger answers by itself. Thrown by the steps of http-door.ts, written by answer.ts.

/** Statuses. Source: docs (function-invocation.md 1 and 2); the ones marked there as unconfirmed: assumed. */
export const httpErrorStatuses = {
  InvalidArgument: 400,
  EntityTooLarge: 400,
  MissingRequiredHeader: 400,
  AccessDenied: 403,
  DomainNameNotFound: 404,
  TriggerNotFound: 404,
  ServiceNotFound: 404,
  FunctionNotFound: 404,
  VersionNotFound: 404,
  AliasNotFound: 404,
  MethodNotAllowed: 405,
  CAFileNotFound: 412,
  CAFilePermission: 412,
  CAExited: 412,
  FunctionNotStarted: 412,
  ResourceExhausted: 429,
  ClientClosedRequest: 499,
  InternalServerError: 500,
  BadResponse: 502,
  ResourceThrottled: 503,
} as const;

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
