import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as settle } from 'node:timers/promises';
import { RelayedSink } from './relayed-sink.ts';

const chunk = Buffer.alloc(200 * 1024);

function setUp() {
  const sent: PromiseWithResolvers<void>[] = [];
  const sink = new RelayedSink(() => {
    const taken = Promise.withResolvers<void>();
    sent.push(taken);
    return taken.promise;
  });
  return { sent, sink };
}

test('more than is to be on its way at once waits until the other side has taken some', async () => {
  const { sent, sink } = setUp();
  sink.head({ status: 200, headers: [] });
  assert.equal(sink.write(chunk), true);
  await sink.drained();
  assert.equal(sink.write(chunk), false);
  let isDrained = false;
  const drained = sink.drained().then(() => {
    isDrained = true;
  });
  await settle();
  assert.equal(isDrained, false);
  sent[1]?.resolve();
  await drained;
});

test('a caller whose process has gone holds nobody up', async () => {
  const { sent, sink } = setUp();
  sink.write(chunk);
  assert.equal(sink.write(chunk), false);
  for (const each of sent) each.reject(new Error('gone'));
  await sink.drained();
});
