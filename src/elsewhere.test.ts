import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as settle } from 'node:timers/promises';
import { Elsewhere, type ElsewhereDeps, type PassedCall, type Room, type RoomAsk } from './elsewhere.ts';
import { encodeOutcome } from './forwarded-invocation.ts';
import type { InvocationOutcome, InvokeRequest, ResponseSink } from './model/invocation.ts';

const target = { serviceName: null, functionName: 'f', qualifier: null };
const request: InvokeRequest = { target, requestId: 'r', event: Buffer.from('event'), wantsLogTail: false };
const success: InvocationOutcome = {
  kind: 'success',
  body: Buffer.from('there'),
  instanceId: 'c-1',
  durationMs: 1,
  maxMemoryMb: 1,
  codeChecksum: '1',
  versionId: 'LATEST',
  logTail: null,
  coldStart: null,
  runtimeNote: null,
};
const exhausted: InvocationOutcome = { kind: 'refused', code: 'ResourceExhausted', message: 'full' };

/** Asks that the test answers, and calls that end as it says. */
function setUp(limits: ElsewhereDeps['limits'] = { waiting: 10, bytes: 1_000 }) {
  const asks: { ask: RoomAsk; answer(rooms: readonly Room[]): void; fail(error: Error): void }[] = [];
  const passed: { call: PassedCall; event: Buffer; end: PromiseWithResolvers<InvocationOutcome> }[] = [];
  const troubles: string[] = [];
  const elsewhere = new Elsewhere({
    askRoom(ask) {
      const { promise, resolve, reject } = Promise.withResolvers<readonly Room[]>();
      asks.push({ ask, answer: resolve, fail: reject });
      return promise;
    },
    async pass(call, event) {
      const end = Promise.withResolvers<InvocationOutcome>();
      passed.push({ call, event, end });
      return encodeOutcome(await end.promise);
    },
    onTrouble: (error) => troubles.push(error.message),
    limits,
  });
  const signal = new AbortController();
  const invoke = (more: Partial<InvokeRequest> = {}) =>
    Promise.resolve(elsewhere.invoke({ ...request, ...more }, signal.signal));
  return { elsewhere, asks, passed, troubles, invoke, signal };
}

test('a call goes to the process that has room, and its outcome comes back', async () => {
  const { asks, passed, invoke } = setUp();
  const outcome = invoke({ isUnusable: () => false });
  assert.deepEqual(asks[0]?.ask, { target, wanted: 1 });
  asks[0]?.answer([{ place: 2, requests: 1 }]);
  await settle();
  const { event: _event, ...head } = request;
  assert.deepEqual(passed[0]?.call, { to: 2, stream: null, request: head });
  assert.equal(String(passed[0]?.event), 'event');
  passed[0]?.end.resolve(success);
  assert.deepEqual(await outcome, success);
});

test('nobody has room: there is no outcome', async () => {
  const { asks, passed, invoke } = setUp();
  const outcome = invoke();
  asks[0]?.answer([]);
  assert.equal(await outcome, null);
  assert.equal(passed.length, 0);
});

test('calls that come while control is asked make one question, and go where most room is', async () => {
  const { asks, passed, invoke } = setUp();
  const first = invoke();
  const others = [invoke(), invoke(), invoke(), invoke()];
  assert.equal(asks.length, 1);
  asks[0]?.answer([]);
  assert.equal(await first, null);
  await settle();
  assert.deepEqual(asks[1]?.ask.wanted, 4);
  asks[1]?.answer([
    { place: 0, requests: 1 },
    { place: 1, requests: 2 },
  ]);
  await settle();
  assert.deepEqual(passed.map(({ call }) => call.to).toSorted(), [0, 1, 1]);
  for (const { end } of passed) end.resolve(success);
  assert.deepEqual(await Promise.all(others), [success, success, success, null]);
  const later = invoke();
  assert.equal(asks.length, 3, 'the next is asked for anew');
  asks[2]?.answer([]);
  assert.equal(await later, null);
});

