// The frames that the data process and an instance's bootstrap exchange: types, encoder, streaming decoder, windows.
// Called by functions/ (host side) and the bootstraps' tests. The protocol as a whole is told in runtimes/PROTOCOL.md.
import { quoted } from '../base/quick-json.ts';
import type { CallerSpan } from '../model/invocation.ts';
import { type HttpAnswerParams, type HttpParams, readHttpAnswerParams } from './http-params.ts';

/** Version that `hello` states. */
export const protocolVersion = 1;
/** Largest frame, its length prefix included. */
export const frameLimitBytes = 65_536;
/** Length, type, flags, head length and stream number. */
export const frameHeaderBytes = 12;
/** Payload bytes that each direction of a stream may send before the other side grants more. */
export const initialWindowBytes = 262_144;

const lengthBytes = 4;
const finFlag = 1;

const typeNumbers = {
  hello: 1,
  load: 2,
  invoke: 3,
  'response-head': 4,
  chunk: 5,
  end: 6,
  error: 7,
  cancel: 8,
  credit: 9,
  ping: 10,
  hook: 11,
  recalled: 12,
} as const;

export type FrameType = keyof typeof typeNumbers;
export type HookName = 'initialize' | 'preFreeze' | 'preStop';

export type FrameCredentials = {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken: string;
};

/** What the context object shows of the function. Memory in MB, timeouts in seconds. */
export type FrameContext = {
  readonly function: {
    readonly name: string;
    readonly handler: string;
    readonly memory: number;
    readonly timeout: number;
    readonly initializer: string;
    readonly initializationTimeout: number;
  };
  readonly service: {
    readonly name: string;
    readonly logProject: string;
    readonly logStore: string;
    readonly qualifier: string;
    readonly versionId: string;
  };
  readonly region: string;
  readonly accountId: string;
  /** Where the function is to send its spans. */
  readonly jaegerEndpoint?: string;
  readonly credentials: FrameCredentials | null;
};

type EmptyHead = Readonly<Record<never, never>>;

/** The head of each frame type. Times are epoch ms; `rss` is the process's peak memory in KB. */
export type FrameHeads = {
  hello: {
    readonly token: string;
    readonly protocol: number;
    readonly language: string;
    readonly version: string;
    readonly pid: number;
    /** Requests that it keeps while another one runs. Absent: 0. */
    readonly ahead?: number;
  };
  load: {
    readonly handler: string;
    readonly codePath: string;
    /** The runtime id whose rules apply, whatever interpreter runs. */
    readonly dialect: string;
    readonly context: FrameContext;
    /** Requests that it gets at once. Absent: 1. */
    readonly concurrency?: number;
  };
  hook: { readonly hook: HookName; readonly handler: string; readonly requestId: string };
  invoke: {
    readonly requestId: string;
    readonly tail: boolean;
    readonly deadline: number;
    /** It was sent while another runs: to be begun after that one, unless it has been recalled by then. */
    readonly ahead?: true;
    /** Fresh credentials; without them the ones of `load` go on. */
    readonly credentials?: FrameCredentials;
    readonly retryCount?: number;
    /** The caller's. */
    readonly span?: CallerSpan;
    /** An HTTP call: the payload is its body, and its answer has a head of its own. */
    readonly http?: HttpParams;
  };
  /** `http`: status and headers of the answer to an HTTP call. */
  'response-head': { readonly http?: HttpAnswerParams };
  chunk: EmptyHead;
  /** `http`: as in response-head, when there was none. */
  end: { readonly rss: number; readonly http?: HttpAnswerParams };
  error: {
    readonly type: 'HandledInvocationError' | 'UnhandledInvocationError';
    readonly rss: number;
    /** True: the process ends after this frame. */
    readonly exit: boolean;
  };
  /** A request that was sent ahead is not begun. */
  recalled: EmptyHead;
  cancel: EmptyHead;
  credit: EmptyHead;
  ping: EmptyHead;
};

/**
 * One frame. `stream` counts from 1; 0 for hello and ping. `isFinal` is the FIN flag (invoke, chunk, ping only).
 * A decoded payload is a view of the bytes that were received: copy it to keep it for long.
 */
export type Frame = {
  [T in FrameType]: {
    readonly type: T;
    readonly isFinal: boolean;
    readonly stream: number;
    readonly head: FrameHeads[T];
    readonly payload: Buffer;
  };
}[FrameType];

const instanceTypes = ['hello', 'response-head', 'chunk', 'end', 'error', 'recalled', 'credit', 'ping'] as const;
/** The frames that an instance may send. */
export type InstanceFrame = Extract<Frame, { type: (typeof instanceTypes)[number] }>;

