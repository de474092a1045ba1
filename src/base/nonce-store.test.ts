import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from './clock.ts';
import { createNonceStore } from './nonce-store.ts';

function open(limit?: number) {
  const time = { ms: 5_000 };
  const clock: Clock = { now: () => time.ms, monotonic: () => time.ms, after: () => () => {} };
  const seed = new Uint32Array([1, 2]);
  return { time, store: createNonceStore({ clock, seed, ...(limit === undefined ? {} : { limit }) }) };
}
const ttlMs = 900_000;

describe('the nonce store', () => {
  it('accepts a nonce once and refuses it until its time is over', () => {
    const { time, store } = open();
    assert.equal(store.claim('app', 'n', ttlMs), true);
    assert.equal(store.claim('app', 'n', ttlMs), false);
    time.ms += ttlMs - 1000;
    assert.equal(store.claim('app', 'n', ttlMs), false);
    time.ms += 2000;
    assert.equal(store.claim('app', 'n', ttlMs), true);
    assert.equal(store.claim('app', 'n', ttlMs), false);
  });

  it('keeps apps apart and does not confuse where the key ends', () => {
    const { store } = open();
    assert.equal(store.claim('a', 'bc', ttlMs), true);
    assert.equal(store.claim('ab', 'c', ttlMs), true);
    assert.equal(store.claim('a', 'BC', ttlMs), true);
    assert.equal(store.claim('b', 'bc', ttlMs), true);
  });

  it('accepts 50,000 different nonces and refuses each of them afterwards', () => {
    const { store } = open();
    for (let n = 0; n < 50_000; n++) assert.equal(store.claim('app', `nonce ${n}`, ttlMs), true);
    for (let n = 0; n < 50_000; n++) assert.equal(store.claim('app', `nonce ${n}`, ttlMs), false);
  });

  it('forgets the oldest when it is full, and still refuses what it took last', () => {
    const { time, store } = open(16_384);
    for (let n = 0; n < 100_000; n++) {
      time.ms += 1;
      assert.equal(store.claim('app', `nonce ${n}`, ttlMs), true);
    }
    for (let n = 99_500; n < 100_000; n++) assert.equal(store.claim('app', `nonce ${n}`, ttlMs), false);
    assert.equal(store.claim('app', 'nonce 0', ttlMs), true);
  });

  it('makes room for new nonces when old ones have expired', () => {
    const { time, store } = open(20_000);
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < 5_000; n++) assert.equal(store.claim('app', `nonce ${n}`, ttlMs), true);
      for (let n = 0; n < 5_000; n++) assert.equal(store.claim('app', `nonce ${n}`, ttlMs), false);
      time.ms += ttlMs + 2000;
    }
  });
});
