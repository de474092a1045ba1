// Packages as people deploy them, with what npm, pip, Composer and a bundler put into them: a Flask application (with a compiled
// wheel) as WSGI handler, a TypeScript function bundled by esbuild, a Composer project. Installed once under .cache/, deployed
// through the APIs.
import assert from 'node:assert/strict';
import { copyFileSync, cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Installed, installOnce, run } from '../../conformance/kit/toolchain.ts';
import { chooseInterpreter, findInterpreters } from '../../src/functions/index.ts';
import { callByHost as call } from '../harness/host-call.ts';
import { OpenApi } from '../harness/openapi.ts';
import { filesBelow, packed } from '../harness/package.ts';
import { functionCompute } from '../harness/sdk.ts';
import { Cleanup, root, startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';

const apps = join(root, 'fixtures/apps');
const limits = { limitMs: 240_000 };
const found = await findInterpreters();
const interpreterOf = (runtime: string) => {
  const choice = chooseInterpreter(runtime, found, true);
  return choice.ok ? choice.interpreter : null;
};
const python = interpreterOf('python3.10');
const absent = (why: string): Installed => ({ ok: false, why });

/** All that an app is built from. */
const sourceOf = (name: string) =>
  filesBelow(join(apps, name))
    .map((file) => readFileSync(join(apps, name, file), 'utf8'))
    .join('\0');

const flask =
  python === null
    ? absent('no Python on this machine')
    : await installOnce('flask', `${python.path} ${python.version} ${sourceOf('flask')}`, async (folder) => {
        const requirements = join(apps, 'flask/requirements.txt');
        const args = ['-m', 'pip', 'install', '--quiet', '--target', folder, '-r', requirements];
        copyFileSync(join(apps, 'flask/app.py'), join(folder, 'app.py'));
        return await run(python.path, args, { cwd: folder, ...limits });
      });

const bundled = await installOnce('bundled', sourceOf('bundled'), async (folder) => {
  cpSync(join(apps, 'bundled'), folder, { recursive: true });
  const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
  const installed = await run('npm', ['install', ...quiet], { cwd: folder, ...limits });
  if (installed.code !== 0) return installed;
  const options = ['--bundle', '--platform=node', '--target=node16', '--minify', '--outfile=out/index.js'];
  return await run('npx', ['esbuild', 'index.ts', ...options], { cwd: folder, ...limits });
});

const composer =
  interpreterOf('php7.2') === null
    ? absent('no PHP on this machine (Debian: php-cli)')
    : await installOnce('composer', sourceOf('composer'), (folder) => {
        cpSync(join(apps, 'composer'), folder, { recursive: true });
        const env = { COMPOSER_ALLOW_SUPERUSER: '1', COMPOSER_DISABLE_NETWORK: '1' };
        return run('composer', ['install', '--no-dev', '--quiet', '--no-interaction'], { cwd: folder, env, ...limits });
      });

const skipOf = (installed: Installed) => (installed.ok ? false : installed.why);
const pathOf = (installed: Installed) => (installed.ok ? installed.path : '');
/** Without byte code, and what only the installation needs. */
const packageOf = (directory: string, without: readonly string[] = []) =>
  packed(
    directory,
    filesBelow(directory).filter(
      (file) => !file.includes('__pycache__') && ![...without, 'complete'].some((name) => file.startsWith(name)),
    ),
  );

describe('packages', () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());
  let server: TestServer;
  let api: OpenApi;

  before(async () => {
    // The strongest tier that works here, as people run it; `start` refuses when nothing keeps functions apart.
    const command = ['start', '--runtime-fallback'];
    server = await startServer(cleanup, command, temporaryDirectory(cleanup)).catch(() =>
      startServer(cleanup, [...command, '--isolation', 'none'], temporaryDirectory(cleanup)),
    );
    api = new OpenApi(server.ready, server.credentials);
    cleanup.after(() => api.close());
  });

  /** An event function of FC 3; a call of it. */
  const publish = async (functionName: string, runtime: string, zipFile: string) => {
    const settings = { functionName, runtime, handler: 'index.handler', memorySize: 512, timeout: 20 };
    const made = await api.fc('POST', '/functions', { ...settings, code: { zipFile } });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    return async (event: string) => {
      const { errorType, bytes } = await api.invoke(functionName, event);
      assert.equal(errorType, null, bytes.toString());
      return bytes.toString();
    };
  };

  test('a Flask application with a compiled wheel answers HTTP calls by WSGI', { skip: skipOf(flask) }, async () => {
    const fc = functionCompute(server.ready, server.credentials);
    await fc.createService('shop');
    const code = { zipFile: await packageOf(pathOf(flask)) };
    const settings = { runtime: 'python3.10', handler: 'app.app', memorySize: 512, timeout: 20 };
    await fc.createFunction('shop', { functionName: 'flask', ...settings, code });
    const triggerConfig = { authType: 'anonymous', methods: ['GET', 'POST'] };
    await fc.createTrigger('shop', 'flask', { triggerName: 'http', triggerType: 'http', triggerConfig });
    const url = `${server.ready.api}/2016-08-15/proxy/shop/flask`;
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const greeted = await call(`${url}/greet/%E4%BA%91%20%3Cb%3E?x=1&x=2`, { method: 'POST', headers, body: 'a=b' });
    assert.equal(greeted.status, 202, greeted.body);
    assert.deepEqual(JSON.parse(greeted.body), {
      hello: '云 &lt;b&gt;',
      form: 'b',
      query: ['1', '2'],
      compiled: true,
    });
    assert.match(String(greeted.headers['set-cookie']), /seen=yes/);
    assert.equal((await call(`${url}/nowhere`)).status, 404);
  });

  test('a TypeScript function bundled by esbuild runs', { skip: skipOf(bundled) }, async () => {
    const invoke = await publish('bundled', 'nodejs16', await packageOf(join(pathOf(bundled), 'out')));
    assert.equal(await invoke('2 days'), '{"milliseconds":172800000}');
  });

  test('a Composer project runs with its own classes and a package that it requires', {
    skip: skipOf(composer),
  }, async () => {
    const invoke = await publish('composer', 'php7.2', await packageOf(pathOf(composer), ['packages/']));
    assert.equal(await invoke('composer'), 'hello composer');
  });
});
