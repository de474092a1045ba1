// Which idle instance is taken, frozen or ended.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IdleInstances } from './idle.ts';
import type { InstanceState } from './state.ts';

const instance = (name: string, since: number, { kind = 'idle' as 'idle' | 'frozen', isHeld = false } = {}) => ({
  name,
  isHeld,
  state: { kind, since } as InstanceState,
});

describe('idle instances', () => {
  test('are taken last in, first out, wherever they came from', () => {
    const idle = new IdleInstances<ReturnType<typeof instance>>();
    const [first, second, third] = [instance('a', 1), instance('b', 2), instance('c', 3)];
    for (const each of [first, third, second]) idle.add(each);
    assert.deepEqual([idle.take(), idle.take(), idle.take(), idle.take()], [third, second, first, null]);
  });

  test('with the same time stay in the order of their coming', () => {
    const idle = new IdleInstances<ReturnType<typeof instance>>();
    const [first, second] = [instance('a', 1), instance('b', 1)];
    idle.add(first);
    idle.add(second);
    assert.equal(idle.oldest, first);
    assert.equal(idle.take(), second);
  });

  test('in which somebody works are neither the next to end nor to be frozen', () => {
    const idle = new IdleInstances<ReturnType<typeof instance>>();
    const held = instance('held', 1, { isHeld: true });
    const frozen = instance('frozen', 2, { kind: 'frozen' });
    const other = instance('other', 3);
    for (const each of [held, frozen, other]) idle.add(each);
    assert.equal(idle.oldest, frozen);
    assert.deepEqual(idle.freezable, [other]);
    idle.remove(frozen);
    idle.remove(other);
    assert.equal(idle.oldest, null);
    assert.deepEqual(idle.freezable, []);
    assert.equal(idle.take(), held, 'it serves requests all the same');
  });
});
