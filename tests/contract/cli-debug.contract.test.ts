// `yunmen dev --debug`: what the server is told, what an editor is told, and what is refused with which advice.
import assert from 'node:assert/strict';
import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { CliDeps } from '../../src/cli/index.ts';
import { zipped } from '../harness/sdk.ts';
import { DevRun } from './cli-dev-run.ts';
import { type Place, withPlace } from './cli-run.ts';

type Function = { readonly runtime: string; readonly handler: string; readonly codeUri: string };

/** A project with the function `shop/cart` (and one beside it) and these files. */
async function withProject(
  { runtime, handler, codeUri }: Function,
  files: Readonly<Record<string, string | Buffer>>,
  use: (place: Place & { readonly project: string }) => Promise<void>,
): Promise<void> {
  await withPlace(async (place) => {
    const project = join(await realpath(place.folder), 'project');
    const template = `ROSTemplateFormatVersion: '2015-09-01'
Transform: 'Aliyun::Serverless-2018-04-03'
Resources:
  shop:
    Type: 'Aliyun::Serverless::Service'
    cart:
      Type: 'Aliyun::Serverless::Function'
      Properties: { Runtime: ${runtime}, Handler: ${handler}, CodeUri: ${codeUri}, EnvironmentVariables: { A: '1' } }
    stock:
      Type: 'Aliyun::Serverless::Function'
      Properties: { Runtime: nodejs20, Handler: index.handler, CodeUri: ./stock }
`;
    const all = { 'template.yml': template, 'stock/index.js': '', ...files };
    for (const [name, content] of Object.entries(all)) {
      await mkdir(dirname(join(project, name)), { recursive: true });
      await writeFile(join(project, name), content);
    }
    await use({ ...place, project });
  });
}

/** An open port of this machine, and one that is free. */
async function ports(): Promise<{ taken: number; free: number; close(): void }> {
  const open = async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { server, port: (server.address() as AddressInfo).port };
  };
  const [one, other] = await Promise.all([open(), open()]);
  await new Promise((resolve) => other.server.close(resolve));
  return { taken: one.port, free: other.port, close: () => one.server.close() };
}

type Told = { readonly port: number; readonly launch: Readonly<Record<string, unknown>> };