test('functions are asked for apart', () => {
  const { asks, invoke } = setUp();
  void invoke();
  void invoke({ target: { ...target, qualifier: 'prod' } });
  assert.equal(asks.length, 2);
});

test('room that was given away meanwhile is looked for again, and not for ever', async () => {
  const { asks, passed, invoke } = setUp();
  const outcome = invoke();
  for (let attempt = 0; attempt < 10; attempt += 1) {
    asks[attempt]?.answer([{ place: 1, requests: 1 }]);
    await settle();
    passed[attempt]?.end.resolve(exhausted);
    await settle();
  }
  assert.equal(await outcome, null);
  assert.deepEqual([asks.length, passed.length], [10, 10]);
});

test('when control does not answer, all that wait are told', async () => {
  const { asks, troubles, invoke } = setUp();
  const outcomes = [invoke(), invoke()];
  asks[0]?.fail(new Error('late'));
  assert.deepEqual(await Promise.all(outcomes), [null, null]);
  assert.deepEqual([troubles, asks.length], [['late'], 1]);
});

test('a process that ends while it runs the call is an internal error, and a caller that went hears nothing', async () => {
  const { asks, passed, troubles, invoke, signal } = setUp();
  const outcome = invoke();
  asks[0]?.answer([{ place: 1, requests: 1 }]);
  await settle();
  passed[0]?.end.reject(new Error('gone'));
  assert.deepEqual(await outcome, {
    kind: 'refused',
    code: 'InternalServerError',
    message: 'the process that ran the function has ended',
  });
  assert.deepEqual(troubles, ['gone']);
  const left = invoke();
  signal.abort();
  asks[1]?.answer([{ place: 1, requests: 1 }]);
  const ended = await left;
  assert.equal(ended?.kind === 'refused' ? ended.code : null, 'ClientClosedRequest');
  assert.equal(passed.length, 1);
});

test('only so many wait to hear who has room, with so many bytes', async () => {
  const { asks, invoke } = setUp({ waiting: 2, bytes: 12 });
  const outcomes = [invoke(), invoke()];
  assert.equal(await invoke(), null, 'two wait');
  asks[0]?.answer([]);
  await settle();
  asks[1]?.answer([]);
  await Promise.all(outcomes);
  assert.equal(await invoke({ event: Buffer.alloc(13) }), null);
  assert.equal(asks.length, 2);
  const again = invoke();
  asks[2]?.answer([]);
  assert.equal(await again, null, 'their places are free again');
  assert.equal(asks.length, 3);
});

test('an answer in parts reaches the sink of its call, in order and at its pace', async () => {
  const { elsewhere, asks, passed, invoke } = setUp();
  const seen: string[] = [];
  const drained = Promise.withResolvers<void>();
  const sink: ResponseSink = {
    head: ({ status }) => seen.push(String(status)),
    write: (chunk) => seen.push(String(chunk)) < 3,
    drained: () => drained.promise,
  };
  const outcome = invoke({ sink });
  asks[0]?.answer([{ place: 1, requests: 1 }]);
  await settle();
  const stream = passed[0]?.call.stream ?? 0;
  const part = { to: 0, stream, head: null };
  await elsewhere.streamed({ data: { ...part, head: { status: 200, headers: [] } } });
  await elsewhere.streamed({ data: part, body: Buffer.from('a') });
  let isTaken = false;
  const full = elsewhere.streamed({ data: part, body: Buffer.from('b') }).then(() => {
    isTaken = true;
  });
  await settle();
  assert.deepEqual([seen, isTaken], [['200', 'a', 'b'], false]);
  drained.resolve();
  await full;
  passed[0]?.end.resolve(success);
  await outcome;
  await elsewhere.streamed({ data: part, body: Buffer.from('late') });
  assert.equal(seen.length, 3, 'what comes after its end is dropped');
});
