import assert from 'node:assert/strict';
import { BlockList, isIPv4 } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileIpRanges, isIpBlock } from './ip-ranges.ts';

test('takes addresses and blocks of both families, and nothing else', () => {
  for (const text of [
    '192.0.2.1',
    '192.0.2.0/24',
    '0.0.0.0/0',
    '2001:db8::/32',
    '::1',
    '::ffff:1.2.3.4/128',
    ' 10.0.0.1 ',
  ]) {
    assert.ok(isIpBlock(text), text);
  }
  for (const text of [
    '',
    'a',
    '1.2.3',
    '1.2.3.4/33',
    '1.2.3.4/',
    '::/129',
    'fe80::1%eth0',
    '1.2.3.4/-1',
    '1.2.3.4/8/8',
  ]) {
    assert.equal(isIpBlock(text), false, text);
  }
});

test('an IPv4 address is found in whichever of its two notations it comes', () => {
  const ranges = compileIpRanges(['192.0.2.0/24', '::ffff:198.51.100.0/120']);
  for (const address of ['192.0.2.77', '::ffff:192.0.2.77', '::ffff:c000:24d', '198.51.100.9']) {
    assert.ok(ranges.has(address), address);
  }
  for (const address of ['192.0.3.0', '198.51.101.0', '::c000:24d', 'nonsense', ''])
    assert.equal(ranges.has(address), false);
});

test('an empty set holds nothing, the block of length 0 everything of its family', () => {
  assert.ok(compileIpRanges([]).isEmpty);
  assert.equal(compileIpRanges([]).has('1.2.3.4'), false);
  assert.ok(compileIpRanges(['0.0.0.0/0']).has('255.255.255.255'));
  assert.equal(compileIpRanges(['0.0.0.0/0']).has('::1'), false);
  assert.ok(compileIpRanges(['::/0']).has('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'));
});

test('agrees with a plain list of rules on any blocks and addresses', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  const block = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
  );
  fc.assert(
    fc.property(fc.array(block, { maxLength: 20 }), address, (blocks, asked) => {
      const families = { 4: new BlockList(), 6: new BlockList() };
      for (const [base, bits] of blocks) {
        if (isIPv4(base)) families[4].addSubnet(base, bits, 'ipv4');
        else families[6].addSubnet(base, bits, 'ipv6');
      }
      const ranges = compileIpRanges(blocks.map(([base, bits]) => `${base}/${bits}`));
      for (const one of [asked, ...blocks.map(([base]) => base)]) {
        const expected = isIPv4(one) ? families[4].check(one, 'ipv4') : families[6].check(one, 'ipv6');
        assert.equal(ranges.has(one), expected, one);
      }
    }),
  );
});
