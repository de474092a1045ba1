import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLoopLoad } from './loop-load.ts';

function setUp() {
  let now = 0;
  const total = { idle: 0, active: 0 };
  const load = createLoopLoad(
    () => now,
    () => ({ ...total }),
  );
  /** Lets time pass of which the loop works `percent`. */
  return (percent: number, ms = 100) => {
    now += ms;
    total.active += (ms * percent) / 100;
    total.idle += (ms * (100 - percent)) / 100;
    return load.isBusy();
  };
}

test('a loop is busy from a high part of the time on, until it falls well below it', () => {
  const pass = setUp();
  assert.equal(pass(60), false);
  assert.equal(pass(90), true);
  assert.equal(pass(50), true, 'it does not flap');
  assert.equal(pass(0, 1), true, 'too little time to tell');
  assert.equal(pass(20), false);
});

test('a loop that falls idle as soon as it is called busy is called so ever more rarely', () => {
  const pass = setUp();
  const restOf = () => {
    while (!pass(100)) {}
    pass(0);
    let windows = 1;
    while (!pass(100)) windows += 1;
    pass(0);
    return windows;
  };
  const first = restOf();
  const second = restOf();
  assert.ok(second > 2 * first, `${first}, then ${second} windows`);
});

test('a loop that was busy for long may be busy again soon', () => {
  const pass = setUp();
  for (let times = 0; times < 5; times += 1) {
    for (let windows = 0; windows < 20; windows += 1) pass(100);
    assert.equal(pass(0), false);
    assert.deepEqual([pass(100), pass(100), pass(100)], [false, false, true]);
  }
});
