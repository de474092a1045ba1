// The host's side of the instance protocol, small: starts one interpreter with its bootstrap and speaks frames with it.
// Used by the bootstraps' contract tests.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect as netConnect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { languageOf } from '../../src/functions/languages.ts';
import type { CallerSpan } from '../../src/model/invocation.ts';
import {
  BodyFrames,
  creditBytes,
  encodeCredit,
  encodeFrame,
  type FrameContext,
  FrameDecoder,
  type FrameToSend,
  type HookName,
  type InstanceFrame,
  ReceiveWindow,
} from '../../src/wire/frames.ts';
import type { HttpAnswerParams, HttpParams } from '../../src/wire/http-params.ts';
import type { Interpreter } from './bootstrap-interpreters.ts';
import { fixturesOf } from './bootstrap-languages.ts';

const runtimes = fileURLToPath(new URL('../../runtimes', import.meta.url));
export const token = 'f0'.repeat(32);

export const context: FrameContext = {
  function: {
    name: 'echo',
    handler: 'echo.handler',
    memory: 512,
    timeout: 7,
    initializer: 'odd.initialize',
    initializationTimeout: 3,
  },
  service: { name: 'shop', logProject: 'lp', logStore: 'ls', qualifier: 'LATEST', versionId: '4' },
  region: 'cn-hangzhou',
  accountId: '1234567890',
  credentials: { accessKeyId: 'STS.id', accessKeySecret: 'secret', securityToken: 'tok' },
};

export type Answer =
  | { readonly kind: 'end'; readonly body: Buffer; readonly rss: number; readonly http?: HttpAnswerParams }
  | { readonly kind: 'error'; readonly type: string; readonly exit: boolean; readonly body: Buffer };

export type Exit = { readonly code: number | null; readonly signal: string | null };

/** How bytes are sent: as they are, or in pieces of `pieceBytes`. */
export type HostOptions = {
  readonly pieceBytes?: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** The working directory at the start; the launcher makes it the code's. */
  readonly codePath?: string;
};

/** One started bootstrap that has said hello. `close()` ends it and removes all traces. */
export class BootstrapHost {
  readonly hello: Extract<InstanceFrame, { type: 'hello' }>['head'];
  readonly process: ChildProcess;
  readonly exited: Promise<Exit>;
  /** Holds the sockets. */
  readonly directory: string;
  /** Credit frames received. */
  credits = 0;
  readonly #language: Interpreter['language'];
  readonly #frames: FrameQueue;
  readonly #log: LogText;
  readonly #release: () => void;
  #stream = 0;

  private constructor(parts: {
    hello: BootstrapHost['hello'];
    process: ChildProcess;
    exited: Promise<Exit>;
    directory: string;
    language: Interpreter['language'];
    frames: FrameQueue;
    log: LogText;
    release: () => void;
  }) {
    this.hello = parts.hello;
    this.process = parts.process;
    this.exited = parts.exited;
    this.directory = parts.directory;
    this.#language = parts.language;
    this.#frames = parts.frames;
    this.#log = parts.log;
    this.#release = parts.release;
  }

