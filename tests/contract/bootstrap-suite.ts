// What every bootstrap must do, whatever its language and interpreter. Run with each interpreter that is found here
// by the bootstraps' contract tests, which add what is particular to their language.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { initialWindowBytes } from '../../src/wire/frames.ts';
import type { HttpParams } from '../../src/wire/http-params.ts';
import { type Answer, BootstrapHost, context, type HostOptions } from './bootstrap-host.ts';
import type { Interpreter } from './bootstrap-interpreters.ts';
import { fixturesOf } from './bootstrap-languages.ts';

export const requestId = '1B2C3D4E-5F60-4711-8899-AABBCCDDEEFF';
export const start = `FC Invoke Start RequestId: ${requestId}\n`;
export const end = `FC Invoke End RequestId: ${requestId}\n`;
export const failed = `FC Invoke End RequestId: ${requestId}, Error: Unhandled function error\n`;
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
      const answer = await host.load(handler, options.dialect ?? fixturesOf[interpreter.language].dialect);
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
  const { names, nothing, visible, peakKbLimit } = fixturesOf[interpreter.language];

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
      assert.equal((await host.load(names.echo, fixturesOf[interpreter.language].dialect))?.kind, 'end');
      assert.deepEqual(await host.ping(Buffer.alloc(0)), Buffer.alloc(0));
    }));

  it('echoes bytes, request after request, and writes nothing to the log', () =>
    loaded(interpreter, names.echo, async (host) => {
      for (const event of ['', '{"a":1}', '云门', 'x'.repeat(65_000)]) {
        assert.equal(body(await host.invoke(requestId, event)), event);
      }
      const binary = Buffer.from([0, 255, 254, 10, 13, 128]);
      const answer = await host.invoke(requestId, binary);
      assert.deepEqual(answer?.body, binary);
      assert.ok(answer?.kind === 'end' && answer.rss > 1000 && answer.rss < peakKbLimit, `${JSON.stringify(answer)}`);
      assert.equal(host.logText, '');
    }));

  it('reads frames that arrive in small pieces', () =>
    loaded(
      interpreter,
      names.echo,
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
    loaded(interpreter, names.echo, async (host) => {
      const around = (size: number) => Array.from({ length: 40 }, (_, i) => size - 30 + i);
      for (const size of [...around(65_536 - 12), ...around(initialWindowBytes), ...around(4 * 65_524)]) {
        const event = Buffer.alloc(size, 'abc');
        const answer = await host.invoke(requestId, event);
        assert.ok(answer?.body.equals(event), `size ${size}`);
      }
    }));

  it('answers nothing with nothing', () =>
    loaded(interpreter, names.returnsNothing, async (host) => {
      assert.equal(body(await host.invoke(requestId)), nothing);
    }));

  it('writes both markers when a tail is wanted, also of a silent function', () =>
    loaded(interpreter, names.echo, async (host) => {
      body(await host.invoke(requestId, 'x', { tail: true }));
      assert.equal(await host.logWith(end), start + end);
    }));

  it('writes both markers around what a function prints, on lines of their own', () =>
    loaded(interpreter, names.lastLine, async (host) => {
      assert.equal(body(await host.invoke(requestId)), 'printed');
      assert.equal(await host.logWith(end), `${start}first\nthe last line\n${end}`);
    }));

  it('writes the Start marker before anything else when a tail is wanted: what children write passes by it', () =>
    loaded(interpreter, names.childWrites, async (host) => {
      assert.equal(body(await host.invoke(requestId, 'x', { tail: true })), 'written');
      assert.equal(await host.logWith(end), `${start}a child wrote this\n${end}`);
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
      assert.equal(await host.load(names.exitsAtLoad, fixturesOf[interpreter.language].dialect), null);
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
    loaded(interpreter, names.echo, async (host) => {
      const answer = await host.hook('initialize', names.failsToInitialize, 'init-2');
      assert.equal(answer?.kind, 'error');
      assert.match(String(answer.body), /"errorMessage": ?"cannot initialise"/);
      assert.match(await host.logWith('FC Initialize End RequestId: init-2, Error'), /cannot initialise/);
    }));

  it('runs preFreeze and preStop', () =>
    loaded(interpreter, names.echo, async (host) => {
      body(await host.hook('preFreeze', names.preFreeze, 'f'));
      body(await host.hook('preStop', names.preStop, 's'));
      assert.match(await host.logWith('FC PreStop End RequestId: s\n'), /^FC PreStop Start RequestId: s\n/);
    }));

  it('hides itself: code directory as working directory, no start line, no socket for children', () =>
    loaded(interpreter, names.process, async (host) => {
      const seen = JSON.parse(body(await host.invoke(requestId))) as Record<string, unknown>;
      assert.equal(seen['cwd'], fixturesOf[interpreter.language].code);
      assert.equal(seen['stdin'], '/dev/null');
      if (interpreter.language === 'python') {
        assert.deepEqual([seen['home'], seen['modules'], seen['inheritable']], [[], [], []]);
        assert.deepEqual(seen['path'], [
          seen['cwd'],
          `/opt/python/lib/python${minorOf(interpreter)}/site-packages`,
          '/opt/python',
        ]);
      } else if (interpreter.language === 'node') {
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
          [...visible, 'MINE'],
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
    loaded(interpreter, names.echo, async (host) => {
      host.write(Buffer.alloc(12, 0xff));
      assert.deepEqual(await host.exited, { code: 1, signal: null });
      assert.match(await host.logAtEnd(), /protocol error/);
    }));

  it('takes fresh credentials and the retry count from an invocation', () =>
    loaded(interpreter, names.context, async (host) => {
      const fresh = { accessKeyId: 'STS.new', accessKeySecret: 'n', securityToken: 'n2' };
      const first = body(await host.invoke(requestId, '', { retryCount: 2, credentials: fresh }));
      assert.match(first, /STS\.new/);
      assert.match(first, /"(retryCount|retry_count)": ?2/);
      assert.match(body(await host.invoke('another-id')), /STS\.new/);
      assert.match(body(await host.invoke('another-id')), /another-id/);
    }));

  it('shows the span that the caller names, and where spans go', () =>
    using(interpreter, async (host) => {
      const { dialect, code } = fixturesOf[interpreter.language];
      const traced = { ...context, jaegerEndpoint: 'http://jaeger:14268/api/traces' };
      assert.equal((await host.load(names.context, dialect, code, { context: traced }))?.kind, 'end');
      const span = { context: '1a:2b:0:1', baggages: { user: 'u-1' } };
      const shown = body(await host.invoke(requestId, '', { span })).replaceAll('\\/', '/');
      for (const text of ['1a:2b:0:1', 'u-1', 'http://jaeger:14268/api/traces']) assert.ok(shown.includes(text), shown);
      assert.ok(!body(await host.invoke(requestId)).includes('1a:2b:0:1'), 'it is that call\u2019s alone');
    }));

  it('answers an HTTP call with a head and a body', () =>
    loaded(interpreter, names.httpEcho, async (host) => {
      const answer = await host.invoke(requestId, 'the body 云', { http: httpCall });
      const seen = JSON.parse(body(answer)) as Record<string, unknown>;
      assert.deepEqual(
        { ...seen, queries: null },
        {
          method: 'POST',
          path: '/a b',
          uri: httpCall.requestURI,
          ip: '192.0.2.7',
          queries: null,
          body: 'the body 云',
          requestId,
          header: 'v',
        },
      );
      assert.ok(answer?.kind === 'end');
      assert.equal(answer.http?.status, 201);
      const headers = lowerCased(answer.http?.headersMap ?? {});
      assert.match(headers['content-type']?.[0] ?? '', /^application\/json/);
      assert.deepEqual(headers['x-two'], ['a', 'b']);
      assert.equal(headers['x-gone'], undefined);
    }));

  it('answers an HTTP call with a large body, its head first', () =>
    loaded(interpreter, names.httpLarge, async (host) => {
      const answer = await host.invoke(requestId, '', { http: httpCall });
      assert.equal(body(answer).length, 6 * 1024 * 1024);
      assert.ok(answer?.kind === 'end');
      assert.deepEqual(lowerCased(answer.http?.headersMap ?? {})['x-large'], ['yes']);
    }));

  it('tells of an HTTP handler that throws as of any other, and serves on', () =>
    loaded(interpreter, names.httpThrows, async (host) => {
      for (let count = 0; count < 2; count += 1) {
        const given = document(await host.invoke(requestId, '', { http: httpCall })) as Record<string, unknown>;
        assert.equal(given['errorMessage'], 'something is wrong');
      }
    }));

  const { meets } = fixturesOf[interpreter.language];
  // (Node 12.17 and newer can tell whose output it is.)
  const tellsApart = interpreter.language !== 'node' || Number(interpreter.version.split('.')[0]) >= 14;
  if (meets !== null && tellsApart) {
    it('runs several requests at a time, each with its markers and its window', () =>
      using(interpreter, async (host) => {
        const { dialect, code } = fixturesOf[interpreter.language];
        assert.equal((await host.load(meets, dialect, code, { concurrency: 2 }))?.kind, 'end');
        const results = await host.invokeAtOnce(['a', 'b']);
        assert.deepEqual(
          results.map((text) => [text[0], text.length]),
          [
            ['a', 1024 * 1024],
            ['b', 1024 * 1024],
          ],
        );
        for (const event of ['a', 'b']) {
          const log = await host.logWith(`FC Invoke End RequestId: request-${event}\n`);
          assert.match(log, new RegExp(`^FC Invoke Start RequestId: request-${event}$`, 'm'));
          assert.match(log, new RegExp(`met by request-${event}$`, 'm'));
        }
        assert.deepEqual((await host.invokeAtOnce(['c']))[0]?.length, 1024 * 1024);
      }));
  }

  it('passes on bytes of any kind that are printed and returned', () =>
    loaded(interpreter, names.printsBinary, async (host) => {
      const answer = await host.invoke(requestId);
      assert.ok(answer?.kind === 'end' && answer.body.subarray(0, 3).equals(Buffer.from([0xff, 0xfe, 0])));
      await host.logWith(end);
    }));
}

/** An HTTP call as the platform describes one. */
export const httpCall: HttpParams = {
  method: 'POST',
  path: '/a b',
  requestURI: '/2016-08-15/proxy/shop/web/a%20b?x=1&x=2&y=z',
  clientIP: '192.0.2.7',
  host: '127.0.0.1:8081',
  headersMap: { 'Content-Type': ['text/plain'], 'X-Mine': ['v'], 'X-Many': ['1', '2'], Cookie: ['a=1'] },
  queriesMap: { x: ['1', '2'], y: ['z'] },
};

function lowerCased(headers: Readonly<Record<string, readonly string[]>>): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, values]) => [name.toLowerCase(), values]));
}

/** `3.10` of 3.10.13. */
export function minorOf(interpreter: Interpreter): string {
  return interpreter.version.split('.').slice(0, 2).join('.');
}
