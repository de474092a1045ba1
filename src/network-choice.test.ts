import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseNetwork, networkPolicy } from './network-choice.ts';

const rows = [
  ['takes open when networks can be made', null, null, { ok: true, mode: 'open', remark: null }],
  ['takes none when it is asked for', 'none', null, { ok: true, mode: 'none', remark: null }],
  ['takes the host when it is asked for, without a remark', 'host', 'no', { ok: true, mode: 'host', remark: null }],
  [
    'falls to the host when nothing was asked for, and says so',
    null,
    'no',
    { ok: true, mode: 'host', remark: "functions share the host's network: no" },
  ],
  [
    'refuses less than what was asked for',
    'open',
    'no',
    { ok: false, why: "the network mode 'open' cannot be had here: no" },
  ],
] as const;

for (const [name, asked, noNetwork, expected] of rows) {
  test(name, () => assert.deepEqual(chooseNetwork(asked, noNetwork), expected));
}

test('refuses metadata and private ranges, and keeps what the operator opens apart', () => {
  const { allowed, refused } = networkPolicy(['10.1.0.0/16', 'fd00::/8', '10.9.9.9']);
  assert.deepEqual(allowed, [
    { address: '10.1.0.0', bits: 16 },
    { address: '10.9.9.9', bits: 32 },
  ]);
  for (const address of ['10.0.0.0', '100.64.0.0', '169.254.0.0', '172.16.0.0', '192.168.0.0', '127.0.0.0']) {
    assert.ok(
      refused.some((block) => block.address === address),
      address,
    );
  }
});
