// What a start removes of servers that were killed, and what it never touches.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sweepDirectoriesOf, sweepRunDirectories } from '../../src/run-directory-sweep.ts';
import { root } from '../harness/server.ts';

test('only what a killed server left is removed', async (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'sweep-'));
  const make = (name: string, ...contents: string[]) => {
    mkdirSync(join(parent, name), { mode: 0o700 });
    for (const each of contents) mkdirSync(join(parent, name, each));
  };
  for (const name of ['yunmen-killed', 'yunmen-wide00', 'yunmen-alive0']) make(name, 'i', 'root');
  make('yunmen-passed', 'i', 't', 'root');
  chmodSync(join(parent, 'yunmen-passed'), 0o711);
  make('yunmen-slower', 'i', 'etc');
  make('yunmen-bare00');
  make('yunmen-other0', 'i', 'mine');
  make('yunmen-longer-name', 'i');
  chmodSync(join(parent, 'yunmen-wide00'), 0o755);
  writeFileSync(join(parent, 'yunmen-file00'), '');
  symlinkSync(join(parent, 'yunmen-longer-name'), join(parent, 'yunmen-link00'));
  const listening = createServer().listen(join(parent, 'yunmen-alive0', 'launcher.sock'));
  t.after(() => {
    listening.close();
    rmSync(parent, { recursive: true, force: true });
  });
  await once(listening, 'listening');
  // As a killed process leaves its socket: the name stays, nobody listens.
  const ended = createServer().listen(join(parent, 'socket'));
  await once(ended, 'listening');
  for (const name of ['killed', 'passed', 'slower', 'wide00', 'other0'])
    linkSync(join(parent, 'socket'), join(parent, `yunmen-${name}`, 'launcher.sock'));
  ended.close();
  await once(ended, 'close');

  const minute = 60_000;
  const sweep = async (inMs: number) =>
    (await sweepRunDirectories({ parent, now: Date.now() + inMs })).map((path) => path.slice(parent.length + 1));
  assert.deepEqual(await sweep(0), [], 'a server may be about to start');
  const named = readdirSync(parent).map((name) => join(parent, name));
  const sweepNamed = (paths: readonly string[]) => sweepDirectoriesOf(paths, { parent, asOwner: (act) => act() });
  assert.deepEqual(await sweepNamed([`${parent}/yunmen-link00/../yunmen-killed`, '/tmp', parent]), []);
  const gone = await sweepNamed(named.filter((path) => !/killed|slower/.test(path)));
  assert.deepEqual(gone, [join(parent, 'yunmen-passed')], 'at once what is known to be dead');
  const dead = ['killed', 'slower'].map((name) => `yunmen-${name}`);
  assert.deepEqual((await sweep(2 * minute)).toSorted(), dead);
  assert.deepEqual(await sweep(11 * minute), ['yunmen-bare00']);
  const stay = ['alive0', 'file00', 'link00', 'longer-name', 'other0', 'wide00'].map((name) => `yunmen-${name}`);
  assert.deepEqual(readdirSync(parent).sort(), stay);
});

const isRoot = process.getuid?.() === 0;
test('what its owner cannot list goes, too', {
  skip: isRoot ? false : 'it takes root to become somebody else',
}, (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'sweep-'));
  t.after(() => rmSync(parent, { recursive: true, force: true }));
  chownSync(parent, 65_534, 65_534);
  const make = 'cd "$0" && mkdir -m 700 yunmen-shut00 && cd yunmen-shut00 && umask 0477 && mkdir -p i t/shut/inner';
  const sweep = `import { sweepRunDirectories } from '${root}src/run-directory-sweep.ts';
    console.log(await sweepRunDirectories({ parent: '${parent}', now: Date.now() + 3_600_000 }));`;
  const script = `${make}; chmod 711 "$0/yunmen-shut00/t"; cd /; exec "$1" --input-type=module -e "$2"`;
  const ids = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];
  const said = execFileSync('setpriv', [...ids, 'sh', '-c', script, parent, process.execPath, sweep], {
    encoding: 'utf8',
  });
  assert.match(said, /yunmen-shut00/);
  assert.deepEqual(readdirSync(parent), []);
});
