// Channel over an in-memory pair of streams: order, bodies, failures, cancelling, closing.
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { Channel, ChannelError, type ChannelHandlers } from './channel.ts';

/** Two streams joined back to back; `chunkBytes` cuts what passes into pieces, as a socket may. */
function streamPair(chunkBytes = 1_000_000): [Duplex, Duplex] {
  const make = (): Duplex & { other?: Duplex } =>
    new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        for (let at = 0; at < chunk.length; at += chunkBytes) ends.get(this)?.push(chunk.subarray(at, at + chunkBytes));
        done();
      },
      final(done) {
        ends.get(this)?.push(null);
        done();
      },
    });
  const ends = new Map<Duplex, Duplex>();
  const left = make();
  const right = make();
  ends.set(left, right).set(right, left);
  return [left, right];
}

const silent: ChannelHandlers = { onCall: async () => ({ data: null }), onNote: () => {}, onClose: () => {} };

test('a call is answered with data and body, whatever way the bytes are cut', async () => {
  for (const cut of [1, 3, 7, 1_000_000]) {
    const [left, right] = streamPair(cut);
    new Channel(right, {
      ...silent,
      onCall: async (name, { data, body }) => ({
        data: { name, data },
        body: Buffer.concat([body ?? Buffer.alloc(0), Buffer.from('!')]),
      }),
    });
    const caller = new Channel(left, silent);
    const answers = await Promise.all(
      ['a', 'b'].map((text) => caller.call('echo', { text }, { body: Buffer.from(text.repeat(50)) })),
    );
    assert.deepEqual(
      answers.map((answer) => [answer.data, answer.body?.toString()]),
      ['a', 'b'].map((text) => [{ name: 'echo', data: { text } }, `${text.repeat(50)}!`]),
    );
  }
});

test('a throw on the other side reaches the caller as a ChannelError with its message', async () => {
  const [left, right] = streamPair();
  new Channel(right, { ...silent, onCall: async () => Promise.reject(new Error('no such thing')) });
  await assert.rejects(new Channel(left, silent).call('x', null), (error) => {
    assert.ok(error instanceof ChannelError);
    return error.message === 'no such thing';
  });
});

test('notes arrive in the order they were sent', async () => {
  const [left, right] = streamPair(5);
  const seen: unknown[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  new Channel(right, {
    ...silent,
    onNote: (name, { data }) => {
      seen.push([name, data]);
      if (seen.length === 20) resolve();
    },
  });
  const sender = new Channel(left, silent);
  for (let i = 0; i < 20; i++) sender.note('n', i);
  await promise;
  assert.deepEqual(
    seen,
    Array.from({ length: 20 }, (_, i) => ['n', i]),
  );
});

test('aborting a call rejects here and aborts the signal over there', async () => {
  const [left, right] = streamPair();
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  new Channel(right, {
    ...silent,
    onCall: (_name, _message, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          resolve();
          reject(new Error('stopped'));
        });
      }),
  });
  const controller = new AbortController();
  const call = new Channel(left, silent).call('slow', null, { signal: controller.signal });
  controller.abort(new Error('caller left'));
  await assert.rejects(call, /caller left/);
  await aborted;
});

test('when the stream ends, calls under way are rejected and onClose is called once', async () => {
  const [left, right] = streamPair();
  let closes = 0;
  const caller = new Channel(left, { ...silent, onClose: () => closes++ });
  const call = caller.call('never', null);
  right.end();
  await assert.rejects(call, /gone/);
  await assert.rejects(caller.call('later', null), /closed/);
  assert.equal(closes, 1);
});
