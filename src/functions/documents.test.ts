import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endDocument, errorTypeOf } from './documents.ts';

const usage = { durationMs: 3000.6, memoryMb: 9.2 };

test('a time-out is told in seconds with the figures', () => {
  assert.equal(
    endDocument({ kind: 'timed-out', limitMs: 3000 }, usage).toString(),
    '{"errorMessage":"Function timed out after 3 seconds (duration: 3001ms, maxMemoryUsage: 9.20MB)"}',
  );
});

test('an exit is told with the figures', () => {
  assert.equal(
    endDocument({ kind: 'exited' }, usage).toString(),
    '{"errorMessage":"Process exited unexpectedly before completing request (duration: 3001ms, maxMemoryUsage: 9.20MB)"}',
  );
});

test('what goes wrong in the initializer is an InitializationError, all else is unhandled', () => {
  assert.equal(errorTypeOf({ kind: 'initializer-exited' }), 'InitializationError');
  assert.equal(errorTypeOf({ kind: 'initializer-timed-out', limitMs: 1 }), 'InitializationError');
  assert.equal(errorTypeOf({ kind: 'timed-out', limitMs: 1 }), 'UnhandledInvocationError');
  assert.equal(errorTypeOf({ kind: 'result-too-large', limitBytes: 1 }), 'UnhandledInvocationError');
});
