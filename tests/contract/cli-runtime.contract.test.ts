// `yunmen runtime`: what is listed, fetched from npm, seen by functions, and removed again. In a cache of its own.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const yunmen = fileURLToPath(new URL('../../bin/yunmen', import.meta.url));
let cache: string;
before(() => {
  cache = mkdtempSync('/tmp/yunmen-runtimes-');
});
after(() => rmSync(cache, { recursive: true, force: true }));

function run(...args: string[]): { code: number | null; out: string; err: string } {
  const env = { ...process.env, XDG_CACHE_HOME: cache };
  const done = spawnSync(yunmen, args, { env, encoding: 'utf8', timeout: 300_000 });
  return { code: done.status, out: done.stdout, err: done.stderr };
}

test('lists every id with what really runs it', () => {
  const { code, out } = run('runtime', 'list', '--json');
  assert.equal(code, 0);
  const rows = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(rows.length, 25);
  const node = rows.find(({ id }) => id === 'nodejs18');
  assert.ok(node !== undefined && (node['runsOn'] === null || String(node['runsOn']).startsWith('Node ')));
  const dotnet = rows.find(({ id }) => id === 'dotnetcore3.1');
  assert.deepEqual([dotnet?.['runsOn'], dotnet?.['isFallback']], [null, false]);
});

test('fetches a Node, lists it, and removes it', () => {
  const added = run('runtime', 'add', 'nodejs8');
  assert.equal(added.code, 0, added.err);
  assert.match(added.out, /^Node 8\.\d+\.\d+ is there now: (.*)\n$/);
  const path = /now: (.*)\n/.exec(added.out)?.[1] ?? '';
  assert.match(execFileSync(path, ['--version'], { encoding: 'utf8' }), /^v8\./);
  assert.match(run('runtime', 'add', 'nodejs8').out, /is there already/);
  const rows = run('runtime', 'list').out;
  assert.match(rows, new RegExp(`nodejs8 +Node 8\\.\\d+\\.\\d+ +${path}`));
  assert.equal(run('runtime', 'remove', 'nodejs8').code, 0);
  assert.ok(!existsSync(path));
  assert.equal(run('runtime', 'remove', 'nodejs8').code, 1);
});

test('installs libraries of the cloud that are asked for, and no others', () => {
  const added = run('runtime', 'add', 'nodejs12', '--libraries', '--only', 'co');
  assert.equal(added.code, 0, added.err);
  assert.ok(existsSync(`${cache}/yunmen/runtimes/libraries/nodejs12/node_modules/co/package.json`));
  const refused = run('runtime', 'add', 'nodejs12', '--libraries', '--only', 'left-pad');
  assert.equal(refused.code, 1);
  assert.match(refused.err, /'left-pad' is none of nodejs12's libraries/);
});

test('names the package of what it does not fetch', () => {
  for (const [id, help] of [
    ['java11', /apt-get install default-jdk-headless/],
    ['php7.2', /apt-get install php-cli/],
    ['python3.10', /pyenv install 3\.10/],
    ['dotnetcore3.1', /cannot be run by this server; publish it with its runtime .* custom runtime/],
    ['custom', /nothing to fetch/],
    ['nodejs4.4', /runs on Node 6 and newer/],
    ['cobol', /is no runtime id/],
  ] as const) {
    const { code, err } = run('runtime', 'add', id);
    assert.equal(code, 1);
    assert.match(err, help);
  }
});
