import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from './gateway/testing.ts';
import { createTraceExporter } from './trace-exporter.ts';
import type { Span } from './wire/otlp-spans.ts';

const span: Span = {
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  parentSpanId: null,
  name: 'x',
  kind: 'server',
  startMs: 1,
  endMs: 2,
  attributes: {},
  error: null,
};

/** An exporter whose messages the test answers by hand: with a status, or null for no answer at all. */
function setUp() {
  const clock = new FakeClock();
  const posted: { spans: number; answer: (status: number | null) => void }[] = [];
  const troubles: [string | null, number][] = [];
  const exporter = createTraceExporter({
    clock,
    resource: {},
    post: (body) =>
      new Promise((resolve, reject) => {
        const spans = body.split('"spanId"').length - 1;
        const answer = (status: number | null) => (status === null ? reject(new Error('refused')) : resolve(status));
        posted.push({ spans, answer });
      }),
    onTrouble: (error, dropped) => troubles.push([error, dropped]),
  });
  const add = (count: number) => {
    for (let i = 0; i < count; i++) exporter.add(span);
  };
  return { clock, posted, troubles, exporter, add };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('sends what came in a second as one message, and a full batch at once', async () => {
  const { clock, posted, add } = setUp();
  add(3);
  await turn();
  assert.equal(posted.length, 0);
  clock.advance(1_000);
  assert.deepEqual(
    posted.map(({ spans }) => spans),
    [3],
  );
  posted[0]?.answer(200);
  await turn();
  add(256);
  assert.deepEqual(
    posted.map(({ spans }) => spans),
    [3, 256],
  );
});

test('keeps a bounded number while the collector is slow, and counts the others', async () => {
  const { posted, exporter, add } = setUp();
  add(10_000);
  assert.equal(posted.length, 1, 'one message at a time');
  assert.equal(exporter.dropped(), 10_000 - 256 - 8_192);
});

test('tries again what the collector could not take, and tells once of each change', async () => {
  const { clock, posted, troubles, add } = setUp();
  add(1);
  clock.advance(1_000);
  for (const waitMs of [1_000, 3_000]) {
    posted.at(-1)?.answer(503);
    await turn();
    clock.advance(waitMs);
    await turn();
  }
  posted.at(-1)?.answer(null);
  await turn();
  assert.equal(posted.length, 3);
  assert.deepEqual(troubles, [['refused', 1]]);
  add(1);
  clock.advance(1_000);
  posted.at(-1)?.answer(200);
  await turn();
  assert.deepEqual(troubles, [
    ['refused', 1],
    [null, 1],
  ]);
});

test('does not repeat what the collector refuses for good', async () => {
  const { clock, posted, troubles, add } = setUp();
  add(2);
  clock.advance(1_000);
  posted[0]?.answer(400);
  await turn();
  clock.advance(60_000);
  assert.deepEqual([posted.length, troubles], [1, [['it answered 400', 2]]]);
});

test('sends what waits when it is closed, without trying again', async () => {
  const { posted, exporter, add } = setUp();
  add(2);
  const closed = exporter.close();
  await turn();
  assert.deepEqual(
    posted.map(({ spans }) => spans),
    [2],
  );
  posted[0]?.answer(503);
  await closed;
  add(1);
  assert.equal(exporter.dropped(), 3);
});
