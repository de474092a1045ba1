// Packages as people deploy them, with what npm, pip and a bundler put into them: a Flask application (with a compiled
// wheel) as WSGI handler, a TypeScript function bundled by esbuild. Installed once under .cache/.
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Installed, installOnce, run } from '../../conformance/kit/toolchain.ts';
import { chooseInterpreter, findInterpreters } from '../../src/functions/index.ts';
import type { HttpHandlerCall } from '../../src/model/http-handler.ts';
import { type Code, openFixture } from './functions-fixture.ts';

const apps = fileURLToPath(new URL('../../fixtures/apps', import.meta.url));
const limits = { limitMs: 240_000 };
const runtime = 'python3.10';
const choice = chooseInterpreter(runtime, await findInterpreters(), true);
const python = choice.ok ? choice.interpreter : null;
const none: Installed | null = null;

const flask =
  python === null
    ? none
    : await installOnce('flask', `${python.path} ${python.version} ${textOf('flask/requirements.txt')}`, (folder) => {
        const requirements = join(apps, 'flask/requirements.txt');
        const args = ['-m', 'pip', 'install', '--quiet', '--target', folder, '-r', requirements];
        return run(python.path, args, { cwd: folder, ...limits });
      });
const bundled = await installOnce(
  'bundled',
  textOf('bundled/package.json') + textOf('bundled/index.ts'),
  async (folder) => {
    cpSync(join(apps, 'bundled'), folder, { recursive: true });
    const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
    const installed = await run('npm', ['install', ...quiet], { cwd: folder, ...limits });
    if (installed.code !== 0) return installed;
    const args = [
      'esbuild',
      'index.ts',
      '--bundle',
      '--platform=node',
      '--target=node16',
      '--minify',
      '--outfile=out/index.js',
    ];
    return await run('npx', args, { cwd: folder, ...limits });
  },
);

function textOf(file: string): string {
  return readFileSync(join(apps, file), 'utf8');
}

/** All files below a directory, as a package. */
function packageOf(directory: string): Code {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => statSync(join(directory, name)).isFile() && !name.includes('__pycache__'));
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(directory, name))]));
}

const skipOf = (installed: Installed | null): string | false => {
  if (installed === null) return 'no Python on this machine';
  return installed.ok ? false : JSON.stringify(installed);
};

test('a Flask application with a compiled wheel answers HTTP calls', { skip: skipOf(flask) }, async () => {
  assert.ok(flask?.ok);
  const plane = await openFixture('none');
  try {
    const code = { ...packageOf(flask.path), 'app.py': textOf('flask/app.py') };
    plane.publish('flask', code, { runtime, handler: 'app.app' });
    const call: HttpHandlerCall = {
      method: 'POST',
      path: '/greet/云 <b>',
      requestUri: '/2016-08-15/proxy/s/f/greet/%E4%BA%91%20%3Cb%3E?x=1&x=2',
      clientIp: '192.0.2.7',
      host: 'localhost',
      headers: ['Content-Type', 'application/x-www-form-urlencoded', 'Host', 'localhost'],
      query: ['x', '1', 'x', '2'],
      basePath: '/2016-08-15/proxy/s/f/',
    };
    const answered = await plane.succeed('flask', 'a=b', { http: call });
    assert.equal(answered.http?.status, 202);
    assert.deepEqual(JSON.parse(answered.body.toString()), {
      hello: '云 &lt;b&gt;',
      form: 'b',
      query: ['1', '2'],
      compiled: true,
    });
    assert.match(answered.http?.headers.join('='), /Set-Cookie=seen=yes/);
    const missing = await plane.succeed('flask', '', { http: { ...call, method: 'GET', path: '/nowhere' } });
    assert.equal(missing.http?.status, 404);
  } finally {
    await plane.close();
  }
});

test('a TypeScript function bundled by esbuild runs', { skip: skipOf(bundled) }, async () => {
  assert.ok(bundled.ok);
  const plane = await openFixture('none');
  try {
    plane.publish('bundled', packageOf(join(bundled.path, 'out')), { runtime: 'nodejs16' });
    const { body } = await plane.succeed('bundled', '2 days');
    assert.equal(body.toString(), '{"milliseconds":172800000}');
  } finally {
    await plane.close();
  }
});
