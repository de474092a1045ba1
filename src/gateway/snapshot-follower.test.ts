import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../base/clock.ts';
import { SnapshotFollower } from './snapshot-follower.ts';
import { api, definition, group } from './testing.ts';

/** Each look at it takes longer than a slice may. */
function hurriedClock(): Clock {
  let now = 0;
  const tick = () => {
    now += 10;
    return now;
  };
  return { now: tick, monotonic: tick, after: () => () => {} };
}
const still: Clock = { now: () => 0, monotonic: () => 0, after: () => () => {} };
const apis = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) =>
    api(`api${from + n}`, definition({ request: { path: `/p${from + n}` } })),
  );

describe('a snapshot that follows', () => {
  it('shows a small batch when the call returns', () => {
    const follower = new SnapshotFollower(still);
    assert.equal(follower.apply({ version: 7, changes: [group(), ...apis(0, 100)] }), undefined);
    assert.deepEqual([follower.current.version, follower.current.apis.size], [7, 100]);
  });

  it('lets the event loop turn while a large batch is worked in, and shows it as one', async () => {
    const follower = new SnapshotFollower(hurriedClock());
    await follower.apply({ version: 1, changes: apis(0, 10) });
    const seen = new Set<number>();
    const done = follower.apply({ version: 2, changes: apis(10, 500) });
    let isDone = false;
    void Promise.resolve(done).then(() => {
      isDone = true;
    });
    let turns = 0;
    while (!isDone) {
      seen.add(follower.current.apis.size);
      turns++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(turns > 5, `${turns} turns`);
    assert.deepEqual(
      [...seen].filter((size) => size !== 10 && size !== 500),
      [],
    );
    assert.deepEqual([follower.current.version, follower.current.apis.size], [2, 500]);
  });

  it('works calls in in their order, however long each takes', async () => {
    const follower = new SnapshotFollower(hurriedClock());
    const first = follower.apply({ version: 1, changes: apis(0, 300) });
    const second = follower.apply({ version: 2, changes: [{ kind: 'api', key: 'api7/RELEASE', value: null }] });
    await Promise.all([first, second]);
    assert.deepEqual([follower.current.version, follower.current.apis.size], [2, 299]);
  });

  it('shows nothing of a batch in pages before its last page', async () => {
    const follower = new SnapshotFollower(still);
    await follower.apply({ version: 1, changes: apis(0, 10), isLast: false });
    assert.deepEqual([follower.current.version, follower.current.apis.size], [0, 0]);
    const before = follower.current;
    await follower.apply({ version: 2, changes: apis(10, 20), isLast: true });
    assert.deepEqual([follower.current.version, follower.current.apis.size], [2, 20]);
    assert.equal(before.apis.size, 0);
  });
});
