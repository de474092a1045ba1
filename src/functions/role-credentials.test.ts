import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../base/clock.ts';
import type { FunctionConfig } from '../model/function.ts';
import { createRoleCredentials } from './role-credentials.ts';

const hour = 60 * 60 * 1000;

function fixture() {
  let now = 1_000 * hour;
  let count = 0;
  const clock: Clock = { now: () => now, monotonic: () => 0, after: () => () => {} };
  const of = createRoleCredentials(clock, ({ key }, expiresAt) => {
    count += 1;
    return { accessKeyId: `STS.${key}${count}`, accessKeySecret: 's', securityToken: 't', expiresAt };
  });
  return {
    of,
    pass: (ms: number) => {
      now += ms;
      return now;
    },
  };
}

const config = (key: string) => ({ key }) as FunctionConfig;

test('credentials are good for 36 hours and stay the same for 12', () => {
  const { of, pass } = fixture();
  const cart = config('cart');
  const first = of(cart);
  assert.equal(first.expiresAt, pass(0) + 36 * hour);
  pass(12 * hour - 1);
  assert.equal(of(cart), first);
});

test('after 12 hours there are new ones, so that they never end under a request', () => {
  const { of, pass } = fixture();
  const cart = config('cart');
  const first = of(cart);
  pass(12 * hour);
  const second = of(cart);
  assert.notEqual(second.accessKeyId, first.accessKeyId);
  assert.equal(second.expiresAt, pass(0) + 36 * hour);
});

test('a clock that was set back makes new ones instead of ones that last too long', () => {
  const { of, pass } = fixture();
  const cart = config('cart');
  const first = of(cart);
  pass(-48 * hour);
  assert.equal(of(cart).expiresAt, pass(0) + 36 * hour);
  assert.notEqual(of(cart), first);
});

test('each published configuration has its own', () => {
  const { of } = fixture();
  const [one, other] = [config('a'), config('a')];
  assert.notEqual(of(one).accessKeyId, of(other).accessKeyId);
});
