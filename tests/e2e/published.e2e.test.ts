// The published package, as `npm pack` makes it: unpacked in an empty place it starts without a compiler, by the launcher that it
// brings; without that, by the one in Node; and what cannot be had is a start failure that says what would help.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { findSandd, probeIsolation, probeSandd } from '../../src/functions/index.ts';
import { OpenApi } from '../harness/openapi.ts';
import { zipped } from '../harness/sdk.ts';
import { Cleanup, root, startServer, temporaryDirectory } from '../harness/server.ts';

const isRoot = process.getuid?.() === 0;
const native = await findSandd();
const probed = native.ok ? await probeSandd(native.path) : new Map<string, string>();
const best = ['strong', 'user', 'restricted'].find((tier) => probed.get(tier) === 'ok');
const bubblewrap = await probeIsolation();
const noCompiler = 'no C compiler (apt-get install -y gcc libc6-dev)';

function pathOf(tool: string): string {
  return execFileSync('which', [tool], { encoding: 'utf8' }).trim();
}

type Manifest = {
  readonly scripts: { readonly prepack: string };
  readonly dependencies: Readonly<Record<string, string>>;
};

/** What `node_modules` holds of a package that was installed: its files, and nothing but what it says that it depends on. */
function install(place: string): string {
  const { scripts, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
  // A copy: others build in the checkout meanwhile.
  const checkout = join(place, 'checkout');
  for (const each of [
    'bin',
    'src',
    'native',
    'runtimes',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'README.md',
  ]) {
    cpSync(join(root, each), join(checkout, each), { recursive: true });
  }
  for (const each of ['native/build', 'native/prebuilt'])
    rmSync(join(checkout, each), { recursive: true, force: true });
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
  const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH']}` };
  const options = { cwd: checkout, env, stdio: 'pipe' } as const;
  // Java's part needs a JDK, and has a test of its own.
  execFileSync('sh', ['-c', scripts.prepack.replace('sh runtimes/java/build.sh && ', '')], options);
  execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', place], options);
  const modules = join(place, 'node_modules');
  const directory = join(modules, 'yunmen');
  mkdirSync(directory, { recursive: true });
  execFileSync('sh', ['-c', `tar xzf ${place}/yunmen-*.tgz -C ${directory} --strip-components 1`]);
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  return directory;
}

describe('the published package', () => {
  const cleanup = new Cleanup();
  let directory: string;
  let env: NodeJS.ProcessEnv;
  const program = () => join(directory, 'bin/yunmen');
  before(() => {
    const place = temporaryDirectory(cleanup);
    directory = install(place);
    // What build.sh and the start script need, and no compiler.
    const bin = join(place, 'bin');
    mkdirSync(bin);
    symlinkSync(process.execPath, join(bin, 'node'));
    for (const tool of ['dirname', 'grep', 'head', 'ls', 'mkdir', 'mv', 'readlink', 'rm', 'python3']) {
      symlinkSync(pathOf(tool), join(bin, tool));
    }
    env = { PATH: bin };
  });
  after(() => cleanup.run());

  /** Starts it, and calls a function; tells its ready line and what it complained of. */
  async function serves(t: { after(step: () => Promise<void> | void): void }, ...flags: string[]) {
    const command = ['start', '--runtime-fallback', ...flags];
    const server = await startServer(t, command, temporaryDirectory(t), { program: program(), env });
    const api = new OpenApi(server.ready, server.credentials);
    const code = { zipFile: await zipped({ 'index.py': 'def handler(event, context):\n    return event\n' }) };
    const made = { functionName: 'echo', runtime: 'python3.10', handler: 'index.handler', code };
    assert.equal((await api.fc('POST', '/functions', made)).status, 200);
    assert.equal((await api.invoke('echo', 'as it was')).bytes.toString(), 'as it was');
    api.close();
    assert.equal(await server.stop(), 0);
    const { isolation, launcher } = server.ready;
    return { isolation, launcher, log: server.log() };
  }

  /** Its exit code and what it says; `before` is what runs it. */
  function says(args: readonly string[], before: readonly string[] = []) {
    const [file = '', ...rest] = [...before, program(), ...args];
    const options = { env, cwd: dirname(directory), encoding: 'utf8', timeout: 60_000 } as const;
    const { status, stdout, stderr } = spawnSync(file, rest, options);
    return { status, text: `${stdout}${stderr}` };
  }

  const ports = ['--gateway-port', '0', '--http-port', '0', '--api-port', '0'];
  const start = (...flags: string[]) => ['start', '--data-dir', join(dirname(directory), 'data'), ...ports, ...flags];

  test('holds programs and no tests or sources', () => {
    assert.ok(existsSync(join(directory, 'dist/main.js')));
    assert.deepEqual(
      ['src', 'tests', 'tsconfig.json'].filter((each) => existsSync(join(directory, each))),
      [],
    );
  });

  test('serves without a compiler in the best tier, by the launcher that it brings', {
    skip: best === undefined ? 'no tier of the native launcher works here' : false,
  }, async (t) => {
    const { isolation, launcher, log } = await serves(t);
    assert.deepEqual([isolation, launcher], [best, 'sandd']);
    assert.doesNotMatch(log, /slower launcher/);
    assert.ok(!existsSync(join(directory, 'native/build')), 'nothing was built');
  });

  describe('where it brings no launcher for the processor', () => {
    before(() => rmSync(join(directory, 'native/prebuilt'), { recursive: true }));

    const hasBubblewrap = bubblewrap.tier === 'user';
    test('serves by the launcher in Node, in bubblewrap’s tier, and says so', {
      skip: hasBubblewrap ? false : 'no bubblewrap here',
    }, async (t) => {
      const { isolation, launcher, log } = await serves(t);
      assert.deepEqual([isolation, launcher], ['user', 'node']);
      assert.match(log, /functions are started by the slower launcher: .*no C compiler/);
      const { status, text } = says(['doctor']);
      assert.equal(status, 0, text);
      assert.match(text, /would choose tier user; instances are started by .*Node/);
      const install = 'apt-get install -y gcc libc6-dev';
      const line = isRoot ? install : `sudo ${install} && sudo yunmen start`;
      assert.ok(text.includes(`\nThis would raise it: ${line}\n`), text);
    });

    test('serves without any isolation when that is asked for', async (t) => {
      const { isolation, launcher } = await serves(t, '--isolation', 'none');
      assert.deepEqual([isolation, launcher], ['none', 'node']);
    });

    for (const tier of ['strong', 'restricted']) {
      test(`does not start when tier ${tier} is asked for, and says what is missing`, () => {
        const { status, text } = says(start('--isolation', tier));
        assert.equal(status, 1, text);
        const what = `the isolation tier '${tier}' cannot be had here: the native launcher could not be built: ${noCompiler}`;
        assert.ok(text.includes(what), text);
      });
    }

    // Root can take it away for one command.
    const script = `for p in /usr/bin/bwrap /usr/local/bin/bwrap; do [ ! -e $p ] || ${pathOf('mount')} --bind /dev/null $p; done; exec "$@"`;
    const hiding = [pathOf('unshare'), '--mount', '--propagation', 'private', '/bin/sh', '-c', script, 'sh'];
    const canHide = isRoot && spawnSync('unshare', ['--mount', 'true']).status === 0;
    describe('and there is no bubblewrap', { skip: canHide ? false : 'it takes root to hide it' }, () => {
      test('does not start, unless it is asked for tier none', () => {
        for (const flags of [[], ['--isolation', 'user']]) {
          const { status, text } = says(start(...flags), hiding);
          assert.equal(status, 1, text);
          assert.match(
            text,
            flags.length === 0
              ? /'start' does not run them unprotected/
              : /the isolation tier 'user' cannot be had here/,
          );
          assert.match(
            text,
            /tier 'user': bubblewrap \(bwrap\) is not installed\. This line would help: \S.* bubblewrap$/m,
          );
        }
      });

      test('the doctor says the line that would help, and fails', () => {
        const { status, text } = says(['doctor'], hiding);
        assert.equal(status, 1, text);
        assert.match(text, /would refuse/);
        assert.match(text, /^This would raise it: \S.* bubblewrap$/m);
      });
    });
  });
});
