// Attacks on the processes that wait for functions: start-up files and variables of a package must reach neither them nor
// the function that gets one next. Each is first shown to be real on a plain interpreter that has the whole machine.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findSandd, probeSandd } from '../../src/functions/index.ts';
import { type Fixture, openFixture } from '../contract/functions-fixture.ts';
import { javaFunction, noJava } from '../contract/java-function.ts';
import { temporaryDirectory } from '../harness/server.ts';

const found = await findSandd();
const probed = found.ok ? await probeSandd(found.path) : new Map<string, string>();
const isStrong = probed.get('strong') === 'ok';
const mark = 'EARLY_CODE_RAN';
const earlyPython = `import builtins\nbuiltins.${mark} = True\nprint('${mark}')\n`;
const earlyPhp = `<?php define('${mark}', true); echo '${mark}';\n`;
const earlyNode = `globalThis.${mark} = true;\nconsole.log('${mark}');\n`;

type Early = {
  readonly title: string;
  readonly runtime: 'python3.10' | 'nodejs20' | 'php7.2';
  readonly files: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  /** Arguments of the plain interpreter, in the package's directory. */
  readonly plain: readonly string[];
};

const attacks: readonly Early[] = [
  {
    title: 'a sitecustomize by PYTHONPATH',
    runtime: 'python3.10',
    files: { 'sitecustomize.py': earlyPython },
    environment: { PYTHONPATH: '.' },
    plain: ['-c', 'pass'],
  },
  {
    title: 'a usercustomize by PYTHONUSERBASE',
    runtime: 'python3.10',
    files: { 'sitecustomize.py': 'import usercustomize\n', 'usercustomize.py': earlyPython },
    environment: { PYTHONPATH: '.', PYTHONUSERBASE: '.' },
    plain: ['-c', 'pass'],
  },
  {
    title: 'a .pth file that imports',
    runtime: 'python3.10',
    files: {
      'early.pth': 'import early_by_pth\n',
      'early_by_pth.py': earlyPython,
      'sitecustomize.py': 'import site; site.addsitedir(".")\n',
    },
    environment: { PYTHONPATH: '.' },
    plain: ['-c', 'pass'],
  },
  {
    title: "a module in the place of the library's",
    runtime: 'python3.10',
    files: { 'json.py': earlyPython },
    environment: {},
    plain: ['-c', 'import json'],
  },
  {
    title: 'a file required by NODE_OPTIONS',
    runtime: 'nodejs20',
    files: { 'early.js': earlyNode },
    environment: { NODE_OPTIONS: '--require ./early.js' },
    plain: ['-e', '0'],
  },
  {
    title: 'a package.json that makes all of it ES modules, with a module named as one of ours',
    runtime: 'nodejs20',
    files: { 'agent/package.json': '{"type":"commonjs","main":"early.js"}', 'agent/early.js': earlyNode },
    environment: {},
    plain: ['-e', 'require("./agent")'],
  },
  {
    title: 'a file that extension/*.ini has PHP run first',
    runtime: 'php7.2',
    files: { 'extension/early.ini': 'auto_prepend_file=early.php\ninclude_path=".:/code"\n', 'early.php': earlyPhp },
    environment: { PHP_INI_SCAN_DIR: './extension' },
    plain: ['-f', 'index.php'],
  },
  {
    title: 'a php.ini by PHPRC',
    runtime: 'php7.2',
    files: { 'php.ini': 'auto_prepend_file=early.php\ninclude_path=".:/code"\n', 'early.php': earlyPhp },
    environment: { PHPRC: '.' },
    plain: ['-f', 'index.php'],
  },
  {
    title: 'a php.ini and a .user.ini beside the code',
    runtime: 'php7.2',
    files: {
      'php.ini': 'auto_prepend_file=early.php\n',
      '.user.ini': 'auto_prepend_file=early.php\n',
      'early.php': earlyPhp,
    },
    environment: {},
    plain: ['-c', '.', '-f', 'index.php'],
  },
];

const programs = { 'python3.10': 'python3', nodejs20: 'node', 'php7.2': 'php' } as const;
const victims = {
  'python3.10': {
    'index.py': `import builtins, sys\ndef handler(event, context):\n    return '${mark}' if hasattr(builtins, '${mark}') else 'clean ' + str('json' in sys.modules and sys.modules['json'].__file__)\n`,
  },
  nodejs20: {
    'index.js': `exports.handler = (e, c, callback) => callback(null, globalThis.${mark} ? '${mark}' : 'clean');\n`,
  },
  'php7.2': {
    'index.php': `<?php function handler($event, $context) { return defined('${mark}') ? '${mark}' : 'clean'; }\n`,
  },
} as const;
const attackers = {
  'python3.10': { 'index.py': 'def handler(event, context):\n    return "ran"\n' },
  nodejs20: { 'index.js': 'exports.handler = (e, c, callback) => callback(null, "ran");\n' },
  'php7.2': { 'index.php': '<?php function handler($event, $context) { return "ran"; }\n' },
} as const;

async function untilOneWaits(plane: Fixture): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (plane.functions.stats().spares === 0) {
    assert.ok(performance.now() < deadline, 'none waits');
    await sleep(10);
  }
}

