// One session in an instance: carries bytes between its caller's WebSocket and the instance's process. Begun by upgrades.ts
// with what InstanceExec (instance-exec.ts) has opened. It reads from neither end what the other does not take.
import { isUtf8 } from 'node:buffer';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import {
  type ExecEnd,
  type ExecEvent,
  ExecFrames,
  encodeExecInput,
  encodeExecInputEnd,
  encodeExecResize,
} from '../../wire/exec-frames.ts';
import {
  encodeWebSocket,
  encodeWebSocketClose,
  WebSocketError,
  type WebSocketEvent,
  WebSocketFrames,
} from '../../wire/websocket.ts';
import { readTerminalSize } from './terminal-size.ts';

export type ExecSessionOptions = {
  /** What the caller asked to be carried. */
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Without a byte of either end for so long, it is closed, ms. */
  readonly idleMs: number;
};

/**
 * First byte of a message. Source: sdk (the clients in Python and Go).
 * 255 is ours, as in Kubernetes' protocol: the input ends.
 */
const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
/** Longest message of a caller, bytes. */
const messageLimitBytes = 1024 * 1024;
/** How long the caller may take to answer a close, ms. */
const closeMs = 5_000;

export class ExecSession {
  readonly #socket: Duplex;
  readonly #stream: Duplex;
  readonly #options: ExecSessionOptions;
  readonly #clock: Clock;
  readonly #frames = new WebSocketFrames('client', messageLimitBytes);
  readonly #execFrames = new ExecFrames();
  /** Of a character whose other bytes have not come. */
  readonly #cut = new Map<number, Buffer>();
  #activeAt: number;
  #isClosing = false;
  #cancelTimer: () => void;

  /** `socket` has been answered with 101; `head` is what came after the request. */
  constructor(
    socket: Duplex,
    head: Buffer,
    {
      stream,
      options,
      clock,
    }: { readonly stream: Duplex; readonly options: ExecSessionOptions; readonly clock: Clock },
  ) {
    this.#socket = socket;
    this.#stream = stream;
    this.#options = options;
    this.#clock = clock;
    this.#activeAt = clock.monotonic();
    this.#cancelTimer = clock.after(options.idleMs, () => this.#checkIdle());
    socket.on('error', () => {}); // 'close' follows
    // A server's sockets stay half open by themselves.
    socket.once('end', () => socket.destroy());
    socket.once('close', () => this.#gone());
    socket.on('drain', () => stream.resume());
    socket.on('data', (chunk: Buffer) => this.#hear(chunk));
    stream.on('drain', () => socket.resume());
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.once('close', () => this.#close(1011, 'the instance has ended'));
    if (stream.destroyed) this.#close(1011, 'the instance has ended');
    if (head.length > 0) this.#hear(head);
  }

  /** The server stops. */
  end(): void {
    this.#close(1001, 'the server stops');
    this.#socket.destroy();
  }

  #hear(chunk: Buffer): void {
    try {
      for (const event of this.#frames.push(chunk)) this.#act(event);
    } catch (error) {
      if (error instanceof WebSocketError) this.#close(error.code, error.message);
      else throw error;
    }
  }

  #act(event: WebSocketEvent): void {
    switch (event.kind) {
      case 'ping':
        // Who takes nothing is not answered: what waits for it would only grow.
        if (!this.#socket.writableNeedDrain && !this.#isClosing)
          this.#socket.write(encodeWebSocket('pong', event.bytes));
        return;
      case 'pong':
        return;
      case 'close':
        this.#close(1000, '');
        this.#socket.end();
        return;
      case 'message':
        this.#activeAt = this.#clock.monotonic();
        this.#input(event.bytes);
        return;
    }
  }

  /**
   * Source: sdk; the client in Node sends its bytes without a channel, so what is none is what was typed. The shape of sizes is assumed.
   */
  #input(bytes: Buffer): void {
    const [channel] = bytes;
    const size = channel === channels.resize ? readTerminalSize(bytes.subarray(1)) : null;
    if (size !== null) this.#send(encodeExecResize(size));
    else if (channel === channels.close && bytes.length === 2 && bytes[1] === channels.stdin)
      this.#send(encodeExecInputEnd());
    else if (this.#options.stdin) this.#send(encodeExecInput(channel === channels.stdin ? bytes.subarray(1) : bytes));
  }

  #send(frames: Buffer): void {
    if (this.#stream.destroyed || frames.length === 0) return;
    if (!this.#stream.write(frames)) this.#socket.pause();
  }

  #take(chunk: Buffer): void {
    this.#activeAt = this.#clock.monotonic();
    for (const event of this.#execFrames.push(chunk)) this.#tell(event);
    if (this.#socket.writableNeedDrain) this.#stream.pause();
  }

  #tell(event: ExecEvent): void {
    switch (event.kind) {
      case 'running':
        if (!this.#options.stdin) this.#send(encodeExecInputEnd());
        return;
      case 'output':
        if (this.#options.stdout) this.#say(channels.stdout, event.bytes);
        return;
      case 'errors':
        if (this.#options.stderr) this.#say(channels.stderr, event.bytes);
        return;
      case 'wrong':
        this.#say(channels.error, Buffer.from(event.message));
        this.#close(1011, event.message);
        return;
      case 'over':
        this.#close(1000, describe(event));
        return;
    }
  }

  /** As text wherever it is text: the client in Python reads nothing else, the others read both. Source: sdk. */
  #say(channel: number, bytes: Buffer): void {
    const all = Buffer.concat([this.#cut.get(channel) ?? Buffer.alloc(0), bytes]);
    const whole = isUtf8(all) ? all.length : wholeCharacters(all);
    const isText = isUtf8(all.subarray(0, whole));
    this.#cut.set(channel, isText ? Buffer.from(all.subarray(whole)) : Buffer.alloc(0));
    this.#write(channel, isText ? all.subarray(0, whole) : all, isText);
  }

  #write(channel: number, bytes: Buffer, isText: boolean): void {
    if (bytes.length === 0 || this.#isClosing || !this.#socket.writable) return;
    this.#socket.write(encodeWebSocket(isText ? 'text' : 'binary', Buffer.concat([Buffer.from([channel]), bytes])));
  }

  #close(code: number, reason: string): void {
    if (this.#isClosing) return;
    for (const [channel, bytes] of this.#cut) this.#write(channel, bytes, false);
    this.#isClosing = true;
    this.#cancelTimer();
    this.#stream.destroy();
    if (!this.#socket.writable) return;
    this.#socket.write(encodeWebSocketClose(code, reason));
    this.#socket.resume(); // what it still had to say nobody takes; its answer is waited for
    this.#cancelTimer = this.#clock.after(closeMs, () => this.#socket.destroy());
  }

  #gone(): void {
    this.#isClosing = true;
    this.#cancelTimer();
    this.#stream.destroy();
  }

  #checkIdle(): void {
    const leftMs = this.#activeAt + this.#options.idleMs - this.#clock.monotonic();
    if (leftMs <= 0) this.#close(1000, 'idle for too long');
    else this.#cancelTimer = this.#clock.after(leftMs, () => this.#checkIdle());
  }
}

function describe({ code, signal }: ExecEnd): string {
  return signal === null ? `exit code ${code}` : `killed by ${signal}`;
}

/** How many bytes there are without a last character of UTF-8 that is cut off. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
