// One connection to a backend: carries one request at a time and tells its answer as it comes. Made by connection-pool.ts.
import type { Socket } from 'node:net';
import { BackendFault } from './fault.ts';
import type { ResponseHead } from './response-head.ts';
import { ResponseReader } from './response-reader.ts';

/** What is sent. */
export type OutgoingRequest = {
  /** Request line and headers with the blank line, as latin1. */
  readonly head: string;
  readonly isHead: boolean;
  /** Sent twice it does what it does once, or nothing. */
  readonly isIdempotent: boolean;
  /** All of it, or a stream whose framing (`isChunked` or a length in the head) was decided. */
  readonly body:
    | { readonly kind: 'whole'; readonly bytes: Buffer | null }
    | { readonly kind: 'stream'; readonly chunks: AsyncIterable<Buffer>; readonly isChunked: boolean };
};

/** Hears of one exchange: head, data …, then end or failed; failed may come at any time, once. */
export type ExchangeListener = {
  head(head: ResponseHead): void;
  data(chunk: Buffer): void;
  end(): void;
  /** A BackendFault, or what the request's stream threw. `mayRetry`: nothing of an answer came on a connection that had served before. */
  failed(error: Error, mayRetry: boolean): void;
};

const nothing = () => {};
const lastChunk = Buffer.from('0\r\n\r\n');
const lineEnd = Buffer.from('\r\n');

/** What the pool wants to know. */
export type ConnectionOwner = {
  /** The exchange is over and the connection may carry another. */
  free(connection: BackendConnection): void;
  /** The connection can carry nothing more. May be said more than once. */
  gone(connection: BackendConnection): void;
};

export class BackendConnection {
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #reader = new ResponseReader();
  #listener: ExchangeListener | null = null;
  #served = 0;
  #isWriting = false;
  #isAnswered = false;
  #isReusable = true;
  #wakeWriter = nothing;
  /** Set by the pool, monotonic ms. */
  idleSince = 0;
  /** What the backend said about idle connections; null when it said nothing. */
  keepAliveMs: number | null = null;

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.#socket = socket;
    this.#owner = owner;
    socket.setTimeout(0);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('drain', () => this.#wakeWriter());
    socket.on('end', () => this.#ended());
    socket.on('error', (error: NodeJS.ErrnoException) => this.#fail(closedBy(error, this.#reader.hasStarted)));
    socket.on('close', () => {
      this.#ended();
      this.#wakeWriter();
      owner.gone(this);
    });
  }

  /** Bytes of requests that the kernel has not taken yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** False: the backend has closed it. */
  get isOpen(): boolean {
    return this.#isReusable && !this.#socket.destroyed;
  }

  /** Only while no exchange is under way. */
  send(request: OutgoingRequest, listener: ExchangeListener): void {
    if (this.#listener !== null) throw new Error('the connection is busy');
    this.#listener = listener;
    this.#isAnswered = false;
    this.#reader.expect(request.isHead, {
      head: (head) => {
        this.#isReusable = head.isReusable;
        this.keepAliveMs = head.keepAliveMs;
        this.#listener?.head(head);
      },
      data: (chunk) => this.#listener?.data(chunk),
      end: () => this.#answered(),
    });
    const { body } = request;
    if (body.kind === 'stream') {
      this.#socket.write(request.head, 'latin1');
      this.#isWriting = true;
      void this.#writeStream(body.chunks, body.isChunked);
    } else if (body.bytes === null || body.bytes.length === 0) {
      this.#socket.write(request.head, 'latin1');
    } else {
      this.#socket.cork();
      this.#socket.write(request.head, 'latin1');
      this.#socket.write(body.bytes);
      this.#socket.uncork();
    }
  }

  /** Stops reading the answer until resume(). */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends the connection; an exchange under way hears nothing more. */
  destroy(): void {
    this.#listener = null;
    this.#isReusable = false;
    this.#socket.destroy();
    this.#wakeWriter();
  }

  #read(chunk: Buffer): void {
    try {
      this.#reader.push(chunk);
    } catch (error) {
      // Nothing but the reader's own BackendFault, and bugs of listeners, which must not take the process down.
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #ended(): void {
    try {
      this.#isReusable = false;
      this.#reader.finish();
      if (this.#listener === null) this.#socket.destroy();
      this.#owner.gone(this);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fail(error: Error): void {
    const listener = this.#listener;
    this.#listener = null;
    this.#isReusable = false;
    this.#socket.destroy();
    this.#wakeWriter();
    const isUnanswered = error instanceof BackendFault && error.kind === 'closed';
    listener?.failed(error, isUnanswered && this.#served > 0);
  }

  #answered(): void {
    this.#isAnswered = true;
    const listener = this.#listener;
    this.#listener = null;
    // An answer before the whole request was sent: what is left of it must not go out as if it were the next one.
    if (this.#isWriting) this.#isReusable = false;
    this.#served++;
    listener?.end();
    if (this.isOpen) this.#owner.free(this);
    else {
      this.#socket.destroy();
      this.#wakeWriter();
    }
  }

  get #isOver(): boolean {
    return this.#isAnswered || this.#listener === null || this.#socket.destroyed;
  }

  /** Writes chunk by chunk, each when the kernel has taken the one before: at most one chunk and the socket's mark are held. */
  async #writeStream(chunks: AsyncIterable<Buffer>, isChunked: boolean): Promise<void> {
    try {
      for await (const chunk of chunks) {
        if (this.#isOver) return;
        if (chunk.length === 0) continue;
        if (this.#writeChunk(chunk, isChunked)) continue;
        await new Promise<void>((resolve) => {
          this.#wakeWriter = resolve;
        });
        this.#wakeWriter = nothing;
        if (this.#isOver) return;
      }
      this.#isWriting = false;
      if (isChunked && !this.#isOver) this.#socket.write(lastChunk);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #writeChunk(chunk: Buffer, isChunked: boolean): boolean {
    if (!isChunked) return this.#socket.write(chunk);
    this.#socket.cork();
    this.#socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
    this.#socket.write(chunk);
    const isTaken = this.#socket.write(lineEnd);
    this.#socket.uncork();
    return isTaken;
  }
}

function closedBy(error: NodeJS.ErrnoException, hasStarted: boolean): BackendFault {
  return hasStarted
    ? new BackendFault('response', `the connection broke in the middle of the response (${error.code ?? 'error'})`)
    : new BackendFault('closed', 'Connection is closed');
}
