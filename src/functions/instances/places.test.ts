import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Places, type RoomSeeker } from './places.ts';

function setUp(count: number) {
  const state = { lack: null as string | null };
  const wanted: string[] = [];
  const pools: (RoomSeeker & { readonly name: string; oldestIdleSince: number | null; readonly refusals: string[] })[] =
    [];
  const places: Places<(typeof pools)[number]> = new Places({
    count,
    memory: { lack: () => state.lack, changed: () => {} },
    pools: () => pools,
    want: ({ name }) => wanted.push(name),
  });
  const pool = (name: string, oldestIdleSince: number | null = null) => {
    const refusals: string[] = [];
    const made = {
      name,
      oldestIdleSince,
      refusals,
      endOldestIdle() {
        made.oldestIdleSince = null;
        places.giveBack();
      },
      refuseForLackOfRoom: (message: string) => void refusals.push(message),
    };
    pools.push(made);
    return made;
  };
  return { places, pool, state, wanted };
}

test('the longest unused instance makes room when there are as many as there may be', () => {
  const { places, pool } = setUp(1);
  const [young, old, hungry] = [pool('young', 9), pool('old', 3), pool('hungry')];
  assert.ok(places.take(young));
  assert.ok(places.take(hungry));
  assert.deepEqual([young.oldestIdleSince, old.oldestIdleSince], [9, null]);
});

test('who finds no room is asked again when an instance ends or becomes idle', () => {
  const { places, pool, wanted } = setUp(1);
  const [one, two] = [pool('one'), pool('two')];
  assert.ok(places.take(one));
  assert.ok(!places.take(two));
  places.becameIdle();
  assert.deepEqual(wanted, ['two']);
  places.becameIdle();
  assert.deepEqual(wanted, ['two'], 'once');
});

test('without memory idle instances end first, one after the other; then who has none of its own is refused', () => {
  const { places, pool, state, wanted } = setUp(9);
  const [idle, hungry] = [pool('idle', 1), pool('hungry')];
  state.lack = 'no memory';
  assert.ok(!places.take(hungry));
  assert.equal(idle.oldestIdleSince, null);
  assert.deepEqual(hungry.refusals, []);
  assert.ok(!places.take(hungry));
  assert.deepEqual(hungry.refusals, [], 'what ends gives memory back');
  places.ended();
  assert.ok(wanted.includes('hungry'));
  assert.ok(!places.take(hungry));
  assert.deepEqual(hungry.refusals, ['no memory']);
  state.lack = null;
  assert.ok(places.take(hungry));
});
