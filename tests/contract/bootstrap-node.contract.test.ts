// The Node bootstrap on every Node found here: what is particular to Node, and the common cases where the language and its
// libraries changed most (the oldest, the first ones of each kind, the newest).
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Answer, type BootstrapHost, context } from './bootstrap-host.ts';
import { type Interpreter, interpretersOf } from './bootstrap-interpreters.ts';
import { fixturesOf } from './bootstrap-languages.ts';
import { body, document, end, httpCall, loaded, requestId, start, suite, using } from './bootstrap-suite.ts';

for (const interpreter of interpretersOf('node')) {
  describe(`the Node bootstrap on ${interpreter.version}`, { concurrency: 4 }, () => {
    if (!['8', '10', '14', '16', '18'].includes(interpreter.version.split('.')[0] ?? '')) suite(interpreter);
    nodeSuite(interpreter);
  });
}

function nodeSuite(interpreter: Interpreter): void {
  /** Invokes once under a dialect. */
  const once = async (
    handler: string,
    dialect: string,
    check: (answer: Answer | null, host: BootstrapHost) => unknown,
    event = '',
  ) =>
    loaded(
      interpreter,
      handler,
      async (host) => {
        await check(await host.invoke(requestId, event), host);
      },
      { dialect },
    );
  const stackOf = (name: string) => [name, new RegExp(`^ {4}at .*${'fixtures/functions/nodejs/odd.js'}:`)] as const;

  /** An exact document but for the stack, whose first line and second place are checked. */
  const checkDocument = (
    answer: Answer | null,
    expected: { errorMessage: string; errorType: string },
    first: string,
  ) => {
    const { stackTrace, ...given } = document(answer) as { stackTrace: string[] };
    assert.deepEqual(given, expected);
    const [head, place] = stackOf(first);
    assert.equal(stackTrace[0], head);
    assert.match(stackTrace[1] ?? '', place);
    assert.doesNotMatch(stackTrace.join('\n'), /runtimes/);
  };

  it('reports a throw with the prefix up to nodejs16 and plainly from nodejs18 on', async () => {
    const first = 'TypeError: something is wrong';
    for (const handler of ['odd.throws', 'odd.rejects']) {
      for (const dialect of ['nodejs10', 'nodejs12', 'nodejs14', 'nodejs16']) {
        const expected = { errorMessage: 'something is wrong', errorType: 'FunctionUnhandledError: TypeError' };
        await once(handler, dialect, (answer) => checkDocument(answer, expected, first));
      }
      for (const dialect of ['nodejs18', 'nodejs20']) {
        const expected = { errorMessage: 'something is wrong', errorType: 'TypeError' };
        await once(handler, dialect, (answer) => checkDocument(answer, expected, first));
      }
    }
  });

  it('ends the process at a throw under nodejs6', () =>
    once('odd.throws', 'nodejs6', async (answer, host) => {
      assert.equal(answer, null);
      assert.deepEqual(await host.exited, { code: 1, signal: null });
      assert.match(await host.logAtEnd(), /something is wrong/);
    }));

  it('reports a text that was thrown', () =>
    once('odd.throwsText', 'nodejs20', (answer) =>
      assert.deepEqual(document(answer), { errorMessage: 'just text', errorType: 'Error', stackTrace: [] }),
    ));

  it('reports callback(err) as handled, with the handled End marker', () =>
    once('odd.callsBackError', 'nodejs14', async (answer, host) => {
      const { stackTrace, ...given } = document(answer, 'HandledInvocationError') as { stackTrace: string[] };
      assert.deepEqual(given, { errorMessage: 'handled', errorType: 'TypeError' });
      assert.equal(stackTrace[0], 'TypeError: handled');
      await host.logWith(`FC Invoke End RequestId: ${requestId}, Error: Handled function error\n`);
    }));

  it('reports callback(text): the message alone under nodejs6, with a type from nodejs10 on', async () => {
    await once('odd.callsBackText', 'nodejs6', (answer) =>
      assert.equal(String(answer?.body), '{"errorMessage":"this is error"}'),
    );
    await once('odd.callsBackText', 'nodejs16', (answer) =>
      assert.equal(String(answer?.body), '{"errorMessage":"this is error","errorType":"FunctionHandledError"}'),
    );
  });

  it('lets the first callback win', () =>
    loaded(interpreter, 'odd.callsBackTwice', async (host) => {
      assert.equal(body(await host.invoke(requestId)), 'first');
      assert.equal(body(await host.invoke(requestId)), 'first');
    }));

  it('ignores what a handler returns up to nodejs16', async () => {
    for (const handler of ['odd.returnsPromise', 'odd.returnsPlainly']) {
      await loaded(
        interpreter,
        handler,
        async (host) => {
          host.send({ type: 'invoke', stream: 9, head: { requestId, tail: true, deadline: 4e12 }, isFinal: true });
          // An answer by the handler's promise would come before that of the second ping.
          assert.deepEqual(await host.ping(Buffer.from('1')), Buffer.from('1'));
          assert.deepEqual(await host.ping(Buffer.from('2')), Buffer.from('2'));
          assert.equal(host.logText, `FC Invoke Start RequestId: ${requestId}\n`, 'and no End');
        },
        { dialect: 'nodejs16' },
      );
    }
  });

  it('takes what a handler returns from nodejs18 on', async () => {
    await once('odd.returnsPromise', 'nodejs18', (answer) => assert.equal(body(answer), '{"promised":"x"}'), 'x');
    await once('odd.returnsPlainly', 'nodejs18', (answer) => assert.equal(body(answer), 'plainly x'), 'x');
    await once('odd.returnsAndCallsBack', 'nodejs20', (answer) => assert.equal(body(answer), 'by callback'));
    await once('odd.callsBackLater', 'nodejs20', (answer) => assert.equal(body(answer), 'later'));
  });

  it('encodes each kind of result', () =>
    loaded(interpreter, 'odd.returns', async (host) => {
      const results = [
        ['object', '{"b":[1,{"c":null}],"a":"云"}'],
        ['list', '[1,2.5,"x"]'],
        ['number', '42'],
        ['float', '1.5'],
        ['true', 'true'],
        ['null', ''],
        ['undefined', ''],
        ['string', 'text 云'],
        ['function', 'function Function() { [native code] }'],
      ] as const;
      for (const [kind, text] of results) assert.equal(body(await host.invoke(requestId, kind)), text);
      assert.deepEqual((await host.invoke(requestId, 'buffer'))?.body, Buffer.from([0, 255]));
    }));

  it('says TypeError of a result that is not serialisable', () =>
    once('odd.notSerialisable', 'nodejs20', (answer) => {
      assert.equal((document(answer) as Record<string, unknown>)['errorType'], 'TypeError');
    }));

  it('reports what is thrown later, and ends', () =>
    once('odd.throwsLater', 'nodejs16', async (answer, host) => {
      const given = document(answer) as { stackTrace: string[]; errorMessage: string };
      assert.equal(given.errorMessage, 'FunctionUnhandledError: uncaughtException');
      assert.equal(given.stackTrace[0], 'TypeError: nobody waits');
      assert.ok(answer?.kind === 'error' && answer.exit);
      assert.deepEqual(await host.exited, { code: 1, signal: null });
      assert.match(await host.logAtEnd(), /nobody waits(.*\n)*FC Invoke End .*, Error: Unhandled function error\n$/);
    }));

  it('treats a rejection that nobody waits for as the dialect does', async () => {
    await once('odd.rejectsLater', 'nodejs12', async (answer, host) => {
      assert.equal(body(answer), 'went on');
      assert.match(await host.logWith(end), /UnhandledPromiseRejectionWarning: TypeError: nobody waits/);
    });
    await once('odd.rejectsLater', 'nodejs16', (answer) => {
      assert.equal(
        (document(answer) as Record<string, unknown>)['errorMessage'],
        'FunctionUnhandledError: unhandledRejection',
      );
    });
  });

  it('logs through console and context.logger with time, request id and level', () =>
    once('odd.logs', 'nodejs12', async (_, host) => {
      const lines = (await host.logWith(end)).split('\n').map((line) => line.replace(/^\d{4}-.{18}Z /, 'TIME '));
      assert.deepEqual(lines, [
        start.trim(),
        `TIME ${requestId} [verbose] log text`,
        `TIME ${requestId} [info] info`,
        `TIME ${requestId} [warn] warn`,
        `TIME ${requestId} [error] error`,
        `TIME ${requestId} [debug] debug`,
        `TIME ${requestId} [info] from the logger`,
        'on stderr',
        end.trim(),
        '',
      ]);
    }));

  const loadErrors = [
    ['nowhere.handler', 'ImportModuleError', /^Cannot find module '.*nodejs\/nowhere\.js'$/],
    ['import-error.handler', 'ImportModuleError', /^Cannot find module 'surely-not-installed'$/],
    ['syntax-error.handler', 'UserCodeSyntaxError', /./],
    ['init-error.handler', 'RangeError', /^missing setting$/],
    ['echo.nothing', 'HandlerNotFound', /^Handler 'nothing' missing on module 'echo'$/],
    ['odd.notCallable', 'HandlerNotFound', /^Handler 'notCallable' missing on module 'odd'$/],
    ['handler', 'InvalidHandleName', /^Invalid handler 'handler'$/],
  ] as const;
  for (const [handler, errorType, errorMessage] of loadErrors) {
    it(`says ${errorType} when it loads ${handler}`, async () => {
      for (const [dialect, prefix] of [
        ['nodejs12', 'FunctionUnhandledError: '],
        ['nodejs20', ''],
      ] as const) {
        await using(interpreter, async (host) => {
          const given = document(await host.load(handler, dialect)) as Record<string, unknown>;
          assert.equal(given['errorType'], prefix + errorType);
          assert.match(String(given['errorMessage']), errorMessage);
          assert.doesNotMatch(JSON.stringify(given), /runtimes/);
        });
      }
    });
  }

  const hasModules = Number(interpreter.version.split('.')[0]) >= 14;
  const whereModules = hasModules ? it : () => {}; // older Nodes never serve the runtime ids that have them
  whereModules('loads ES modules from nodejs18 on, by name and by package', async () => {
    await once(
      'module.handler',
      'nodejs18',
      (answer) => assert.equal(body(answer), '{"hasFs":"function","event":"x"}'),
      'x',
    );
    await once('esm/index.handler', 'nodejs20', (answer) => assert.equal(body(answer), 'y'), 'y');
    await once('module.throws', 'nodejs20', (answer) => {
      const given = document(answer) as { stackTrace: string[] };
      assert.match(given.stackTrace[1] ?? '', /at throws \(file:.*module\.mjs:6:/);
    });
    await using(interpreter, async (host) => {
      assert.match(JSON.stringify(document(await host.load('module.handler', 'nodejs16'))), /Cannot find module/);
    });
  });

  it('finds modules beside the code, not beside itself', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'yunmen-code-'));
    try {
      writeFileSync(
        join(directory, 'index.js'),
        "exports.handler = (e, c, done) => done(null, require('./mine').name);",
      );
      writeFileSync(join(directory, 'mine.js'), "exports.name = 'mine';");
      await using(interpreter, async (host) => {
        body(await host.load('index.handler', 'nodejs12', directory));
        assert.equal(body(await host.invoke(requestId)), 'mine');
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('makes the context', () =>
    once('odd.context', 'nodejs16', (answer) => {
      assert.deepEqual(JSON.parse(body(answer)), {
        ...context,
        requestId,
        retryCount: 0,
        logger: {},
        loggerMethods: ['debug', 'error', 'info', 'log', 'warn'],
        tracing: {
          openTracingSpanContext: '',
          openTracingSpanBaggages: {},
          jaegerEndpoint: '',
          spanContext: '',
          spanBaggages: {},
        },
      });
    }));

  it('shows an initializer to functions of services alone', () =>
    using(interpreter, async (host) => {
      const third = { ...context, service: { ...context.service, name: '' } };
      body(await host.load('odd.context', 'nodejs20', fixturesOf.node.code, { context: third }));
      const seen = JSON.parse(body(await host.invoke(requestId))) as { function: unknown };
      assert.deepEqual(seen.function, { name: 'echo', handler: 'echo.handler', memory: 512, timeout: 7 });
    }));

  it('tells an HTTP handler of its request as node:http does', () =>
    loaded(interpreter, 'web.shows', async (host) => {
      const seen = JSON.parse(body(await host.invoke(requestId, 'b', { http: httpCall }))) as Record<string, unknown>;
      assert.deepEqual(seen, {
        headers: { 'content-type': 'text/plain', 'x-mine': 'v', 'x-many': '1, 2', cookie: 'a=1' },
        has: false,
        get: 'v',
        body: 'b',
        ip: '192.0.2.7',
      });
    }));

  it('collects a stream that an HTTP handler sends, up to 16 MB', async () => {
    const http = { http: httpCall };
    await loaded(interpreter, 'web.streams', async (host) =>
      assert.equal(body(await host.invoke(requestId, '', http)), 'one two'),
    );
    await loaded(interpreter, 'web.streamsTooMuch', async (host) => {
      const given = document(await host.invoke(requestId, '', http)) as Record<string, unknown>;
      assert.match(String(given['errorMessage']), /exceeds 16777216 bytes/);
    });
  });

  it('refuses what an HTTP handler does wrong, and headers that fit no frame', async () => {
    await loaded(interpreter, 'web.misuses', async (host) => {
      assert.equal(body(await host.invoke(requestId, '', { http: httpCall })), 'first');
      assert.match(await host.logWith('thrown: '), /thrown: TypeError TypeError Error Error\n/);
    });
    await loaded(interpreter, 'web.largeHeaders', async (host) => {
      const given = document(await host.invoke(requestId, '', { http: httpCall })) as Record<string, unknown>;
      assert.match(String(given['errorType']), /BadResponse$/);
    });
    await loaded(interpreter, 'web.rejects', async (host) => {
      document(await host.invoke(requestId, '', { http: httpCall }));
    });
  });

  it('waits for an empty event loop when the global is set', () =>
    loaded(interpreter, 'odd.waitsForLoop', async (host) => {
      assert.equal(body(await host.invoke(requestId)), 'called back early');
      assert.match(await host.logWith(end), /the timer ran\nFC Invoke End/);
      assert.equal(body(await host.invoke(requestId)), 'called back early');
    }));
}
