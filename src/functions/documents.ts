// The error documents that the platform writes itself, when the function could not. Called by invoke's settle step.
import type { FunctionErrorType } from '../model/invocation.ts';

/** What ended a request that the function did not answer. Times in milliseconds. */
export type PlatformEnd =
  | { readonly kind: 'timed-out'; readonly limitMs: number }
  | { readonly kind: 'exited' }
  | { readonly kind: 'initializer-timed-out'; readonly limitMs: number }
  | { readonly kind: 'initializer-exited' }
  | { readonly kind: 'result-too-large'; readonly limitBytes: number };

export type Usage = { readonly durationMs: number; readonly memoryMb: number };

/**
 * The text of `errorMessage`, without the figures.
 *
 * Source: docs for time-out and exit; assumed for the initializer's and the result's size.
 */
export function describeEnd(end: PlatformEnd): string {
  switch (end.kind) {
    case 'timed-out':
      return `Function timed out after ${end.limitMs / 1000} seconds`;
    case 'initializer-timed-out':
      return `Function initialization timed out after ${end.limitMs / 1000} seconds`;
    case 'exited':
    case 'initializer-exited':
      return 'Process exited unexpectedly before completing request';
    case 'result-too-large':
      return `Response payload size exceeds maximum allowed size (${end.limitBytes} bytes)`;
  }
}

/** `X-Fc-Error-Type` of such an end. Source: docs. */
export function errorTypeOf(end: PlatformEnd): FunctionErrorType {
  return end.kind === 'initializer-timed-out' || end.kind === 'initializer-exited'
    ? 'InitializationError'
    : 'UnhandledInvocationError';
}

/** `(duration: 3001ms, maxMemoryUsage: 9.20MB)`. */
export function describeUsage(usage: Usage): string {
  return `(duration: ${Math.round(usage.durationMs)}ms, maxMemoryUsage: ${usage.memoryMb.toFixed(2)}MB)`;
}

/** The document as JSON bytes. */
export function endDocument(end: PlatformEnd, usage: Usage): Buffer {
  const text = end.kind === 'result-too-large' ? describeEnd(end) : `${describeEnd(end)} ${describeUsage(usage)}`;
  return Buffer.from(JSON.stringify({ errorMessage: text }));
}
