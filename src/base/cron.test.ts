import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createWallClock, lastFiring, parseCron, toEpoch } from './cron.ts';

const time = (text: string) => Date.parse(text);
function last(expression: string, at: string, zone = 'UTC', oldest = '2000-01-01T00:00:00Z'): string | null {
  const [cron, wall] = [parseCron(expression), createWallClock(zone)];
  assert.ok(cron !== null && wall !== null);
  const fired = lastFiring(cron, wall, time(at), time(oldest));
  return fired === null ? null : new Date(fired).toISOString().replace('.000', '');
}

describe('the last firing of a cron expression', () => {
  for (const [expression, at, expected, zone] of [
    ['0 0 4 * * *', '2026-11-27T04:00:00Z', '2026-11-27T04:00:00Z'],
    ['0 0 4 * * *', '2026-11-27T03:59:59Z', '2026-11-26T04:00:00Z'],
    ['0 */30 * * * *', '2026-11-27T10:44:10Z', '2026-11-27T10:30:00Z'],
    ['*/20 5 * * * ?', '2026-11-27T10:05:59Z', '2026-11-27T10:05:40Z'],
    ['0 0 9 ? * MON-FRI', '2026-11-29T12:00:00Z', '2026-11-27T09:00:00Z'],
    ['0 0 9 ? * 7', '2026-11-28T12:00:00Z', '2026-11-22T09:00:00Z'],
    ['0 0 0 1 JAN ?', '2026-11-27T00:00:00Z', '2026-01-01T00:00:00Z'],
    ['0 0 0 29 2 ?', '2026-11-27T00:00:00Z', '2024-02-29T00:00:00Z'],
    ['0 0 0 13 * 5', '2026-11-21T00:00:00Z', '2026-11-20T00:00:00Z'],
    ['0 10/20 * * * *', '2026-11-27T10:49:00Z', '2026-11-27T10:30:00Z'],
    ['0 0 7 * * *', '2026-11-27T00:00:00Z', '2026-11-26T23:00:00Z', 'Asia/Shanghai'],
    ['0 30 2 * * *', '2026-03-30T00:00:00Z', '2026-03-29T01:30:00Z', 'Europe/Berlin'],
    ['0 30 2 * * *', '2026-10-25T12:00:00Z', '2026-10-25T01:30:00Z', 'Europe/Berlin'],
  ] as const) {
    test(`${expression} before ${at}${zone === undefined ? '' : ` in ${zone}`}`, () => {
      assert.equal(last(expression, at, zone), expected);
    });
  }

  test('there is none before the beginning', () => {
    assert.equal(last('0 0 4 * * *', '2026-11-27T03:00:00Z', 'UTC', '2026-11-26T05:00:00Z'), null);
    assert.equal(last('0 0 0 31 2 ?', '2026-11-27T03:00:00Z'), null);
  });
});

test('what is no expression of six fields is refused', () => {
  for (const text of [
    '0 0 4 * *',
    '0 0 4 * * * *',
    '60 * * * * *',
    '* * 24 * * *',
    '* * * 0 * *',
    '* * * * 13 *',
    '* * * * * 8',
    '5-1 * * * * *',
    '*/0 * * * * *',
    '1,,2 * * * * *',
    'a * * * * *',
    '1-2-3 * * * * *',
    '1/2/3 * * * * *',
    '* * * L * *',
    '',
  ]) {
    assert.equal(parseCron(text), null, text);
  }
});

test('wall clocks follow their zones; a zone that nobody knows is refused', () => {
  const wall = createWallClock('Asia/Shanghai');
  assert.ok(wall !== null);
  assert.equal(wall(time('2026-11-27T00:00:00.250Z')), time('2026-11-27T08:00:00.250Z'));
  assert.equal(toEpoch(wall, time('2026-11-27T08:00:00Z')), time('2026-11-27T00:00:00Z'));
  assert.equal(createWallClock('Mars/Olympus'), null);
});
