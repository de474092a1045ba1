// The door of HTTP triggers over real sockets, with a function that the test answers for.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { BodyBudget } from '../../src/base/body-budget.ts';
import { systemClock } from '../../src/base/clock.ts';
import { InternalTimeout } from '../../src/base/internal-timeout.ts';
import { type AuthenticateHttp, createHttpDoor } from '../../src/functions/http/http-door.ts';
import { HttpTriggers } from '../../src/functions/http/triggers.ts';
import { facts } from '../../src/gateway/testing.ts';
import { serveHttp } from '../../src/http-listener.ts';
import type { CallHttpFunction, HttpTrigger } from '../../src/model/http-function.ts';
import type { CallerSignal } from '../../src/model/invocation.ts';
import type { RequestRecord } from '../../src/model/record.ts';

const trigger: HttpTrigger = {
  triggerId: 't',
  triggerName: 'http',
  serviceName: null,
  functionName: 'site',
  qualifier: 'LATEST',
  authType: 'anonymous',
  methods: ['GET', 'POST', 'HEAD'],
  disablesInternetUrl: false,
  urlPrefix: 'site-x',
};
const kilobyte = 1024;

type More = { readonly authenticate?: AuthenticateHttp; readonly mayServe?: () => Promise<void> | null };

async function open(t: TestContext, call: CallHttpFunction, changes: Partial<HttpTrigger> = {}, more: More = {}) {
  const triggers = new HttpTriggers();
  const value = { ...trigger, ...changes };
  triggers.apply({ version: 1, changes: [{ kind: 'httpTrigger', key: 'site@LATEST', value }] });
  const bugs: unknown[] = [];
  const records: RequestRecord[] = [];
  const recorded = async (count: number) => {
    while (records.length < count) await new Promise((resolve) => setImmediate(resolve));
    return records;
  };
  const door = createHttpDoor({
    triggers,
    call,
    find: () => ({ ok: false, code: 'FunctionNotFound', message: 'none' }),
    authenticate: more.authenticate ?? (async () => ({ ok: true, payloadHash: '00' })),
    bodies: { limitBytes: 500 * kilobyte, budget: new BodyBudget(200 * kilobyte) },
    clock: systemClock,
    traceRatio: null,
    report: (record) => records.push(record),
    reportBug: (error) => bugs.push(error),
  });
  const server = createServer(serveHttp(door, 'token', more.mayServe ?? (() => null)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const begin = (method: string, body: string, more = '') => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {}); // a connection that is closed on us
    socket.write(`${method} /a HTTP/1.1\r\nHost: site-x.localhost\r\nConnection: close\r\n${more}`);
    socket.write(body === '' ? '\r\n' : `Content-Length: ${body.length}\r\n\r\n${body}`);
    return socket;
  };
  const ask = (method: string, body = '', more = '') => readText(begin(method, body, more));
  return { begin, ask, bugs, recorded };
}

const answering =
  (status: number, headers: string[] = [], body = 'body'): CallHttpFunction =>
  async () => ({ kind: 'answer', head: { status, headers }, body: Buffer.from(body), facts });

