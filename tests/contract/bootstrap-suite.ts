// What every bootstrap must do, whatever its language and interpreter. Run with each interpreter that is found here
// by the bootstraps' contract tests, which add what is particular to their language.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { initialWindowBytes } from '../../src/wire/frames.ts';
import { type Answer, BootstrapHost, type HostOptions } from './bootstrap-host.ts';
import type { Interpreter } from './bootstrap-interpreters.ts';

export const requestId = '1B2C3D4E-5F60-4711-8899-AABBCCDDEEFF';
export const start = `FC Invoke Start RequestId: ${requestId}\n`;
export const end = `FC Invoke End RequestId: ${requestId}\n`;
export const failed = `FC Invoke End RequestId: ${requestId}, Error: Unhandled function error\n`;
const defaults = { python: 'python3.10', node: 'nodejs20' };

/** The names of the fixtures that do the same thing in both languages. */
const same = {
  python: {
    measures: 'odd.measures',
    returns6Mb: 'odd.returns_6mb',
    returnsNothing: 'odd.returns_nothing',
    lastLine: 'odd.prints_last_line',
    logs: 'odd.logs',
    floods: 'odd.floods',
    exits: 'odd.exits',
    throws: 'odd.throws',
    initialize: 'odd.initialize',
    isInitialised: 'odd.is_initialised',
    failsToInitialize: 'odd.fails_to_initialize',
    directory: 'pkg/main.handler',
    exitsAtLoad: 'exits_at_import.handler',
    process: 'odd.process',
    env: 'odd.env',
    hangs: 'odd.hangs',
    nothing: 'null',
    daemonises: 'odd.daemonises',
  },
  node: {
    measures: 'odd.measures',
    returns6Mb: 'odd.returns6Mb',
    returnsNothing: 'odd.returnsNothing',
    lastLine: 'odd.printsLastLine',
    logs: 'odd.logs',
    floods: 'odd.floods',
    exits: 'odd.exits',
    throws: 'odd.throws',
    initialize: 'odd.initialize',
    isInitialised: 'odd.isInitialised',
    failsToInitialize: 'odd.failsToInitialize',
    directory: 'dir/main.handler',
    exitsAtLoad: 'exits-at-load.handler',
    process: 'odd.process',
    env: 'odd.env',
    hangs: 'odd.hangs',
    nothing: '',
    daemonises: 'odd.daemonises',
  },
};

type Use = (host: BootstrapHost) => Promise<void>;

/** Starts a bootstrap, uses it, and ends it whatever happens. */
export async function using(interpreter: Interpreter, use: Use, options: HostOptions = {}): Promise<void> {
  const host = await BootstrapHost.start(interpreter, options);
  try {
    await use(host);
  } finally {
    await host.close();
  }
}

/** Loads `handler`, which must succeed, then uses the host. */
export function loaded(
  interpreter: Interpreter,
  handler: string,
  use: Use,
  options: HostOptions & { dialect?: string } = {},
): Promise<void> {
  return using(
    interpreter,
    async (host) => {
      const answer = await host.load(handler, options.dialect ?? defaults[interpreter.language]);
      assert.equal(answer?.kind, 'end', `load ${handler}: ${answer?.body}`);
      await use(host);
    },
    options,
  );
}

/** The text of a result; an error fails the test. */
export function body(answer: Answer | null): string {
  assert.equal(answer?.kind, 'end', `an error: ${answer?.body}`);
  return answer.body.toString('utf8');
}

/** The error document of an answer, which must be an error of `type`. */
export function document(answer: Answer | null, type = 'UnhandledInvocationError'): unknown {
  assert.ok(answer?.kind === 'error', `no error but ${answer?.body}`);
  assert.equal(answer.type, type);
  return JSON.parse(answer.body.toString('utf8'));
}

