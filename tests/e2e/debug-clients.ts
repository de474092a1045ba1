// Scripted debuggers, each over its language's real protocol, behind one contract. Used by debug.e2e.test.ts.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';

/** Paths are those of the files that one edits; lines count from 1. */
export type Debugger = {
  /** Attaches to what runs now or comes next, and sets a breakpoint there. */
  attach(path: string, line: number): Promise<void>;
  /** Resolves when the program stands at the breakpoint. */
  stopped(): Promise<void>;
  /** The text in a variable, while it stands. */
  read(name: string): Promise<string>;
  go(): void;
  /** Resolves when the session has ended by itself. */
  readonly ended: Promise<void>;
  close(): void;
};

/** What `yunmen dev --debug` printed for launch.json. */
export type Launch = Readonly<Record<string, unknown>>;

type Message = Record<string, unknown>;

/** Messages in the order in which they came, and who waits for one. */
class Inbox {
  readonly #messages: Message[] = [];
  readonly #waiting: (() => void)[] = [];

  put(message: Message): void {
    this.#messages.push(message);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** The first that fits, taken out. */
  async take(fits: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const at = this.#messages.findIndex(fits);
      if (at >= 0) return this.#messages.splice(at, 1)[0] ?? {};
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

const nextTry = () => new Promise((resolve) => setTimeout(resolve, 50));

/** Tries until the port is open. */
async function connect(port: number): Promise<Socket> {
  for (;;) {
    const socket = createConnection(port, '127.0.0.1');
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    if (isOpen) return socket;
    await nextTry();
  }
}

/** A path of the editor's as the program knows it. */
function remotePath(path: string, mapping: { remoteRoot?: unknown; localRoot?: unknown }): string {
  const { remoteRoot, localRoot } = mapping;
  if (typeof remoteRoot !== 'string' || typeof localRoot !== 'string') return path;
  return path.startsWith(`${localRoot}/`) ? remoteRoot + path.slice(localRoot.length) : path;
}

/** The Chrome DevTools protocol, over the WebSocket that Node opens. */
export class Inspector implements Debugger {
  readonly #launch: Launch;
  readonly #inbox = new Inbox();
  readonly #ended = Promise.withResolvers<void>();
  #socket: WebSocket | null = null;
  #id = 0;
  #frame = '';

  constructor(launch: Launch) {
    this.#launch = launch;
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  async attach(path: string, line: number): Promise<void> {
    let isAttached = false;
    while (!isAttached) {
      const socket = await this.#open();
      socket.addEventListener('message', ({ data }) => this.#inbox.put(JSON.parse(String(data)) as Message));
      const closed = new Promise<void>((resolve) => socket.addEventListener('close', () => resolve()));
      this.#socket = socket;
      // One whose end has begun may still take a connection.
      isAttached = await Promise.race([this.#send('Debugger.enable').then(() => true), closed.then(() => false)]);
      if (isAttached) void closed.then(() => this.#ended.resolve());
    }
    await this.#send('Runtime.enable');
    const url = `file://${remotePath(path, this.#launch)}`;
    await this.#send('Debugger.setBreakpointByUrl', { url, lineNumber: line - 1 });
  }

  async #open(): Promise<WebSocket> {
    for (;;) {
      const list = await fetch(`http://127.0.0.1:${String(this.#launch['port'])}/json/list`).then(
        (response) => response.json() as Promise<{ webSocketDebuggerUrl: string }[]>,
        () => null,
      );
      const url = list?.[0]?.webSocketDebuggerUrl;
      if (url !== undefined) {
        const socket = new WebSocket(url);
        const isOpen = await new Promise<boolean>((resolve) => {
          socket.addEventListener('open', () => resolve(true));
          socket.addEventListener('error', () => resolve(false));
        });
        if (isOpen) return socket;
      }
      await nextTry();
    }
  }

  async #send(method: string, params: object = {}): Promise<Message> {
    this.#id += 1;
    const id = this.#id;
    this.#socket?.send(JSON.stringify({ id, method, params }));
    return await this.#inbox.take((message) => message['id'] === id);
  }

  async stopped(): Promise<void> {
    const { params } = (await this.#inbox.take(({ method }) => method === 'Debugger.paused')) as {
      params: { callFrames: { callFrameId: string }[] };
    };
    this.#frame = params.callFrames[0]?.callFrameId ?? '';
  }

  async read(name: string): Promise<string> {
    const asked = { callFrameId: this.#frame, expression: name, returnByValue: true };
    const { result } = (await this.#send('Debugger.evaluateOnCallFrame', asked)) as {
      result: { result: { value: unknown } };
    };
    return String(result.result.value);
  }

  go(): void {
    void this.#send('Debugger.resume');
  }

  close(): void {
    this.#socket?.close();
  }
}

/** The debug adapter protocol, which debugpy speaks. It maps paths itself. */
export class DebugAdapter implements Debugger {
  readonly #launch: Launch;
  #inbox = new Inbox();
  readonly #ended = Promise.withResolvers<void>();
  #socket: Socket | null = null;
  #rest = Buffer.alloc(0);
  #sequence = 0;
  #thread = 0;

  constructor(launch: Launch) {
    this.#launch = launch;
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  async attach(path: string, line: number): Promise<void> {
    const { port } = this.#launch['connect'] as { port: number };
    let isAttached = false;
    while (!isAttached) {
      const socket = await connect(port);
      this.#socket = socket;
      this.#rest = Buffer.alloc(0);
      this.#inbox = new Inbox();
      socket.on('data', (chunk: Buffer) => this.#read(chunk)).on('error', () => {});
      const closed = once(socket, 'close').catch(() => {});
      this.#send('initialize', { adapterID: 'test', pathFormat: 'path' });
      this.#send('attach', this.#launch);
      // One whose end has begun may still take a connection.
      isAttached = await Promise.race([this.#event('initialized').then(() => true), closed.then(() => false)]);
      if (isAttached) void closed.then(() => this.#ended.resolve());
    }
    this.#send('setBreakpoints', { source: { path }, breakpoints: [{ line }] });
    this.#send('configurationDone', {});
    await this.#answer('attach');
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const head = this.#rest.indexOf('\r\n\r\n');
      const length = Number(/Content-Length: (\d+)/.exec(this.#rest.toString('latin1', 0, Math.max(0, head)))?.[1]);
      if (head < 0 || this.#rest.length < head + 4 + length) return;
      this.#inbox.put(JSON.parse(this.#rest.toString('utf8', head + 4, head + 4 + length)) as Message);
      this.#rest = this.#rest.subarray(head + 4 + length);
    }
  }

  #send(command: string, parameters: object): void {
    this.#sequence += 1;
    const body = JSON.stringify({ seq: this.#sequence, type: 'request', command, arguments: parameters });
    this.#socket?.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  #event(name: string): Promise<Message> {
    return this.#inbox.take(({ type, event }) => type === 'event' && event === name);
  }

  async #answer(command: string): Promise<Message> {
    const answer = await this.#inbox.take((each) => each['type'] === 'response' && each['command'] === command);
    if (answer['success'] !== true) throw new Error(`${command}: ${JSON.stringify(answer)}`);
    return answer['body'] as Message;
  }

  async stopped(): Promise<void> {
    const { body } = (await this.#event('stopped')) as { body: { threadId: number } };
    this.#thread = body.threadId;
  }

  async read(name: string): Promise<string> {
    this.#send('stackTrace', { threadId: this.#thread });
    const { stackFrames } = (await this.#answer('stackTrace')) as { stackFrames: { id: number }[] };
    this.#send('evaluate', { expression: name, frameId: stackFrames[0]?.id, context: 'watch' });
    const { result } = (await this.#answer('evaluate')) as { result: string };
    return result.replace(/^'|'$/g, '');
  }

  go(): void {
    this.#send('continue', { threadId: this.#thread });
  }

  close(): void {
    this.#socket?.destroy();
  }
}

/** JDWP, spoken by the JDK's own jdb; it knows classes, not paths. */
export class Jdb implements Debugger {
  readonly #port: number;
  readonly #program: string;
  readonly #ended = Promise.withResolvers<void>();
  #jdb: ChildProcess | null = null;
  #said = '';

  /** `java`: path of a JDK's. */
  constructor(launch: Launch, java: string) {
    this.#port = Number(launch['port']);
    this.#program = `${dirname(java)}/jdb`;
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  async attach(path: string, line: number): Promise<void> {
    for (;;) {
      const jdb = spawn(this.#program, ['-attach', `127.0.0.1:${this.#port}`], { stdio: ['pipe', 'pipe', 'ignore'] });
      this.#jdb = jdb;
      this.#said = '';
      jdb.stdout.setEncoding('utf8').on('data', (text: string) => {
        this.#said += text;
      });
      const exited = once(jdb, 'exit');
      if (await this.#sees('Initializing jdb', exited)) {
        void exited.then(() => this.#ended.resolve());
        break;
      }
      await nextTry();
    }
    const name = /([^/]+)\.java$/.exec(path)?.[1];
    this.#say(`stop at example.${name}:${line}`);
    await this.#sees('breakpoint example.');
  }

  #say(text: string): void {
    this.#said = '';
    this.#jdb?.stdin?.write(`${text}\n`);
  }

  /** False when it ended before it said so. */
  async #sees(text: string, exited: Promise<unknown> = this.ended): Promise<boolean> {
    const { stdout } = this.#jdb as ChildProcess;
    let hasEnded = false;
    void exited.then(() => {
      hasEnded = true;
    });
    while (!this.#said.includes(text) && !hasEnded) {
      await Promise.race([stdout === null ? exited : once(stdout, 'data'), exited]);
    }
    return this.#said.includes(text);
  }

  async stopped(): Promise<void> {
    await this.#sees('Breakpoint hit');
  }

  async read(name: string): Promise<string> {
    this.#say(`print ${name}`);
    await this.#sees(`${name} = "`);
    await this.#sees('"\n').catch(() => false);
    return new RegExp(`${name} = "([^"]*)"`).exec(this.#said)?.[1] ?? '';
  }

  go(): void {
    this.#say('cont');
  }

  close(): void {
    this.#jdb?.kill('SIGKILL');
  }
}

/** DBGp, by which Xdebug speaks: the editor listens. */
export class Dbgp implements Debugger {
  readonly #mapping: { remoteRoot?: string; localRoot?: string };
  readonly #port: number;
  readonly #inbox = new Inbox();
  #ended = Promise.withResolvers<void>();
  #server: Server | null = null;
  #socket: Socket | null = null;
  #rest = Buffer.alloc(0);
  #id = 0;

  constructor(launch: Launch) {
    this.#port = Number(launch['port']);
    const [pair] = Object.entries((launch['pathMappings'] ?? {}) as Record<string, string>);
    this.#mapping = pair === undefined ? {} : { remoteRoot: pair[0], localRoot: pair[1] };
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Listens; a function that connects is given the breakpoint before it goes on. */
  async attach(path: string, line: number): Promise<void> {
    const file = `file://${remotePath(path, this.#mapping)}`;
    this.#server = createServer((socket) => {
      this.#socket = socket;
      this.#rest = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => this.#read(chunk));
      socket.on('error', () => {}).on('close', () => this.#ended.resolve());
      void this.#begin(file, line);
    });
    await new Promise<void>((resolve) => this.#server?.listen(this.#port, '127.0.0.1', resolve));
  }

  async #begin(file: string, line: number): Promise<void> {
    await this.#inbox.take(({ xml }) => String(xml).includes('<init'));
    await this.#ask(`breakpoint_set -t line -f ${file} -n ${line}`);
    this.#say('run');
  }

  /** `length NUL xml NUL` */
  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const head = this.#rest.indexOf(0);
      const length = Number(this.#rest.toString('latin1', 0, Math.max(0, head)));
      if (head < 0 || this.#rest.length < head + length + 2) return;
      this.#inbox.put({ xml: this.#rest.toString('utf8', head + 1, head + 1 + length) });
      this.#rest = this.#rest.subarray(head + length + 2);
    }
  }

  #say(command: string): number {
    this.#id += 1;
    const [name, ...parameters] = command.split(' ');
    this.#socket?.write(`${[name, '-i', this.#id, ...parameters].join(' ')}\0`);
    return this.#id;
  }

  async #ask(command: string): Promise<string> {
    const id = this.#say(command);
    const { xml } = await this.#inbox.take((each) => String(each['xml']).includes(`transaction_id="${id}"`));
    if (String(xml).includes('<error')) throw new Error(`${command}: ${String(xml)}`);
    return String(xml);
  }

  async stopped(): Promise<void> {
    await this.#inbox.take(({ xml }) => String(xml).includes('status="break"'));
  }

  async read(name: string): Promise<string> {
    const xml = await this.#ask(`property_get -n $${name}`);
    return Buffer.from(/CDATA\[([^\]]*)\]/.exec(xml)?.[1] ?? '', 'base64').toString();
  }

  go(): void {
    this.#say('run');
  }

  close(): void {
    this.#socket?.destroy();
    this.#server?.close();
  }
}
