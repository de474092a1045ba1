import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeSpans, type Span } from './otlp-spans.ts';

const span: Span = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '8899aabbccddeeff',
  parentSpanId: '00f067aa0ba902b7',
  name: 'GET /a',
  kind: 'server',
  startMs: 1_795_000_000_000.25,
  endMs: 1_795_000_000_001,
  attributes: { text: 'x', whole: 200, part: 0.5, yes: true, nothing: null },
  error: null,
};

test('writes a span as the protocol wants it: texts for 64 bits, numbers for kinds, nothing for what is absent', () => {
  const body: unknown = JSON.parse(encodeSpans([span], { 'service.name': 's' }, { name: 'n' }));
  assert.deepEqual(body, {
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 's' } }] },
        scopeSpans: [
          {
            scope: { name: 'n' },
            spans: [
              {
                traceId: span.traceId,
                spanId: span.spanId,
                parentSpanId: span.parentSpanId,
                name: 'GET /a',
                kind: 2,
                startTimeUnixNano: '1795000000000250000',
                endTimeUnixNano: '1795000000001000000',
                attributes: [
                  { key: 'text', value: { stringValue: 'x' } },
                  { key: 'whole', value: { intValue: '200' } },
                  { key: 'part', value: { doubleValue: 0.5 } },
                  { key: 'yes', value: { boolValue: true } },
                ],
              },
            ],
          },
        ],
      },
    ],
  });
});

test('a span that failed has a status with the sentence; one without a parent has none', () => {
  const text = encodeSpans([{ ...span, parentSpanId: null, error: 'why' }], {}, { name: 'n' });
  assert.match(text, /"status":\{"code":2,"message":"why"\}/);
  assert.doesNotMatch(text, /parentSpanId/);
});
