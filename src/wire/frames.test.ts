// Frames: round trips at any cut, refusal of anything malformed, windows.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  BodyFrames,
  creditBytes,
  encodeCredit,
  encodeFrame,
  type Frame,
  FrameDecoder,
  type FrameToSend,
  frameHeaderBytes,
  frameLimitBytes,
  initialWindowBytes,
  ReceiveWindow,
} from './frames.ts';

const credentials = { accessKeyId: 'i', accessKeySecret: 's', securityToken: 't' };
const context = {
  function: { name: 'f', handler: 'index.handler', memory: 128, timeout: 3, initializer: '', initializationTimeout: 3 },
  service: { name: 's', logProject: '', logStore: '', qualifier: 'LATEST', versionId: '' },
  region: 'cn-hangzhou',
  accountId: '1',
  credentials,
};

const stream = fc.integer({ min: 1, max: 0xffff_ffff });
const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const text = fc.string({ maxLength: 20, unit: 'grapheme' });
const rss = fc.nat();
const isFinal = fc.boolean();

/** Records as JSON gives them: with the ordinary prototype. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const frames: fc.Arbitrary<FrameToSend> = fc.oneof(
  record({
    type: fc.constant('hello' as const),
    stream: fc.constant(0),
    head: record({ token: text, protocol: fc.constant(1), language: text, version: text, pid: fc.nat() }),
  }),
  record({
    type: fc.constant('load' as const),
    stream,
    head: record({ handler: text, codePath: text, dialect: text, context: fc.constant(context) }),
  }),
  record({
    type: fc.constant('invoke' as const),
    stream,
    head: record({ requestId: text, tail: fc.boolean(), deadline: fc.nat(), credentials: fc.constant(credentials) }),
    payload,
    isFinal,
  }),
  record({
    type: fc.constant('hook' as const),
    stream,
    head: record({ hook: fc.constantFrom('initialize', 'preFreeze', 'preStop'), handler: text, requestId: text }),
  }),
  record({ type: fc.constantFrom('response-head', 'cancel'), stream, head: fc.constant({}) }),
  record({ type: fc.constant('chunk' as const), stream, head: fc.constant({}), payload, isFinal }),
  record({ type: fc.constant('ping' as const), stream: fc.constant(0), head: fc.constant({}), payload, isFinal }),
  record({ type: fc.constant('end' as const), stream, head: record({ rss }), payload }),
  record({
    type: fc.constant('error' as const),
    stream,
    head: record({
      type: fc.constantFrom('HandledInvocationError' as const, 'UnhandledInvocationError' as const),
      rss,
      exit: fc.boolean(),
    }),
    payload,
  }),
);

function whole(frame: FrameToSend): Frame {
  return { isFinal: false, payload: Buffer.alloc(0), ...frame } as Frame;
}

/** Pushes `bytes` cut at `cuts`; all frames, or the reason of the failure. */
function decode(decoder: FrameDecoder<Frame>, bytes: Buffer, cuts: readonly number[]): Frame[] | string {
  const found: Frame[] = [];
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < places.length; i++) {
    const result = decoder.push(bytes.subarray(places[i - 1], places[i]));
    if (!result.ok) return result.reason;
    found.push(...result.frames);
  }
  return found;
}

function malformed(change: (bytes: Buffer) => void, frame?: FrameToSend): string {
  const bytes = encodeFrame(frame ?? { type: 'end', stream: 1, head: { rss: 1 }, payload: Buffer.from('x') });
  change(bytes);
  const result = FrameDecoder.ofInstance().push(bytes);
  return result.ok ? 'accepted' : result.reason;
}

