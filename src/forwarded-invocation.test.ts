import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeOutcome, decodeRequest, encodeOutcome, encodeRequest } from './forwarded-invocation.ts';
import type { InvocationOutcome } from './model/invocation.ts';

/** What a channel does to a message. */
const cross = (message: { data: unknown; body?: Buffer }) => ({
  data: JSON.parse(JSON.stringify(message.data)) as unknown,
  ...(message.body && message.body.length > 0 ? { body: message.body } : {}),
});

test('a request arrives as it was sent, an empty event too', () => {
  for (const event of [Buffer.from([0, 255, 10]), Buffer.alloc(0)]) {
    const request = {
      target: { serviceName: null, functionName: 'f', qualifier: null },
      requestId: 'R',
      event,
      wantsLogTail: true,
    };
    assert.deepEqual(decodeRequest(cross(encodeRequest(request))), request);
  }
});

test('every kind of outcome arrives as it was sent', () => {
  const facts = {
    instanceId: 'c-1',
    durationMs: 1.5,
    maxMemoryMb: 9.2,
    codeChecksum: '42',
    versionId: 'LATEST',
    coldStart: { isSpare: true, waitMs: 1, startMs: 2, codeMs: 5, loadMs: 3, initializerMs: 4 },
    runtimeNote: null,
  };
  const outcomes: InvocationOutcome[] = [
    { kind: 'success', body: Buffer.from([0, 200]), logTail: null, ...facts },
    { kind: 'success', body: Buffer.alloc(0), logTail: Buffer.from('out\n'), ...facts },
    {
      kind: 'function-error',
      errorType: 'UnhandledInvocationError',
      body: Buffer.from('{}'),
      logTail: Buffer.from('x'),
      ...facts,
    },
    { kind: 'refused', code: 'FunctionNotFound', message: 'function f does not exist' },
  ];
  for (const outcome of outcomes) assert.deepEqual(decodeOutcome(cross(encodeOutcome(outcome))), outcome);
});
