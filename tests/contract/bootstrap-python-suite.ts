// What is particular to the Python bootstrap. Run with each Python that is found here by the two contract tests.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { context } from './bootstrap-host.ts';
import type { Interpreter } from './bootstrap-interpreters.ts';
import { body, document, end, failed, loaded, requestId, start, using } from './bootstrap-suite.ts';

/** What is particular to Python 2.7. */
export function olderPythonSuite(interpreter: Interpreter): void {
  const dialect = 'python2.7';
  it('gives a context of str, and tells errors as Python 3 does', async () => {
    await loaded(
      interpreter,
      'odd.context',
      async (host) => {
        const seen = JSON.parse(body(await host.invoke(requestId))) as Record<string, unknown>;
        assert.equal(seen['request_id'], requestId);
        assert.equal((seen['service'] as Record<string, unknown>)['log_store'], 'ls');
      },
      { dialect },
    );
    await loaded(interpreter, 'odd.throws', async (host) => {
      const given = document(await host.invoke(requestId)) as { stackTrace: string[][] };
      assert.deepEqual(given.stackTrace[0]?.slice(1), [
        'line 15',
        'in throws',
        "raise ValueError('something is wrong')",
      ]);
      assert.match(await host.logWith(failed), /Traceback.*\n {2}File .*odd\.py.*\nValueError: something/s);
    });
  });

  it('says what fails when it loads a handler', async () => {
    for (const [handler, errorType] of [
      ['nowhere.handler', 'ImportModuleError'],
      ['syntax_error.handler', 'UserCodeSyntaxError'],
      ['init_error.handler', 'UserCodeError'],
      ['echo.nothing', 'HandlerNotFound'],
    ] as const) {
      await using(interpreter, async (host) => {
        const given = document(await host.load(handler, dialect)) as Record<string, unknown>;
        assert.equal(given['errorType'], errorType);
        assert.doesNotMatch(JSON.stringify(given), /runtimes|importlib/);
      });
    }
  });

  it('encodes results, prints both kinds of text, and logs', async () => {
    await loaded(interpreter, 'odd.returns', async (host) => {
      assert.equal(body(await host.invoke(requestId, 'str')), 'text 云');
      assert.equal(body(await host.invoke(requestId, 'none')), 'null');
      assert.deepEqual(JSON.parse(body(await host.invoke(requestId, 'dict'))), { a: '云', b: [1, { c: null }] });
    });
    await loaded(interpreter, 'odd.prints_text', async (host) => {
      body(await host.invoke(requestId));
      assert.match(await host.logWith(end), /云门/);
    });
    await loaded(interpreter, 'odd.logs', async (host) => {
      body(await host.invoke(requestId));
      assert.match(await host.logWith(end), new RegExp(`Z ${requestId} \\[INFO\\] hello log\\n`));
    });
  });

  it('dumps its stacks at SIGTERM in a request and ends with 143', () =>
    loaded(interpreter, 'odd.hangs', async (host) => {
      const answer = host.invoke(requestId);
      await host.logWith('before hanging\n');
      host.process.kill('SIGTERM');
      assert.equal(await answer, null);
      assert.deepEqual(await host.exited, { code: 143, signal: null });
      assert.match(await host.logAtEnd(), /Dumping stack trace after function timeout\n(.*\n)*.*in hangs\n/);
    }));
}

/** The minor versions that runtime ids name. */
export const namedMinors: readonly string[] = ['3.6', '3.9', '3.10', '3.12'];

