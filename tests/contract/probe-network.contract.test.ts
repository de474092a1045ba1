// `sandd probe-network` in a network namespace, with and without a firewall that drops what is forwarded.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { findSandd } from '../../src/functions/index.ts';
import { outsideLacks } from '../harness/outside.ts';

const run = promisify(execFile);
const sandd = await findSandd();

/** As Docker leaves a host: a chain at the forward hook whose policy is to drop (nf_tables, spoken to directly). */
const dropForwarded = `
import socket, struct
def attribute(kind, value):
    return struct.pack('=HH', len(value) + 4, kind) + value + bytes(-len(value) % 4)
def message(kind, flags, body, family=2, resource=0):
    body = struct.pack('=BBH', family, 0, socket.htons(resource)) + body
    return struct.pack('=IHHII', len(body) + 16, kind, flags | 1, 1, 0) + body
number = lambda kind, value: attribute(kind, struct.pack('!i', value))
text = lambda kind, value: attribute(kind, value.encode() + b'\\0')
request, acknowledge, create = 10 << 8, 4, 0x400
hook = attribute(4 | 0x8000, number(1, 2) + number(2, 0))
chain = text(1, 'firewall') + text(3, 'FORWARD') + hook + number(5, 0) + text(7, 'filter')
kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
kernel.settimeout(5)
kernel.sendto(message(16, 0, b'', 0, 10) + message(request, create, text(1, 'firewall'))
    + message(request | 3, create | acknowledge, chain) + message(17, 0, b'', 0, 10), (0, 0))
assert struct.unpack('=i', kernel.recv(4096)[16:20])[0] == 0
`;

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