describe('frames', () => {
  it('come back as they were sent, wherever the stream is cut', () => {
    const cuts = fc.array(fc.nat(100_000), { maxLength: 40 });
    fc.assert(
      fc.property(fc.array(frames, { minLength: 1, maxLength: 8 }), cuts, (sent, places) => {
        const bytes = Buffer.concat(sent.map(encodeFrame));
        assert.deepEqual(decode(FrameDecoder.ofAny(), bytes, places), sent.map(whole));
      }),
    );
  });

  it('come back when every byte arrives alone', () => {
    const frame = { type: 'chunk', stream: 9, head: {}, payload: Buffer.alloc(frameLimitBytes - 12, 7) } as const;
    const bytes = Buffer.concat([encodeFrame(frame), encodeFrame(frame)]);
    const cuts = Array.from({ length: bytes.length }, (_, i) => i);
    assert.deepEqual(decode(FrameDecoder.ofAny(), bytes, cuts), [whole(frame), whole(frame)]);
  });

  it('never crash the decoder, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(200)), (noise, cuts) => {
        const found = decode(FrameDecoder.ofAny(), Buffer.from(noise), cuts);
        assert.ok(typeof found === 'string' || Array.isArray(found));
      }),
    );
  });

  it('never crash the decoder when a good frame is damaged', () => {
    fc.assert(
      fc.property(frames, fc.nat(1000), fc.nat(255), (frame, at, value) => {
        const bytes = encodeFrame(frame);
        bytes[at % bytes.length] = value;
        const found = decode(FrameDecoder.ofAny(), bytes, []);
        assert.ok(typeof found === 'string' || found.length <= 1);
      }),
    );
  });

  it('say exactly what is wrong', () => {
    assert.match(
      malformed((bytes) => bytes.writeUInt32BE(65_533, 0)),
      /frame of 65537 bytes/,
    );
    assert.match(
      malformed((bytes) => bytes.writeUInt32BE(7, 0)),
      /frame of 11 bytes/,
    );
    assert.match(
      malformed((bytes) => bytes.writeUInt8(13, 4)),
      /type 13/,
    );
    assert.match(
      malformed((bytes) => bytes.writeUInt8(2, 5)),
      /flags 2/,
    );
    assert.match(
      malformed((bytes) => bytes.writeUInt8(1, 5)),
      /flags 1 on a end frame/,
    );
    assert.match(
      malformed((bytes) => bytes.writeUInt16BE(60, 6)),
      /head of a end frame is longer/,
    );
    assert.match(
      malformed((bytes) => bytes.writeUInt32BE(0, 8)),
      /end frame on stream 0/,
    );
    assert.match(
      malformed((bytes) => bytes.writeUInt8(0x5b, 12)),
      /malformed head of a end frame/,
    );
    assert.match(
      malformed((bytes) => bytes.write('x', 13)),
      /malformed head of a end frame/,
    );
    assert.match(
      malformed(() => {}, { type: 'cancel', stream: 1, head: {} }),
      /type 8 is not accepted/,
    );
    assert.match(
      malformed(() => {}, { type: 'credit', stream: 1, head: {} }),
      /credit of 0 bytes/,
    );
  });

  it('leave the decoder failed after a failure', () => {
    const decoder = FrameDecoder.ofInstance();
    assert.equal(decoder.push(Buffer.alloc(12)).ok, false);
    assert.equal(decoder.push(encodeFrame({ type: 'ping', stream: 0, head: {} })).ok, false);
  });

  it('over the limit are not encoded', () => {
    const payload = Buffer.alloc(frameLimitBytes - 11);
    assert.throws(() => encodeFrame({ type: 'chunk', stream: 1, head: {}, payload }), RangeError);
  });

  it('of credit carry a u32', () => {
    const result = FrameDecoder.ofAny().push(encodeCredit(7, 4_000_000_000));
    const frame = result.ok ? result.frames[0] : undefined;
    assert.equal(frame?.type === 'credit' ? creditBytes(frame) : null, 4_000_000_000);
  });
});