/** The cases. Call it inside a describe. */
export function pythonSuite(interpreter: Interpreter): void {
  const loadErrors = [
    ['nowhere.handler', 'ImportModuleError', "Unable to import module 'nowhere'"],
    ['import_error.handler', 'ImportModuleError', "Unable to import module 'import_error'"],
    ['syntax_error.handler', 'UserCodeSyntaxError', "Syntax error in module 'syntax_error'"],
    ['init_error.handler', 'UserCodeError', "Module initialization error: ''missing setting''"],
    ['echo.nothing', 'HandlerNotFound', "Handler 'nothing' is missing on module 'echo'"],
    ['odd.not_callable', 'HandlerNotFound', "Handler 'not_callable' is missing on module 'odd'"],
    ['handler', 'InvalidHandleName', "Invalid handler 'handler'"],
  ] as const;
  for (const [handler, errorType, errorMessage] of loadErrors) {
    it(`says ${errorType} when it loads ${handler}`, () =>
      using(interpreter, async (host) => {
        const given = document(await host.load(handler, 'python3.10')) as Record<string, unknown>;
        assert.equal(given['errorType'], errorType);
        assert.equal(given['errorMessage'], errorMessage);
        assert.deepEqual(Object.keys(given).sort(), ['errorMessage', 'errorType', 'stackTrace']);
        assert.doesNotMatch(JSON.stringify(given), /runtimes|importlib/);
        assert.match(await host.logWith(errorType), new RegExp(`${errorType}: `));
      }));
  }

  it('shows where the import failed', () =>
    using(interpreter, async (host) => {
      const given = document(await host.load('import_error.handler', 'python3.10')) as { stackTrace: string[][] };
      const path = given.stackTrace[0]?.[0]?.replace(/".*\//, '"');
      assert.deepEqual(
        [path, ...(given.stackTrace[0]?.slice(1) ?? [])],
        ['File "import_error.py"', 'line 2', 'in <module>', 'import surely_not_installed'],
      );
      assert.match(await host.logWith('ImportModuleError'), /No module named 'surely_not_installed'/);
    }));

  it('tells what a handler raised, with its stack as lists of strings', () =>
    loaded(interpreter, 'odd.throws', async (host) => {
      const given = document(await host.invoke(requestId)) as { stackTrace: string[][] };
      const [stack, ...others] = given.stackTrace;
      assert.match(stack?.[0] ?? '', /^File ".*\/fixtures\/functions\/python\/odd\.py"$/);
      assert.deepEqual(
        { ...given, stackTrace: [stack?.slice(1), ...others] },
        {
          errorMessage: 'something is wrong',
          errorType: 'ValueError',
          stackTrace: [['line 15', 'in throws', "raise ValueError('something is wrong')"]],
        },
      );
      assert.match(
        await host.logWith(failed),
        /Traceback \(most recent call last\):\n {2}File .*odd\.py.*\nValueError: something/s,
      );
    }));

  it('survives an exception without a text', () =>
    loaded(interpreter, 'odd.throws_hostile', async (host) => {
      assert.match(JSON.stringify(document(await host.invoke(requestId))), /<unprintable Hostile object>/);
    }));

  const results = [
    ['dict', '{\n    "a": "\\u4e91",\n    "b": [\n        1,\n        {\n            "c": null\n        }\n    ]\n}'],
    ['list', '[\n    1,\n    2.5,\n    "x"\n]'],
    ['empty_list', '[]'],
    ['int', '42'],
    ['float', '1.5'],
    ['true', 'true'],
    ['none', 'null'],
    ['str', 'text 云'],
    ['decimal', '{\n    "a": 1.5,\n    "b": 12\n}'],
  ] as const;
  it('encodes each kind of result', () =>
    loaded(interpreter, 'odd.returns', async (host) => {
      for (const [kind, text] of results) assert.equal(body(await host.invoke(requestId, kind)), text);
      assert.deepEqual((await host.invoke(requestId, 'bytes'))?.body, Buffer.from([0, 255]));
    }));

  it('says TypeError of a result that is not serialisable', () =>
    loaded(interpreter, 'odd.not_serialisable', async (host) => {
      const given = document(await host.invoke(requestId)) as Record<string, unknown>;
      assert.equal(given['errorType'], 'TypeError');
      assert.match(String(given['errorMessage']), /set.* is not JSON serializable/);
    }));

  it('passes on bytes and text of any kind that are printed', () =>
    loaded(interpreter, 'odd.prints_text', async (host) => {
      assert.equal(body(await host.invoke(requestId)), 'printed');
      assert.equal(await host.logWith(end), `${start}云门 \\udc80\non stderr\n${end}`);
    }));

  it('logs through the root logger at INFO with time, request id and level', () =>
    loaded(interpreter, 'odd.logs', async (host) => {
      body(await host.invoke(requestId));
      const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z';
      const lines = `${time} ${requestId} \\[INFO\\] hello log\\n${time} ${requestId} \\[ERROR\\] bad\\n`;
      assert.match(await host.logWith(end), new RegExp(`^${start}${lines}${end}$`));
    }));

  it('ends with the code of sys.exit, and flushes', () =>
    loaded(interpreter, 'odd.sys_exits', async (host) => {
      assert.equal(await host.invoke(requestId), null);
      assert.deepEqual(await host.exited, { code: 3, signal: null });
      assert.equal(await host.logAtEnd(), `${start}no newline`);
    }));

  it('has written each completed line when it is killed', () =>
    loaded(interpreter, 'odd.kills_itself', async (host) => {
      assert.equal(await host.invoke(requestId), null);
      assert.deepEqual(await host.exited, { code: null, signal: 'SIGKILL' });
      assert.equal(await host.logAtEnd(), `${start}complete line\n`);
    }));

  it('dumps its stacks at SIGTERM in a request and ends with 143', () =>
    loaded(interpreter, 'odd.hangs', async (host) => {
      const answer = host.invoke(requestId);
      await host.logWith('before hanging\n');
      host.process.kill('SIGTERM');
      assert.equal(await answer, null);
      assert.deepEqual(await host.exited, { code: 143, signal: null });
      const log = await host.logAtEnd();
      assert.match(log, /Dumping stack trace after function timeout\n(.*\n)*.*in hangs\n/);
    }));

  it('ends quietly at SIGTERM between requests', () =>
    loaded(interpreter, 'echo.handler', async (host) => {
      host.process.kill('SIGTERM');
      assert.deepEqual(await host.exited, { code: 143, signal: null });
      assert.equal(await host.logAtEnd(), '');
    }));

  it('ends although a thread of the function runs on', () =>
    loaded(interpreter, 'odd.starts_thread', async (host) => {
      assert.equal(body(await host.invoke(requestId)), 'started');
      host.disconnect();
      assert.deepEqual(await host.exited, { code: 0, signal: null });
    }));

  it('gives its children none of its descriptors', () =>
    loaded(interpreter, 'odd.spawns', async (host) => {
      assert.equal(Number(body(await host.invoke(requestId))), 4);
      assert.match(await host.logWith('from a child'), /from a child/);
    }));

  it('makes the context of the older runtimes', () =>
    loaded(interpreter, 'odd.context', async (host) => {
      const both = (id: string, secret: string, tok: string) => ({
        access_key_id: id,
        access_key_secret: secret,
        security_token: tok,
        accessKeyId: id,
        accessKeySecret: secret,
        securityToken: tok,
      });
      const { function: given } = context;
      assert.deepEqual(JSON.parse(body(await host.invoke(requestId))), {
        request_id: requestId,
        requestId,
        credentials: both('STS.id', 'secret', 'tok'),
        function: {
          name: given.name,
          handler: given.handler,
          memory: 512,
          timeout: 7,
          initializer: 'odd.initialize',
          initialization_timeout: 3,
        },
        service: { name: 'shop', log_project: 'lp', log_store: 'ls', qualifier: 'LATEST', version_id: '4' },
        region: 'cn-hangzhou',
        account_id: '1234567890',
        accountId: '1234567890',
        retry_count: 0,
        logger: null,
        tracing: { span_context: null, span_baggages: {}, jaeger_endpoint: null },
      });
    }));

  it('makes the flat context of python3.12', () =>
    loaded(
      interpreter,
      'odd.context',
      async (host) => {
        assert.deepEqual(JSON.parse(body(await host.invoke(requestId))), {
          request_id: requestId,
          account_id: '1234567890',
          region: 'cn-hangzhou',
          logger: 'RootLogger',
          log_project: 'lp',
          log_store: 'ls',
          function: {
            name: 'echo',
            handler: 'echo.handler',
            memory: 512,
            timeout: 7,
            version_id: '4',
            qualifier: 'LATEST',
          },
        });
      },
      { dialect: 'python3.12' },
    ));
}
