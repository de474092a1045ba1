// What sandd promises of further processes in a running instance, in each tier. Run by tests/contract/sandd-exec.contract.test.ts.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import type { TerminalSize } from '../../model/exec.ts';
import {
  type ExecEvent,
  ExecFrames,
  encodeExecInput,
  encodeExecInputEnd,
  encodeExecResize,
} from '../../wire/exec-frames.ts';
import { attachSession } from './attach.ts';
import type { Exit, IsolationTier, Launcher } from './port.ts';

/** A running instance of `/bin/sh -c script` with what leads to it. */
export type ExecBench = {
  readonly launcher: Launcher;
  readonly runDir: string;
  readonly token: string;
  readonly instanceId: string;
  /** What starts it: `/code`, or the host's path. */
  readonly directory: string;
  readonly exited: Promise<Exit>;
  /** What its program writes. */
  until(text: string): Promise<void>;
  close(): Promise<void>;
};

export type ExecSuite = {
  readonly tier: IsolationTier;
  readonly skip: string | false;
  open(script: string): Promise<ExecBench>;
};

/** A session as a test drives it. */
export class Session {
  readonly socket: Socket;
  text = '';
  errors = '';
  readonly #frames = new ExecFrames();
  readonly #ended = Promise.withResolvers<ExecEvent | null>();
  #wake = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      for (const event of this.#frames.push(chunk)) this.#take(event);
    });
    socket.on('close', () => this.#ended.resolve(null));
  }

  static async begin(
    bench: ExecBench,
    command: readonly string[],
    {
      terminal = null,
      environment = {},
    }: { terminal?: TerminalSize | null; environment?: Record<string, string> } = {},
  ): Promise<Session> {
    const { launcher, runDir, token, instanceId, directory } = bench;
    const session = randomInt(1, 2 ** 32);
    const socket = await attachSession({ runDir, token, session });
    const begun = new Session(socket);
    const own = { PATH: '/usr/bin:/bin', ...environment };
    await launcher.exec?.({ instanceId, session, directory, command, environment: own, terminal });
    return begun;
  }

  /** Runs it to its end. */
  static async run(...of: Parameters<typeof Session.begin>) {
    const session = await Session.begin(...of);
    return { end: await session.ended, text: session.text, errors: session.errors };
  }

  /** Its last word; null: the connection ended without one. */
  get ended(): Promise<ExecEvent | null> {
    return this.#ended.promise;
  }

  async until(wanted: string): Promise<void> {
    while (!this.text.includes(wanted)) {
      assert.ok(!this.socket.destroyed, `ended without '${wanted}': ${this.text}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  write(text: string): void {
    this.socket.write(encodeExecInput(Buffer.from(text)));
  }

  #take(event: ExecEvent): void {
    if (event.kind === 'output') this.text += event.bytes.toString();
    if (event.kind === 'errors') this.errors += event.bytes.toString();
    if (event.kind === 'over' || event.kind === 'wrong') {
      this.#ended.resolve(event);
      this.socket.destroy(); // its keeper waits for that
    }
    this.#wake();
  }
}

const idle = 'echo up; exec sleep 1000';
const ended = (code: number) => ({ kind: 'over', code, signal: null });

/** Runs the contract. */
export function execSuite({ tier, skip, open }: ExecSuite): void {
  const hasOwnRoot = tier === 'user' || tier === 'strong';

  describe(`a further process in an instance: sandd, tier ${tier}`, { skip }, () => {
    test('runs beside the program, with the given environment and directory, and its streams apart', async () => {
      const bench = await open(idle);
      const script = 'echo "$MARK"; pwd; echo wrong >&2; exit 3';
      const { end, text, errors } = await Session.run(bench, ['sh', '-c', script], { environment: { MARK: 'seen' } });
      assert.deepEqual(end, ended(3));
      assert.equal(text, `seen\n${bench.directory}\n`);
      assert.equal(errors, 'wrong\n');
      await bench.close();
    });

    const seesItsOwn = async () => {
      const bench = await open('echo up; echo own > /tmp/own; exec sleep 1000');
      const looks = 'readlink -f /bin/sleep; readlink /proc/2/exe';
      const script = `cat /tmp/own; ${looks}; id -u; hostname; ls /proc | grep -c "^[0-9]"`;
      const { text } = await Session.run(bench, ['sh', '-c', script]);
      const lines = text.trim().split('\n');
      assert.equal(lines[0], 'own');
      assert.equal(lines[2], lines[1], `the program can be looked at: ${text}`); // which is sleep
      assert.ok(lines.includes('10003') && lines.includes('fc'), text);
      // The program, and what this is made of; nothing of the host's.
      assert.ok(Number(lines.at(-1)) >= 3 && Number(lines.at(-1)) <= 8, text);
      await bench.close();
    };
    if (hasOwnRoot) test('sees the processes and files of its instance', seesItsOwn);

    test('is given no descriptor but the first three', async () => {
      const bench = await open(idle);
      const script = 'for fd in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$fd ] && echo "open $fd"; done; echo done';
      assert.equal((await Session.run(bench, ['sh', '-c', script])).text, 'done\n');
      await bench.close();
    });

    test('reads what it is sent until that ends, and is stopped by what is not read', async () => {
      const bench = await open(idle);
      const session = await Session.begin(bench, ['sh', '-c', 'wc -c; echo "pid $$."; exec head -c 8000000 /dev/zero']);
      const sent = Buffer.alloc(1_000_000, 'x');
      session.socket.write(encodeExecInput(sent));
      session.socket.write(encodeExecInputEnd());
      await session.until('.');
      session.socket.pause();
      const [, pid] = /^1000000\npid (\d+)\./.exec(session.text) ?? assert.fail(session.text.slice(0, 99));
      assert.equal((await Session.run(bench, ['sh', '-c', `[ -d /proc/${pid} ] && echo stands`])).text, 'stands\n');
      session.socket.resume();
      assert.deepEqual(await session.ended, ended(0));
      assert.equal(session.text.replace(/[^\0]/g, '').length, 8_000_000);
      await bench.close();
    });

    test('is heard on both of its streams, however much it writes to one of them', async () => {
      const bench = await open(idle);
      const session = await Session.begin(bench, ['sh', '-c', 'yes & sleep 0.1; echo marked >&2; exec sleep 1000']);
      let taken = 0;
      await new Promise<void>((resolve) => {
        session.socket.on('data', (chunk: Buffer) => {
          taken += chunk.length;
          session.text = '';
          if (session.errors.includes('marked') || taken > 500_000_000) resolve();
        });
      });
      session.socket.destroy();
      assert.equal(session.errors, 'marked\n', `${taken} bytes`);
      const { errors } = await Session.run(bench, ['sh', '-c', 'yes & echo last >&2']);
      assert.equal(errors, 'last\n', 'what it wrote before its end, while another writes on');
      await bench.close();
    });

    test('has a terminal of the size that was said, and hears when that changes', async () => {
      const bench = await open(idle);
      const script = 'trap "stty size; exit 0" WINCH; [ -t 0 ] && [ -t 1 ] && stty size; while :; do sleep 0.05; done';
      const session = await Session.begin(bench, ['sh', '-c', script], { terminal: { rows: 33, columns: 101 } });
      await session.until('33 101');
      session.socket.write(encodeExecResize({ rows: 50, columns: 120 }));
      await session.until('50 120');
      assert.deepEqual(await session.ended, ended(0));
      await bench.close();
    });

    test('hears what is typed: a line is echoed, and ^C interrupts', async () => {
      const bench = await open(idle);
      const session = await Session.begin(bench, ['sh', '-c', 'read line; echo "got $line"; exec cat'], {
        terminal: { rows: 24, columns: 80 },
      });
      session.write('typed\n');
      await session.until('got typed');
      session.write('more\n');
      await session.until('more\r\nmore'); // it is cat that reads now
      session.write('\x03');
      const end = await session.ended;
      assert.ok(end?.kind === 'over' && (end.signal === 'SIGINT' || end.code === 130), JSON.stringify(end));
      await bench.close();
    });

    test('that cannot be run is told why', async () => {
      const bench = await open(idle);
      const { end } = await Session.run(bench, ['no-such-program']);
      assert.ok(
        end?.kind === 'wrong' && /cannot run no-such-program: No such file/.test(end.message),
        JSON.stringify(end),
      );
      await bench.close();
    });

    test('ends with what it has started when its caller goes', async () => {
      const bench = await open(`echo up; exec sleep 1000`);
      const session = await Session.begin(bench, ['sh', '-c', 'sleep 1001 & echo "$$ $!."; sleep 1002']);
      await session.until('.');
      session.socket.destroy();
      const script = `for pid in ${session.text.replace('.', '').trim()}; do [ -d /proc/$pid ] && echo left; done; echo looked`;
      let seen = '';
      for (let tries = 0; tries < 200 && seen !== 'looked\n'; tries += 1)
        seen = (await Session.run(bench, ['sh', '-c', script])).text;
      assert.equal(seen, 'looked\n');
      await bench.close();
    });

    test('ends with its instance, whatever it does', async () => {
      const bench = await open(idle);
      const session = await Session.begin(bench, [
        'sh',
        '-c',
        'trap "" TERM HUP INT; echo begun; while :; do sleep 1; done',
      ]);
      await session.until('begun');
      await bench.launcher.stop(bench.instanceId, 0);
      assert.equal(await session.ended, null);
      await bench.exited;
      await bench.close();
    });

    test('leaves its instance as it was when it ends', async () => {
      const bench = await open('echo up; read line; echo "line $line"; sleep 1000');
      await Session.run(bench, ['sh', '-c', 'kill -9 $$']);
      const { end } = await Session.run(bench, ['true']);
      assert.deepEqual(end, ended(0));
      await bench.close();
    });

    test('is refused beyond eight in one instance, and served again when one has ended', async () => {
      const bench = await open(idle);
      const sessions = await Promise.all(Array.from({ length: 8 }, () => Session.begin(bench, ['cat'])));
      const { end } = await Session.run(bench, ['true']);
      assert.deepEqual(end, { kind: 'wrong', message: 'the instance has too many sessions' });
      sessions[0]?.socket.write(encodeExecInputEnd());
      assert.deepEqual(await sessions[0]?.ended, ended(0));
      let last: ExecEvent | null = null;
      for (let tries = 0; tries < 100 && last?.kind !== 'over'; tries += 1)
        last = (await Session.run(bench, ['true'])).end;
      assert.deepEqual(last, ended(0));
      for (const { socket } of sessions) socket.destroy();
      await bench.close();
    });

    test('needs an instance, and somebody at its other end', async () => {
      const bench = await open(idle);
      const { launcher, instanceId, directory } = bench;
      const spec = { instanceId, session: 77, directory, command: ['true'], environment: {}, terminal: null };
      await assert.rejects(launcher.exec?.(spec) ?? assert.fail(), /nobody is attached/);
      const other = { ...bench, instanceId: 'c-00000000-00000000000000000000' };
      await assert.rejects(Session.begin(other, ['true']), /no such instance/);
      await assert.rejects(attachSession({ ...bench, token: 'x'.repeat(64), session: 78 }));
      await bench.close();
    });
  });
}
