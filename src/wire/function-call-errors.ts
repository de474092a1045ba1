// The errors that a call of a function can end with, whichever door it came through, and their statuses. Used by control for
// InvokeFunction and by functions for HTTP triggers.

/** Source: docs; where they leave a status open: assumed. */
export const functionCallStatuses = {
  InvalidArgument: 400,
  MissingRequiredHeader: 400,
  EntityTooLarge: 400,
  AccessDenied: 403,
  ServiceNotFound: 404,
  FunctionNotFound: 404,
  VersionNotFound: 404,
  AliasNotFound: 404,
  TriggerNotFound: 404,
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
