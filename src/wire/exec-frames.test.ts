// Frames of a session in an instance, both ways.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ExecFrames, encodeExecInput, encodeExecInputEnd, encodeExecResize, execChunkBytes } from './exec-frames.ts';

const frame = (channel: number, payload: Buffer) => {
  const head = Buffer.alloc(5);
  head.writeUInt8(channel, 0);
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
};

describe('frames of a session in an instance', () => {
  test('are read the same in whatever pieces they come', () => {
    const sent = Buffer.concat([
      frame(6, Buffer.alloc(0)),
      frame(1, Buffer.from('out')),
      frame(2, Buffer.from('err')),
      frame(5, Buffer.from([0, 3])),
    ]);
    const expected = [
      { kind: 'running' },
      { kind: 'output', bytes: Buffer.from('out') },
      { kind: 'errors', bytes: Buffer.from('err') },
      { kind: 'over', code: 3, signal: null },
    ];
    for (let size = 1; size <= sent.length; size += 1) {
      const frames = new ExecFrames();
      const events = [];
      for (let at = 0; at < sent.length; at += size) events.push(...frames.push(sent.subarray(at, at + size)));
      assert.deepEqual(events, expected, `pieces of ${size}`);
    }
  });

  test('tell a signal by its name, and why nothing was started', () => {
    const events = new ExecFrames().push(
      Buffer.concat([frame(5, Buffer.from([1, 9])), frame(3, Buffer.from('cannot run x'))]),
    );
    assert.deepEqual(events, [
      { kind: 'over', code: null, signal: 'SIGKILL' },
      { kind: 'wrong', message: 'cannot run x' },
    ]);
  });

  test('of an unknown channel or beyond the bound are refused', () => {
    assert.throws(() => new ExecFrames().push(frame(9, Buffer.alloc(0))), /broke the protocol/);
    const head = frame(1, Buffer.alloc(0));
    head.writeUInt32BE(execChunkBytes + 1, 1);
    assert.throws(() => new ExecFrames().push(head), /broke the protocol/);
  });

  test('carry input in pieces that the keeper has room for, and its end as an empty one', () => {
    const bytes = Buffer.alloc(execChunkBytes + 1, 'x');
    const sent = encodeExecInput(bytes);
    assert.equal(sent.length, bytes.length + 10);
    assert.equal(sent.readUInt32BE(1), execChunkBytes);
    assert.equal(sent.readUInt32BE(5 + execChunkBytes + 1), 1);
    assert.deepEqual(encodeExecInputEnd(), frame(0, Buffer.alloc(0)));
    assert.deepEqual(encodeExecResize({ rows: 24, columns: 300 }), frame(4, Buffer.from([0, 24, 1, 44])));
  });
});