/** What the editor is told, and what the server was; `unpacked` has the folders that a package was put into. */
async function debug({ fake, folder }: Place, more: Partial<CliDeps> = {}) {
  const { free, close } = await ports();
  close();
  const unpacked: string[] = [];
  const argv = ['dev', 'project', '--json', '--debug', 'cart', '--debug-port', String(free)];
  const run = new DevRun(fake, folder, argv, {
    unpackCode: async (_zip, directory) => void unpacked.push(directory),
    ...more,
  });
  const [line = ''] = await run.see('stdout', /\{"event":"debug".*\}/);
  assert.match(run.stdout, /^\{"event":"ready"/);
  assert.equal(await run.stop(), 0);
  const { port, launch } = JSON.parse(line) as Told;
  assert.equal(port, free);
  return { launch, options: run.options[0], unpacked, port };
}

test('--debug names the function to the server, and tells an editor how to attach after the ready line', async () => {
  const function_ = { runtime: 'python3.10', handler: 'index.handler', codeUri: './cart' };
  await withProject(function_, { 'cart/index.py': '' }, async (place) => {
    const { launch, options, unpacked, port } = await debug(place);
    assert.deepEqual(launch, {
      name: 'yunmen: cart',
      type: 'debugpy',
      request: 'attach',
      connect: { host: '127.0.0.1', port },
      justMyCode: true,
    });
    assert.equal(options?.isolation, 'none');
    const codeDirectory = join(place.project, 'cart');
    assert.deepEqual(options?.debug, { serviceName: 'shop', functionName: 'cart', port, codeDirectory });
    assert.deepEqual(unpacked, []);
  });
});

test('a zip runs from where it is unpacked, and the editor is told where its sources are', async () => {
  const rows = [
    ['nodejs20', 'index.handler', './dist/cart.zip', 'dist/cart/index.js', 'dist/cart'],
    ['nodejs20', 'lib/index.handler', './cart.zip', 'sources/cart/lib/index.mjs', 'sources/cart'],
    ['python3.10', 'index.handler', './cart.zip', 'index.py', ''],
    ['php7.2', 'index.handler', './cart.zip', 'src/index.php', 'src'],
  ] as const;
  for (const [runtime, handler, codeUri, source, folder] of rows) {
    const zip = Buffer.from(await zipped({ x: '' }), 'base64');
    await withProject({ runtime, handler, codeUri }, { [codeUri]: zip, [source]: '' }, async (place) => {
      const { launch, options, unpacked } = await debug(place);
      const remoteRoot = join(place.folder, '.yunmen/debug/shop/cart');
      assert.deepEqual([options?.debug?.codeDirectory, unpacked], [remoteRoot, [remoteRoot]]);
      const localRoot = join(place.folder, 'project', folder);
      if (runtime === 'nodejs20')
        assert.deepEqual([launch['remoteRoot'], launch['localRoot']], [remoteRoot, localRoot]);
      if (runtime === 'python3.10') assert.deepEqual(launch['pathMappings'], [{ remoteRoot, localRoot }]);
      if (runtime === 'php7.2') assert.deepEqual(launch['pathMappings'], { [remoteRoot]: localRoot });
    });
  }
});

test('of a jar the editor is told the source folder of the project that made it', async () => {
  const jar = Buffer.from(await zipped({ x: '' }), 'base64');
  const function_ = { runtime: 'java11', handler: 'shop.Cart::handle', codeUri: './cart/target/cart.jar' };
  const files = { 'cart/target/cart.jar': jar, 'cart/src/main/java/shop/Cart.java': '' };
  await withProject(function_, files, async (place) => {
    const { launch, unpacked } = await debug(place);
    assert.deepEqual(launch['sourcePaths'], [join(place.folder, 'project/cart/src/main/java')]);
    assert.equal(unpacked.length, 1);
  });
});

test('sources that are nowhere in the project are asked for', async () => {
  const function_ = { runtime: 'python3.10', handler: 'main.handler', codeUri: './cart.zip' };
  const { free, close } = await ports();
  close();
  await withProject(
    function_,
    { 'cart.zip': Buffer.from(await zipped({ x: '' }), 'base64') },
    async ({ fake, folder }) => {
      const argv = ['dev', 'project', '--debug', 'cart', '--debug-port', String(free)];
      const run = new DevRun(fake, folder, argv, { unpackCode: async () => {} });
      await run.see(
        'stdout',
        /No folder of the project has main\.py: put the folder of the package's sources in the place of/,
      );
      assert.equal(await run.stop(), 0);
    },
  );
});

test('what the language lacks is said with the line that installs it, and nothing is served', async () => {
  const function_ = { runtime: 'php7.2', handler: 'index.handler', codeUri: './cart' };
  await withProject(function_, { 'cart/index.php': '' }, async ({ fake, folder, project }) => {
    const asked: unknown[] = [];
    const run = new DevRun(fake, folder, ['dev', 'project', '--debug', 'shop/cart'], {
      findMissingDebugger: async (about) => {
        asked.push(about);
        return '/usr/bin/php has no Xdebug; install it: apt-get install php-xdebug';
      },
    });
    assert.equal(await run.done, 1);
    assert.match(run.stderr, /--debug: .* apt-get install php-xdebug/);
    assert.doesNotMatch(run.stdout, /ready/);
    assert.equal(run.closes, 1);
    const codeDirectory = join(project, 'cart');
    const environment = { A: '1' };
    assert.deepEqual(asked, [
      { runtime: 'php7.2', environment, codeDirectory, layerDirectories: [], runtimeFallback: true },
    ]);
  });
});

test('--debug refuses what cannot be debugged, each with what to do instead', async (t) => {
  const { taken, close } = await ports();
  t.after(close);
  const node = { runtime: 'nodejs20', handler: 'index.handler', codeUri: './stock' };
  for (const [function_, flags, exitCode, message] of [
    [node, ['nothing'], 2, /has no function 'nothing' \(it has shop\/cart, shop\/stock\)/],
    [node, ['cart', '--isolation', 'user'], 2, /--debug needs --isolation none/],
    [node, ['cart', '--data-processes', '2'], 2, /--debug needs one data process/],
    [node, ['cart', '--debug-port', 'x'], 2, /--debug-port must be a port, not 'x'/],
    [node, ['cart', '--debug-port', String(taken)], 1, /port \d+ is taken; choose another with --debug-port/],
    [{ ...node, runtime: 'go1' }, ['cart'], 2, /runtime 'go1' starts a program of your own.*dlv attach <pid>/],
    [{ ...node, runtime: 'custom.debian12' }, ['cart'], 2, /'custom\.debian12'.*node --inspect=127\.0\.0\.1:9229/],
  ] as const) {
    await withProject(function_, {}, async ({ fake, folder }) => {
      const run = new DevRun(fake, folder, ['dev', 'project', '--debug', ...flags]);
      assert.equal(await run.done, exitCode);
      assert.match(run.stderr, message);
      assert.deepEqual(run.options, []);
    });
  }
});
