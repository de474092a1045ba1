// What a custom runtime's server is promised: real servers on a real launcher, in every isolation tier that works here.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe as group, test } from 'node:test';
import { findSandd, probeIsolation, probeSandd } from '../../src/functions/index.ts';
import type { FunctionConfig, ServerProgram } from '../../src/model/function.ts';
import type { HttpHandlerCall } from '../../src/model/http-handler.ts';
import { describe, type Fixture, openFixture } from './functions-fixture.ts';

const isolation = await probeIsolation();
const native = await findSandd();
const strong = native.ok ? ((await probeSandd(native.path)).get('strong') ?? 'the probe did not end') : native.why;

const source = readFileSync(new URL('../../fixtures/functions/custom/server.py', import.meta.url), 'utf8');
const code = { bootstrap: source };
const server: ServerProgram = { command: [], args: [], port: 9000, healthCheck: null, image: null };
let nextPort = 23_000;
/** Each with a port of its own: relayed instances here share the host's network all the same. */
const custom = ({ server: given = server, ...more }: Partial<FunctionConfig> = {}): Partial<FunctionConfig> => ({
  runtime: 'custom.debian10',
  server: { ...given, port: nextPort++ },
  ...more,
});
const get = (requestUri: string, more: Partial<HttpHandlerCall> = {}): HttpHandlerCall => ({
  method: 'GET',
  path: requestUri.split('?')[0] ?? '/',
  requestUri,
  clientIp: '192.0.2.7',
  host: 'shop.example',
  headers: ['Accept', 'text/html', 'x-fc-request-id', 'forged', 'Connection', 'close', 'X-Two', '1', 'X-Two', '2'],
  query: [],
  basePath: null,
  ...more,
});

type Seen = {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  readonly state: Readonly<Record<string, number>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly stdin: string;
};
const seenIn = (body: Buffer) => JSON.parse(body.toString()) as Seen;
const valuesOf = ({ headers }: Seen, wanted: string) =>
  headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);

