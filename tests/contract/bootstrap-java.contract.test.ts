// The Java bootstrap on every Java found here: the common cases, and what is particular to Java.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { type Interpreter, interpretersOf } from './bootstrap-interpreters.ts';
import { body, document, end, httpCall, loaded, requestId, start, suite, using } from './bootstrap-suite.ts';
import { buildJavaFixtures, noJava } from './java-function.ts';

if (noJava !== false) it('the Java bootstrap', { skip: noJava }, () => {});
for (const interpreter of noJava === false ? interpretersOf('java') : []) {
  describe(`the Java bootstrap on ${interpreter.version}`, { concurrency: 2 }, () => {
    before(buildJavaFixtures);
    if (interpreter === interpretersOf('java')[0]) suite(interpreter);
    javaSuite(interpreter);
  });
}

function javaSuite(interpreter: Interpreter): void {
  it('tells what a handler threw, with its class, its cause and its stack as lines', async () => {
    await loaded(interpreter, 'example.Throws::handleRequest', async (host) => {
      assert.deepEqual(document(await host.invoke(requestId)), {
        errorMessage: 'something is wrong',
        errorType: 'java.lang.IllegalStateException',
        stackTrace: ['example.Throws.handleRequest(Throws.java:12)'],
      });
      await host.logWith('java.lang.IllegalStateException: something is wrong\n\tat example.Throws.handleRequest');
    });
    await loaded(interpreter, 'example.ThrowsWithCause::handleRequest', async (host) => {
      const given = document(await host.invoke(requestId)) as Record<string, unknown>;
      assert.equal(given['errorType'], 'java.io.IOException');
      assert.equal(given['errorCause'], 'java.lang.IllegalStateException: inner');
    });
  });

  const loadErrors = [
    ['example.Nowhere::handleRequest', 'java.lang.ClassNotFoundException'],
    ['example.Echo::nothing', 'HandlerNotFound'],
    ['example.Echo', 'InvalidHandleName'],
  ] as const;
  it('says what fails when it loads a handler', async () => {
    for (const [handler, errorType] of loadErrors) {
      await using(interpreter, async (host) => {
        const given = document(await host.load(handler, 'java11')) as Record<string, unknown>;
        assert.equal(given['errorType'], errorType);
        assert.doesNotMatch(JSON.stringify(given['stackTrace']), /yunmen/);
      });
    }
  });

  it('reads and writes the types of a POJO handler', () =>
    loaded(interpreter, 'example.Pojo::handleRequest', async (host) => {
      const order = { buyer: '云 x', items: [{ price: 1.5, count: 2 }], notes: { a: 1 } };
      const bill = JSON.parse(body(await host.invoke(requestId, JSON.stringify(order)))) as unknown;
      assert.deepEqual(bill, { total: 3, buyer: '云 X', notes: { a: 1 }, paid: false });
      assert.equal(body(await host.invoke(requestId, 'null')), 'null');
      const failed = document(await host.invoke(requestId, '{"other":1}')) as Record<string, unknown>;
      assert.match(String(failed['errorMessage']), /Unrecognized field "other"/);
    }));

  it("logs through the context's logger from the level that is set", () =>
    loaded(interpreter, 'example.Logs::handleRequest', async (host) => {
      body(await host.invoke(requestId));
      const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z';
      const lines = `${time} ${requestId} \\[INFO\\] hello log\\n${time} ${requestId} \\[ERROR\\] bad\\n`;
      assert.match(await host.logWith(end), new RegExp(`^${start}${lines}${end}$`));
    }));

  it('makes the context', () =>
    loaded(interpreter, 'example.ShowsContext::handleRequest', async (host) => {
      assert.deepEqual(JSON.parse(body(await host.invoke(requestId))), {
        requestId,
        retryCount: 0,
        accessKeyId: 'STS.id',
        securityToken: 'tok',
        function: 'echo echo.handler',
        initializer: 'odd.initialize',
        memory: 512,
        limit: 7000,
        service: 'shop ls LATEST',
        tracing: '{}',
      });
    }));

  it('gives an HTTP handler parameters, cookies and the query', () =>
    loaded(interpreter, 'example.HttpForm::handleRequest', async (host) => {
      const headersMap = { ...httpCall.headersMap, 'Content-Type': ['application/x-www-form-urlencoded'] };
      const answer = await host.invoke(requestId, 'a=b%20c', { http: { ...httpCall, headersMap } });
      assert.equal(body(answer), 'b c1x=1&x=2&y=z');
      assert.ok(answer?.kind === 'end');
      assert.deepEqual(answer.http?.headersMap['Set-Cookie'], ['seen=1; Path=/']);
    }));

  it('ends at SIGTERM in a request', () =>
    loaded(interpreter, 'example.Hangs::handleRequest', async (host) => {
      const answer = host.invoke(requestId);
      await host.logWith('before hanging\n');
      host.process.kill('SIGTERM');
      assert.equal(await answer, null);
      assert.deepEqual(await host.exited, { code: 143, signal: null });
    }));
}
