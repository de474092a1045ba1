// The PHP bootstrap on every PHP found here: the common cases, and what is particular to PHP.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { context } from './bootstrap-host.ts';
import { type Interpreter, interpretersOf } from './bootstrap-interpreters.ts';
import { fixturesOf } from './bootstrap-languages.ts';
import { body, document, end, failed, httpCall, loaded, requestId, start, suite, using } from './bootstrap-suite.ts';

const found = interpretersOf('php');
if (found.length === 0) it('the PHP bootstrap', { skip: 'no PHP on this machine (Debian: php-cli)' }, () => {});
for (const interpreter of found) {
  describe(`the PHP bootstrap on ${interpreter.version}`, { concurrency: 4 }, () => {
    suite(interpreter);
    phpSuite(interpreter);
  });
}

function phpSuite(interpreter: Interpreter): void {
  it('tells what a handler threw, its stack as an object', () =>
    loaded(interpreter, 'odd.throws', async (host) => {
      const given = document(await host.invoke(requestId)) as Record<string, Record<string, unknown>>;
      const { stackTrace, ...rest } = given;
      assert.deepEqual(rest, { errorMessage: 'something is wrong', errorType: 'RangeException' });
      assert.match(String(stackTrace?.['file']), /fixtures\/functions\/php\/odd\.php$/);
      assert.equal(stackTrace?.['line'], 7);
      assert.equal(typeof stackTrace?.['traceString'], 'string');
      assert.match(await host.logWith(failed), /RangeException: something is wrong in .*odd\.php:7\n/);
    }));

  const loadErrors = [
    ['nowhere.handler', 'ImportModuleError', /^Unable to import module 'nowhere'$/],
    ['syntax_error.handler', 'UserCodeSyntaxError', /^Syntax error in module 'syntax_error'$/],
    ['init_error.handler', 'UserCodeError', /^Module initialization error: 'missing setting'$/],
    ['echo.nothing', 'HandlerNotFound', /^Handler 'nothing' is missing on module 'echo'$/],
    ['handler', 'InvalidHandleName', /^Invalid handler 'handler'$/],
  ] as const;
  for (const [handler, errorType, message] of loadErrors) {
    it(`says ${errorType} when it loads ${handler}`, () =>
      using(interpreter, async (host) => {
        const given = document(await host.load(handler, 'php7.2')) as Record<string, unknown>;
        assert.equal(given['errorType'], errorType);
        assert.match(String(given['errorMessage']), message);
        assert.doesNotMatch(JSON.stringify(given), /runtimes/);
      }));
  }

  it('encodes each kind of result', () =>
    loaded(interpreter, 'odd.returns', async (host) => {
      for (const [kind, text] of [
        ['object', '{"b":[1,{"c":null}],"a":"\\u4e91"}'],
        ['int', '42'],
        ['true', 'true'],
        ['null', ''],
        ['string', 'text 云'],
      ] as const) {
        assert.equal(body(await host.invoke(requestId, kind)), text);
      }
    }));

  it('says what is not serialisable', () =>
    loaded(interpreter, 'odd.notSerialisable', async (host) => {
      assert.match(JSON.stringify(document(await host.invoke(requestId))), /not serialisable.*TypeError/);
    }));

  it('logs through the global logger with time, request id and level', () =>
    loaded(interpreter, 'odd.logs', async (host) => {
      body(await host.invoke(requestId));
      const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z';
      const lines = `${time} ${requestId} \\[INFO\\] hello log\\n${time} ${requestId} \\[ERROR\\] bad {"code":5}\\n`;
      assert.match(await host.logWith(end), new RegExp(`^${start}${lines}${end}$`));
    }));

  it('logs warnings of the interpreter, and what a function buffered and forgot', async () => {
    await loaded(interpreter, 'odd.warns', async (host) => {
      assert.equal(body(await host.invoke(requestId)), 'warned');
      assert.match(await host.logWith(end), /Undefined variable/);
    });
    await loaded(interpreter, 'odd.buffers', async (host) => {
      assert.equal(body(await host.invoke(requestId)), 'done');
      assert.equal(await host.logWith(end), `${start}kept back and forgotten\n${end}`);
    });
  });

  it('ends with its process when the interpreter gives up', () =>
    loaded(interpreter, 'odd.exhausts', async (host) => {
      assert.equal(await host.invoke(requestId), null);
      assert.equal((await host.exited).code, 255);
      assert.match(await host.logAtEnd(), /Allowed memory size of/);
    }));

  it('makes the context', () =>
    loaded(interpreter, 'odd.context', async (host) => {
      assert.deepEqual(JSON.parse(body(await host.invoke(requestId))), {
        ...context,
        requestId,
        retryCount: 0,
        tracing: { openTracingSpanContext: '', openTracingSpanBaggages: [], jaegerEndpoint: '' },
      });
    }));

  it('shows a service\u2019s name and an initializer to functions of services alone', () =>
    using(interpreter, async (host) => {
      const { name: _name, ...service } = context.service;
      const third = { ...context, service: { ...service, name: '' } };
      body(await host.load('odd.context', 'php7.2', fixturesOf.php.code, { context: third }));
      const seen = JSON.parse(body(await host.invoke(requestId))) as Record<string, unknown>;
      assert.deepEqual(seen['function'], { name: 'echo', handler: 'echo.handler', memory: 512, timeout: 7 });
      assert.deepEqual(seen['service'], service);
    }));

  it('refuses an answer of an HTTP handler that is no response', () =>
    loaded(interpreter, 'web.returnsText', async (host) => {
      const given = document(await host.invoke(requestId, '', { http: httpCall })) as Record<string, unknown>;
      assert.equal(given['errorType'], 'BadResponse');
    }));
}
