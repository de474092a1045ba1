import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSince, parseStatus } from './logs.ts';

test('a time is given as a length before now or as itself', () => {
  const now = Date.parse('2026-11-22T12:00:00Z');
  assert.equal(parseSince('90s', now), now - 90_000);
  assert.equal(parseSince('2h', now), now - 7_200_000);
  assert.equal(parseSince('1d', now), now - 86_400_000);
  assert.equal(parseSince('2026-11-22T11:00:00Z', now), now - 3_600_000);
  for (const text of ['', '5', 'm', '5 m', 'yesterday', '-5m']) {
    assert.throws(() => parseSince(text, now), /--since takes/, text);
  }
});

test('a status is a number or a class', () => {
  assert.deepEqual(['404', '5xx', '4XX'].map(parseStatus), ['404', '5', '4']);
  for (const text of ['', '4', '404xx', '600', 'xx', 'ok'])
    assert.throws(() => parseStatus(text), /--status takes/, text);
});
