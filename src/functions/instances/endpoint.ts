// The host's side of one instance's private directory: the sockets for frames and for output, and who may connect.
// Opened by instance.ts before the process is started; the directory goes when it is closed.
import { timingSafeEqual } from 'node:crypto';
import { closeSync, constants, fchmodSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { type Decoded, FrameDecoder, type InstanceFrame, protocolVersion } from '../../wire/frames.ts';
import { readLeft } from './read-left.ts';

export const frameSocketName = 'f.sock';
export const logSocketName = 'l.sock';
/** Four bytes: the last stream that has been recalled. Made when the first request is sent ahead. */
export const recallsName = 'r';
/** Connections that may be waiting to say hello. Only the instance can reach the socket, so one is the rule. */
const unprovenLimit = 4;
/** Refused connections that are logged; the rest are closed without a word. */
const refusalLogLimit = 10;

export type EndpointEvents = {
  /** The instance proved itself. Called once, before any frame. */
  onHello(hello: Extract<InstanceFrame, { type: 'hello' }>['head']): void;
  onFrame(frame: InstanceFrame): void;
  /** The proven connection ended or broke the protocol (`violation` says how). Called at most once. */
  onDisconnect(violation: string | null): void;
  onOutput(chunk: Buffer): void;
  onOutputEnd(): void;
  /** Something that an operator should see: a second connection, a wrong token. */
  onSuspicion(text: string): void;
};

/**
 * Listens in a directory of its own. The first hello with the right token burns it; every other connection is
 * closed and reported.
 */
export class Endpoint {
  readonly #directory: string;
  readonly #token: Buffer;
  readonly #events: EndpointEvents;
  readonly #frames: Server;
  readonly #log: Server;
  readonly #unproven = new Set<Socket>();
  #connection: Socket | null = null;
  /** Taken for the instance's before it has said hello. */
  #trusted: Socket | null = null;
  #output: Socket | null = null;
  #refusals = 0;
  #isClosed = false;
  #recalls: number | null = null;
  /** What writeSoon() holds: of requests sent ahead, whose number and size are bounded. */
  #soon: Buffer[] = [];

  private constructor(directory: string, token: string, events: EndpointEvents) {
    this.#directory = directory;
    this.#token = Buffer.from(token);
    this.#events = events;
    this.#frames = createServer((socket) => this.#accept(socket));
    this.#log = createServer((socket) => this.#acceptOutput(socket));
  }

  /**
   * Makes the directory (mode 0700) and listens in it.
   *
   * Errors: rejects when the directory exists or a socket cannot be bound; nothing is left behind then.
   */
  static async open(directory: string, token: string, events: EndpointEvents): Promise<Endpoint> {
    mkdirSync(directory, { mode: 0o700 });
    const endpoint = new Endpoint(directory, token, events);
    try {
      await Promise.all([
        listen(endpoint.#frames, `${directory}/${frameSocketName}`),
        listen(endpoint.#log, `${directory}/${logSocketName}`),
      ]);
    } catch (error) {
      endpoint.close();
      throw error;
    }
    return endpoint;
  }

  /** The same for an instance that is spoken to in another way: only its output comes here. */
  static async openOutput(
    directory: string,
    events: Pick<EndpointEvents, 'onOutput' | 'onOutputEnd' | 'onSuspicion'>,
  ): Promise<Endpoint> {
    mkdirSync(directory, { mode: 0o700 });
    const endpoint = new Endpoint(directory, '', {
      onHello: () => {},
      onFrame: () => {},
      onDisconnect: () => {},
      onOutput: (chunk) => events.onOutput(chunk),
      onOutputEnd: () => events.onOutputEnd(),
      onSuspicion: (text) => events.onSuspicion(text),
    });
    try {
      await listen(endpoint.#log, `${directory}/${logSocketName}`);
    } catch (error) {
      endpoint.close();
      throw error;
    }
    return endpoint;
  }

  /**
   * Who has connected is the instance: what is written goes to it before it has said hello, which nobody else can any more. For
   * who knows that nobody else could have connected. False: nobody has, or several.
   */
  trust(): boolean {
    if (this.#isClosed || this.#connection !== null || this.#unproven.size !== 1) return false;
    [this.#trusted = null] = this.#unproven;
    return true;
  }

  /** Sends several frames to the instance, as one write. */
  writeAll(buffers: readonly Buffer[]): void {
    if (this.#soon.length > 0) {
      this.#soon.push(...buffers);
      this.#writeSoon();
      return;
    }
    const connection = this.#connection ?? this.#trusted;
    if (connection === null) return;
    const [only] = buffers;
    if (only !== undefined && buffers.length === 1) {
      connection.write(only);
      return;
    }
    connection.cork();
    for (const bytes of buffers) connection.write(bytes);
    connection.uncork();
  }

  /**
   * The same once what this process was told of at this moment has all been heard: for what the instance does not wait for.
   * What is told so by several requests goes out as one write.
   */
  writeSoon(buffers: readonly Buffer[]): void {
    if (this.#soon.length === 0) setImmediate(this.#writeSoon);
    this.#soon.push(...buffers);
  }

  readonly #writeSoon = (): void => {
    const buffers = this.#soon;
    if (buffers.length === 0) return; // written meanwhile
    this.#soon = [];
    this.writeAll(buffers.length === 1 ? buffers : [Buffer.concat(buffers)]);
  };

  /**
   * Requests may be sent ahead from now on.
   *
   * Errors: throws when the file is there already (the instance may be able to make it: a link would lead our writes elsewhere).
   */
  openRecalls(): void {
    if (this.#recalls !== null || this.#isClosed) return;
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;
    this.#recalls = openSync(`${this.#directory}/${recallsName}`, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR, 0o644);
    fchmodSync(this.#recalls, 0o644); // whatever the umask is: the instance has a user of its own
    this.recall(0);
  }

  /** Streams up to this one that the instance looks for from now on are recalled. */
  recall(stream: number): void {
    if (this.#recalls === null) return;
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeUInt32BE(stream, 0);
    writeSync(this.#recalls, bytes, 0, 4, 0);
  }

  /** Closes all sockets and removes the directory. No event comes any more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#soon = [];
    if (this.#recalls !== null) closeSync(this.#recalls);
    this.#recalls = null;
    this.#frames.close();
    this.#log.close();
    this.#connection?.destroy();
    this.#output?.destroy();
    for (const socket of this.#unproven) socket.destroy();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #accept(socket: Socket): void {
    // Broken pipes show as 'close'; an error of a connection says nothing more than that.
    socket.on('error', () => {});
    if ((this.#connection ?? this.#trusted) !== null || this.#unproven.size >= unprovenLimit) {
      this.#refuse(socket, 'a second connection');
      return;
    }
    this.#unproven.add(socket);
    const decoder = FrameDecoder.ofInstance();
    let isProven = false;
    const read = (chunk: Buffer) => {
      const decoded = decoder.push(chunk);
      if (isProven) this.#deliver(socket, decoded);
      else isProven = this.#prove(socket, decoded);
    };
    socket.on('data', read);
    readLeft(socket, read);
    socket.on('close', () => {
      this.#unproven.delete(socket);
      if (isProven && !this.#isClosed) this.#disconnect(null);
    });
  }

  /** Reads the first frames of a connection. True when they began with the right hello. */
  #prove(socket: Socket, decoded: Decoded<InstanceFrame>): boolean {
    const first = decoded.ok ? decoded.frames[0] : undefined;
    if (decoded.ok && first === undefined) return false;
    this.#unproven.delete(socket);
    if (this.#isClosed) return false;
    if (!decoded.ok || first === undefined || first.type !== 'hello') {
      this.#refuse(socket, 'a connection that did not begin with hello');
      return false;
    }
    if (!this.#isToken(first.head.token)) {
      this.#refuse(socket, 'a hello with a wrong token');
      return false;
    }
    if (this.#connection !== null || (this.#trusted !== null && this.#trusted !== socket)) {
      this.#refuse(socket, 'a second hello with the token');
      return false;
    }
    if (first.head.protocol !== protocolVersion) {
      this.#refuse(socket, `a hello of protocol ${first.head.protocol}`);
      return false;
    }
    this.#connection = socket;
    this.#trusted = null;
    for (const other of this.#unproven) this.#refuse(other, 'a second connection');
    this.#unproven.clear();
    this.#events.onHello(first.head);
    this.#deliver(socket, { ok: true, frames: decoded.frames.slice(1) });
    return true;
  }

  #deliver(socket: Socket, decoded: Decoded<InstanceFrame>): void {
    if (!decoded.ok) {
      socket.destroy();
      this.#disconnect(decoded.reason);
      return;
    }
    for (const frame of decoded.frames) {
      if (this.#isClosed || this.#connection === null) return;
      this.#events.onFrame(frame);
    }
  }

  #disconnect(violation: string | null): void {
    if (this.#connection === null) return;
    this.#connection = null;
    // Nobody else may take the place of an instance that has gone.
    this.#frames.close();
    this.#events.onDisconnect(violation);
  }

  #refuse(socket: Socket, what: string): void {
    socket.destroy();
    this.#refusals += 1;
    if (this.#refusals <= refusalLogLimit) this.#events.onSuspicion(`${what} was closed`);
  }

  #isToken(text: string): boolean {
    const given = Buffer.from(text);
    return given.length === this.#token.length && timingSafeEqual(given, this.#token);
  }

  /** The launcher connects the output before the process starts; nobody may connect after it. */
  #acceptOutput(socket: Socket): void {
    socket.on('error', () => {});
    if (this.#output !== null) {
      socket.destroy();
      return;
    }
    this.#output = socket;
    this.#log.close();
    socket.on('data', (chunk: Buffer) => {
      if (!this.#isClosed) this.#events.onOutput(chunk);
    });
    socket.on('close', () => {
      if (!this.#isClosed) this.#events.onOutputEnd();
    });
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      server.on('error', () => {});
      resolve();
    });
  });
}