/** What encodeFrame needs; `payload` and `isFinal` may be left out. */
export type FrameToSend = {
  [T in FrameType]: {
    readonly type: T;
    readonly stream: number;
    readonly head: FrameHeads[T];
    readonly payload?: Buffer;
    readonly isFinal?: boolean;
  };
}[FrameType];

const noHead: EmptyHead = Object.freeze({});
const noPayload = Buffer.alloc(0);

/**
 * One frame as bytes, head and payload in one buffer, ready for one write.
 *
 * Errors: RangeError when it would exceed frameLimitBytes (bodies go through BodyFrames).
 */
export function encodeFrame(frame: FrameToSend): Buffer {
  return writeFrame(frame.type, frame.stream, frame.isFinal === true, headText(frame), frame.payload ?? noPayload);
}

/** A credit frame that grants `bytes` more. */
export function encodeCredit(stream: number, bytes: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(bytes, 0);
  return writeFrame('credit', stream, false, '', payload);
}

/** Bytes that a credit frame grants. */
export function creditBytes(frame: Extract<Frame, { type: 'credit' }>): number {
  return frame.payload.readUInt32BE(0);
}

function headText(frame: FrameToSend): string {
  if (frame.type === 'invoke') return invokeHeadText(frame.head);
  const text = JSON.stringify(frame.head);
  return text === '{}' ? '' : text;
}

/** As JSON.stringify() would write it; what every request has is written by hand. */
function invokeHeadText({ requestId, tail, deadline, ahead, ...others }: FrameHeads['invoke']): string {
  const sentAhead = ahead === true ? ',"ahead":true' : '';
  const text = `{"requestId":${quoted(requestId)},"tail":${tail},"deadline":${deadline}${sentAhead}`;
  for (const _ in others) return `${text},${JSON.stringify(others).slice(1)}`;
  return `${text}}`;
}

function writeFrame(type: FrameType, stream: number, isFinal: boolean, head: string, payload: Buffer): Buffer {
  const headLength = Buffer.byteLength(head);
  const total = frameHeaderBytes + headLength + payload.length;
  if (total > frameLimitBytes) throw new RangeError(`${type} frame of ${total} bytes exceeds ${frameLimitBytes}`);
  const bytes = Buffer.allocUnsafe(total);
  bytes.writeUInt32BE(total - lengthBytes, 0);
  bytes[4] = typeNumbers[type];
  bytes[5] = isFinal ? finFlag : 0;
  bytes.writeUInt16BE(headLength, 6);
  bytes.writeUInt32BE(stream, 8);
  if (headLength > 0) bytes.write(head, frameHeaderBytes, 'utf8');
  if (payload.length > 0) payload.copy(bytes, frameHeaderBytes + headLength);
  return bytes;
}

/**
 * Cuts an invocation's event into frames within the stream's window: invoke with the first part, then chunks.
 * The owner writes what next() gives until it is null, and again after each grant().
 */
export class BodyFrames {
  readonly #opening: Extract<FrameToSend, { type: 'invoke' }>;
  readonly #body: Buffer;
  #sent = 0;
  #window = initialWindowBytes;
  #isOpened = false;

  /** `opening.payload` and `opening.isFinal` are not read. */
  constructor(opening: Extract<FrameToSend, { type: 'invoke' }>, body: Buffer) {
    this.#opening = opening;
    this.#body = body;
  }

  /** True when the last frame has been given out. */
  get isDone(): boolean {
    return this.#isOpened && this.#sent === this.#body.length;
  }

  /** Adds the bytes of a credit frame. False when the sum no longer fits u32: the other side is broken. */
  grant(bytes: number): boolean {
    this.#window += bytes;
    return this.#window <= 0xffff_ffff;
  }