/** What a process that waits has mapped and been started with. */
function seenOfWaiting({ runDir }: Fixture): string {
  const ids = readdirSync(`${runDir}/i`);
  return readdirSync('/proc')
    .map((name) => {
      try {
        const environment = /^\d+$/.test(name) ? readFileSync(`/proc/${name}/environ`, 'latin1') : '';
        if (!environment.includes('FC_SPARE=') || !ids.some((id) => environment.includes(id))) return '';
        return `${environment}${readFileSync(`/proc/${name}/maps`, 'latin1')}`;
      } catch {
        return ''; // it has ended
      }
    })
    .join('\n');
}

for (const tier of ['none', 'user', 'strong']) {
  const skip = tier === 'none' || probed.get(tier) === 'ok' ? false : `tier ${tier} cannot be had here`;
  describe(`processes that wait in tier ${tier}`, { skip }, () => {
    for (const { title, runtime, files, environment, plain } of attacks) {
      test(`are reached by ${title}: no`, async (t) => {
        const bare = temporaryDirectory(t);
        for (const [name, text] of Object.entries({ ...attackers[runtime], ...files })) {
          mkdirSync(dirname(join(bare, name)), { recursive: true });
          writeFileSync(join(bare, name), text);
        }
        const program = programs[runtime];
        const { stdout } = spawnSync(program, plain, {
          cwd: bare,
          env: { PATH: process.env['PATH'], ...environment },
          encoding: 'utf8',
        });
        assert.match(stdout, new RegExp(mark), 'outside of the platform it runs');
        const plane = await openFixture(tier, {}, { isNative: tier !== 'none' });
        t.after(() => plane.close());
        plane.publish('first', victims[runtime], { runtime });
        await plane.succeed('first');
        await untilOneWaits(plane);
        plane.publish('attacker', { ...files, ...attackers[runtime] }, { runtime, environment });
        await plane.invoke('attacker');
        await untilOneWaits(plane);
        const seen = seenOfWaiting(plane);
        assert.ok(seen.includes('FC_SPARE=') && !seen.includes('early') && !seen.includes('NODE_OPTIONS=--require'));
        plane.publish('victim', victims[runtime], { runtime });
        const { body, coldStart } = await plane.succeed('victim');
        assert.equal(coldStart?.isSpare, true);
        assert.match(body.toString(), /^clean/);
      });
    }
  });
}

const skip = noJava || !isStrong ? 'no Java, no Maven, or not tier strong' : false;
describe('Java processes that wait in tier strong', { skip }, () => {
  for (const name of ['JAVA_TOOL_OPTIONS', 'JDK_JAVA_OPTIONS']) {
    test(`are reached by ${name}: no`, async (t) => {
      const plane = await openFixture('strong');
      t.after(() => plane.close());
      const files = { ...(await javaFunction()), '.hotspotrc': `-D${mark}=1`, 'yunmen/Instance.class': 'no class' };
      const config = { runtime: 'java11', handler: 'example.Looks::handleRequest' };
      plane.publish('first', files, config);
      await plane.succeed('first');
      await untilOneWaits(plane);
      plane.publish('attacker', files, { ...config, environment: { [name]: `-D${mark}=1` } });
      const attacker = await plane.succeed('attacker');
      assert.equal(attacker.coldStart?.isSpare, false);
      assert.match(attacker.body.toString(), new RegExp(`properties: .*${mark}=1`), 'its own process reads it');
      await untilOneWaits(plane);
      assert.ok(!seenOfWaiting(plane).includes(mark));
      plane.publish('victim', files, config);
      const victim = await plane.succeed('victim');
      assert.equal(victim.coldStart?.isSpare, true);
      assert.doesNotMatch(victim.body.toString(), new RegExp(mark));
    });
  }
});

/** A custom runtime's server that says whether something ran before it, and what of others it can see. */
const program = `#!/usr/bin/env python3
import builtins, http.server, os, socketserver
early = '${mark}' if hasattr(builtins, '${mark}') else 'clean'
found = [name for name in os.listdir('/opt') + os.listdir('/tmp')] + sorted(os.listdir('/code'))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response_only(200)
        self.end_headers()
        self.wfile.write((early + ' ' + ' '.join(found) + ' ' + os.environ.get('SECRET', 'no secret')).encode())
    def log_message(self, *_): pass
socketserver.TCPServer.allow_reuse_address = True
socketserver.TCPServer(('0.0.0.0', int(os.environ['FC_SERVER_PORT'])), Handler).serve_forever()
`;

describe('sandboxes that wait for programs in tier strong', {
  skip: isStrong ? false : 'tier strong cannot be had here',
}, () => {
  test('are reached by what a program has read before it, or by its files and variables: no', async (t) => {
    const plane = await openFixture('strong');
    t.after(() => plane.close());
    const runtime = 'custom.debian12';
    plane.publish('first', { bootstrap: program }, { runtime });
    await plane.succeed('first');
    await untilOneWaits(plane);
    const environment = { PYTHONPATH: '/code', LD_PRELOAD: '/code/none.so', SECRET: 'of the attacker' };
    plane.publish('attacker', { bootstrap: program, 'sitecustomize.py': earlyPython }, { runtime, environment });
    const attacker = await plane.succeed('attacker');
    assert.equal(attacker.coldStart?.isSpare, true);
    assert.equal(attacker.body.toString(), `${mark} bootstrap sitecustomize.py of the attacker`, 'its own are read');
    await untilOneWaits(plane);
    plane.publish('victim', { bootstrap: program }, { runtime });
    const victim = await plane.succeed('victim');
    assert.equal(victim.coldStart?.isSpare, true);
    assert.equal(victim.body.toString(), 'clean bootstrap no secret');
  });
});
