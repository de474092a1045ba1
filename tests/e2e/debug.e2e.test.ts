// `yunmen dev --debug`: a scripted session with each language's own debugger: attach, stop at a breakpoint for longer than
// the function's time limit, go on, and the same again after the code was changed.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { installOnce, run } from '../../conformance/kit/toolchain.ts';
import { chooseInterpreter, findInterpreters } from '../../src/functions/index.ts';
import { javaFunction, noJava } from '../contract/java-function.ts';
import { Cleanup, root, startServer, temporaryDirectory } from '../harness/server.ts';

const execute = promisify(execFile);

const found = await findInterpreters();

type Function = {
  readonly runtime: string;
  readonly handler: string;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly environment?: Readonly<Record<string, string>>;
};

/** A project with one function whose time limit is one second. */
function writeProject(directory: string, { runtime, handler, files, environment = {} }: Function): void {
  const template = `ROSTemplateFormatVersion: '2015-09-01'
Transform: 'Aliyun::Serverless-2018-04-03'
Resources:
  s:
    Type: 'Aliyun::Serverless::Service'
    f:
      Type: 'Aliyun::Serverless::Function'
      Properties:
        Runtime: ${runtime}
        Handler: ${handler}
        CodeUri: ./code
        MemorySize: 256
        Timeout: 1
        EnvironmentVariables: ${JSON.stringify(environment)}
`;
  writeFileSync(join(directory, 'template.yml'), template);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, 'code', name)), { recursive: true });
    writeFileSync(join(directory, 'code', name), text);
  }
}

