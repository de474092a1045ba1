// What a program that polls the runtime API is promised (go1): real programs on a real launcher, in every isolation tier.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { after, before, describe as group, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findSandd, type LauncherClient, probeIsolation, probeSandd } from '../../src/functions/index.ts';
import type { FunctionConfig } from '../../src/model/function.ts';
import { describe, type Fixture, openFixture } from './functions-fixture.ts';

const isolation = await probeIsolation();
const native = await findSandd();
const strong = native.ok ? ((await probeSandd(native.path)).get('strong') ?? 'the probe did not end') : native.why;
const run = promisify(execFile);
const hasGo = await run('go', ['version']).then(
  () => true,
  () => false,
);

const fixtures = fileURLToPath(new URL('../../fixtures/functions/', import.meta.url));
const code = { main: readFileSync(`${fixtures}custom/polling.py`, 'utf8') };
const go1 = (more: Partial<FunctionConfig> = {}): Partial<FunctionConfig> => ({
  runtime: 'go1',
  handler: 'main',
  ...more,
});
const httpCall = {
  method: 'GET',
  path: '/a b',
  requestUri: '/2016-08-15/proxy/shop/web/a%20b?x=1',
  clientIp: '192.0.2.7',
  host: 'shop.example',
  headers: ['Accept', '*/*'],
  query: ['x', '1'],
  basePath: null,
};

type Seen = {
  readonly payload: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly state: { readonly initialized: number };
  readonly http: Readonly<Record<string, unknown>> | null;
};
const seenIn = (body: Buffer) => JSON.parse(body.toString()) as Seen;

/** Its starts are told only after the ends of what they started. */
function tellingStartsLate(launcher: LauncherClient): LauncherClient {
  const ends = new EventEmitter();
  return {
    ...launcher,
    onExited(listener) {
      launcher.onExited((exit) => {
        listener(exit);
        ends.emit(exit.instanceId);
      });
    },
    async start(spec) {
      const ended = once(ends, spec.instanceId);
      const started = await launcher.start(spec);
      await ended;
      return started;
    },
  };
}

test('a program that has ended before its start is told is reported as one that ended', async () => {
  const plane = await openFixture('none', {}, {}, tellingStartsLate);
  plane.publish('silent', { main: '#!/bin/sh\necho no configuration\nexit 7\n' }, go1());
  const outcome = await plane.invoke('silent');
  assert.ok(outcome.kind === 'refused' && outcome.code === 'CAExited', describe(outcome));
  assert.match(outcome.message, /code 7.*Logs: no configuration/s);
  await plane.close();
});

