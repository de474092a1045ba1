import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type InstanceState, isAlive, move, type StateKind, transitions } from './state.ts';

const kinds: readonly StateKind[] = ['starting', 'loading', 'initializing', 'idle', 'busy', 'stopping', 'gone'];

function stateOf(kind: StateKind): InstanceState {
  return kind === 'stopping' || kind === 'gone' ? { kind, since: 1, reason: 'idle' } : { kind, since: 1 };
}

for (const from of kinds) {
  for (const to of kinds) {
    const allowed: readonly StateKind[] = transitions[from];
    const isAllowed = allowed.includes(to);
    test(`${from} ${isAllowed ? 'may become' : 'never becomes'} ${to}`, () => {
      const change = () => move(stateOf(from), stateOf(to));
      if (isAllowed) assert.equal(change().kind, to);
      else assert.throws(change, /cannot go from/);
    });
  }
}

test('every living state can be stopped, and nothing comes back', () => {
  for (const kind of kinds.filter((each) => isAlive(stateOf(each)))) {
    assert.ok((transitions[kind] as readonly StateKind[]).includes('stopping'), kind);
  }
  assert.deepEqual(transitions.stopping, ['gone']);
  assert.deepEqual(transitions.gone, []);
  assert.ok(!isAlive(stateOf('stopping')) && !isAlive(stateOf('gone')));
});
