// The examples of runtimes/PROTOCOL.md are what src/wire/frames.ts encodes and decodes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { encodeFrame, type Frame, FrameDecoder } from '../../src/wire/frames.ts';

const page = readFileSync(new URL('../../runtimes/PROTOCOL.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/```frame\n([^`]+)```\n\n```json\n([^`]+)```/g)].map(([, hex = '', json = '']) => {
  const shown = JSON.parse(json) as Omit<Frame, 'payload'> & { readonly payload: string };
  const payload = shown.payload.startsWith('hex:')
    ? Buffer.from(shown.payload.slice(4), 'hex')
    : Buffer.from(shown.payload);
  return { bytes: Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'), frame: { ...shown, payload } as Frame };
});

describe('PROTOCOL.md', () => {
  it('has an example of every frame type', () => {
    const types = new Set(examples.map(({ frame }) => frame.type));
    assert.equal(types.size, 12);
    assert.equal(page.match(/```frame/g)?.length, examples.length);
  });

  for (const { bytes, frame } of examples) {
    it(`shows ${frame.type}${frame.isFinal ? ' with FIN' : ''} as it is decoded and encoded`, () => {
      assert.deepEqual(FrameDecoder.ofAny().push(bytes), { ok: true, frames: [frame] });
      assert.deepEqual(encodeFrame(frame), bytes);
    });
  }
});
