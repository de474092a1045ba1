import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nowhere, Roster, removeFrom } from './roster.ts';

const member = (name: number) => ({ place: nowhere, name });
const namesOf = (roster: Roster<ReturnType<typeof member>>) => roster.all().map(({ name }) => name);

describe('a roster', () => {
  test('keeps the order of coming, whoever goes', () => {
    const roster = new Roster<ReturnType<typeof member>>();
    const [a, b, c] = [member(1), member(2), member(3)];
    for (const each of [a, b, c, a]) roster.add(each);
    assert.deepEqual([roster.size, roster.first, namesOf(roster)], [3, a, [1, 2, 3]]);
    assert.equal(roster.delete(a), true);
    assert.equal(roster.delete(a), false);
    assert.deepEqual([roster.first, roster.has(a), roster.has(b)], [b, false, true]);
    roster.add(a);
    assert.deepEqual(namesOf(roster), [2, 3, 1]);
    assert.deepEqual(roster.takeAll(), [b, c, a]);
    assert.deepEqual([roster.size, roster.first], [0, null]);
  });

  test('does not take the member of another for its own', () => {
    const [one, other] = [new Roster<ReturnType<typeof member>>(), new Roster<ReturnType<typeof member>>()];
    const [mine, theirs] = [member(1), member(2)];
    one.add(mine);
    other.add(theirs);
    assert.deepEqual([one.has(theirs), one.delete(theirs), other.size], [false, false, 1]);
  });

  test('is what an array would be, however they come and go', () => {
    const roster = new Roster<ReturnType<typeof member>>();
    const model: ReturnType<typeof member>[] = [];
    // A generator with a fixed seed: what fails once fails again.
    let seed = 20_261_122;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    for (let step = 0; step < 20_000; step += 1) {
      const isGrowing = Math.floor(step / 500) % 2 === 0;
      if (random(10) < (isGrowing ? 7 : 3)) {
        const added = member(step);
        roster.add(added);
        model.push(added);
      } else {
        const at = random(3) === 0 ? 0 : random(Math.max(1, model.length));
        const [gone] = model.splice(at, 1);
        if (gone !== undefined) assert.equal(roster.delete(gone), true);
      }
      assert.equal(roster.first, model[0] ?? null);
      assert.equal(roster.size, model.length);
      if (step % 100 === 0) assert.deepEqual(roster.all(), model);
    }
  });
});

test('a member is removed from a short list once, and the others keep their order', () => {
  const list = [1, 2, 3, 4];
  assert.deepEqual([removeFrom(list, 2), removeFrom(list, 2), removeFrom(list, 4), list], [true, false, true, [1, 3]]);
});