/** The cases. Call it inside a describe. */
export function suite(interpreter: Interpreter): void {
  const names = same[interpreter.language];

  it('says hello with its token, once', () =>
    using(interpreter, async (host) => {
      assert.equal(host.hello.token, 'f0'.repeat(32));
      assert.equal(host.hello.protocol, 1);
      assert.equal(host.hello.language, interpreter.language);
      assert.equal(host.hello.version, interpreter.version);
      assert.equal(host.hello.pid, host.process.pid);
    }));

  it('answers a ping with its payload, before and after loading', () =>
    using(interpreter, async (host) => {
      assert.deepEqual(await host.ping(Buffer.from('are you there')), Buffer.from('are you there'));
      assert.equal((await host.load('echo.handler', defaults[interpreter.language]))?.kind, 'end');
      assert.deepEqual(await host.ping(Buffer.alloc(0)), Buffer.alloc(0));
    }));

  it('echoes bytes, request after request, and writes nothing to the log', () =>
    loaded(interpreter, 'echo.handler', async (host) => {
      for (const event of ['', '{"a":1}', '云门', 'x'.repeat(65_000)]) {
        assert.equal(body(await host.invoke(requestId, event)), event);
      }
      const binary = Buffer.from([0, 255, 254, 10, 13, 128]);
      const answer = await host.invoke(requestId, binary);
      assert.deepEqual(answer?.body, binary);
      assert.ok(answer?.kind === 'end' && answer.rss > 1000 && answer.rss < 400_000, `${JSON.stringify(answer)}`);
      assert.equal(host.logText, '');
    }));

  it('reads frames that arrive in small pieces', () =>
    loaded(
      interpreter,
      'echo.handler',
      async (host) => {
        for (const event of ['a', 'y'.repeat(3000)]) assert.equal(body(await host.invoke(requestId, event)), event);
      },
      { pieceBytes: 7 },
    ));

  it('takes an event of 6 MB within its window, granting credit', () =>
    loaded(interpreter, names.measures, async (host) => {
      const event = Buffer.alloc(6 * 1024 * 1024, 'e');
      event[event.length - 1] = 0x7a;
      assert.deepEqual(JSON.parse(body(await host.invoke(requestId, event))), { length: event.length, last: 'z' });
      assert.ok(host.credits >= (event.length - initialWindowBytes) / initialWindowBytes);
    }));

  it('gives a result of 6 MB within the window of the host', () =>
    loaded(interpreter, names.returns6Mb, async (host) => {
      assert.equal(body(await host.invoke(requestId)), 'm'.repeat(6 * 1024 * 1024));
      assert.equal(body(await host.invoke(requestId)).length, 6 * 1024 * 1024);
    }));

  it('gives results of every size around the limits of a frame and of the window', () =>
    loaded(interpreter, 'echo.handler', async (host) => {
      const around = (size: number) => Array.from({ length: 40 }, (_, i) => size - 30 + i);
      for (const size of [...around(65_536 - 12), ...around(initialWindowBytes), ...around(4 * 65_524)]) {
        const event = Buffer.alloc(size, 'abc');
        const answer = await host.invoke(requestId, event);
        assert.ok(answer?.body.equals(event), `size ${size}`);
      }
    }));

  it('answers nothing with nothing', () =>
    loaded(interpreter, names.returnsNothing, async (host) => {
      assert.equal(body(await host.invoke(requestId)), names.nothing);
    }));

  it('writes both markers when a tail is wanted, also of a silent function', () =>
    loaded(interpreter, 'echo.handler', async (host) => {
      body(await host.invoke(requestId, 'x', { tail: true }));
      assert.equal(await host.logWith(end), start + end);
    }));

  it('writes both markers around what a function prints, on lines of their own', () =>
    loaded(interpreter, names.lastLine, async (host) => {
      assert.equal(body(await host.invoke(requestId)), 'printed');
      assert.equal(await host.logWith(end), `${start}first\nthe last line\n${end}`);
    }));

  it('loses no line of a flood', () =>
    loaded(interpreter, names.floods, async (host) => {
      assert.equal(body(await host.invoke(requestId)), 'flooded');
      const lines = (await host.logWith(end)).split('\n');
      assert.equal(lines.length, 20_003);
      assert.ok(lines[20_000]?.endsWith('line 19999 of a flood'));
    }));

  it('ends with its process when the function ends it, with what it printed', () =>
    loaded(interpreter, names.exits, async (host) => {
      assert.equal(await host.invoke(requestId), null);
      assert.deepEqual(await host.exited, { code: 7, signal: null });
      const log = await host.logAtEnd();
      assert.ok(log.startsWith(start) && log.endsWith('last words\n'), log);
    }));

  it('ends when the code ends the process while it is loaded', () =>
    using(interpreter, async (host) => {
      assert.equal(await host.load(names.exitsAtLoad, defaults[interpreter.language]), null);
      assert.deepEqual(await host.exited, { code: 5, signal: null });
      assert.match(await host.logAtEnd(), /leaving early\n$/);
    }));

  it('serves on after a function has thrown', () =>
    loaded(interpreter, names.throws, async (host) => {
      document(await host.invoke(requestId));
      const log = await host.logWith(failed);
      assert.ok(log.startsWith(start) && log.includes('something is wrong'), log);
      assert.doesNotMatch(log, /runtimes/);
      document(await host.invoke(requestId));
    }));

  it('runs a handler in a directory', () =>
    loaded(interpreter, names.directory, async (host) => {
      assert.equal(body(await host.invoke(requestId, 'dir')), 'dir');
    }));

  it('runs the initializer before the handler and marks its output', () =>
    loaded(interpreter, names.isInitialised, async (host) => {
      assert.equal(body(await host.invoke(requestId)), 'false');
      assert.equal(body(await host.hook('initialize', names.initialize, 'init-1')), '');
      assert.match(
        await host.logWith('FC Initialize End RequestId: init-1\n'),
        /^FC Initialize Start RequestId: init-1\n.*initialised for init-1\nFC Initialize End/s,
      );
      assert.equal(body(await host.invoke(requestId)), 'true');
    }));

  it('tells of an initializer that fails', () =>
    loaded(interpreter, 'echo.handler', async (host) => {
      const answer = await host.hook('initialize', names.failsToInitialize, 'init-2');
      assert.equal(answer?.kind, 'error');
      assert.match(String(answer.body), /"errorMessage": ?"cannot initialise"/);
      assert.match(await host.logWith('FC Initialize End RequestId: init-2, Error'), /cannot initialise/);
    }));

  it('runs preFreeze and preStop', () =>
    loaded(interpreter, 'echo.handler', async (host) => {
      const isPython = interpreter.language === 'python';
      body(await host.hook('preFreeze', isPython ? 'odd.pre_freeze' : 'odd.preFreeze', 'f'));
      body(await host.hook('preStop', isPython ? 'odd.pre_stop' : 'odd.preStop', 's'));
      assert.match(await host.logWith('FC PreStop End RequestId: s\n'), /^FC PreStop Start RequestId: s\n/);
    }));

  it('hides itself: code directory as working directory, no start line, no socket for children', () =>
    loaded(interpreter, names.process, async (host) => {
      const seen = JSON.parse(body(await host.invoke(requestId))) as Record<string, unknown>;
      assert.match(String(seen['cwd']), /fixtures\/functions\/(python|nodejs)$/);
      assert.equal(seen['stdin'], '/dev/null');
      if (interpreter.language === 'python') {
        assert.deepEqual([seen['home'], seen['modules'], seen['inheritable']], [[], [], []]);
        assert.deepEqual(seen['path'], [
          seen['cwd'],
          `/opt/python/lib/python${minorOf(interpreter)}/site-packages`,
          '/opt/python',
        ]);
      } else {
        assert.deepEqual(seen['cache'], []);
      }
    }));

  it('removes FC_ variables but those that functions may see', () =>
    loaded(
      interpreter,
      names.env,
      async (host) => {
        const seen = JSON.parse(body(await host.invoke(requestId))) as Record<string, string>;
        assert.deepEqual(
          Object.keys(seen)
            .filter((name) => name.includes('FC_') || name === 'MINE')
            .sort(),
          ['FC_FUNCTION_NAME', 'FC_FUNC_CODE_PATH', 'FC_REGION', 'MINE'],
        );
      },
      {
        environment: {
          FC_FUNC_CODE_PATH: '/code/',
          FC_FUNCTION_NAME: 'f',
          FC_REGION: 'r',
          FC_RUNTIME_API: 'x',
          FC_MINE: 'x',
          _FC_X: 'x',
          MINE: 'y',
        },
      },
    ));

  it('ends when the host goes, also with a daemon of the function still there', () =>
    loaded(interpreter, names.daemonises, async (host) => {
      assert.equal(body(await host.invoke(requestId, '3')), 'daemonised');
      host.disconnect();
      assert.deepEqual(await host.exited, { code: 0, signal: null });
    }));

  it('ends with an error when the host breaks the protocol', () =>
    loaded(interpreter, 'echo.handler', async (host) => {
      host.write(Buffer.alloc(12, 0xff));
      assert.deepEqual(await host.exited, { code: 1, signal: null });
      assert.match(await host.logAtEnd(), /protocol error/);
    }));

  it('takes fresh credentials and the retry count from an invocation', () =>
    loaded(interpreter, 'odd.context', async (host) => {
      const fresh = { accessKeyId: 'STS.new', accessKeySecret: 'n', securityToken: 'n2' };
      const first = body(await host.invoke(requestId, '', { retryCount: 2, credentials: fresh }));
      assert.match(first, /STS\.new/);
      assert.match(first, /"(retryCount|retry_count)": ?2/);
      assert.match(body(await host.invoke('another-id')), /STS\.new/);
      assert.match(body(await host.invoke('another-id')), /another-id/);
    }));
}

/** `3.10` of 3.10.13. */
export function minorOf(interpreter: Interpreter): string {
  return interpreter.version.split('.').slice(0, 2).join('.');
}
