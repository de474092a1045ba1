import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as settle } from 'node:timers/promises';
import type { Message } from './base/channel.ts';
import type { Clock } from './base/clock.ts';
import { Relay, type RelaySlot } from './relay.ts';

type Call = { readonly name: string; readonly message: Message; answer(data: unknown): void; fail(error: Error): void };

function slotOf(place: number) {
  const calls: Call[] = [];
  const ended = Promise.withResolvers<string>();
  const caughtUp = Promise.withResolvers<void>();
  caughtUp.resolve();
  const slot: RelaySlot = {
    place,
    ended: ended.promise,
    follower: { caughtUp: () => caughtUp.promise },
    data: {
      channel: {
        call(name, data, options = {}) {
          const { promise, resolve, reject } = Promise.withResolvers<Message>();
          const message = options.body === undefined ? { data } : { data, body: options.body };
          calls.push({ name, message, answer: (answer) => resolve({ data: answer }), fail: reject });
          return promise;
        },
      },
    },
  };
  return { slot, calls, ended };
}

function setUp(count: number) {
  const slots = Array.from({ length: count }, (_, place) => slotOf(place));
  const running = slots.map(({ slot }) => slot);
  let expire: () => void = () => {};
  const missing: { replaced: Promise<unknown> | null } = { replaced: null };
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    after(_ms, run) {
      expire = run;
      return () => {};
    },
  };
  const silent: number[] = [];
  const relay = new Relay({
    clock,
    answerMs: 1_000,
    onSilent: ({ place }) => silent.push(place),
    running: () => running,
    replaced: () => missing.replaced,
  });
  const [from] = running;
  assert.ok(from !== undefined);
  const signal = new AbortController();
  const ask = { target: { serviceName: null, functionName: 'f', qualifier: null }, wanted: 3 };
  return {
    slots,
    running,
    relay,
    missing,
    silent,
    signal,
    expire: () => expire(),
    room: () => relay.room(from, ask, signal.signal),
    from,
  };
}

test('all others are asked, and those that have room are named', async () => {
  const { slots, room } = setUp(3);
  const rooms = room();
  await settle();
  assert.equal(slots[0]?.calls.length, 0);
  slots[1]?.calls[0]?.answer(0);
  slots[2]?.calls[0]?.answer(3);
  assert.deepEqual(await rooms, [{ place: 2, requests: 3 }]);
});

test('one that does not answer in time is not waited for, nor asked again before it has answered', async () => {
  const { slots, room, expire, silent } = setUp(2);
  const rooms = room();
  await settle();
  expire();
  assert.deepEqual(await rooms, []);
  assert.deepEqual(await room(), []);
  assert.deepEqual([slots[1]?.calls.length, silent], [1, [1]]);
  slots[1]?.calls[0]?.answer(1);
  await settle();
  const again = room();
  await settle();
  slots[1]?.calls[1]?.answer(1);
  assert.deepEqual(await again, [{ place: 1, requests: 1 }]);
});

test('while one is being replaced, who finds no room waits for it, unless nobody waits any more', async () => {
  const { slots, running, room, missing, signal } = setUp(2);
  const replaced = Promise.withResolvers<void>();
  const rooms = room();
  await settle();
  slots[1]?.calls[0]?.fail(new Error('the other process has gone'));
  missing.replaced = replaced.promise;
  slots[1]?.ended.resolve('killed');
  await settle();
  const next = slotOf(1);
  running[1] = next.slot;
  replaced.resolve();
  await settle();
  next.calls[0]?.answer(1);
  assert.deepEqual(await rooms, [{ place: 1, requests: 1 }]);

  missing.replaced = new Promise(() => {});
  const given = room();
  await settle();
  next.calls[1]?.answer(0);
  await settle();
  signal.abort();
  assert.deepEqual(await given, []);
});

test('a call is carried to the process that it names, and the parts of its answer back', async () => {
  const { slots, relay, from, signal } = setUp(3);
  const call = { to: 2, stream: 7, request: { requestId: 'r' } };
  const carried = relay.pass(from, { data: call, body: Buffer.from('event') }, signal.signal);
  await settle();
  const [arrived] = slots[2]?.calls ?? [];
  assert.equal(arrived?.name, 'invokeHere');
  assert.deepEqual(arrived?.message, {
    data: { request: { requestId: 'r' }, stream: { to: 0, stream: 7 } },
    body: Buffer.from('event'),
  });
  const parts = [1, 2].map((at) => relay.streamed({ data: { to: 0, stream: 7, head: null }, body: Buffer.from([at]) }));
  assert.deepEqual(
    slots[0]?.calls.map(({ name, message }) => [name, message.body?.[0]]),
    [
      ['streamed', 1],
      ['streamed', 2],
    ],
    'sent on at once, in their order',
  );
  for (const each of slots[0]?.calls ?? []) each.answer(null);
  await Promise.all(parts);
  arrived?.answer('outcome');
  assert.equal((await carried).data, 'outcome');
  await assert.rejects(relay.pass(from, { data: { ...call, to: 9 } }, signal.signal), /no data process/);
});
