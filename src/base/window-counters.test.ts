import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerCounterBatch, createSharedCounters, leaseSize } from './counter-leases.ts';
import { createNonceStore } from './nonce-store.ts';
import { createWindowCounters } from './window-counters.ts';

const clock = { now: () => 0, monotonic: () => 0, after: () => () => {} };

test('counts up to the limit of each window, and anew in the next', () => {
  const counters = createWindowCounters(100);
  const ask = (window: number) => counters.count({ windowMs: 1000, window, takes: [{ key: 'a', limit: 2 }] });
  assert.deepEqual([ask(7), ask(7), ask(7)], [-1, -1, 0]);
  assert.deepEqual([ask(8), ask(8), ask(8)], [-1, -1, 0]);
  assert.equal(ask(7), 0, 'a late call finds the count of its own window');
});

test('counts a call against all of its limits or against none', () => {
  const counters = createWindowCounters(100);
  const ask = (...takes: { key: string; limit: number }[]) => counters.count({ windowMs: 60_000, window: 1, takes });
  const api = { key: 'api', limit: 3 };
  const app = { key: 'app', limit: 1 };
  assert.equal(ask(api, app), -1);
  assert.equal(ask(api, app), 1);
  assert.equal(ask(api, app), 1);
  assert.deepEqual([ask(api), ask(api), ask(api)], [-1, -1, 0], 'the refused calls left the room of the API alone');
});

test('holds no more keys than its bound, and none of windows that are over', () => {
  const counters = createWindowCounters(10);
  for (let i = 0; i < 1000; i++) counters.count({ windowMs: 1000, window: 1, takes: [{ key: String(i), limit: 1 }] });
  assert.equal(counters.size(), 10);
  counters.count({ windowMs: 1000, window: 3, takes: [{ key: 'a', limit: 1 }] });
  assert.equal(counters.size(), 1);
});

/** `processes` sharing one authority, over JSON as it would travel. */
function shared(processes: number) {
  const authority = { counters: createWindowCounters(1000), claimNonce: createNonceStore({ clock }).claim, processes };
  let batches = 0;
  const members = Array.from({ length: processes }, () =>
    createSharedCounters(async (batch) => {
      batches++;
      return JSON.parse(JSON.stringify(await answerCounterBatch(JSON.parse(JSON.stringify(batch)), authority)));
    }),
  );
  return { members, batches: () => batches };
}

for (const limit of [1, 7, 50, 199, 1_000, 20_000]) {
  test(`three processes together let through no more than ${limit} and at least 98 % of it`, async () => {
    const { members, batches } = shared(3);
    let accepted = 0;
    for (let round = 0; round < Math.ceil(limit / 20); round++) {
      const calls = Array.from({ length: 60 }, (_, i) =>
        members[i % 3]?.count({ windowMs: 1000, window: 5, takes: [{ key: 'a', limit }] }),
      );
      for (const result of await Promise.all(calls)) if (result === -1) accepted++;
    }
    assert.ok(accepted <= limit, `${accepted}`);
    assert.ok(accepted >= Math.floor(limit * 0.98), `${accepted}`);
    if (leaseSize(limit, 3) > 20) assert.ok(batches() < limit / 10, `${batches()} batches`);
  });
}

test('a refusal by one limit gives back what a lease gave for the others', async () => {
  const { members } = shared(1);
  const [member] = members;
  const api = { key: 'api', limit: 10_000 };
  const ask = (...takes: { key: string; limit: number }[]) => member?.count({ windowMs: 1000, window: 5, takes });
  assert.equal(await ask(api), -1);
  for (let i = 0; i < 500; i++) assert.equal(await ask(api, { key: 'app', limit: 0 }), 1);
  let accepted = 1;
  for (let i = 0; i < 12_000; i++) if ((await ask(api)) === -1) accepted++;
  assert.ok(accepted <= 10_000 && accepted >= 9_800, `${accepted}`);
});

test('a nonce that is sent to two processes at once is taken by one of them, every time', async () => {
  const { members } = shared(2);
  for (let i = 0; i < 10_000; i += 100) {
    const claims = Array.from({ length: 100 }, (_, at) =>
      members.map((member) => member.claimNonce('key', `nonce ${i + at}`, 900_000)),
    );
    for (const pair of claims) assert.equal((await Promise.all(pair)).filter(Boolean).length, 1);
  }
});

test('when the authority cannot be asked, the calls fail and are not let through', async () => {
  const member = createSharedCounters(() => Promise.reject(new Error('gone')));
  await assert.rejects(async () => member.count({ windowMs: 1, window: 1, takes: [{ key: 'a', limit: 1 }] }), /gone/);
  await assert.rejects(async () => member.claimNonce('a', 'b', 1), /gone/);
});
