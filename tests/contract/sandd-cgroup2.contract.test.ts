// The launchers' contract under control groups of version 2, in guests that tests/torture/guest.sh makes: as root, and as an
// ordinary user whom a part of them is delegated, by a script and by systemd; there the unit of docs/recipes/systemd.md, too.
// Under torture only: software emulation is slow. Otherwise the scripts are read. docs/torture.md tells what it takes.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isTorture } from '../../scripts/test/torture.ts';
import { findSandd } from '../../src/functions/index.ts';

const run = promisify(execFile);
const scripts = fileURLToPath(new URL('../torture/', import.meta.url));

test('the scripts of the guests are whole', async () => {
  const names = globSync('*.sh', { cwd: scripts });
  assert.ok(names.length >= 5, names.join(', '));
  for (const name of names) await run('/bin/sh', ['-n', `${scripts}${name}`]);
});

if (isTorture) {
  const work = mkdtempSync('/tmp/yunmen-guest-');
  after(() => rmSync(work, { recursive: true, force: true }));
  const options = { skip: missing(), timeout: 90 * 60_000 };

  test('under control groups of version 2 limits, freezing, classes, sessions and cleaning hold, delegated ones too', {
    ...options,
    timeout: 2 * options.timeout,
  }, async (t) => {
    for (const kernel of await findKernels(work)) {
      await t.test(kernel, { timeout: options.timeout }, async () => {
        const said = await runGuest(work, kernel);
        for (const tier of ['strong', 'user', 'restricted'])
          assert.match(said, new RegExp(`guest: probe ${tier}=ok`), said);
        for (const who of ['root', 'delegated']) isGreen(said, who);
        assert.match(said, /guest: left 0\s/);
      });
    }
  });

  test(
    'in units with Delegate=yes tiers user and strong have the contract, and the documented unit keeps instances to their memory',
    options,
    async () => {
      const packages = `${work}/packages`;
      mkdirSync(packages);
      await download(packages, ...(await neededBy('systemd')));
      const said = await runGuest(work, (await findKernels(work)).at(-1) ?? '', packages);
      assert.match(said, /guest: kernel .*, systemd \d+ .*memory/);
      isGreen(said, 'delegated');
      isGreen(said, 'unit', false);
      assert.match(said, /guest: log .*Isolation {2}user/);
      assert.match(said, /guest: stopped Result=success/);
      assert.match(said, /guest: stopped ActiveState=inactive/);
      assert.match(said, /guest: left 0 groups, 0 directories/);
    },
  );
}

/** Why there can be no guests here, or false. */
function missing(): string | false {
  if (process.arch !== 'x64') return 'guests are made for x64 only';
  const places = (process.env['PATH'] ?? '').split(':');
  const needed = ['qemu-system-x86_64', 'busybox', 'cpio', 'apt-get', 'dpkg-deb'];
  const lacking = needed.filter((name) => !places.some((place) => existsSync(`${place}/${name}`)));
  return (
    lacking.length > 0 && `no ${lacking.join(', ')} (Debian: apt-get install -y qemu-system-x86 busybox-static cpio)`
  );
}

/** `hasContract`: with sessions, and with the classes that its kernel has. */
function isGreen(said: string, who: string, hasContract = true): void {
  assert.match(said, new RegExp(`guest: ${who} ℹ fail 0`), said);
  assert.match(said, new RegExp(`guest: ${who} ℹ pass [1-9]`), said);
  assert.match(said, new RegExp(`guest: ${who} ℹ skipped 0`), said);
  if (!hasContract) return;
  assert.match(said, new RegExp(`guest: ${who} ✔ a further process in an instance`), said);
  const [, major = '', minor = ''] = /guest: kernel (\d+)\.(\d+)\..*memory/.exec(said) ?? assert.fail(said);
  const hasTurns = Number(major) > 6 || (major === '6' && Number(minor) >= 12);
  const turns = hasTurns ? 'turns of [1-9]\\d* ns, of 20000000 in the background' : 'no turns here';
  assert.match(said, new RegExp(`guest: ${who} +ℹ ${turns}`), said);
}

/** What the guest says. */
async function runGuest(work: string, kernel: string, ...packages: string[]): Promise<string> {
  const found = await findSandd(); // builds the one that the guest gets, where none is or an old one
  assert.ok(found.ok, found.ok ? '' : found.why);
  const args = [kernel, work, process.execPath, ...packages];
  return (await run(`${scripts}guest.sh`, args, { maxBuffer: 16 << 20 })).stdout;
}

/**
 * Debian's cloud kernels, which are small and need no modules for this: the release's own, and where there is a newer one that too.
 * (Debian 12: 6.1 has the idle class, 6.12 turns as well.)
 */
async function findKernels(work: string): Promise<string[]> {
  const named = process.env['YUNMEN_GUEST_KERNEL'];
  if (named !== undefined) return [named];
  const { stdout } = await run('apt-cache', ['search', '--names-only', '^linux-image-[0-9.]+-cloud-amd64$']);
  const newer = stdout.split('\n').map((line) => line.split(' ')[0] ?? '');
  const names = new Set<string>();
  for (const each of ['linux-image-cloud-amd64', newest(newer)]) if (each !== '') names.add(await newestOf(each));
  return await Promise.all([...names].map((name) => unpackKernel(`${work}/${name}`, name)));
}

function newest(names: readonly string[]): string {
  return [...names].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1) ?? '';
}

/** The package that one which is always the newest stands for now. */
async function newestOf(name: string): Promise<string> {
  const asked = run('apt-cache', ['depends', name], { env: { ...process.env, LC_ALL: 'C' } });
  const { stdout } = await asked.catch((error: Error) =>
    assert.fail(`${error.message} (apt-get update makes its lists)`),
  );
  return /Depends: (linux-image-\S+)/.exec(stdout)?.[1] ?? assert.fail(`${name} stands for no kernel: ${stdout}`);
}

async function unpackKernel(directory: string, name: string): Promise<string> {
  const kernel = () => globSync(`${directory}/boot/vmlinuz-*`)[0];
  if (kernel() === undefined) {
    mkdirSync(directory, { recursive: true });
    await download(directory, name);
    await run('dpkg-deb', ['-x', globSync(`${directory}/*.deb`)[0] ?? '', directory]);
  }
  return kernel() ?? assert.fail(`no kernel in ${name}`);
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
