// `sandd probe-network` in a network namespace, with and without a firewall that drops what is forwarded.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { findSandd } from '../../src/functions/index.ts';
import { dropForwarded } from '../harness/firewall.ts';
import { outsideLacks } from '../harness/outside.ts';

const run = promisify(execFile);
const sandd = await findSandd();

/** What the probe prints in a namespace of its own after `prepare` ran there, and the interfaces that are there then. */
async function probeAfter(prepare: readonly string[]): Promise<{ found: string[]; interfaces: string[] }> {
  const script = 'ip link set lo up && "$@" && "$sandd" probe-network; tail -n +3 /proc/net/dev';
  const env = { ...process.env, sandd: sandd.ok ? sandd.path : '' };
  const { stdout } = await run('unshare', ['--net', 'sh', '-c', script, 'sh', ...prepare], { env });
  const lines = stdout.split('\n').filter((line) => line !== '');
  const found = lines.filter((line) => line.includes('='));
  return {
    found,
    interfaces: lines.filter((line) => line.includes(':')).map((line) => line.trim().split(':')[0] ?? ''),
  };
}

const skip = sandd.ok ? (outsideLacks() ?? false) : sandd.why;

test('networks are forwarded where nothing keeps them from it, and a firewall that drops is found; nothing is left', {
  skip,
}, async () => {
  const held = ['network.doorway=yes', 'network.own-host=yes', 'network-by=kernel', 'network=ok'];
  const before = await probeAfter(['true']);
  assert.deepEqual(before.found, ['network.forwarding=yes', ...held]);
  const dropping = await probeAfter(['python3', '-c', dropForwarded]);
  assert.deepEqual(dropping.found, ['network.forwarding=no', ...held]);
  // What every namespace has by itself, such as tunnels of the kernel's.
  const { stdout } = await run('unshare', ['--net', 'tail', '-n', '+3', '/proc/net/dev']);
  assert.equal(dropping.interfaces.length, stdout.trim().split('\n').length);
  assert.deepEqual(dropping.interfaces, before.interfaces);
});
