// Which addresses the guard refuses, in every spelling that leads there.
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import fc from 'fast-check';
import { AddressGuard, parseBlock } from './address-guard.ts';

const start = () => new AddressGuard({ allowsLoopback: false, allowed: [] });
const dev = () => new AddressGuard({ allowsLoopback: true, allowed: [] });

for (const [address, reason] of [
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['::1', 'loopback'],
  ['0:0:0:0:0:0:0:1', 'loopback'],
  ['::ffff:127.0.0.1', 'loopback'],
  ['::ffff:7f00:1', 'loopback'],
  ['::127.0.0.1', 'loopback'],
  ['64:ff9b::127.0.0.1', 'loopback'],
  ['2002:7f00:1::', 'loopback'],
  ['10.0.0.1', 'private'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.1.1', 'private'],
  ['100.100.100.200', 'private'],
  ['::ffff:10.0.0.1', 'private'],
  ['fd00:ec2::254', 'private'],
  ['fc00::1', 'private'],
  ['169.254.169.254', 'link-local'],
  ['::ffff:169.254.169.254', 'link-local'],
  ['64:ff9b::a9fe:a9fe', 'link-local'],
  ['168.63.129.16', 'metadata'],
  ['::ffff:168.63.129.16', 'metadata'],
  ['fe80::1', 'link-local'],
  ['fe80::1%eth0', 'link-local'],
  ['fec0::1', 'link-local'],
  ['0.0.0.0', 'reserved'],
  ['::', 'reserved'],
  ['192.0.0.1', 'reserved'],
  ['198.18.0.1', 'reserved'],
  ['224.0.0.1', 'reserved'],
  ['255.255.255.255', 'reserved'],
  ['2001:0:53aa:64c::1', 'reserved'],
  ['ff02::1', 'reserved'],
  ['localhost', 'not an address'],
] as const) {
  test(`start refuses ${address}: ${reason}`, () => {
    assert.equal(start().refusal(address, 80), reason);
  });
}

for (const address of [
  '8.8.8.8',
  '168.63.129.17',
  '1.1.1.1',
  '172.32.0.1',
  '100.128.0.1',
  '2606:4700::1111',
  '64:ff9b::8.8.8.8',
  '2002:808:808::',
]) {
  test(`start allows ${address}`, () => {
    assert.equal(start().refusal(address, 80), null);
  });
}

test('dev allows loopback and nothing else that start refuses', () => {
  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) assert.equal(dev().refusal(address, 80), null);
  assert.equal(dev().refusal('10.0.0.1', 80), 'private');
  assert.equal(dev().refusal('169.254.169.254', 80), 'link-local');
  assert.equal(dev().refusal('0.0.0.0', 80), 'reserved');
});

test('an allow list opens its blocks only', () => {
  const guard = new AddressGuard({ allowsLoopback: false, allowed: ['10.1.0.0/16', '127.0.0.1', 'fd00:1::/32'] });
  assert.equal(guard.refusal('10.1.2.3', 80), null);
  assert.equal(guard.refusal('::ffff:10.1.2.3', 80), null);
  assert.equal(guard.refusal('127.0.0.1', 80), null);
  assert.equal(guard.refusal('fd00:1::5', 80), null);
  assert.equal(guard.refusal('10.2.0.1', 80), 'private');
  assert.equal(guard.refusal('127.0.0.2', 80), 'loopback');
});

test("the server's own ports are refused on every address of this machine, whatever is allowed", () => {
  const guard = new AddressGuard({ allowsLoopback: true, allowed: ['0.0.0.0/0', '::/0'] });
  guard.addOwnPort(8080);
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  for (const address of [
    '127.0.0.1',
    '127.0.0.9',
    '::1',
    '::ffff:127.0.0.1',
    '0.0.0.0',
    '::',
    ...own.map((entry) => entry.address),
  ]) {
    assert.equal(guard.refusal(address, 8080), 'own port', address);
    assert.equal(guard.refusal(address, 8081), null, address);
  }
  assert.equal(guard.refusal('8.8.8.8', 8080), null);
});

test('every IPv4 address is judged the same in all its IPv6 spellings', () => {
  const guard = start();
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const reason = guard.refusal(address, 80);
      const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
      const hex = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
      for (const spelled of [
        `::ffff:${address}`,
        `::ffff:${hex}`,
        `0:0:0:0:0:ffff:${hex}`,
        `64:ff9b::${hex}`,
        `2002:${hex}::`,
      ]) {
        assert.equal(guard.refusal(spelled, 80), reason, spelled);
      }
    }),
  );
});

test('blocks are read, and what is none is told apart', () => {
  assert.deepEqual(parseBlock('10.0.0.0/8'), { address: '10.0.0.0', bits: 8 });
  assert.deepEqual(parseBlock('::1'), { address: '::1', bits: 128 });
  for (const text of ['', 'host', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/a', '::/129', 'fe80::1%eth0']) {
    assert.equal(parseBlock(text), null, text);
  }
});
