// WebSocket frames, read and written by both ends.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  acceptWebSocketKey,
  encodeWebSocket,
  encodeWebSocketClose,
  WebSocketError,
  type WebSocketEvent,
  WebSocketFrames,
} from './websocket.ts';

const limit = 100_000;

describe('WebSocket frames', () => {
  test("the key of the standard's example is accepted with its answer", () => {
    assert.equal(acceptWebSocketKey('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  });

  test("the standard's masked example is read", () => {
    const frames = new WebSocketFrames('client', limit);
    const sent = Buffer.from('818537fa213d7f9f4d5158', 'hex');
    assert.deepEqual(frames.push(sent), [{ kind: 'message', isText: true, bytes: Buffer.from('Hello') }]);
  });

  test('what one end writes the other reads, in whatever pieces it comes', () => {
    const lengths = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(125, 126, 127));
    fc.assert(
      fc.property(
        fc.array(lengths, { maxLength: 4 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 90 }),
        (sizes, masked, piece) => {
          const payloads = sizes.map((size) => Buffer.alloc(size, 'x'));
          const sent = Buffer.concat(payloads.map((payload) => encodeWebSocket('binary', payload, masked)));
          const frames = new WebSocketFrames(masked ? 'client' : 'server', limit);
          const events: WebSocketEvent[] = [];
          for (let at = 0; at < sent.length; at += piece) events.push(...frames.push(sent.subarray(at, at + piece)));
          assert.deepEqual(
            events,
            payloads.map((bytes) => ({ kind: 'message', isText: false, bytes })),
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  test('long messages have their length in two bytes or in eight', () => {
    for (const size of [65_535, 65_536]) {
      const bytes = Buffer.alloc(size, 'x');
      const frames = new WebSocketFrames('client', limit);
      assert.deepEqual(frames.push(encodeWebSocket('text', bytes, true)), [{ kind: 'message', isText: true, bytes }]);
    }
  });

  test('a message in several frames is put together, with a ping between them', () => {
    const part = (opcode: number, text: string) =>
      Buffer.concat([Buffer.from([opcode, text.length]), Buffer.from(text)]);
    const sent = Buffer.concat([part(0x01, 'one '), part(0x89, 'p'), part(0x00, 'two '), part(0x80, 'three')]);
    assert.deepEqual(new WebSocketFrames('server', limit).push(sent), [
      { kind: 'ping', bytes: Buffer.from('p') },
      { kind: 'message', isText: true, bytes: Buffer.from('one two three') },
    ]);
  });

  test('a close is read with its code and reason, or without', () => {
    const read = (sent: Buffer) => new WebSocketFrames('server', limit).push(sent);
    assert.deepEqual(read(encodeWebSocketClose(1000, 'exit code 3')), [
      { kind: 'close', code: 1000, reason: 'exit code 3' },
    ]);
    assert.deepEqual(read(encodeWebSocket('close', new Uint8Array(0))), [{ kind: 'close', code: 1005, reason: '' }]);
    const [long] = read(encodeWebSocketClose(1011, 'é'.repeat(100)));
    assert.ok(long?.kind === 'close' && long.reason === 'é'.repeat(61), 'cut to whole characters');
  });

  const broken: readonly [name: string, hex: string, code: number][] = [
    ['a server is sent a frame without a mask', '8101', 1002],
    ['a reserved bit', 'c180', 1002],
    ['an unknown kind', '838000000000', 1002],
    ['a ping of 126 bytes', '89fe007e', 1002],
    ['a ping in pieces', '0980', 1002],
    ['a continuation of nothing', '808000000000', 1002],
    ['a message within another', '018000000000818000000000', 1002],
    ['a close of one byte', '88810000000041', 1002],
    ['a length beyond the limit', '82ff7fffffffffffffff00000000', 1009],
  ];
  for (const [name, hex, code] of broken) {
    test(`${name} is refused`, () => {
      const frames = new WebSocketFrames('client', limit);
      assert.throws(
        () => frames.push(Buffer.from(hex, 'hex')),
        (error: unknown) => error instanceof WebSocketError && error.code === code,
      );
    });
  }

  test('a message that never ends is refused at the limit, however small its frames', () => {
    const frames = new WebSocketFrames('server', 100);
    frames.push(Buffer.from([0x02, 0]));
    assert.throws(() => {
      for (let count = 0; count < 200; count += 1) frames.push(Buffer.from([0x00, 0]));
    }, WebSocketError);
  });

  test('no bytes make it do anything but refuse', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          new WebSocketFrames('client', 32).push(Buffer.from(bytes));
        } catch (error) {
          assert.ok(error instanceof WebSocketError);
        }
      }),
    );
  });
});
