import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatTraceParent, ownTraceId, parseTraceParent } from './traceparent.ts';

const sent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';
const requestId = '1B2C3D4E-5F60-4711-8899-AABBCCDDEEFF';

test('continues a trace with its id and flags, under a parent of its own', () => {
  assert.equal(
    formatTraceParent(requestId, parseTraceParent(sent)),
    '00-4bf92f3577b34da6a3ce929d0e0e4736-8899aabbccddeeff-00',
  );
});

test('begins a trace that has the id of the request', () => {
  assert.equal(ownTraceId(requestId), '1b2c3d4e5f6047118899aabbccddeeff');
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
