// Messages over one duplex stream (a socketpair or unix socket) between two of our own processes:
// notes that nobody answers, and calls that the other side answers. Control, data and launcher talk through it.
import type { Duplex } from 'node:stream';
import type { CallOffSignal } from './call-off.ts';

/** JSON value of a message; `body` travels raw beside it. */
export type Message = { readonly data: unknown; readonly body?: Buffer };

/** A call that the other side could not carry out; `message` is what it said. */
export class ChannelError extends Error {
  override readonly name = 'ChannelError';
}

export type ChannelHandlers = {
  /** Answers a call; a throw reaches the caller as a ChannelError. */
  onCall(name: string, message: Message, signal: AbortSignal): Promise<Message>;
  onNote(name: string, message: Message): void;
  /** The stream ended or broke; calls under way have been rejected. Called once. */
  onClose(error: Error | null): void;
};

type Head =
  | { t: 'note'; n: string; d: unknown }
  | { t: 'call'; n: string; i: number; d: unknown }
  | { t: 'answer'; i: number; d: unknown }
  | { t: 'failure'; i: number; m: string }
  | { t: 'cancel'; i: number };

const prefixBytes = 8;
/** Largest message either side accepts, head and body together; a larger one breaks the channel. */
const messageLimitBytes = 512 * 1024 * 1024;

/**
 * One end of a channel.
 *
 * Shape on the wire: u32 head length, u32 body length (big endian), head as JSON, body raw.
 * Order is kept. Bounded by the callers: each call has one answer, and callers limit their calls.
 */
export class Channel {
  readonly #stream: Duplex;
  readonly #handlers: ChannelHandlers;
  readonly #waiting = new Map<number, { resolve(message: Message): void; reject(error: Error): void }>();
  readonly #serving = new Map<number, AbortController>();
  #nextId = 1;
  #isClosed = false;
  #chunks: Buffer[] = [];
  #buffered = 0;
  #needed = prefixBytes;

  constructor(stream: Duplex, handlers: ChannelHandlers) {
    this.#stream = stream;
    this.#handlers = handlers;
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('error', (error) => this.#close(error));
    stream.on('close', () => this.#close(null));
    stream.on('end', () => this.#close(null));
  }

  /** Sends a note. False when the stream's buffer is full (the note is still queued). */
  note(name: string, data: unknown, body?: Buffer): boolean {
    return this.#send({ t: 'note', n: name, d: data }, body);
  }

  /** Calls the other side. Aborting `signal` tells it, and rejects here. */
  call(name: string, data: unknown, options: { body?: Buffer; signal?: CallOffSignal } = {}): Promise<Message> {
    const { body, signal } = options;
    if (this.#isClosed) return Promise.reject(new ChannelError(`channel is closed (calling ${name})`));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        if (!this.#waiting.delete(id)) return;
        this.#send({ t: 'cancel', i: id });
        reject(signal?.reason instanceof Error ? signal.reason : new ChannelError(`${name} was cancelled`));
      };
      const done = () => signal?.removeEventListener('abort', onAbort);
      this.#waiting.set(id, {
        resolve: (message) => {
          done();
          resolve(message);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
      this.#send({ t: 'call', n: name, i: id, d: data }, body);
      if (signal?.aborted) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Ends the stream after what is queued. */
  close(): void {
    this.#stream.end();
  }

  #send(head: Head, body?: Buffer): boolean {
    if (this.#isClosed) return false;
    const text = Buffer.from(JSON.stringify(head));
    const prefix = Buffer.allocUnsafe(prefixBytes);
    prefix.writeUInt32BE(text.length, 0);
    prefix.writeUInt32BE(body?.length ?? 0, 4);
    this.#stream.cork();
    this.#stream.write(prefix);
    let hasRoom = this.#stream.write(text);
    if (body !== undefined && body.length > 0) hasRoom = this.#stream.write(body);
    process.nextTick(() => this.#stream.uncork());
    return hasRoom;
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    while (!this.#isClosed && this.#buffered >= this.#needed) {
      const all =
        this.#chunks.length === 1 && this.#chunks[0] !== undefined ? this.#chunks[0] : Buffer.concat(this.#chunks);
      const headLength = all.readUInt32BE(0);
      const bodyLength = all.readUInt32BE(4);
      const total = prefixBytes + headLength + bodyLength;
      if (total > messageLimitBytes) {
        this.#stream.destroy(new ChannelError(`message of ${total} bytes exceeds the channel's limit`));
        return;
      }
      if (all.length < total) {
        this.#chunks = [all];
        this.#needed = total;
        return;
      }
      const head = JSON.parse(all.toString('utf8', prefixBytes, prefixBytes + headLength)) as Head;
      const body = bodyLength > 0 ? all.subarray(prefixBytes + headLength, total) : undefined;
      this.#chunks = all.length > total ? [all.subarray(total)] : [];
      this.#buffered = all.length - total;
      this.#needed = prefixBytes;
      this.#dispatch(head, body);
    }
  }

  #dispatch(head: Head, body: Buffer | undefined): void {
    switch (head.t) {
      case 'note':
        this.#handlers.onNote(head.n, body === undefined ? { data: head.d } : { data: head.d, body });
        return;
      case 'call':
        void this.#serve(head, body);
        return;
      case 'answer': {
        const waiting = this.#waiting.get(head.i);
        this.#waiting.delete(head.i);
        waiting?.resolve(body === undefined ? { data: head.d } : { data: head.d, body });
        return;
      }
      case 'failure': {
        const waiting = this.#waiting.get(head.i);
        this.#waiting.delete(head.i);
        waiting?.reject(new ChannelError(head.m));
        return;
      }
      case 'cancel':
        this.#serving.get(head.i)?.abort(new ChannelError('cancelled by the caller'));
        return;
    }
  }

  async #serve(head: Head & { t: 'call' }, body: Buffer | undefined): Promise<void> {
    const controller = new AbortController();
    this.#serving.set(head.i, controller);
    try {
      const message = body === undefined ? { data: head.d } : { data: head.d, body };
      const answer = await this.#handlers.onCall(head.n, message, controller.signal);
      this.#send({ t: 'answer', i: head.i, d: answer.data }, answer.body);
    } catch (error) {
      this.#send({ t: 'failure', i: head.i, m: error instanceof Error ? error.message : String(error) });
    } finally {
      this.#serving.delete(head.i);
    }
  }

  #close(error: Error | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#chunks = [];
    const reason = error ?? new ChannelError('the other process has gone');
    for (const controller of this.#serving.values()) controller.abort(reason);
    for (const waiting of this.#waiting.values()) waiting.reject(reason);
    this.#waiting.clear();
    this.#handlers.onClose(error);
  }
}
