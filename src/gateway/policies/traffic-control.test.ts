import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWindowCounters } from '../../base/window-counters.ts';
import { FakeClock } from '../testing.ts';
import { compileTrafficControl, throttle } from './traffic-control.ts';

const policy = {
  trafficControlId: 't',
  unit: 'SECOND',
  apiDefault: 2,
  userDefault: null,
  appDefault: null,
  specials: [],
  accountId: '1',
} as const;
const call = { place: 'a/RELEASE', appId: null };

test('a second without room: by default one filling waits for the next and the rest is refused; with quick return nobody waits', async () => {
  for (const [options, waiting, refused] of [
    [undefined, 2, 1],
    [{ quickReturn: true }, 0, 3],
  ] as const) {
    const clock = new FakeClock();
    const { count } = createWindowCounters(10);
    const control = compileTrafficControl(policy, options);
    const results: (string | null)[] = [];
    for (let at = 0; at < 5; at++) {
      void throttle(control, call, { clock, count }).then((result) => results.push(result?.limit.kind ?? null));
      await new Promise(setImmediate);
    }
    assert.deepEqual(
      [results.filter((result) => result === null).length, results.filter((result) => result === 'API').length],
      [2, refused],
    );
    clock.advance(1_000);
    await new Promise(setImmediate);
    assert.equal(results.length, 5, 'whoever waited goes on with the next second');
    assert.equal(results.filter((result) => result === null).length, 2 + waiting);
  }
});
