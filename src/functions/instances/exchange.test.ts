import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  creditBytes,
  encodeFrame,
  type Frame,
  FrameDecoder,
  type FrameToSend,
  initialWindowBytes,
} from '../../wire/frames.ts';
import { Exchange } from './exchange.ts';

const head = { requestId: 'r', tail: false, deadline: 1 };
const invoke = (event: Buffer, limit = 1_000_000) =>
  new Exchange(3, { type: 'invoke', head, event, http: null, sink: null }, limit);

function decode(buffers: readonly Buffer[]): readonly Frame[] {
  const decoded = FrameDecoder.ofAny().push(Buffer.concat(buffers));
  assert.ok(decoded.ok);
  return decoded.frames;
}

function fromInstance(frame: FrameToSend) {
  const decoded = FrameDecoder.ofInstance().push(encodeFrame(frame));
  assert.ok(decoded.ok && decoded.frames[0] !== undefined);
  return decoded.frames[0];
}

const credit = (bytes: number) => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return fromInstance({ type: 'credit', stream: 3, head: {}, payload });
};
const chunk = (size: number) => fromInstance({ type: 'chunk', stream: 3, head: {}, payload: Buffer.alloc(size, 'x') });

test('a small event goes out in one frame', () => {
  const [frame, ...rest] = decode(invoke(Buffer.from('event')).open());
  assert.deepEqual(rest, []);
  assert.ok(frame?.type === 'invoke' && frame.isFinal && frame.stream === 3);
  assert.equal(frame.payload.toString(), 'event');
});

test('a large event stops at the window and goes on with credit', () => {
  const event = Buffer.alloc(initialWindowBytes + 1000, 'y');
  const exchange = invoke(event);
  const first = decode(exchange.open());
  const sent = first.reduce((sum, frame) => sum + frame.payload.length, 0);
  assert.equal(sent, initialWindowBytes);
  assert.ok(first.every((frame) => !frame.isFinal));
  const { write, answer } = exchange.receive(credit(5000));
  assert.equal(answer, null);
  const rest = decode(write);
  assert.equal(rest.length, 1);
  assert.equal(rest[0]?.payload.length, 1000);
  assert.equal(rest[0]?.isFinal, true);
});

test('a large result is put together and granted as it comes', () => {
  const exchange = invoke(Buffer.alloc(0));
  let granted = 0;
  for (let index = 0; index < 10; index += 1) {
    const { write, answer } = exchange.receive(chunk(60_000));
    assert.equal(answer, null);
    for (const frame of decode(write)) if (frame.type === 'credit') granted += creditBytes(frame);
  }
  assert.ok(granted >= 400_000);
  const { answer } = exchange.receive(
    fromInstance({ type: 'end', stream: 3, head: { rss: 5 }, payload: Buffer.from('z') }),
  );
  assert.ok(answer?.kind === 'end' && answer.rssKb === 5);
  assert.equal(answer.body.length, 600_001);
});

test('a result beyond the limit ends the exchange, in chunks as in one frame', () => {
  assert.deepEqual(invoke(Buffer.alloc(0), 50_000).receive(chunk(50_001)).answer, {
    kind: 'too-large',
    isWhole: false,
  });
  const end = fromInstance({ type: 'end', stream: 3, head: { rss: 1 }, payload: Buffer.alloc(11) });
  assert.deepEqual(invoke(Buffer.alloc(0), 10).receive(end).answer, { kind: 'too-large', isWhole: true });
});

test('an error comes with its document', () => {
  const head = { type: 'HandledInvocationError', rss: 7, exit: true } as const;
  const { answer } = invoke(Buffer.alloc(0)).receive(
    fromInstance({ type: 'error', stream: 3, head, payload: Buffer.from('{}') }),
  );
  assert.ok(answer?.kind === 'error' && answer.willExit && answer.type === 'HandledInvocationError');
});

const http = {
  method: 'GET',
  path: '/',
  requestUri: '/',
  clientIp: '192.0.2.1',
  host: 'h',
  headers: [],
  query: [],
  basePath: null,
};
const httpInvoke = () => new Exchange(3, { type: 'invoke', head, event: Buffer.alloc(0), http, sink: null }, 1_000_000);

test('the head of an HTTP answer comes with its only frame, or before a long body', () => {
  const params = { status: 201, headersMap: { 'X-A': ['1', '2'] } };
  const short = httpInvoke().receive(fromInstance({ type: 'end', stream: 3, head: { rss: 1, http: params } }));
  assert.ok(short.answer?.kind === 'end');
  const sent = { status: 201, headers: ['X-A', '1', 'X-A', '2'] };
  assert.deepEqual(short.answer.http, sent);
  const exchange = httpInvoke();
  exchange.receive(fromInstance({ type: 'response-head', stream: 3, head: { http: params } }));
  exchange.receive(chunk(5));
  const long = exchange.receive(fromInstance({ type: 'end', stream: 3, head: { rss: 1 } }));
  assert.ok(long.answer?.kind === 'end' && long.answer.body.length === 5);
  assert.deepEqual(long.answer.http, sent);
});

test('an HTTP head that is missing, or comes unasked, breaks the protocol', () => {
  const bare = fromInstance({ type: 'end', stream: 3, head: { rss: 1 } });
  assert.equal(httpInvoke().receive(bare).answer?.kind, 'violation');
  const params = { status: 200, headersMap: {} };
  const unasked = fromInstance({ type: 'end', stream: 3, head: { rss: 1, http: params } });
  assert.equal(invoke(Buffer.alloc(0)).receive(unasked).answer?.kind, 'violation');
});
