import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOutputSender, type OutputSenderOptions } from './output-sender.ts';
import { readOutputLine } from './wire/output-line.ts';

function openSender(parts: Partial<OutputSenderOptions> = {}) {
  const timers: (() => unknown)[] = [];
  const sent: string[] = [];
  let now = 1_000;
  let full = 0;
  const sender = createOutputSender({
    clock: {
      now: () => now,
      monotonic: () => 0,
      after: (_ms, run) => {
        timers.push(run);
        return () => {};
      },
    },
    batchMs: 100,
    waitingBytes: 10_000,
    perSecond: { ofFunction: 100, inAll: 150 },
    send: async (lines) => void sent.push(String(lines)),
    onFull: () => {
      full += 1;
    },
    ...parts,
  });
  const print = (text: string, functionKey = 'f') =>
    sender.add({ functionKey, instanceId: 'c-1', requestId: 'r', text });
  const texts = () => sent.flatMap((batch) => batch.trimEnd().split('\n')).map((line) => readOutputLine(line)?.text);
  return {
    ...{ sender, print, sent, texts, timers },
    full: () => full,
    at: (ms: number) => {
      now = ms;
    },
  };
}

test('lines go out in batches, with what they are of; the markers around requests do not', async () => {
  const { sender, print, sent, timers } = openSender();
  print('FC Invoke Start RequestId: r');
  assert.equal(timers.length, 0);
  print('one');
  print('two');
  print('FC Invoke End RequestId: r');
  assert.deepEqual([timers.length, sent.length], [1, 0]);
  timers[0]?.();
  await sender.flush();
  assert.equal(sent.length, 1);
  const [first] = (sent[0] ?? '').split('\n');
  assert.deepEqual(readOutputLine(first ?? ''), {
    ...{ at: 1_000, functionName: 'f', instanceId: 'c-1', requestId: 'r', text: 'one' },
  });
});

test('secrets are masked', async () => {
  const { sender, print, texts } = openSender();
  print('password=p');
  await sender.flush();
  assert.deepEqual(texts(), ['password=(hidden)']);
});

test('of a function that prints too much in a second the rest is left out, which one line says; its neighbour is heard', async () => {
  const { sender, print, texts, at } = openSender();
  const line = 'x'.repeat(40);
  for (let n = 0; n < 10; n++) print(line);
  print('short', 'neighbour');
  at(2_000);
  print('again');
  await sender.flush();
  const said = texts();
  assert.deepEqual([said[0], said[1], said[3], said[4]], [line, line, 'short', 'again']);
  assert.match(said[2] ?? '', /^\(more was printed in a second than is kept/);
  assert.equal(said.length, 5);
});

test('all functions together have a bound, too', async () => {
  const { sender, print, texts } = openSender();
  for (const name of ['a', 'b', 'c']) for (let n = 0; n < 3; n++) print('y'.repeat(30), name);
  await sender.flush();
  assert.equal(texts().filter((text) => text?.startsWith('y')).length, 5);
});

test('what control does not take is dropped and told of once', async () => {
  const gate = Promise.withResolvers<void>();
  const { sender, print, full, timers, at } = openSender({ waitingBytes: 100, send: () => gate.promise });
  for (let n = 0; n < 5; n++) {
    at(n * 1_000);
    print('z'.repeat(60));
    for (const run of timers.splice(0)) run();
  }
  assert.equal(full(), 1);
  gate.resolve();
  await sender.flush();
});