  /** The next frame's bytes; null when done or when the window is used up. */
  next(): Buffer | null {
    if (this.isDone) return null;
    const isOpening = !this.#isOpened;
    const left = this.#body.length - this.#sent;
    if (!isOpening && this.#window === 0) return null;
    const head = isOpening ? headText(this.#opening) : '';
    const room = frameLimitBytes - frameHeaderBytes - Buffer.byteLength(head);
    const size = Math.max(0, Math.min(left, room, this.#window));
    const part = this.#body.subarray(this.#sent, this.#sent + size);
    this.#isOpened = true;
    this.#sent += size;
    this.#window -= size;
    return writeFrame(isOpening ? 'invoke' : 'chunk', this.#opening.stream, size === left, head, part);
  }
}

/** The receiving end of one direction of a stream: says when to grant more and notices a sender that overruns. */
export class ReceiveWindow {
  #left = initialWindowBytes;
  #consumed = 0;

  /**
   * Counts a received payload of a body that goes on.
   * Returns the bytes to grant now by a credit frame (0: none yet), or null when the sender overran its window.
   */
  receive(bytes: number): number | null {
    if (bytes > this.#left) return null;
    this.#left -= bytes;
    this.#consumed += bytes;
    if (this.#consumed < initialWindowBytes / 2) return 0;
    const grant = this.#consumed;
    this.#left += grant;
    this.#consumed = 0;
    return grant;
  }
}

/** Frames of one chunk, in order; or why the connection has to be closed. */
export type Decoded<F extends Frame> =
  | { readonly ok: true; readonly frames: readonly F[] }
  | { readonly ok: false; readonly reason: string };

/**
 * Reads frames from a byte stream cut anywhere.
 * Holds at most one unfinished frame (frameLimitBytes). After a failure it stays failed.
 */
export class FrameDecoder<F extends Frame> {
  readonly #accepted: ReadonlySet<FrameType>;
  /** The start of an unfinished frame: its header while that is incomplete, then a buffer of the frame's size. */
  #partial: Buffer = noPayload;
  #filled = 0;
  #failure: string | null = null;

  private constructor(accepted: readonly FrameType[]) {
    this.#accepted = new Set(accepted);
  }

  /** For the host: accepts what an instance may send. */
  static ofInstance(): FrameDecoder<InstanceFrame> {
    return new FrameDecoder<InstanceFrame>(instanceTypes);
  }

  /** For doubles and tools: accepts every type. */
  static ofAny(): FrameDecoder<Frame> {
    return new FrameDecoder<Frame>(Object.keys(typeNumbers) as FrameType[]);
  }

  push(chunk: Buffer): Decoded<F> {
    if (this.#failure !== null) return { ok: false, reason: this.#failure };
    const frames: F[] = [];
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#filled === 0 && chunk.length - offset >= frameHeaderBytes) {
        const total = chunk.readUInt32BE(offset) + lengthBytes;
        if (total < frameHeaderBytes || total > frameLimitBytes) return this.#fail(`frame of ${total} bytes`);
        if (chunk.length - offset >= total) {
          if (!this.#read(chunk, offset, total, frames)) return this.#fail(this.#failure ?? 'malformed frame');
          offset += total;
          continue;
        }
      }
      const taken = this.#collect(chunk, offset);
      if (taken < 0) return this.#fail(`frame of ${this.#partial.readUInt32BE(0) + lengthBytes} bytes`);
      offset += taken;
      if (this.#partial.length > 0 && this.#isPartialWhole()) {
        const whole = this.#partial;
        this.#partial = noPayload;
        this.#filled = 0;
        if (!this.#read(whole, 0, whole.length, frames)) return this.#fail(this.#failure ?? 'malformed frame');
      }
    }
    return { ok: true, frames };
  }

  /** Copies what belongs to the unfinished frame; returns the bytes taken, or -1 for an impossible length. */
  #collect(chunk: Buffer, offset: number): number {
    if (this.#partial.length === 0) this.#partial = Buffer.allocUnsafe(frameHeaderBytes);
    const taken = chunk.copy(this.#partial, this.#filled, offset);
    this.#filled += taken;
    if (this.#filled !== frameHeaderBytes || this.#partial.length !== frameHeaderBytes) return taken;
    const total = this.#partial.readUInt32BE(0) + lengthBytes;
    if (total < frameHeaderBytes || total > frameLimitBytes) return -1;
    const whole = Buffer.allocUnsafe(total);
    this.#partial.copy(whole);
    this.#partial = whole;
    return taken;
  }

  #isPartialWhole(): boolean {
    if (this.#filled < frameHeaderBytes) return false;
    return this.#filled === this.#partial.readUInt32BE(0) + lengthBytes;
  }

  #read(bytes: Buffer, start: number, total: number, frames: F[]): boolean {
    const result = readFrame(bytes, start, total, this.#accepted);
    if (typeof result === 'string') {
      this.#failure = result;
      return false;
    }
    frames.push(result as F);
    return true;
  }

  #fail(reason: string): Decoded<F> {
    this.#failure = reason;
    this.#partial = noPayload;
    return { ok: false, reason };
  }
}

/** The frame at `start`, or what is wrong with it. `total` has been checked. */
function readFrame(bytes: Buffer, start: number, total: number, accepted: ReadonlySet<FrameType>): Frame | string {
  const typeNumber = bytes[start + 4] ?? 0;
  const type = typeNames[typeNumber];
  if (type === undefined || !accepted.has(type)) return `frame type ${typeNumber} is not accepted here`;
  const flags = bytes[start + 5] ?? 0;
  const mayBeFinal = type === 'invoke' || type === 'chunk' || type === 'ping';
  if (flags > finFlag || (flags === finFlag && !mayBeFinal)) return `flags ${flags} on a ${type} frame`;
  const stream = bytes.readUInt32BE(start + 8);
  if ((stream === 0) !== (type === 'hello' || type === 'ping')) return `${type} frame on stream ${stream}`;
  const bodyStart = start + frameHeaderBytes + bytes.readUInt16BE(start + 6);
  if (bodyStart > start + total) return `head of a ${type} frame is longer than the frame`;
  const head = readHead(type, bytes, start + frameHeaderBytes, bodyStart);
  if (head === null) return `malformed head of a ${type} frame`;
  const payload = bodyStart === start + total ? noPayload : bytes.subarray(bodyStart, start + total);
  if (type === 'credit' && payload.length !== 4) return `credit of ${payload.length} bytes`;
  return { type, isFinal: flags === finFlag, stream, head, payload } as Frame;
}

const typeNames: readonly (FrameType | undefined)[] = (() => {
  const names: (FrameType | undefined)[] = [];
  for (const [name, number] of Object.entries(typeNumbers)) names[number] = name as FrameType;
  return names;
})();

type Json = Readonly<Record<string, unknown>>;

function readHead(type: FrameType, bytes: Buffer, start: number, end: number): FrameHeads[FrameType] | null {
  const parse = headParsers[type];
  if (start === end) return parse(noHead);
  if (type === 'end') {
    const rss = readPlainEnd(bytes, start, end);
    if (rss !== null) return { rss };
  }
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8', start, end));
  } catch {
    return null; // not JSON: the caller turns null into the reason it reports
  }
  return isObject(value) ? parse(value) : null;
}

const plainEnd = Buffer.from('{"rss":');

/** The number in `{"rss":12345}`, which nearly every answer ends with; null for any other text, which is then parsed. */
function readPlainEnd(bytes: Buffer, start: number, end: number): number | null {
  const digits = start + plainEnd.length;
  const last = end - 1;
  if (last - digits < 1 || last - digits > 12 || bytes[last] !== 0x7d) return null;
  for (let i = 0; i < plainEnd.length; i++) if (bytes[start + i] !== plainEnd[i]) return null;
  let value = 0;
  for (let i = digits; i < last; i++) {
    const digit = (bytes[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 9 || (digit === 0 && i === digits && last - digits > 1)) return null;
    value = value * 10 + digit;
  }
  return value;
}

/** Makes each head from its JSON; null when a member is missing or of the wrong type. Unknown members are ignored. */
const headParsers: { readonly [T in FrameType]: (json: Json) => FrameHeads[T] | null } = {
  hello: ({ token, protocol, language, version, pid, ahead }) =>
    typeof token === 'string' &&
    typeof protocol === 'number' &&
    typeof language === 'string' &&
    typeof version === 'string' &&
    typeof pid === 'number'
      ? { token, protocol, language, version, pid, ...(typeof ahead === 'number' ? { ahead } : {}) }
      : null,
  end: ({ rss = 0, http }) => {
    if (typeof rss !== 'number') return null;
    if (http === undefined) return { rss };
    const answer = readHttpAnswerParams(http);
    return answer === null ? null : { rss, http: answer };
  },
  error: ({ type, rss = 0, exit }) =>
    (type === 'HandledInvocationError' || type === 'UnhandledInvocationError') && typeof rss === 'number'
      ? { type, rss, exit: exit === true }
      : null,
  load: (json) =>
    typeof json['handler'] === 'string' && typeof json['codePath'] === 'string' && isObject(json['context'])
      ? (json as FrameHeads['load'])
      : null,
  invoke: (json) =>
    typeof json['requestId'] === 'string' && typeof json['tail'] === 'boolean' && typeof json['deadline'] === 'number'
      ? (json as FrameHeads['invoke'])
      : null,
  hook: (json) =>
    typeof json['hook'] === 'string' && typeof json['handler'] === 'string' && typeof json['requestId'] === 'string'
      ? (json as FrameHeads['hook'])
      : null,
  'response-head': ({ http }) => {
    if (http === undefined) return noHead;
    const answer = readHttpAnswerParams(http);
    return answer === null ? null : { http: answer };
  },
  recalled: () => noHead,
  chunk: () => noHead,
  cancel: () => noHead,
  credit: () => noHead,
  ping: () => noHead,
};

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
