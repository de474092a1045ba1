// What goes over the socket of a session in an instance: spoken by sandd's keeper (native/README.md, "Sessions"), read and
// written by control.
import { constants } from 'node:os';

/** Largest payload of one frame, bytes. */
export const execChunkBytes = 16 * 1024;
const headBytes = 5;
const channels = { input: 0, output: 1, errors: 2, wrong: 3, resize: 4, over: 5, running: 6 } as const;

/** The command ended by itself or by a signal: one of the two is null. */
export type ExecEnd = { readonly code: number | null; readonly signal: string | null };

export type ExecEvent =
  | { readonly kind: 'running' }
  | { readonly kind: 'output' | 'errors'; readonly bytes: Buffer }
  /** It was not started; nothing follows. */
  | { readonly kind: 'wrong'; readonly message: string }
  /** Nothing follows. */
  | ({ readonly kind: 'over' } & ExecEnd);

/** Shape: u8 channel, u32 length (big endian), payload. */
function encode(channel: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + payload.length);
  frame.writeUInt8(channel, 0);
  frame.writeUInt32BE(payload.length, 1);
  frame.set(payload, headBytes);
  return frame;
}

/** What the command reads, in as many frames as it takes. */
export function encodeExecInput(bytes: Uint8Array): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += execChunkBytes) {
    frames.push(encode(channels.input, bytes.subarray(at, at + execChunkBytes)));
  }
  return Buffer.concat(frames);
}

/** The command's input ends. Nothing happens where it has a terminal. */
export function encodeExecInputEnd(): Buffer {
  return encode(channels.input, new Uint8Array(0));
}

export function encodeExecResize({ rows, columns }: { readonly rows: number; readonly columns: number }): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt16BE(rows, 0);
  payload.writeUInt16BE(columns, 2);
  return encode(channels.resize, payload);
}

/** Takes frames apart as they come in pieces. Holds at most one unfinished frame. */
export class ExecFrames {
  #rest: Buffer = Buffer.alloc(0);

  /** Errors: throws on what is no frame; the connection is of no use then. */
  push(chunk: Buffer): readonly ExecEvent[] {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const events: ExecEvent[] = [];
    while (rest.length >= headBytes) {
      const length = rest.readUInt32BE(1);
      if (length > execChunkBytes) throw new Error('the session broke the protocol');
      if (rest.length < headBytes + length) break;
      events.push(readEvent(rest.readUInt8(0), rest.subarray(headBytes, headBytes + length)));
      rest = rest.subarray(headBytes + length);
    }
    this.#rest = rest;
    return events;
  }
}

function readEvent(channel: number, payload: Buffer): ExecEvent {
  switch (channel) {
    case channels.running:
      return { kind: 'running' };
    case channels.output:
      return { kind: 'output', bytes: payload };
    case channels.errors:
      return { kind: 'errors', bytes: payload };
    case channels.wrong:
      return { kind: 'wrong', message: payload.toString() };
    case channels.over: {
      if (payload.length !== 2) break;
      const value = payload.readUInt8(1);
      if (payload.readUInt8(0) === 0) return { kind: 'over', code: value, signal: null };
      return { kind: 'over', code: null, signal: signalName(value) };
    }
  }
  throw new Error('the session broke the protocol');
}

function signalName(value: number): string {
  return Object.entries(constants.signals).find(([, each]) => each === value)?.[0] ?? `signal ${value}`;
}