for (const [tier, isRelayed] of [
  ['none', false],
  ['user', false],
  ['strong', false],
  ['strong', true],
] as const) {
  const missing = isolation.missing.find((each) => each.tier === tier);
  const lacking = missing === undefined ? false : `${missing.why}; ${missing.install}`;
  const skip = tier === 'strong' ? strong !== 'ok' && strong : lacking;

  group(`custom runtimes in tier ${tier}${isRelayed ? ', relayed' : ''}`, { skip }, () => {
    let plane: Fixture;
    before(async () => {
      plane = await openFixture(tier, { idleMs: 60_000 }, { hasOwnNetwork: isRelayed });
    });
    after(async () => {
      await plane.close();
    });

    test('an event is posted to /invoke with what the platform tells, and whatever status comes is a success', async () => {
      plane.credentials = { accessKeyId: 'id', accessKeySecret: 'secret', securityToken: 'token', expiresAt: 0 };
      plane.publish('echo', code, custom({ serviceName: 'shop', environment: { MODE: 'test' } }));
      const { body, http, coldStart, maxMemoryMb } = await plane.succeed('echo', 'payload', { requestId: 'r-1' });
      plane.credentials = null;
      assert.equal(http, undefined);
      assert.ok(coldStart !== null && coldStart.loadMs > 0 && maxMemoryMb > 1);
      const seen = seenIn(body);
      assert.equal(`${seen.method} ${seen.path} ${seen.body}`, 'POST /invoke payload');
      assert.equal(seen.stdin, '');
      const expected = {
        'content-type': 'application/octet-stream',
        'x-fc-request-id': 'r-1',
        'x-fc-control-path': '/invoke',
        'x-fc-function-name': 'echo',
        'x-fc-function-memory': '512',
        'x-fc-function-timeout': '30',
        'x-fc-region': 'cn-hangzhou',
        'x-fc-account-id': '1234567890',
        'x-fc-service-name': 'shop',
        'x-fc-access-key-secret': 'secret',
      };
      for (const [name, value] of Object.entries(expected)) assert.deepEqual(valuesOf(seen, name), [value], name);
      assert.match(valuesOf(seen, 'x-fc-function-deadline')[0] ?? '', /^\d{13}$/);
      assert.deepEqual(valuesOf(seen, 'x-fc-client-ip'), []);
      assert.deepEqual(valuesOf(seen, 'x-fc-tracing-opentracing-span-context'), []);
      assert.equal(seen.environment['MODE'], 'test');
      assert.equal(seen.environment['FC_CUSTOM_LISTEN_PORT'], seen.environment['FC_SERVER_PORT']);
      assert.equal(seen.environment['FC_FUNC_CODE_PATH'], seen.cwd);
      if (tier !== 'none') assert.equal(seen.cwd, '/code');
    });

    test('an HTTP call passes through unchanged, but for what is of one connection or the platform\u2019s own', async () => {
      plane.publish('web', code, custom({ jaegerEndpoint: 'http://jaeger/t' }));
      const call = get('/a%20b/?x=1&x=2', { method: 'PUT', basePath: '/2016-08-15/proxy/shop/web/' });
      const span = { context: '1:2:0:1', baggages: { user: 'u' } };
      const { body, http } = await plane.succeed('web', 'raw \u00e4', { http: call, span });
      assert.equal(http?.status, 201);
      const own = http.headers.flatMap((text, at) => (text === 'X-Own' ? [http.headers[at + 1]] : []));
      assert.deepEqual(own, ['one', 'two']);
      const seen = seenIn(body);
      assert.equal(`${seen.method} ${seen.path}`, 'PUT /a%20b/?x=1&x=2');
      assert.equal(Buffer.from(seen.body, 'latin1').toString(), 'raw \u00e4');
      assert.deepEqual(valuesOf(seen, 'host'), ['shop.example']);
      assert.deepEqual(valuesOf(seen, 'x-two'), ['1', '2']);
      assert.deepEqual(valuesOf(seen, 'x-fc-control-path'), ['/http-invoke']);
      assert.deepEqual(valuesOf(seen, 'x-fc-client-ip'), ['192.0.2.7']);
      assert.deepEqual(valuesOf(seen, 'x-fc-tracing-opentracing-span-context'), ['1:2:0:1']);
      const [baggages = ''] = valuesOf(seen, 'x-fc-tracing-opentracing-span-baggages');
      assert.deepEqual(JSON.parse(Buffer.from(baggages, 'base64').toString()), { user: 'u' });
      assert.deepEqual(valuesOf(seen, 'x-fc-tracing-jaeger-endpoint'), ['http://jaeger/t']);
      assert.deepEqual(valuesOf(seen, 'x-fc-base-path'), ['/2016-08-15/proxy/shop/web/']);
      assert.equal(valuesOf(seen, 'x-fc-request-id').includes('forged'), false);
    });

    test('connections are kept from request to request', async () => {
      plane.publish('kept', code, custom());
      for (let count = 0; count < 4; count += 1) await plane.succeed('kept');
      const { state } = seenIn((await plane.succeed('kept')).body);
      assert.equal(state['requests'], 5);
      // Two more looked whether the server listens, and whether it does so everywhere.
      assert.equal(state['connections'], 3);
    });

    test('a status of 400 is a result, and x-fc-status 404 a failure of the function', async () => {
      plane.publish('odd', code, custom());
      assert.equal((await plane.succeed('odd', '/plain-400')).body.toString(), '{"errorMessage":"still a result"}');
      const failed = await plane.fail('odd', '/fails');
      assert.equal(failed.errorType, 'UnhandledInvocationError');
      assert.equal(failed.body.toString(), '{"errorMessage":"out of stock"}');
    });

    test('the initializer runs once before the first request, and its failure is told with its own body', async () => {
      const initializer = { handler: 'true', timeoutMs: 3_000 };
      plane.publish('initialized', code, custom({ initializer }));
      assert.equal(seenIn((await plane.succeed('initialized')).body).state['initialized'], 1);
      assert.equal(seenIn((await plane.succeed('initialized')).body).state['initialized'], 1);
      plane.publish('broken', code, custom({ initializer, environment: { INITIALIZER: 'fails' } }));
      const failed = await plane.fail('broken');
      assert.equal(failed.errorType, 'InitializationError');
      assert.equal(failed.body.toString(), '{"errorMessage":"no database"}');
    });

    test('the hooks before a freeze and before the end are asked for when they are configured', async () => {
      const hook = { handler: 'true', timeoutMs: 3_000 };
      plane.publish('hooked', code, custom({ preStop: hook, preFreeze: hook }));
      await plane.succeed('hooked');
      const said = (text: string) => plane.lines.some((line) => line.functionKey === 'hooked' && line.text === text);
      while (!said('the pre-freeze hook ran')) await new Promise((resolve) => setTimeout(resolve, 20));
      plane.publish('hooked', code, custom());
      while (!said('the pre-stop hook ran')) await new Promise((resolve) => setTimeout(resolve, 20));
    });

    test('a server that listens on 127.0.0.1 alone is served, and its output says that the cloud would not', async () => {
      const told = /^yunmen: this server listens on 127\.0\.0\.1 alone; the cloud demands 0\.0\.0\.0$/;
      for (const [name, START] of Object.entries({ narrow: 'loopback only', wide: '' })) {
        plane.publish(name, code, custom({ environment: { START } }));
        assert.equal(seenIn((await plane.succeed(name, 'x')).body).path, '/invoke');
        const lines = plane.lines.filter((line) => line.functionKey === name && told.test(line.text));
        assert.deepEqual([name, lines.length], [name, name === 'narrow' ? 1 : 0]);
      }
    });

    test('what the server writes between its markers is the tail of the log', async () => {
      plane.publish('logged', code, custom());
      const { logTail } = await plane.succeed('logged', 'x', { tail: true, requestId: 'r-log' });
      const text = 'FC Invoke Start RequestId: r-log\nserving POST /invoke\nFC Invoke End RequestId: r-log\n';
      assert.equal(logTail?.toString(), text);
    });

    test('a broken connection is tried once more for GET, and is the end of a POST', async () => {
      plane.publish('closing', code, custom());
      const { body } = await plane.succeed('closing', '', { http: get('/closes-once') });
      assert.equal(body.toString(), 'at the second try');
      const failed = await plane.fail('closing', 'x', { http: get('/closes', { method: 'POST' }) });
      assert.match(failed.body.toString(), /^\{"errorMessage":"Process exited unexpectedly before completing request/);
    });

    test('an answer that is no HTTP, or whose head is too large, is a bad response, and the instance serves on', async () => {
      plane.publish('bad', code, custom());
      for (const path of ['/garbage', '/heavy-head']) {
        const outcome = await plane.invoke('bad', 'x', { http: get(path, { method: 'POST' }) });
        assert.ok(outcome.kind === 'refused' && outcome.code === 'BadResponse', describe(outcome));
      }
      const { body } = await plane.succeed('bad');
      assert.equal(seenIn(body).state['requests'], 3);
    });

    test('6 MB come back whole, more than is allowed is refused, a flood of output is survived', async () => {
      plane.publish('large', code, custom());
      assert.equal((await plane.succeed('large', '/large')).body.length, 6 * 1024 * 1024);
      assert.equal((await plane.succeed('large', '/floods')).body.toString(), 'flooded');
      assert.match((await plane.fail('large', '/too-large')).body.toString(), /exceeds maximum allowed size/);
    });

    test('an answer in chunks is given on while it comes', async () => {
      plane.publish('streaming', code, custom());
      const events: string[] = [];
      const sink = {
        head: ({ status }: { status: number }) => void events.push(String(status)),
        write: (chunk: Buffer) => events.push(chunk.toString()) > 0,
        drained: () => Promise.resolve(),
      };
      const { body, http } = await plane.succeed('streaming', '', { http: get('/chunks'), sink });
      assert.deepEqual(events, ['200', 'data: 0\n\n', 'data: 1\n\n', 'data: 2\n\n']);
      assert.equal(body.length, 0);
      assert.equal(http?.status, 200);
      const kept = await plane.succeed('streaming', '', { http: get('/chunks') });
      assert.equal(kept.body.toString(), events.slice(1).join(''));
    });

    test('a server that hangs, or ends during a request, is the function\u2019s failure; the next call starts another', async () => {
      plane.publish('hanging', code, custom({ timeoutMs: 300 }));
      assert.match((await plane.fail('hanging', '/hangs')).body.toString(), /Function timed out after 0.3 seconds/);
      plane.publish('exiting', code, custom());
      assert.match((await plane.fail('exiting', '/exits')).body.toString(), /Process exited unexpectedly/);
      assert.ok((await plane.succeed('exiting')).coldStart !== null);
    });

    test('a program that ends before it serves is refused with what it wrote', async () => {
      plane.publish('ends', code, custom({ environment: { START: 'exits' } }));
      const outcome = await plane.invoke('ends');
      assert.ok(outcome.kind === 'refused' && outcome.code === 'CAExited', describe(outcome));
      assert.match(outcome.message, /code 4.*bootstrap'\. Logs: starting\nno licence$/s);
    });

    test('a package without a bootstrap, or with one that may not be executed, is refused by name', async () => {
      plane.publish('empty', { 'index.js': '' }, custom());
      const absent = await plane.invoke('empty');
      assert.ok(absent.kind === 'refused' && absent.code === 'CAFileNotFound', describe(absent));
      plane.publish('plain', { bootstrap: 'no script' }, custom());
      const plain = await plane.invoke('plain');
      assert.ok(plain.kind === 'refused' && plain.code === 'CAFilePermission', describe(plain));
    });

    test('a command of the settings is run instead of the bootstrap, from the code, found by its name', async () => {
      const command = { ...server, command: ['python3', 'app.py'], args: ['--production'] };
      plane.publish('command', { 'app.py': source }, custom({ server: command }));
      assert.equal(seenIn((await plane.succeed('command', 'x')).body).body, 'x');
      const file = { ...server, command: ['/code/run'] };
      plane.publish('file', { run: source }, custom({ server: file }));
      await plane.succeed('file');
    });

    test('an instance takes as many requests at once as its function allows, and one that is called off ends no other', async () => {
      plane.publish('many', code, custom({ instanceConcurrency: 10 }));
      await plane.succeed('many');
      const gone = new AbortController();
      const calledOff = plane.invoke('many', '/hangs', { signal: gone.signal });
      const slow = Array.from({ length: 9 }, () => plane.succeed('many', '/slow'));
      setTimeout(() => gone.abort(), 100);
      const ids = new Set((await Promise.all(slow)).map(({ instanceId }) => instanceId));
      assert.equal(ids.size, 1);
      const outcome = await calledOff;
      assert.ok(outcome.kind === 'refused' && outcome.code === 'ClientClosedRequest', describe(outcome));
      const last = await plane.succeed('many');
      assert.equal(last.coldStart, null);
      assert.equal(seenIn(last.body).state['most'], 10);
    });

    test('a server that falls ill is replaced after so many failures, and serves no further request', async () => {
      const healthCheck = {
        httpGetUrl: '/well',
        initialDelayMs: 0,
        periodMs: 50,
        timeoutMs: 1_000,
        failureThreshold: 3,
        successThreshold: 1,
      };
      for (const concurrency of [1, 5]) {
        const name = `ill-${concurrency}`;
        plane.publish(name, code, custom({ instanceConcurrency: concurrency, server: { ...server, healthCheck } }));
        const { instanceId } = await plane.succeed(name, '/fall-ill');
        const isReplaced = () =>
          plane.reports.some((text) => text.includes(instanceId) && text.includes('failed 3 times'));
        while (!isReplaced()) await new Promise((resolve) => setTimeout(resolve, 10));
        // Relayed, the next one takes the same port of the network that all share here.
        while (existsSync(`${plane.runDir}/i/${instanceId}`)) await new Promise((resolve) => setTimeout(resolve, 10));
        const next = await plane.succeed(name);
        assert.notEqual(next.instanceId, instanceId);
      }
    });

    test('a slow start is waited for, and a health check must be passed', async () => {
      const healthCheck = {
        httpGetUrl: '/well?deep=1',
        initialDelayMs: 0,
        periodMs: 50,
        // Long enough for a busy machine: a check that is late is made again, and is a request more.
        timeoutMs: 10_000,
        failureThreshold: 3,
        successThreshold: 2,
      };
      plane.publish(
        'slow',
        code,
        custom({ environment: { START_SECONDS: '0.4' }, server: { ...server, healthCheck } }),
      );
      const { body, coldStart } = await plane.succeed('slow');
      assert.ok((coldStart?.loadMs ?? 0) > 400);
      assert.equal(seenIn(body).state['requests'], 3);
    });
  });
}