for (const tier of ['none', 'user', 'strong']) {
  const missing = isolation.missing.find((each) => each.tier === tier);
  const lacking = missing === undefined ? false : `${missing.why}; ${missing.install}`;
  const skip = tier === 'strong' ? strong !== 'ok' && strong : lacking;

  group(`programs that poll, in tier ${tier}`, { skip }, () => {
    let plane: Fixture;
    before(async () => {
      plane = await openFixture(tier, { idleMs: 60_000 });
    });
    after(async () => {
      await plane.close();
    });

    test('an event is fetched with what the platform tells, numbers as integers, and answered', async () => {
      plane.credentials = { accessKeyId: 'id', accessKeySecret: 'secret', securityToken: 'token', expiresAt: 0 };
      plane.publish('polling', code, go1({ serviceName: 'shop', timeoutMs: 2_500 }));
      const span = { context: '1:2:0:1', baggages: {} };
      const seen = seenIn((await plane.succeed('polling', 'payload', { requestId: 'r-1', span })).body);
      plane.credentials = null;
      assert.equal(seen.payload, 'payload');
      assert.equal(seen.http, null);
      assert.equal(seen.headers['x-fc-request-id'], 'r-1');
      assert.equal(seen.headers['x-fc-function-type'], '0');
      assert.equal(seen.headers['x-fc-function-timeout'], '3');
      assert.match(seen.headers['x-fc-function-deadline'] ?? '', /^\d{13}$/);
      assert.equal(seen.headers['x-fc-security-token'], 'token');
      assert.equal(seen.headers['x-fc-tracing-opentracing-span-context'], '1:2:0:1');
      assert.equal(seen.headers['x-fc-service-name'], 'shop');
      const warm = await plane.succeed('polling', 'again');
      assert.equal(warm.coldStart, null);
    });

    test('an error that is posted is the function\u2019s, and the program serves on', async () => {
      plane.publish('failing', code, go1());
      const failed = await plane.fail('failing', 'error');
      assert.equal(failed.errorType, 'UnhandledInvocationError');
      assert.equal(failed.body.toString(), '{"errorMessage": "out of stock", "errorType": "errorString"}');
      assert.equal((await plane.succeed('failing', 'fine')).coldStart, null);
    });

    test('hooks come over the same queue, told apart by their type', async () => {
      const hook = { handler: 'x', timeoutMs: 3_000 };
      plane.publish('hooked', code, go1({ initializer: hook, preFreeze: hook, preStop: hook }));
      assert.equal(seenIn((await plane.succeed('hooked')).body).state.initialized, 1);
      const said = (text: string) => plane.lines.some((line) => line.functionKey === 'hooked' && line.text === text);
      while (!said('hook 3')) await new Promise((resolve) => setTimeout(resolve, 20));
      plane.publish('hooked', code, go1());
      while (!said('hook 2')) await new Promise((resolve) => setTimeout(resolve, 20));
      plane.publish('broken', code, go1({ initializer: hook, environment: { INITIALIZER: 'fails' } }));
      const failed = await plane.fail('broken');
      assert.equal(failed.errorType, 'InitializationError');
      assert.equal(failed.body.toString(), '{"errorMessage":"no database"}');
    });

    test('an HTTP call comes as parameters beside the body, and is answered so', async () => {
      plane.publish('web', code, go1());
      const { body, http } = await plane.succeed('web', 'raw', { http: httpCall });
      assert.deepEqual(http, { status: 202, headers: ['X-Own', 'one', 'X-Own', 'two', 'Server', 'mine'] });
      const seen = seenIn(body);
      assert.equal(seen.payload, 'raw');
      assert.equal(seen.http?.['path'], '/a b');
      assert.deepEqual(seen.http?.['queriesMap'], { x: ['1'] });
      const bare = await plane.invoke('web', 'no head', { http: httpCall });
      assert.ok(bare.kind === 'refused' && bare.code === 'BadResponse', describe(bare));
    });

    test('a program that ends, hangs or never polls is the function\u2019s failure', async () => {
      plane.publish('exiting', code, go1());
      assert.match((await plane.fail('exiting', 'exit')).body.toString(), /Process exited unexpectedly/);
      plane.publish('hanging', code, go1({ timeoutMs: 300 }));
      assert.match((await plane.fail('hanging', 'hang')).body.toString(), /Function timed out after 0.3 seconds/);
      plane.publish('silent', { main: '#!/bin/sh\necho no configuration\nexit 7\n' }, go1());
      const outcome = await plane.invoke('silent');
      assert.ok(outcome.kind === 'refused' && outcome.code === 'CAExited', describe(outcome));
      assert.match(outcome.message, /code 7.*Logs: no configuration/s);
      plane.publish('declining', code, go1({ environment: { START: 'init error' } }));
      assert.equal((await plane.fail('declining')).body.toString(), '{"errorMessage":"no such config"}');
    });

    test('nobody without the secret is served by the runtime API', async () => {
      plane.publish(
        'guarded',
        {
          main: '#!/bin/sh\necho api=$FC_RUNTIME_API\nexec python3 polling.py\n',
          'polling.py': code.main,
        },
        go1(),
      );
      await plane.succeed('guarded', 'x');
      const line = plane.lines.find(({ text }) => text.startsWith('api='))?.text ?? '';
      const [address = ''] = line.slice('api='.length).split('/');
      const status = await new Promise<number | undefined>((resolve, reject) => {
        request(`http://${address}/2020-11-11/runtime/invocation/next`, (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        })
          .on('error', reject)
          .end();
      });
      assert.equal(status, 404);
      assert.ok(plane.reports.some((text) => text.includes('without its secret')));
    });

    test('a Go binary answers', { skip: hasGo ? false : 'Go is not here; apt-get install golang-go' }, async () => {
      const directory = mkdtempSync('/tmp/yunmen-go-');
      const environment = {
        ...process.env,
        CGO_ENABLED: '0',
        GOFLAGS: '-buildvcs=false',
      };
      await run('go', ['build', '-o', `${directory}/main`, '.'], { cwd: `${fixtures}go`, env: environment });
      const config = plane.publish('go', {}, go1());
      copyFileSync(`${directory}/main`, `${config.code.directory}/main`);
      rmSync(directory, { recursive: true });
      const { body, coldStart } = await plane.succeed('go', 'text');
      assert.equal(body.toString(), '"text"');
      assert.ok(coldStart !== null);
    });
  });
}

group('programs that poll through a relay', { skip: strong !== 'ok' && strong }, () => {
  test('the API is at one port inside, and answers as elsewhere', async (t) => {
    const plane = await openFixture('strong', { idleMs: 60_000 }, { hasOwnNetwork: true });
    t.after(() => plane.close());
    plane.publish(
      'relayed',
      {
        ...code,
        main: code.main.replace('import time\n', 'import time\nprint(os.environ["FC_RUNTIME_API"], flush=True)\n'),
      },
      go1(),
    );
    assert.equal(seenIn((await plane.succeed('relayed', 'payload')).body).payload, 'payload');
    assert.equal((await plane.fail('relayed', 'error')).errorType, 'UnhandledInvocationError');
    const large = Buffer.alloc(3 * 1024 * 1024, 'x');
    assert.equal(seenIn((await plane.succeed('relayed', large)).body).payload.length, large.length);
    assert.ok(plane.lines.some(({ text }) => text === '127.0.0.1:19001'));
  });
});
