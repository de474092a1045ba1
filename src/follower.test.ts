import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { Channel } from './base/channel.ts';
import type { Clock } from './base/clock.ts';
import { type Feed, Follower } from './follower.ts';
import type { ChangeBatch } from './model/published.ts';

/** A feed of empty batches whose versions are pushed by the test. */
function fakeFeed(): Feed & { publish(version: number): void } {
  const listeners = new Set<(batch: ChangeBatch) => void>();
  let newest = 0;
  return {
    changesSince: async (version) => ({ version: Math.max(newest, version), changes: [] }),
    onPublished(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    publish(version) {
      newest = version;
      for (const listener of listeners) listener({ version, changes: [] });
    },
  };
}

/** A channel whose calls the test answers by hand. */
function fakeChannel() {
  const calls: { version: number; answer: () => void }[] = [];
  const channel = new Channel(new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }), {
    onCall: async () => ({ data: null }),
    onNote: () => {},
    onClose: () => {},
  });
  channel.call = (_name, data, options) =>
    new Promise((resolve, reject) => {
      calls.push({ version: (data as ChangeBatch).version, answer: () => resolve({ data: null }) });
      options?.signal?.addEventListener('abort', () => reject(options.signal?.reason));
    });
  return { channel, calls };
}

function fakeClock(): Clock & { fire(): void; advance(ms: number): void } {
  let timers: (() => void)[] = [];
  let now = 0;
  return {
    now: () => now,
    monotonic: () => now,
    advance(ms) {
      now += ms;
    },
    after(_delay, run) {
      timers.push(run);
      return () => {
        timers = timers.filter((timer) => timer !== run);
      };
    },
    fire() {
      for (const timer of timers.slice()) timer();
    },
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function setUp(leaseMs: number | null = null) {
  const feed = fakeFeed();
  const { channel, calls } = fakeChannel();
  const clock = fakeClock();
  const laggards: string[] = [];
  const follower = new Follower(feed, channel, {
    clock,
    limitMs: 10,
    leaseMs,
    onLaggard: (error) => laggards.push(error.message),
  });
  return { feed, calls, clock, laggards, follower };
}

test('a write is live only when the process has answered for its version', async () => {
  const { feed, calls, follower } = setUp();
  feed.publish(1);
  let isLive = false;
  const live = follower.awaitLive(1).then(() => {
    isLive = true;
  });
  await turn();
  assert.deepEqual([calls.map(({ version }) => version), isLive], [[1], false]);
  calls[0]?.answer();
  await live;
});

test('versions published while one is on its way are sent together afterwards', async () => {
  const { feed, calls, follower } = setUp();
  feed.publish(1);
  await turn();
  feed.publish(2);
  feed.publish(3);
  const live = follower.awaitLive(3);
  calls[0]?.answer();
  await turn();
  assert.deepEqual(
    calls.map(({ version }) => version),
    [1, 3],
  );
  calls[1]?.answer();
  await live;
});

test('a process that does not follow is reported once and nothing is acknowledged any more', async () => {
  const { feed, clock, laggards, follower } = setUp();
  feed.publish(1);
  const live = follower.awaitLive(1);
  await turn();
  clock.fire();
  await assert.rejects(live, /did not follow to version 1/);
  await assert.rejects(follower.awaitLive(1), /did not follow/);
  assert.equal(laggards.length, 1);
});

/** Whether a promise has resolved by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  await turn();
  return settled;
}

test('a process that is behind gets no leave to serve before it has followed', async () => {
  const { feed, calls, follower } = setUp(50);
  assert.equal(await follower.lease(), 50);
  feed.publish(1);
  await turn();
  const lease = follower.lease();
  assert.equal(await isSettled(lease), false);
  calls[0]?.answer();
  assert.equal(await lease, 50);
});

test('a write waits for a process that lags until its leave to serve has ended, and no longer', async () => {
  const { feed, clock, follower } = setUp(50);
  await follower.lease();
  clock.advance(20);
  feed.publish(1);
  const live = follower.awaitLive(1);
  assert.equal(await isSettled(live), false);
  clock.advance(31);
  clock.fire();
  await live;
});

test('a write waits no moment for a process that had no leave to serve', async () => {
  const { feed, clock, follower } = setUp(50);
  clock.advance(100);
  feed.publish(1);
  const live = follower.awaitLive(1);
  clock.fire();
  await live;
});

test('a process that has failed holds up no write when it has no leave, and gets none', async () => {
  const { feed, clock, laggards, follower } = setUp(50);
  feed.publish(1);
  await turn();
  clock.fire();
  await turn();
  assert.equal(laggards.length, 1);
  await assert.rejects(follower.lease(), /did not follow/);
  const live = follower.awaitLive(1);
  await turn();
  clock.fire();
  await live;
});
