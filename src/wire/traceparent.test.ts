import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatTraceParent, isSampled, ownTraceId, parseTraceParent } from './traceparent.ts';

const sent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';
const requestId = '1B2C3D4E-5F60-4711-8899-AABBCCDDEEFF';

test('continues a trace with its id and flags, under a parent of its own', () => {
  assert.equal(
    formatTraceParent(requestId, parseTraceParent(sent)),
    '00-4bf92f3577b34da6a3ce929d0e0e4736-8899aabbccddeeff-00',
  );
});

test('keeps a share of the traces that begin here, by their ids, and says so to whoever is called', () => {
  let kept = 0;
  for (let i = 0; i < 4_000; i++) {
    const id = crypto.randomUUID();
    const parent = formatTraceParent(id, null, 0.25);
    assert.equal(parent.endsWith('-01'), isSampled(ownTraceId(id), 0.25));
    if (parent.endsWith('-01')) kept += 1;
    assert.ok(formatTraceParent(id, null, 0).endsWith('-00') && formatTraceParent(id, null, 1).endsWith('-01'));
  }
  assert.ok(kept > 800 && kept < 1_200, `${kept} of 4000`);
});

test('begins a trace that has the id of the request', () => {
  assert.equal(ownTraceId(requestId), '1b2c3d4e5f6047118899aabbccddeeff');
  assert.equal(ownTraceId('1-6B0A054D-F4200F0BC62F19A57794362F'), '6b0a054df4200f0bc62f19a57794362f');
  assert.equal(formatTraceParent(requestId, null), '00-1b2c3d4e5f6047118899aabbccddeeff-8899aabbccddeeff-01');
});

test('ignores what the recommendation says to ignore', () => {
  for (const header of [
    '',
    'nonsense',
    sent.toUpperCase(),
    `${sent}-more`,
    sent.replace('00-', 'ff-'),
    sent.replace('4bf92f3577b34da6a3ce929d0e0e4736', '0'.repeat(32)),
    sent.replace('00f067aa0ba902b7', '0'.repeat(16)),
  ]) {
    assert.equal(parseTraceParent(header), null, header);
  }
  assert.notEqual(parseTraceParent(`${sent.replace('00-', '01-')}-more`), null, 'a later version may have more');
});

test('takes any text, and reads what it writes', () => {
  fc.assert(
    fc.property(fc.string(), fc.uuid(), (text, id) => {
      const received = parseTraceParent(text);
      const written = parseTraceParent(formatTraceParent(id, received));
      assert.equal(written?.traceId, received?.traceId ?? ownTraceId(id));
    }),
  );
});
