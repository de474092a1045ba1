import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLoopLoad } from './loop-load.ts';

test('a loop is busy from a high part of the time on, until it falls well below it', () => {
  let now = 0;
  const total = { idle: 0, active: 0 };
  const load = createLoopLoad(
    () => now,
    () => ({ ...total }),
  );
  const pass = (active: number) => {
    now += 100;
    total.active += active;
    total.idle += 100 - active;
    return load.isBusy();
  };
  assert.equal(pass(70), false);
  assert.equal(pass(90), true);
  assert.equal(pass(70), true, 'it does not flap');
  assert.equal(pass(40), false);
  assert.equal(pass(100), false, 'nor does it begin anew at once');
  for (let times = 0; times < 8; times += 1) pass(100);
  assert.equal(pass(100), true);
  assert.equal(pass(40), false);
  now += 1;
  total.active += 1;
  assert.equal(load.isBusy(), false, 'too little time to tell');
});