describe('the door of HTTP triggers', () => {
  it('tells the function of the span that its caller names, and never passes the headers on', async (t) => {
    const seen: unknown[] = [];
    const { ask } = await open(t, (request, signal) => {
      seen.push(request.span);
      return answering(200)(request, signal);
    });
    const name = 'X-Fc-Tracing-Opentracing-Span-Context';
    await ask('GET', '', `${name}: 1:2:0:1\r\n${name}-Baggage-user: u\r\n`);
    await ask('GET');
    assert.deepEqual(seen, [{ context: '1:2:0:1', baggages: { user: 'u' } }, undefined]);
  });

  it('tells an alias what the call carries, and nobody else', async (t) => {
    const seen: unknown[] = [];
    const remember: CallHttpFunction = (request, signal) => {
      const { content } = request.target;
      seen.push(content === undefined ? null : [content.headers['x-uid'], content.query]);
      return answering(200)(request, signal);
    };
    for (const qualifier of ['prod', '3', 'LATEST']) {
      const { ask } = await open(t, remember, { qualifier });
      await ask('GET', '', 'X-Uid: m\r\n');
    }
    assert.deepEqual(seen, [['m', []], null, null]);
  });

  it('drops what a function may not say, keeps what it repeats, and sends no body where none may be', async (t) => {
    const headers = ['Server', 'mine', 'Content-Length', '1', 'X-Fc-A', '1', 'Set-Cookie', 'a', 'Set-Cookie', 'b'];
    const { ask } = await open(t, answering(200, headers));
    const answer = await ask('GET');
    assert.match(
      answer,
      /^HTTP\/1\.1 200 OK\r\n[\s\S]*Set-Cookie: a\r\nSet-Cookie: b\r\n[\s\S]*Content-Length: 4\r\n[\s\S]*body$/,
    );
    assert.doesNotMatch(answer, /Server|X-Fc-A/);
    assert.match(await ask('HEAD'), /Content-Length: 4[\s\S]*\r\n\r\n$/);
    const empty = await open(t, answering(204));
    assert.doesNotMatch(await empty.ask('GET'), /Content-Length|body/);
  });

  it('bounds the memory of all bodies together, and has room again when one is done', async (t) => {
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const { begin, ask } = await open(t, async () => {
      reached.resolve();
      await gate.promise;
      return answering(200)({} as never, {} as never);
    });
    const held = readText(begin('POST', 'x'.repeat(150 * kilobyte)));
    await reached.promise;
    assert.match(await ask('POST', 'x'.repeat(150 * kilobyte)), /^HTTP\/1\.1 503 [\s\S]*"Code":"ResourceThrottled"/);
    assert.match(await ask('POST', 'x'.repeat(501 * kilobyte)), /^HTTP\/1\.1 400 [\s\S]*"Code":"EntityTooLarge"/);
    gate.resolve();
    assert.match(await held, /^HTTP\/1\.1 200/);
    assert.match(await ask('POST', 'x'.repeat(150 * kilobyte)), /^HTTP\/1\.1 200/);
  });

  it('calls the function off when its caller has gone', async (t) => {
    const called = Promise.withResolvers<CallerSignal>();
    const { begin, recorded } = await open(t, (_request, signal) => {
      called.resolve(signal);
      return new Promise(() => {});
    });
    const socket = begin('GET', '');
    const signal = await called.promise;
    socket.destroy();
    while (!signal.aborted) await new Promise((resolve) => setImmediate(resolve));
    const [record] = await recorded(1);
    assert.deepEqual([record?.status, record?.failure?.code, record?.backendMs], [499, 'ClientClosedRequest', null]);
  });

  it('breaks off what was begun and cannot be ended well', async (t) => {
    const { ask, recorded } = await open(t, async ({ sink }) => {
      sink?.head({ status: 200, headers: ['X-A', '1'] });
      sink?.write(Buffer.from('half'));
      return { kind: 'function-error', errorType: 'UnhandledInvocationError', body: Buffer.alloc(0), ...facts };
    });
    const answer = await ask('GET');
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\nX-A: 1\r\n/);
    assert.doesNotMatch(answer, /\r\n0\r\n\r\n$/, 'the end of the chunks would say that all is there');
    const [record] = await recorded(1);
    assert.deepEqual([record?.status, record?.responseBytes, record?.failure?.side], [200, 4, 'function']);
  });

  it('answers pages of the origins that its trigger names, and no others', async (t) => {
    const cors = {
      allowOrigins: ['https://shop.example', 'https://*.shop.example'],
      allowMethods: ['GET', 'POST'],
      allowHeaders: ['X-A', 'X-B'],
      exposeHeaders: ['X-Own'],
      allowCredentials: true,
      maxAge: 60,
    };
    const { ask } = await open(t, answering(200), { cors });
    const from = (origin: string, more = '') => `Origin: ${origin}\r\n${more}`;
    for (const origin of ['https://shop.example', 'https://eu.shop.example']) {
      const answer = await ask('GET', '', from(origin));
      assert.ok(answer.includes(`Access-Control-Allow-Origin: ${origin}\r\n`), answer);
      assert.match(answer, /Access-Control-Expose-Headers: X-Own\r\n[\s\S]*Access-Control-Allow-Credentials: true\r\n/);
    }
    const asks = 'Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-z\r\n';
    const preflight = await ask('OPTIONS', '', from('https://shop.example', asks));
    assert.match(
      preflight,
      /^HTTP\/1\.1 200 [\s\S]*Allow-Methods: GET,POST\r\n[\s\S]*Allow-Headers: X-A,X-B\r\n[\s\S]*Max-Age: 60\r\n/,
    );
    for (const origin of ['https://evil.example', 'https://evilshop.example', 'https://shop.example.evil', 'null']) {
      assert.doesNotMatch(await ask('GET', '', from(origin)), /Access-Control/, origin);
      assert.doesNotMatch(await ask('OPTIONS', '', from(origin, asks)), /Access-Control/, origin);
    }
  });

  it('asks for the token before it reads a body, unless the token is in there; without a rule nobody comes in', async (t) => {
    const jwt = { keys: [], lookup: [{ place: 'header', name: 'X-T', prefix: '' }], pass: [], paths: null } as const;
    const early = await open(t, answering(200), { authType: 'jwt', jwt });
    const socket = early.begin('POST', '', 'Content-Length: 1000\r\n');
    assert.match(await readText(socket), /^HTTP\/1\.1 403 [\s\S]*invalid or expired jwt/);
    const inForm = { ...jwt, lookup: [{ place: 'form', name: 't', prefix: '' }] } as const;
    const late = await open(t, answering(200), { authType: 'jwt', jwt: inForm });
    assert.match(
      await late.ask('POST', 't=x', 'Content-Type: application/x-www-form-urlencoded\r\n'),
      /^HTTP\/1\.1 403/,
    );
    assert.match((await late.recorded(1))[0]?.failure?.message ?? '', /The token was not taken: Invalid/);
    const broken = await open(t, answering(200), { authType: 'jwt' });
    assert.match(await broken.ask('GET'), /^HTTP\/1\.1 500/);
  });

  it('leaves a record of every call: what it was, how long it took, and why it failed', async (t) => {
    const coldStart = { isSpare: false, waitMs: 1, startMs: 2, codeMs: 0, loadMs: 4, initializerMs: 5 };
    const failing: CallHttpFunction = async () => {
      const outcome = { kind: 'function-error', errorType: 'UnhandledInvocationError', ...facts } as const;
      const body = Buffer.from('{"errorMessage":"oops"}');
      return { ...outcome, coldStart, durationMs: 6, body, logTail: Buffer.from('its output\n') };
    };
    const { ask, recorded } = await open(t, failing, { serviceName: 'shop', qualifier: 'prod' });
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await ask('POST', 'ab', `X-Token: hunter2\r\nTraceparent: ${traceparent}\r\n`);
    await ask('DELETE');
    const nowhere = await open(t, answering(200), { urlPrefix: 'another' });
    await nowhere.ask('GET');
    const fine = await open(t, answering(404));
    await fine.ask('GET');
    const [failed, refused] = await recorded(2);
    assert.deepEqual(
      [failed?.functionName, failed?.qualifier, failed?.method, failed?.path, failed?.status],
      ['shop/site', 'prod', 'POST', '/a', 502],
    );
    assert.deepEqual([failed?.requestBytes, failed?.responseBytes, failed?.clientIp], [2, 23, '127.0.0.1']);
    assert.equal(failed?.traceId, '4bf92f3577b34da6a3ce929d0e0e4736');
    assert.ok((failed?.backendMs ?? -1) >= 0 && (failed?.totalMs ?? 0) >= (failed?.backendMs ?? 1));
    assert.deepEqual([failed?.coldStart, refused?.coldStart], [{ ...coldStart, handlerMs: 6 }, null]);
    assert.equal(failed?.failure?.functionLog, 'its output\n');
    assert.equal(failed?.failure?.got, '{"errorMessage":"oops"}');
    assert.deepEqual(
      [refused?.status, refused?.failure?.code, refused?.failure?.side],
      [405, 'MethodNotAllowed', 'client'],
    );
    assert.match(refused?.failure?.message ?? '', /allowed: GET, POST, HEAD/);
    const [lost] = await nowhere.recorded(1);
    assert.deepEqual([lost?.functionName, lost?.failure?.code], [null, 'DomainNameNotFound']);
    const [own] = await fine.recorded(1);
    assert.deepEqual([own?.status, own?.failure?.code, own?.failure?.side], [404, '404', 'function']);
    assert.ok(!JSON.stringify(await recorded(2)).includes('hunter2'));
  });

  it('answers 504, and reports no bug, when control does not answer in time', async (t) => {
    const late = () => Promise.reject(new InternalTimeout('control did not answer lease in 5000 ms'));
    for (const [changes, more] of [
      [{}, { mayServe: late }],
      [{ authType: 'function' }, { authenticate: late }],
    ] as const) {
      const { ask, bugs, recorded } = await open(t, () => assert.fail('nothing is called'), changes, more);
      const answer = await ask('GET');
      assert.match(answer, /^HTTP\/1\.1 504 .*\r\nX-Fc-Request-Id: .*"Code":"InternalServerError"/s);
      assert.match(answer, /did not answer in time/);
      const [record] = await recorded(1);
      assert.deepEqual([record?.status, record?.failure?.side, bugs], [504, 'platform', []]);
    }
    const gone = await open(t, answering(200), {}, { mayServe: () => Promise.reject(new Error('control has gone')) });
    assert.equal(await gone.ask('GET'), '');
  });

  it('answers a bug of ours by a general error, and reports it', async (t) => {
    const { ask, bugs } = await open(t, () => Promise.reject(new Error('secret detail')));
    const answer = await ask('GET');
    assert.match(answer, /^HTTP\/1\.1 500 [\s\S]*InternalServerError/);
    assert.doesNotMatch(answer, /secret/);
    assert.equal(bugs.length, 1);
  });

  it('compares a body with the hash that its signature names, and closes a disabled URL', async (t) => {
    const signed = await open(t, answering(200), { authType: 'function' });
    assert.match(await signed.ask('POST', 'x'), /^HTTP\/1\.1 403 [\s\S]*x-acs-content-sha256/);
    const disabled = await open(t, answering(200), { disablesInternetUrl: true });
    assert.match(await disabled.ask('GET'), /^HTTP\/1\.1 403 [\s\S]*internet URL is disable/);
    const later = await open(t, answering(200));
    assert.match(await later.ask('GET', '', 'X-Fc-Invocation-Type: Async\r\n'), /^HTTP\/1\.1 400 [\s\S]*asynchronous/);
  });
});
