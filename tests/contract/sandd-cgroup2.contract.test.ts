// The launchers' contract under control groups of version 2, in a guest that tests/torture/guest.sh makes: as root, and as an
// ordinary user whom a part of them is delegated. Under torture only: software emulation is slow. Otherwise its scripts are read.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const scripts = fileURLToPath(new URL('../torture/', import.meta.url));
const isTorture = process.env['YUNMEN_TORTURE'] === '1';

test('the scripts of the guest are whole', async () => {
  for (const name of ['guest.sh', 'guest-init.sh']) await run('/bin/sh', ['-n', `${scripts}${name}`]);
});

if (isTorture) {
  test('under control groups of version 2 limits, freezing, peaks and cleaning hold, delegated ones too', async (t) => {
    const work = mkdtempSync('/tmp/yunmen-guest-');
    t.after(() => rmSync(work, { recursive: true, force: true }));
    const kernel = process.env['YUNMEN_GUEST_KERNEL'] ?? (await downloadKernel(work));
    const { stdout } = await run(`${scripts}guest.sh`, [kernel, work, process.execPath], { maxBuffer: 16 << 20 });
    assert.match(stdout, /guest: kernel .*memory/);
    for (const tier of ['strong', 'user', 'restricted'])
      assert.match(stdout, new RegExp(`guest: probe ${tier}=ok`), stdout);
    for (const who of ['root', 'delegated']) {
      assert.match(stdout, new RegExp(`guest: ${who} ℹ fail 0`), stdout);
      assert.match(stdout, new RegExp(`guest: ${who} ℹ pass [1-9]`));
    }
    assert.match(stdout, /guest: left 0\s/);
  });
}

/** Debian's newest cloud kernel, by apt; nothing is installed. */
async function downloadKernel(work: string): Promise<string> {
  const { stdout } = await run('apt-cache', ['depends', 'linux-image-cloud-amd64']);
  const [, name = ''] = /Depends: (linux-image-\S+)/.exec(stdout) ?? [];
  await run('apt-get', ['download', name], { cwd: work });
  const [archive = ''] = globSync(`${work}/${name}_*.deb`);
  await run('dpkg-deb', ['-x', archive, `${work}/kernel`]);
  const [kernel] = globSync(`${work}/kernel/boot/vmlinuz-*`);
  assert.ok(kernel !== undefined, 'a kernel');
  return kernel;
}
