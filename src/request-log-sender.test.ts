import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestRecord } from './model/testing.ts';
import { createRequestLogSender } from './request-log-sender.ts';
import { readLogLine } from './wire/request-log-line.ts';

const record = (at: number) => requestRecord({ requestId: `R${at}`, at });

function start(parts: { fullRate?: number; waitingBytes?: number; send?: (lines: Buffer) => Promise<void> } = {}) {
  const timers: (() => void)[] = [];
  const sent: string[] = [];
  const announced: number[] = [];
  const after = (_ms: number, run: () => void) => {
    timers.push(run);
    return () => {};
  };
  const sender = createRequestLogSender({
    clock: { now: () => 0, monotonic: () => 0, after },
    fullRate: 100,
    batchMs: 100,
    waitingBytes: 1_000_000,
    send: async (lines) => void sent.push(lines.toString()),
    onSampling: (keepEvery) => announced.push(keepEvery),
    ...parts,
  });
  const lines = () => sent.join('').split('\n').slice(0, -1);
  return { sender, timers, sent, announced, lines };
}

test('sends records together, once for all that came meanwhile', async () => {
  const { sender, timers, sent, lines } = start();
  for (let i = 0; i < 5; i++) sender.add(record(i));
  assert.deepEqual([timers.length, sent.length], [1, 0]);
  timers[0]?.();
  await sender.flush();
  assert.equal(sent.length, 1);
  assert.deepEqual(
    lines().map((line) => readLogLine(line)?.requestId),
    ['R0', 'R1', 'R2', 'R3', 'R4'],
  );
});

test('above the full rate keeps one of so many, says for how many it stands, and announces it', async () => {
  const { sender, announced, lines } = start({ fullRate: 100 });
  for (let i = 0; i < 350; i++) sender.add(record(1_000 + i));
  for (let i = 0; i < 350; i++) sender.add(record(2_000 + i));
  sender.add(record(4_000));
  await sender.flush();
  assert.deepEqual(announced, [4, 1]);
  const weights = lines().map((line) => (JSON.parse(line) as { weight?: number }).weight ?? 1);
  assert.equal(weights.length, 350 + 88 + 1);
  assert.equal(weights.filter((weight) => weight === 4).length, 88);
  assert.equal(sender.counts().sampledOut, 262);
});

test('drops and counts what control does not take in time, and goes on afterwards', async () => {
  const gate = Promise.withResolvers<void>();
  const { sender, timers } = start({ waitingBytes: 2_000, send: () => gate.promise });
  for (let i = 0; i < 50; i++) {
    sender.add(record(i));
    timers.splice(0).forEach((run) => void run());
  }
  const { dropped } = sender.counts();
  assert.ok(dropped > 30, `${dropped}`);
  gate.resolve();
  await sender.flush();
  sender.add(record(60));
  assert.equal(sender.counts().dropped, dropped);
});
