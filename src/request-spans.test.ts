import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from './base/clock.ts';
import type { InvocationOutcome } from './model/invocation.ts';
import { requestRecord } from './model/testing.ts';
import { createRequestSpans } from './request-spans.ts';
import type { Span } from './wire/otlp-spans.ts';

const requestId = '1B2C3D4E-5F60-4711-8899-AABBCCDDEEFF';
const record = requestRecord({ requestId, apiName: null, functionName: 'shop/web', qualifier: 'prod', totalMs: 50 });
const target = { serviceName: 'shop', functionName: 'web', qualifier: 'prod' };
const call = { target, requestId, event: Buffer.alloc(0), wantsLogTail: false };
const refused: InvocationOutcome = { kind: 'refused', code: 'FunctionNotStarted', message: 'no' };

function open() {
  const spans: Span[] = [];
  const made = createRequestSpans(systemClock, { export: (span) => spans.push(span), ratio: 1 });
  return { spans, ...made };
}

test('the span of an invocation hangs below the request\u2019s own, once the request has a record', async () => {
  const { spans, watch, add } = open();
  await watch(async () => refused)(call, AbortSignal.abort());
  assert.equal(spans.length, 0);
  add(record);
  const [outer, inner] = spans;
  assert.deepEqual(
    [outer?.name, outer?.kind, outer?.attributes['yunmen.function']],
    ['GET shop/web', 'server', 'shop/web'],
  );
  assert.deepEqual([inner?.name, inner?.parentSpanId], ['invoke shop/web', outer?.spanId]);
  assert.equal(inner?.error, 'FunctionNotStarted: no');
});

test('a caller that goes away leaves a span that ends with the request, and nothing is kept of what ends later', async () => {
  const { spans, watch, add } = open();
  let end = (_: InvocationOutcome) => {};
  const running = watch(() => new Promise((resolve) => (end = resolve)))(call, AbortSignal.abort());
  add(record);
  assert.deepEqual([spans[1]?.error, spans[1]?.endMs], ['the caller has gone', record.at + record.totalMs]);
  end(refused);
  await running;
  add(record);
  assert.equal(spans.length, 3, 'only the request\u2019s own for the second record');
});
