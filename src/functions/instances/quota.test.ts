import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowedInstances, freeRequests, isExhausted, type LimitedPool, Quotas } from './quota.ts';

function poolOf(key: string, qualifier: string, more: Partial<LimitedPool> = {}): LimitedPool {
  return {
    config: { key, qualifier },
    concurrency: 1,
    minimum: 0,
    allowsOnDemand: true,
    inFlight: 0,
    quota: null,
    ...more,
  };
}

const limitOf = (functionKey: string, qualifier: string | null, maximum: number) => ({
  functionKey,
  qualifier,
  maximum,
});

test('a limit of a qualifier counts its requests alone, and what is provisioned comes on top', () => {
  const quotas = new Quotas();
  const [prod, head] = [poolOf('s/f', 'prod', { inFlight: 2 }), poolOf('s/f', 'LATEST', { inFlight: 9 })];
  quotas.change('s/f@prod', limitOf('s/f', 'prod', 2), [prod, head]);
  assert.equal(prod.quota?.inFlight, 2);
  assert.deepEqual([isExhausted(prod), isExhausted(head)], [true, false]);
  assert.equal(allowedInstances(head), Number.POSITIVE_INFINITY);
  assert.equal(isExhausted({ ...prod, minimum: 1 }), false);
});

test('a limit of a function counts all its qualifiers, and what is provisioned is within', () => {
  const quotas = new Quotas();
  const [one, two] = [poolOf('f', '1', { inFlight: 1, minimum: 5 }), poolOf('f', 'LATEST', { inFlight: 2 })];
  quotas.change('f@', limitOf('f', null, 3), [one, two]);
  assert.deepEqual([isExhausted(one), isExhausted(two)], [true, true]);
  assert.equal(allowedInstances(one), 3);
});

test('requests that share an instance are so many times more', () => {
  const quotas = new Quotas();
  const pool = poolOf('f', 'LATEST', {
    inFlight: 19,
    concurrency: 10,
  });
  quotas.change('f@', limitOf('f', null, 2), [pool]);
  assert.equal(isExhausted(pool), false);
  assert.equal(isExhausted({ ...pool, quota: { maximum: 2, isOfFunction: true, inFlight: 20 } }), true);
});

test('a changed limit keeps its count, and a withdrawn one holds nobody back', () => {
  const quotas = new Quotas();
  const pool = poolOf('f', 'LATEST', { inFlight: 1 });
  quotas.change('f@', limitOf('f', null, 0), [pool]);
  assert.equal(isExhausted(pool), true);
  quotas.change('f@', limitOf('f', null, 2), [pool]);
  assert.deepEqual([pool.quota?.inFlight, isExhausted(pool)], [1, false]);
  quotas.change('f@', null, [pool]);
  assert.deepEqual([pool.quota, isExhausted(pool)], [null, false]);
});

test('a pool that comes later is under the limit that is there', () => {
  const quotas = new Quotas();
  quotas.change('f@', limitOf('f', null, 0), []);
  const pool = poolOf('f', 'LATEST');
  quotas.attach(pool);
  assert.equal(isExhausted(pool), true);
});

test('a pool that may only have its provisioned instances refuses what they cannot run', () => {
  const pool = poolOf('f', 'prod', { allowsOnDemand: false, minimum: 2, inFlight: 1 });
  assert.equal(isExhausted(pool), false);
  assert.equal(isExhausted({ ...pool, inFlight: 2 }), true);
  assert.equal(isExhausted(poolOf('f', 'prod', { allowsOnDemand: false })), true);
});

test('how many more requests there is room for', () => {
  const quotas = new Quotas();
  const pool = poolOf('f', 'LATEST', { inFlight: 3, concurrency: 2 });
  assert.equal(freeRequests(pool), Number.POSITIVE_INFINITY);
  quotas.change('f@', limitOf('f', null, 4), [pool]);
  assert.equal(freeRequests(pool), 5);
  quotas.change('f@', limitOf('f', null, 1), [pool]);
  assert.equal(freeRequests(pool), -1, 'more than the limit of now');
  assert.equal(quotas.of({ key: 'f', qualifier: '1' }), pool.quota);
  assert.equal(quotas.of({ key: 'g', qualifier: '1' }), null);
});
