// Frames of WebSocket (RFC 6455) without extensions, both ends: control serves sessions in instances by it, the CLI is its client.
import { createHash, randomBytes } from 'node:crypto';

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
/** Longest payload of a control frame. */
const controlLimitBytes = 125;
/** Longest reason of a close frame, bytes. */
const reasonLimitBytes = 123;

export type WebSocketEvent =
  | { readonly kind: 'message'; readonly isText: boolean; readonly bytes: Buffer }
  | { readonly kind: 'ping' | 'pong'; readonly bytes: Buffer }
  /** `code` 1005: none was said. */
  | { readonly kind: 'close'; readonly code: number; readonly reason: string };

/** What the other end broke; `code` is what it is closed with. */
export class WebSocketError extends Error {
  override readonly name = 'WebSocketError';
  readonly code: 1002 | 1009;

  constructor(code: 1002 | 1009, message: string) {
    super(message);
    this.code = code;
  }
}

/** `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`. */
export function acceptWebSocketKey(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** One whole frame. Clients mask theirs. */
export function encodeWebSocket(
  kind: 'text' | 'binary' | 'close' | 'ping' | 'pong',
  payload: Uint8Array,
  isMasked = false,
): Buffer {
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const maskAt = 2 + lengthBytes;
  const start = maskAt + (isMasked ? 4 : 0);
  const frame = Buffer.alloc(start + length);
  frame.writeUInt8(0x80 | opcodes[kind], 0);
  frame.writeUInt8((isMasked ? 0x80 : 0) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127), 1);
  if (lengthBytes === 2) frame.writeUInt16BE(length, 2);
  if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.set(payload, start);
  if (isMasked) {
    randomBytes(4).copy(frame, maskAt);
    unmask(frame.subarray(start), frame.subarray(maskAt, start));
  }
  return frame;
}

/** `reason` is cut to what fits. */
export function encodeWebSocketClose(code: number, reason: string, isMasked = false): Buffer {
  const payload = Buffer.alloc(2 + reasonLimitBytes);
  payload.writeUInt16BE(code, 0);
  const written = payload.write(reason, 2, 'utf8'); // whole characters only
  return encodeWebSocket('close', payload.subarray(0, 2 + written), isMasked);
}

function unmask(payload: Buffer, mask: Buffer): void {
  for (let at = 0; at < payload.length; at += 1) payload.writeUInt8(payload.readUInt8(at) ^ mask.readUInt8(at % 4), at);
}

type Message = { readonly isText: boolean; readonly parts: Buffer[]; bytes: number };
type Frame = { readonly isLast: boolean; readonly opcode: number; readonly payload: Buffer };

/** Takes frames apart as they come in pieces, and puts messages together. Holds at most one message of the limit. */
export class WebSocketFrames {
  readonly #expectsMask: boolean;
  readonly #limitBytes: number;
  #rest: Buffer = Buffer.alloc(0);
  /** The message whose frames have not all come. */
  #message: Message | null = null;

  /** `from`: the other end; clients mask, servers do not. */
  constructor(from: 'client' | 'server', limitBytes: number) {
    this.#expectsMask = from === 'client';
    this.#limitBytes = limitBytes;
  }

  /** Errors: WebSocketError; the connection is of no use then. */
  push(chunk: Buffer): readonly WebSocketEvent[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const events: WebSocketEvent[] = [];
    for (let frame = this.#take(); frame !== null; frame = this.#take()) {
      const event = this.#read(frame);
      if (event !== null) events.push(event);
    }
    return events;
  }

  /** The next whole frame. */
  #take(): Frame | null {
    const rest = this.#rest;
    if (rest.length < 2) return null;
    const [first, second] = [rest.readUInt8(0), rest.readUInt8(1)];
    const opcode = first & 0x0f;
    const isLast = (first & 0x80) !== 0;
    if ((first & 0x70) !== 0) throw new WebSocketError(1002, 'a reserved bit is set');
    if (((second & 0x80) !== 0) !== this.#expectsMask) throw new WebSocketError(1002, 'the mask is wrong');
    const short = second & 0x7f;
    if (opcode >= 8 && (!isLast || short > controlLimitBytes))
      throw new WebSocketError(1002, 'a control frame is too long');
    const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
    const start = 2 + lengthBytes + (this.#expectsMask ? 4 : 0);
    if (rest.length < start) return null;
    const length =
      lengthBytes === 0 ? short : lengthBytes === 2 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
    if (length + (this.#message?.bytes ?? 0) > this.#limitBytes)
      throw new WebSocketError(1009, 'the message is too long');
    if (rest.length < start + length) return null;
    const payload = Buffer.from(rest.subarray(start, start + length));
    if (this.#expectsMask) unmask(payload, rest.subarray(start - 4, start));
    this.#rest = rest.subarray(start + length);
    return { isLast, opcode, payload };
  }

  #read({ isLast, opcode, payload }: Frame): WebSocketEvent | null {
    switch (opcode) {
      case opcodes.ping:
        return { kind: 'ping', bytes: payload };
      case opcodes.pong:
        return { kind: 'pong', bytes: payload };
      case opcodes.close:
        if (payload.length === 1) throw new WebSocketError(1002, 'a close frame is cut off');
        if (payload.length === 0) return { kind: 'close', code: 1005, reason: '' };
        return { kind: 'close', code: payload.readUInt16BE(0), reason: payload.toString('utf8', 2) };
      case opcodes.text:
      case opcodes.binary:
        if (this.#message !== null) throw new WebSocketError(1002, 'a message begins within another');
        this.#message = { isText: opcode === opcodes.text, parts: [], bytes: 0 };
        return this.#add(this.#message, payload, isLast);
      case opcodes.continuation:
        if (this.#message === null) throw new WebSocketError(1002, 'nothing is continued');
        return this.#add(this.#message, payload, isLast);
      default:
        throw new WebSocketError(1002, 'the kind of frame is unknown');
    }
  }

  #add(message: Message, payload: Buffer, isLast: boolean): WebSocketEvent | null {
    message.parts.push(payload);
    // An empty one takes room, too.
    message.bytes += Math.max(1, payload.length);
    if (!isLast) return null;
    this.#message = null;
    return { kind: 'message', isText: message.isText, bytes: Buffer.concat(message.parts) };
  }
}