describe('a body', () => {
  const opening = { type: 'invoke', stream: 3, head: { requestId: 'r', tail: false, deadline: 1 } } as const;

  /** All frames of a body, with `grant` bytes granted whenever the window is used up. */
  function cut(body: Buffer, grant: number): Frame[] {
    const cutter = new BodyFrames(opening, body);
    const decoder = FrameDecoder.ofAny();
    const found: Frame[] = [];
    while (!cutter.isDone) {
      const bytes = cutter.next();
      if (bytes === null) cutter.grant(grant);
      else {
        assert.ok(bytes.length <= frameLimitBytes);
        const result = decoder.push(bytes);
        assert.ok(result.ok);
        found.push(...result.frames);
      }
    }
    assert.equal(cutter.next(), null);
    return found;
  }

  it('that is small travels in one final invoke frame', () => {
    for (const body of [Buffer.alloc(0), Buffer.from('{}'), Buffer.alloc(65_000, 1)]) {
      const [first, ...others] = cut(body, 0);
      assert.equal(first?.type, 'invoke');
      assert.equal(first.isFinal, true);
      assert.deepEqual(first.payload, body);
      assert.equal(others.length, 0);
    }
  });

  it('arrives whole, final once, whatever its size and the grants', () => {
    fc.assert(
      fc.property(fc.nat(700_000), fc.integer({ min: 1000, max: 300_000 }), (size, grant) => {
        const body = Buffer.alloc(size, 'abcdefg');
        const found = cut(body, grant);
        assert.deepEqual(Buffer.concat(found.map((frame) => frame.payload)), body);
        assert.deepEqual(found.map((frame) => frame.isFinal).lastIndexOf(true), found.length - 1);
        assert.equal(found.filter((frame) => frame.isFinal).length, 1);
        assert.deepEqual(new Set(found.slice(1).map((frame) => frame.type)).has('invoke'), false);
      }),
      { numRuns: 40 },
    );
  });

  it('stops at the window until more is granted', () => {
    const cutter = new BodyFrames(opening, Buffer.alloc(initialWindowBytes + 1));
    let sent = 0;
    for (let bytes = cutter.next(); bytes !== null; bytes = cutter.next()) sent += bytes.length;
    assert.ok(sent >= initialWindowBytes && sent < initialWindowBytes + 1000);
    assert.equal(cutter.isDone, false);
    assert.equal(cutter.grant(1), true);
    assert.equal(cutter.next()?.at(-1), 0);
    assert.equal(cutter.isDone, true);
    assert.equal(cutter.grant(0xffff_ffff), true);
    assert.equal(cutter.grant(1), false);
  });
});

describe('a receive window', () => {
  it('grants what was consumed once half of it is used', () => {
    const window = new ReceiveWindow();
    assert.equal(window.receive(100_000), 0);
    assert.equal(window.receive(31_072), 131_072);
    assert.equal(window.receive(initialWindowBytes), initialWindowBytes);
  });

  it('notices a sender that overruns', () => {
    assert.equal(new ReceiveWindow().receive(initialWindowBytes + 1), null);
  });

  it('never starves a sender that keeps to it', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 65_524 }), { maxLength: 200 }), (parts) => {
        const window = new ReceiveWindow();
        let allowed = initialWindowBytes;
        for (const part of parts) {
          assert.ok(allowed >= 65_524);
          allowed += (window.receive(part) ?? Number.NaN) - part;
        }
      }),
    );
  });
});

it('the head of an invoke frame is the JSON of its members, whatever they are', () => {
  const heads: Extract<FrameToSend, { type: 'invoke' }>['head'][] = [
    { requestId: '1B2C3D4E', tail: false, deadline: 1_795_000_000_000 },
    { requestId: 'a "quoted" \n 猫', tail: true, deadline: 1.5 },
    { requestId: 'r', tail: true, deadline: 0, retryCount: 3 },
    {
      requestId: 'r',
      tail: false,
      deadline: 0,
      credentials: { accessKeyId: 'i', accessKeySecret: 's', securityToken: 't' },
    },
  ];
  for (const head of heads) {
    const bytes = encodeFrame({ type: 'invoke', stream: 1, head });
    assert.deepEqual(JSON.parse(bytes.toString('utf8', frameHeaderBytes)), head);
  }
});

it('the peak memory of an end frame is read in whatever JSON it comes', () => {
  const read = (head: string) => {
    const text = Buffer.from(head);
    const bytes = Buffer.alloc(frameHeaderBytes + text.length);
    bytes.writeUInt32BE(bytes.length - 4, 0);
    bytes[4] = 6;
    bytes.writeUInt16BE(text.length, 6);
    bytes.writeUInt32BE(1, 8);
    text.copy(bytes, frameHeaderBytes);
    const decoded = FrameDecoder.ofInstance().push(bytes);
    const [frame] = decoded.ok ? decoded.frames : [];
    return frame?.type === 'end' ? frame.head.rss : null;
  };
  for (const [head, rss] of [
    ['{"rss":12345}', 12345],
    ['{"rss":0}', 0],
    ['{"rss":9}', 9],
    [' {"rss": 7 }', 7],
    ['{"rss":1.5}', 1.5],
    ['{"rss":123456789012345}', 123456789012345],
    ['{"other":1,"rss":2}', 2],
    ['{}', 0],
    ['', 0],
    ['{"rss":01}', null],
    ['{"rss":}', null],
    ['{"rss":"5"}', null],
    ['{"rss":5', null],
    ['{"rsz":5}', 0],
  ] as const) {
    assert.equal(read(head), rss, head);
  }
});
