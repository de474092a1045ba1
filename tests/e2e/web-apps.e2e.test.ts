// Web apps as people have them, run unchanged as custom runtimes through the APIs: Express, Spring Boot as a jar, a Go server.
// What they need is installed once under .cache/; without the tools (npm, Maven, Go) it is said and CI fails.
import assert from 'node:assert/strict';
import { cpSync, readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { type Installed, installOnce, run } from '../../conformance/kit/toolchain.ts';
import { OpenApi } from '../harness/openapi.ts';
import { filesBelow, packed } from '../harness/package.ts';
import { zipped } from '../harness/sdk.ts';
import { Cleanup, root, startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';

const apps = join(root, 'fixtures/apps');
const installLimitMs = 240_000;

/** All that an app is built from. */
const sourceOf = (name: string) =>
  filesBelow(join(apps, name))
    .map((file) => readFileSync(join(apps, name, file), 'utf8'))
    .join('\0');

const built: Readonly<Record<string, Installed>> = {
  express: await installOnce('express', sourceOf('express'), (folder) => {
    cpSync(join(apps, 'express'), folder, { recursive: true });
    return run('npm', ['install', '--omit=dev', '--no-audit', '--no-fund', '--ignore-scripts'], {
      cwd: folder,
      limitMs: installLimitMs,
    });
  }),
  'spring-boot': await installOnce('spring-boot', sourceOf('spring-boot'), (folder) => {
    cpSync(join(apps, 'spring-boot'), folder, { recursive: true });
    return run('mvn', ['-q', '-B', 'package', '-DskipTests'], { cwd: folder, limitMs: installLimitMs });
  }),
  'go-server': await installOnce('go-server', sourceOf('go-server'), (folder) =>
    run('go', ['build', '-o', join(folder, 'bootstrap'), '.'], {
      cwd: join(apps, 'go-server'),
      env: { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' },
      limitMs: installLimitMs,
    }),
  ),
};

test('the apps could be built, or it is said why their cases are not here', (t) => {
  for (const [name, { ok, ...rest }] of Object.entries(built)) {
    if (ok) continue;
    t.diagnostic(`no cases with ${name}: ${JSON.stringify(rest)}`);
    assert.notEqual(process.env['CI'], 'true', JSON.stringify(rest));
  }
});

describe('web apps as functions', () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());
  let server: TestServer;
  let api: OpenApi;

  before(async () => {
    // The strongest tier that works here, as people run it; `start` refuses when nothing keeps functions apart.
    server = await startServer(cleanup, ['start'], temporaryDirectory(cleanup)).catch(() =>
      startServer(cleanup, ['start', '--isolation', 'none'], temporaryDirectory(cleanup)),
    );
    api = new OpenApi(server.ready, server.credentials);
    cleanup.after(() => api.close());
  });

  /** Makes the function with a trigger; a call of its URL. */
  async function publish(name: string, zipFile: string, more: object = {}) {
    const made = await api.fc('POST', '/functions', {
      functionName: name,
      runtime: 'custom.debian12',
      handler: 'any',
      memorySize: 1024,
      timeout: 60,
      instanceConcurrency: 20,
      code: { zipFile },
      ...more,
    });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    const trigger = await api.fc('POST', `/functions/${name}/triggers`, {
      triggerName: 'http',
      triggerType: 'http',
      triggerConfig: JSON.stringify({ authType: 'anonymous', methods: ['GET', 'POST'] }),
    });
    const { urlInternet } = trigger.body['httpTrigger'] as { urlInternet: string };
    const { host } = new URL(urlInternet);
    return (path: string, how: { readonly method?: string; readonly json?: unknown } = {}) =>
      fetchAs(server.ready.http, host, path, how);
  }

  test('Express', { skip: !built['express']?.ok && 'npm could not install it' }, async () => {
    const { path } = built['express'] as { path: string };
    const files = filesBelow(path).filter((file) => file !== 'complete');
    const call = await publish('express', await packed(path, files));
    const hello = await call('/hello/gate?x=1&y=%E4%BA%91');
    assert.deepEqual(hello.json(), { hello: 'gate', query: { x: '1', y: '云' }, host: hello.host });
    assert.equal(hello.cookie, 'seen=yes; Path=/');
    const sum = await call('/sum', { method: 'POST', json: { a: 2, b: 3 } });
    assert.deepEqual([sum.status, sum.json()], [201, { sum: 5 }]);
    assert.equal((await call('/events')).text, 'data: 0\n\ndata: 1\n\ndata: 2\n\n');
    assert.equal((await call('/throws')).status, 500);
    assert.equal((await call('/nothing')).status, 404);
    const many = await Promise.all(Array.from({ length: 40 }, (_, number) => call(`/hello/${number}`)));
    assert.deepEqual(
      many.map((each) => (each.json() as { hello: string }).hello),
      many.map((_, number) => String(number)),
    );
  });

  test('Spring Boot, started by a command', {
    skip: !built['spring-boot']?.ok && 'Maven could not build it',
  }, async () => {
    const { path } = built['spring-boot'] as { path: string };
    const customRuntimeConfig = { command: ['java'], args: ['-jar', 'app.jar'], port: 8080 };
    const call = await publish('spring', await packed(join(path, 'target'), ['app.jar']), { customRuntimeConfig });
    const hello = await call('/hello/gate');
    assert.equal(hello.status, 200, hello.text);
    assert.equal((hello.json() as { hello: string }).hello, 'gate');
    assert.equal((hello.json() as { requestId: string }).requestId, hello.requestId);
    assert.deepEqual((await call('/sum', { method: 'POST', json: { a: 2, b: 3 } })).json(), { sum: 5 });
  });

  test('servers that know one port only run beside each other, each in its own network', async (t) => {
    if (server.ready.network === 'host') return t.skip('functions share the host\u2019s network here');
    const source = readFileSync(join(root, 'fixtures/functions/custom/server.py'), 'utf8');
    const fixed = source.replace("int(os.environ['FC_SERVER_PORT'])", '9000');
    assert.notEqual(fixed, source);
    const zipFile = await zipped({ bootstrap: fixed });
    const calls = await Promise.all(
      ['first', 'second'].map((name) => publish(name, zipFile, { instanceConcurrency: 1 })),
    );
    const answers = await Promise.all([...calls, ...calls].map((call) => call('/')));
    for (const { status, text } of answers) assert.equal(status, 201, text);
  });

  test('a Go server', { skip: !built['go-server']?.ok && 'Go could not build it' }, async () => {
    const { path } = built['go-server'] as { path: string };
    const call = await publish('gosite', await packed(path, ['bootstrap']));
    assert.equal((await call('/a%20b?x=1')).text, 'GET /a%20b?x=1');
  });
});

type Called = {
  readonly status: number;
  readonly text: string;
  readonly cookie: string | null;
  readonly requestId: string | null;
  readonly host: string;
  json(): unknown;
};

/** fetch() does not let one say the Host: the prefix goes as a name of this machine. */
async function fetchAs(
  http: string,
  host: string,
  path: string,
  { method = 'GET', json }: { readonly method?: string; readonly json?: unknown },
): Promise<Called> {
  const { hostname, port } = new URL(http);
  const body = json === undefined ? null : JSON.stringify(json);
  const headers = { host, ...(body === null ? {} : { 'content-type': 'application/json' }) };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ host: hostname, port, path, method, headers }, resolve).on('error', reject).end(body);
  });
  const text = (await buffer(answer)).toString();
  return {
    status: answer.statusCode ?? 0,
    text,
    cookie: answer.headers['set-cookie']?.[0] ?? null,
    host: host.replace(/:\d+$/, ''),
    requestId: String(answer.headers['x-fc-request-id']),
    json: () => JSON.parse(text) as unknown,
  };
}
