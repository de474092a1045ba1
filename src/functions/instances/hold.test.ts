import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hold, isHeldBack } from './hold.ts';

test('quick requests are held back while this process is busy and as many instances serve as there are processors', () => {
  const quick = { others: 2, processors: 2, typicalMs: 1 };
  assert.equal(
    isHeldBack(quick, () => true),
    true,
  );
  assert.equal(
    isHeldBack(quick, () => false),
    false,
  );
  for (const change of [{ others: 1 }, { typicalMs: hold.quickMs }, { typicalMs: null }]) {
    const neverAsked = () => assert.fail('the load of this process is asked for last');
    assert.equal(isHeldBack({ ...quick, ...change }, neverAsked), false);
  }
});