/** The messages of the Chrome DevTools protocol, over the WebSocket that Node opens. */
class Inspector {
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (result: Record<string, unknown>) => void>();
  readonly #events: Record<string, unknown>[] = [];
  #wake: () => void = () => {};
  #id = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(String(data)) as Record<string, unknown>;
      if (typeof message['id'] === 'number') this.#answers.get(message['id'])?.(message);
      else this.#events.push(message);
      this.#wake();
    });
  }

  /** Tries until the port is open. */
  static async attach(port: number): Promise<Inspector> {
    for (;;) {
      const list = await fetch(`http://127.0.0.1:${port}/json/list`).then(
        (response) => response.json() as Promise<{ webSocketDebuggerUrl: string }[]>,
        () => null,
      );
      const url = list?.[0]?.webSocketDebuggerUrl;
      if (url !== undefined) {
        const socket = new WebSocket(url);
        await new Promise((resolve, reject) => {
          socket.addEventListener('open', resolve);
          socket.addEventListener('error', reject);
        });
        return new Inspector(socket);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    this.#id += 1;
    const id = this.#id;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => this.#answers.set(id, resolve));
  }

  async event(method: string): Promise<Record<string, unknown>> {
    for (;;) {
      const at = this.#events.findIndex((each) => each['method'] === method);
      if (at >= 0) return this.#events.splice(at, 1)[0] ?? {};
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#socket.close();
  }
}

/** The debug adapter protocol, which debugpy speaks. */
class DebugAdapter {
  readonly #socket: Socket;
  readonly #messages: Record<string, unknown>[] = [];
  #rest = Buffer.alloc(0);
  #wake: () => void = () => {};
  #sequence = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      this.#read();
      this.#wake();
    });
  }

  /** Tries until the port is open. */
  static async attach(port: number): Promise<DebugAdapter> {
    for (;;) {
      const socket = createConnection(port, '127.0.0.1');
      const isOpen = await once(socket, 'connect').then(
        () => true,
        () => false,
      );
      if (isOpen) return new DebugAdapter(socket);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  #read(): void {
    for (;;) {
      const head = this.#rest.indexOf('\r\n\r\n');
      const length = Number(/Content-Length: (\d+)/.exec(this.#rest.toString('latin1', 0, Math.max(0, head)))?.[1]);
      if (head < 0 || this.#rest.length < head + 4 + length) return;
      const body = this.#rest.toString('utf8', head + 4, head + 4 + length);
      this.#messages.push(JSON.parse(body) as Record<string, unknown>);
      this.#rest = this.#rest.subarray(head + 4 + length);
    }
  }

  send(command: string, parameters: object): void {
    this.#sequence += 1;
    const body = JSON.stringify({ seq: this.#sequence, type: 'request', command, arguments: parameters });
    this.#socket.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  event(name: string): Promise<Record<string, unknown>> {
    return this.#find((each) => each['type'] === 'event' && each['event'] === name);
  }

  answer(command: string): Promise<Record<string, unknown>> {
    return this.#find((each) => each['type'] === 'response' && each['command'] === command);
  }

  async #find(isWanted: (message: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
    for (;;) {
      const at = this.#messages.findIndex(isWanted);
      if (at >= 0) return this.#messages.splice(at, 1)[0] ?? {};
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

/** `yunmen dev --debug f` on the project, and how to invoke the function. */
async function open(
  cleanup: Cleanup,
  directory: string,
): Promise<{ readonly port: number; invoke(): Promise<string>; invokeUntil(text: string): Promise<void> }> {
  const port = await freePort();
  const data = join(directory, '.yunmen');
  await startServer(cleanup, ['dev', directory, '--debug', 'f', '--debug-port', String(port)], data);
  const invoke = async () => {
    const args = ['invoke', 's/f', '--event', 'x', '--data-dir', data];
    const { stdout } = await execute(join(root, 'bin/yunmen'), args).catch((error: { stdout: string }) => error);
    return stdout.trim();
  };
  const invokeUntil = async (text: string) => {
    while ((await invoke()) !== text) await new Promise((resolve) => setTimeout(resolve, 100));
  };
  return { port, invoke, invokeUntil };
}

/** Longer than the function may take. */
const aboveLimitMs = 2_500;
const pause = () => new Promise((resolve) => setTimeout(resolve, aboveLimitMs));
const python = chooseInterpreter('python3.10', found, true);
const debugpy =
  python.ok && python.interpreter !== null
    ? await installOnce('debugpy', `debugpy==1.8.17 ${python.interpreter.path}`, (folder) => {
        const args = ['-m', 'pip', 'install', '--quiet', '--target', folder, 'debugpy==1.8.17'];
        return run(python.interpreter?.path ?? '', args, { cwd: folder, limitMs: 240_000 });
      })
    : null;

describe('a debugger', () => {
  test('stops a Node function beyond its time limit, also after a reload', { timeout: 90_000 }, async (t) => {
    const cleanup = new Cleanup();
    t.after(() => cleanup.run());
    const directory = temporaryDirectory(cleanup);
    const code = (text: string) => `exports.handler = (event, context, callback) => {
  const answer = '${text}';
  callback(null, answer);
};
`;
    writeProject(directory, { runtime: 'nodejs20', handler: 'index.handler', files: { 'index.js': code('one') } });
    const { port, invoke, invokeUntil } = await open(cleanup, directory);
    for (const text of ['one', 'two']) {
      if (text === 'two') {
        writeFileSync(join(directory, 'code/index.js'), code('two'));
        await invokeUntil('two');
      }
      const inspector = await Inspector.attach(port);
      await inspector.send('Runtime.enable');
      await inspector.send('Debugger.enable');
      const url = `file://${join(directory, 'code/index.js')}`;
      const set = await inspector.send('Debugger.setBreakpointByUrl', { url, lineNumber: 2 });
      assert.equal(
        (set['result'] as { locations: unknown[] }).locations.length,
        1,
        'the breakpoint is in the own file',
      );
      const answer = invoke();
      const paused = await inspector.event('Debugger.paused');
      assert.match(JSON.stringify(paused), /"functionName":"exports.handler"/);
      await pause();
      await inspector.send('Debugger.resume');
      assert.equal(await answer, text);
      inspector.close();
    }
  });

  const lacksPython = debugpy === null ? 'no Python on this machine' : debugpy.ok ? false : debugpy.why;
  test('stops a Python function beyond its time limit', { skip: lacksPython, timeout: 90_000 }, async (t) => {
    assert.ok(debugpy?.ok);
    const cleanup = new Cleanup();
    t.after(() => cleanup.run());
    const directory = temporaryDirectory(cleanup);
    const file = "def handler(event, context):\n    answer = 'one'\n    return answer\n";
    const environment = { PYTHONPATH: debugpy.path };
    writeProject(directory, {
      runtime: 'python3.10',
      handler: 'index.handler',
      files: { 'index.py': file },
      environment,
    });
    const { port, invoke } = await open(cleanup, directory);
    const client = await DebugAdapter.attach(port);
    client.send('initialize', { adapterID: 'test', pathFormat: 'path' });
    client.send('attach', { justMyCode: true });
    await client.event('initialized');
    const source = { path: join(directory, 'code/index.py') };
    client.send('setBreakpoints', { source, breakpoints: [{ line: 3 }] });
    client.send('configurationDone', {});
    await client.answer('attach');
    const answer = invoke();
    const stopped = await client.event('stopped');
    await pause();
    client.send('continue', { threadId: (stopped['body'] as { threadId: number }).threadId });
    assert.equal(await answer, 'one');
    client.close();
  });

  test('stops a Java function beyond its time limit', { skip: noJava, timeout: 120_000 }, async (t) => {
    const cleanup = new Cleanup();
    t.after(() => cleanup.run());
    const directory = temporaryDirectory(cleanup);
    const files = await javaFunction();
    writeProject(directory, { runtime: 'java11', handler: 'example.Echo::handleRequest', files });
    const { port, invoke } = await open(cleanup, directory);
    assert.equal(await invoke(), 'x');
    const java = found.find(({ language }) => language === 'java')?.path ?? '';
    const jdb = spawn(`${dirname(java)}/jdb`, ['-attach', `127.0.0.1:${port}`], { stdio: ['pipe', 'pipe', 'inherit'] });
    cleanup.after(() => void jdb.kill('SIGKILL'));
    let said = '';
    jdb.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const sees = async (text: string) => {
      while (!said.includes(text)) await once(jdb.stdout, 'data');
    };
    await sees('Initializing jdb');
    jdb.stdin.write('stop in example.Echo.handleRequest\n');
    await sees('Set breakpoint example.Echo.handleRequest');
    const answer = invoke();
    await sees('Breakpoint hit');
    await pause();
    jdb.stdin.write('cont\n');
    assert.equal(await answer, 'x');
  });
});
