// How a command fails: one error type with the exit code that outsiders rely on.

/** 1 failed, 2 wrong usage, 3 cannot reach the server. */
export type FailureExit = 1 | 2 | 3;

/**
 * Ends a command with a message for the user.
 *
 * `code` is the service's error code, or null when the failure is our own.
 */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: FailureExit;
  readonly code: string | null;

  constructor(exitCode: FailureExit, message: string, options: { code?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.exitCode = exitCode;
    this.code = options.code ?? null;
  }
}

export function failed(message: string, options: { code?: string; cause?: unknown } = {}): CliError {
  return new CliError(1, message, options);
}

export function wrongUsage(message: string): CliError {
  return new CliError(2, message);
}

export function unreachable(message: string, cause?: unknown): CliError {
  return new CliError(3, message, { cause });
}

/** The system's code of a failed call (`ENOENT`, ...), or null. */
export function systemCode(error: unknown): string | null {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return null;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
