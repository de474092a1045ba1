// The launchers' contract under control groups of version 2, in guests that tests/torture/guest.sh makes: as root, and as an
// ordinary user whom a part of them is delegated, by a script and by systemd; there the unit of docs/recipes/systemd.md, too.
// Under torture only: software emulation is slow. Otherwise the scripts are read.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findSandd } from '../../src/functions/index.ts';

const run = promisify(execFile);
const scripts = fileURLToPath(new URL('../torture/', import.meta.url));
const isTorture = process.env['YUNMEN_TORTURE'] === '1';

test('the scripts of the guests are whole', async () => {
  const names = globSync('*.sh', { cwd: scripts });
  assert.ok(names.length >= 5, names.join(', '));
  for (const name of names) await run('/bin/sh', ['-n', `${scripts}${name}`]);
});

if (isTorture) {
  const work = mkdtempSync('/tmp/yunmen-guest-');
  after(() => rmSync(work, { recursive: true, force: true }));

  test('under control groups of version 2 limits, freezing, peaks and cleaning hold, delegated ones too', async () => {
    const said = await runGuest(work);
    assert.match(said, /guest: kernel .*memory/);
    for (const tier of ['strong', 'user', 'restricted'])
      assert.match(said, new RegExp(`guest: probe ${tier}=ok`), said);
    for (const who of ['root', 'delegated']) isGreen(said, who);
    assert.match(said, /guest: left 0\s/);
  });

  test('in a unit with Delegate=yes tier user has the contract, and the documented unit keeps instances to their memory', async () => {
    const packages = `${work}/packages`;
    mkdirSync(packages);
    await download(packages, ...(await neededBy('systemd')));
    const said = await runGuest(work, packages);
    assert.match(said, /guest: kernel .*, systemd \d+ .*memory/);
    for (const who of ['delegated', 'unit']) isGreen(said, who);
    assert.match(said, /guest: log .*Isolation {2}user/);
    assert.match(said, /guest: stopped Result=success/);
    assert.match(said, /guest: stopped ActiveState=inactive/);
    assert.match(said, /guest: left 0 groups, 0 directories/);
  });
}

function isGreen(said: string, who: string): void {
  assert.match(said, new RegExp(`guest: ${who} ℹ fail 0`), said);
  assert.match(said, new RegExp(`guest: ${who} ℹ pass [1-9]`), said);
}

/** What the guest says. */
async function runGuest(work: string, ...packages: string[]): Promise<string> {
  const found = await findSandd(); // builds the one that the guest gets, where none is or an old one
  assert.ok(found.ok, found.ok ? '' : found.why);
  const kernel = process.env['YUNMEN_GUEST_KERNEL'] ?? (await findKernel(work));
  const args = [kernel, work, process.execPath, ...packages];
  return (await run(`${scripts}guest.sh`, args, { maxBuffer: 16 << 20 })).stdout;
}

/** Debian's newest cloud kernel. */
async function findKernel(work: string): Promise<string> {
  const { stdout } = await run('apt-cache', ['depends', 'linux-image-cloud-amd64']);
  const [, name = ''] = /Depends: (linux-image-\S+)/.exec(stdout) ?? [];
  const archives = () => globSync(`${work}/${name}_*.deb`);
  if (archives().length === 0) await download(work, name);
  await run('dpkg-deb', ['-x', archives()[0] ?? '', `${work}/kernel`]);
  const [kernel] = globSync(`${work}/kernel/boot/vmlinuz-*`);
  assert.ok(kernel !== undefined, 'a kernel');
  return kernel;
}

/** By apt; nothing is installed. */
async function download(directory: string, ...names: string[]): Promise<void> {
  await run('apt-get', ['download', ...names], { cwd: directory });
}

/** The package and what it cannot be without, all the way down. */
async function neededBy(name: string): Promise<string[]> {
  const without = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map(
    (each) => `--no-${each}`,
  );
  const { stdout } = await run('apt-cache', ['depends', '--recurse', ...without, name]);
  return stdout.split('\n').filter((line) => /^\w/.test(line));
}