  static async start(interpreter: Interpreter, options: HostOptions = {}): Promise<BootstrapHost> {
    const directory = mkdtempSync(join(tmpdir(), 'yunmen-bootstrap-'));
    const servers: Server[] = [];
    const listen = async (name: string): Promise<() => Promise<Socket>> => {
      const server = createServer();
      servers.push(server);
      const accepted = once(server, 'connection');
      server.listen(join(directory, name));
      await once(server, 'listening');
      return async () => {
        const [socket] = (await accepted) as [Socket];
        socket.on('error', () => {}); // a killed instance resets its sockets
        return socket;
      };
    };
    const acceptFrames = await listen('f.sock');
    const acceptLog = await listen('l.sock');
    const output = netConnect(join(directory, 'l.sock'));
    await once(output, 'connect');
    const log = new LogText(await acceptLog());
    const { language } = interpreter;
    const child = spawn(interpreter.path, [...languageOf(language).command(`${runtimes}/${language}`, 512)], {
      stdio: ['pipe', output, output],
      cwd: options.codePath ?? fixturesOf[language].code,
      env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', ...options.environment },
    });
    output.destroy();
    const exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }) as Exit);
    child.stdin?.end(`${JSON.stringify({ socket: join(directory, 'f.sock'), token, log: null })}\n`);
    const gone = exited.then(({ code }) => {
      throw new Error(`the bootstrap ended with ${code} before hello: ${log.text}`);
    });
    let socket: Socket | null = null;
    const release = () => {
      for (const server of servers) server.close();
      socket?.destroy();
      log.close();
      child.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    };
    try {
      socket = await Promise.race([acceptFrames(), gone]);
    } catch (error) {
      release();
      throw error;
    }
    gone.catch(() => {}); // only of interest until hello
    const frames = new FrameQueue(socket, options.pieceBytes ?? null);
    const hello = await frames.next();
    if (hello?.type !== 'hello') {
      release();
      throw new Error(`first frame: ${hello?.type}`);
    }
    return new BootstrapHost({
      hello: hello.head,
      process: child,
      exited,
      directory,
      language: interpreter.language,
      frames,
      log,
      release,
    });
  }

  /** All output so far. */
  get logText(): string {
    return this.#log.text;
  }

  /** Waits until the output holds `part`; the whole output. */
  logWith(part: string): Promise<string> {
    return this.#log.with(part);
  }

  /** Waits for the end of the output; the whole of it. */
  logAtEnd(): Promise<string> {
    return this.#log.ended;
  }

  load(
    handler: string,
    dialect: string,
    codePath: string = fixturesOf[this.#language].code,
    { concurrency = 1, context: given = context }: LoadOptions = {},
  ): Promise<Answer | null> {
    this.#stream += 1;
    const head = { handler, codePath, dialect, context: given, ...(concurrency > 1 ? { concurrency } : {}) };
    this.send({ type: 'load', stream: this.#stream, head });
    return this.#answer(null);
  }

  hook(hook: HookName, handler: string, requestId: string): Promise<Answer | null> {
    this.#stream += 1;
    this.send({ type: 'hook', stream: this.#stream, head: { hook, handler, requestId } });
    return this.#answer(null);
  }

  /** Invokes; null when the connection closed instead of an answer. */
  invoke(requestId: string, event: Buffer | string = '', more: InvokeOptions = {}): Promise<Answer | null> {
    this.#stream += 1;
    const { tail = false, ...head } = more;
    const opening = {
      type: 'invoke',
      stream: this.#stream,
      head: { requestId, tail, deadline: 4_000_000_000_000, ...head },
    } as const;
    const body = new BodyFrames(opening, Buffer.from(event));
    for (let bytes = body.next(); bytes !== null; bytes = body.next()) this.#frames.write(bytes);
    return this.#answer(body);
  }

  /** Invokes with each event at once, as one request id each; the results in the same order. No event needs credit. */
  async invokeAtOnce(events: readonly string[]): Promise<readonly string[]> {
    const open = new Map<number, { parts: Buffer[]; window: ReceiveWindow; at: number }>();
    for (const [at, event] of events.entries()) {
      this.#stream += 1;
      open.set(this.#stream, { parts: [], window: new ReceiveWindow(), at });
      const head = { requestId: `request-${event}`, tail: true, deadline: 4_000_000_000_000 };
      this.send({ type: 'invoke', stream: this.#stream, head, payload: Buffer.from(event), isFinal: true });
    }
    const results: string[] = [];
    while (open.size > 0) {
      const frame = await this.#frames.next();
      const request = frame === null ? undefined : open.get(frame.stream);
      if (frame === null || request === undefined) throw new Error(`unexpected ${frame?.type}`);
      if (frame.type === 'response-head') continue;
      if (frame.type === 'error') throw new Error(frame.payload.toString());
      request.parts.push(Buffer.from(frame.payload));
      const grant = request.window.receive(frame.payload.length);
      if (grant === null) throw new Error('the bootstrap overran its window');
      if (frame.type === 'end') {
        results[request.at] = Buffer.concat(request.parts).toString();
        open.delete(frame.stream);
      } else if (grant > 0) this.#frames.write(encodeCredit(frame.stream, grant));
    }
    return results;
  }

  /**
   * Sends the first event to be run now, and the others ahead. What comes of each in the order in which it comes: its place
   * and its result, or null when it was not begun. `sent` runs when all are on their way.
   */
  async invokeAhead(
    events: readonly string[],
    sent: (lastStream: number) => void = () => {},
  ): Promise<readonly (readonly [number, string | null])[]> {
    const first = this.#stream + 1;
    for (const [at, event] of events.entries()) {
      this.#stream += 1;
      const facts = { requestId: `request-${this.#stream}`, tail: false, deadline: 4_000_000_000_000 };
      const head = at === 0 ? facts : { ...facts, ahead: true as const };
      this.send({ type: 'invoke', stream: this.#stream, head, payload: Buffer.from(event), isFinal: true });
    }
    sent(this.#stream);
    const results: (readonly [number, string | null])[] = [];
    let parts: Buffer[] = [];
    let window = new ReceiveWindow();
    while (results.length < events.length) {
      const frame = await this.#frames.next();
      if (frame === null || frame.type === 'error') throw new Error(`${frame?.type}: ${frame?.payload}`);
      parts.push(Buffer.from(frame.payload));
      const grant = window.receive(frame.payload.length);
      if (grant === null) throw new Error('the bootstrap overran its window');
      if (frame.type === 'end') results.push([frame.stream - first, Buffer.concat(parts).toString()]);
      else if (frame.type === 'recalled') results.push([frame.stream - first, null]);
      else if (grant > 0) this.#frames.write(encodeCredit(frame.stream, grant));
      if (frame.type === 'chunk' || frame.type === 'response-head') continue;
      parts = [];
      window = new ReceiveWindow();
    }
    return results;
  }

  /** Streams up to this one are recalled. */
  recall(stream: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(stream);
    writeFileSync(join(this.directory, 'r'), bytes);
  }

  /** The payload of the answer to a ping. */
  async ping(payload: Buffer): Promise<Buffer | null> {
    this.send({ type: 'ping', stream: 0, head: {}, payload });
    const frame = await this.#frames.next();
    return frame?.type === 'ping' && frame.isFinal ? frame.payload : null;
  }

  write(bytes: Buffer): void {
    this.#frames.write(bytes);
  }

  /** Closes the connection only, as a host does that has gone. */
  disconnect(): void {
    this.#frames.end();
  }

  async close(): Promise<void> {
    this.#release();
    await this.exited;
  }

  /** Sends a frame whose answer the test reads by itself. */
  send(frame: FrameToSend): void {
    this.#frames.write(encodeFrame(frame));
  }

  async #answer(event: BodyFrames | null): Promise<Answer | null> {
    const parts: Buffer[] = [];
    const window = new ReceiveWindow();
    let isLarge = false;
    let http: HttpAnswerParams | undefined;
    for (;;) {
      const frame = await this.#frames.next();
      if (frame === null) return null;
      if (frame.type === 'ping' || frame.type === 'hello' || frame.type === 'recalled')
        throw new Error(`unexpected ${frame.type}`);
      if (frame.stream !== this.#stream) throw new Error(`${frame.type} on stream ${frame.stream}`);
      if (frame.type === 'credit') {
        this.credits += 1;
        event?.grant(creditBytes(frame));
        for (let bytes = event?.next() ?? null; bytes !== null; bytes = event?.next() ?? null)
          this.#frames.write(bytes);
        continue;
      }
      if (frame.type === 'response-head') {
        isLarge = true;
        http = frame.head.http;
        continue;
      }
      if (frame.type === 'chunk' && !isLarge) throw new Error('a chunk before response-head');
      parts.push(Buffer.from(frame.payload));
      const grant = window.receive(frame.payload.length);
      if (grant === null) throw new Error('the bootstrap overran its window');
      if (frame.type === 'end') {
        const answer = { kind: 'end', body: Buffer.concat(parts), rss: frame.head.rss } as const;
        http = frame.head.http ?? http;
        return http === undefined ? answer : { ...answer, http };
      }
      if (frame.type === 'error') {
        return { kind: 'error', type: frame.head.type, exit: frame.head.exit, body: Buffer.concat(parts) };
      }
      if (grant > 0) this.#frames.write(encodeCredit(this.#stream, grant));
    }
  }
}

export type LoadOptions = { readonly concurrency?: number; readonly context?: FrameContext };

export type InvokeOptions = {
  readonly tail?: boolean;
  readonly retryCount?: number;
  /** A call of the HTTP handler: the event is its body. */
  readonly http?: HttpParams;
  readonly credentials?: NonNullable<FrameContext['credentials']>;
  readonly span?: CallerSpan;
};

/** Frames of one connection, one at a time; null at its end. */
class FrameQueue {
  readonly #socket: Socket;
  readonly #pieceBytes: number | null;
  readonly #ready: InstanceFrame[] = [];
  #isEnded = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(socket: Socket, pieceBytes: number | null) {
    this.#socket = socket;
    this.#pieceBytes = pieceBytes;
    const decoder = FrameDecoder.ofInstance();
    socket.on('data', (chunk: Buffer) => {
      const decoded = decoder.push(chunk);
      if (decoded.ok) this.#ready.push(...decoded.frames);
      else this.#failure = new Error(decoded.reason);
      this.#wake?.();
    });
    socket.on('close', () => {
      this.#isEnded = true;
      this.#wake?.();
    });
  }

  async next(): Promise<InstanceFrame | null> {
    while (this.#ready.length === 0) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#isEnded) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#ready.shift() ?? null;
  }

  write(bytes: Buffer): void {
    const size = this.#pieceBytes ?? bytes.length;
    for (let at = 0; at < bytes.length; at += size) this.#socket.write(bytes.subarray(at, at + size));
  }

  end(): void {
    this.#socket.end();
  }
}

/** What came over the log socket. */
class LogText {
  readonly ended: Promise<string>;
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  #wake: (() => void) | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#wake?.();
    });
    this.ended = once(socket, 'close').then(() => {
      this.#wake?.();
      return this.text;
    });
  }

  get text(): string {
    return this.bytes.toString('utf8');
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  async with(part: string): Promise<string> {
    while (!this.text.includes(part)) {
      if (this.#socket.closed) throw new Error(`the output ended without ${JSON.stringify(part)}: ${this.text}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.text;
  }

  close(): void {
    this.#socket.destroy();
  }
}
