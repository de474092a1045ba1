import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Fake, setUp } from './fake-pool.ts';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const ahead = { mayGoAhead: true, isReturned: false };
const returned = { mayGoAhead: false, isReturned: true };
const signal = new AbortController().signal;

/** Two instances that are busy in a process that has no time left, and two that are idle. */
async function busy() {
  const { pool, made, wait, loop, clock } = setUp({ startsAtOnce: 8 });
  for (let index = 0; index < 4; index += 1) wait();
  for (const fake of [...made]) fake.ready();
  await settle();
  for (const fake of made) pool.putBack(fake, 1);
  loop.isBusy = true;
  const taken = [pool.take(), pool.take()] as [Fake, Fake];
  for (const fake of taken) fake.state = { kind: 'busy', since: 0 };
  return { pool, wait, taken, clock };
}

test('a request that may go ahead is sent to a busy instance with room, any other waits', async () => {
  const { pool, taken } = await busy();
  assert.equal(pool.take(ahead), null, 'neither has room');
  taken[1].hasRoomAhead = true;
  assert.equal(pool.take(), null);
  assert.equal(pool.take(ahead), taken[1]);
});

test('an instance that has more than the one that ended stays busy and gets who waits, as far as it has room', async () => {
  const { pool, wait, taken } = await busy();
  const [first] = taken;
  first.hasRoomAhead = true;
  assert.equal(pool.take(ahead), first);
  first.hasRoomAhead = false;
  const [goes, stays] = [wait('a', signal, ahead), wait('b', signal)];
  pool.putBack(first, 1);
  await settle();
  assert.equal(goes.acquired?.kind, undefined, 'it has no room');
  first.hasRoomAhead = true;
  assert.equal(pool.take(ahead), null, 'who waits comes first');
  first.claim();
  pool.putBack(first, 1);
  await settle();
  assert.partialDeepStrictEqual(goes.acquired, { kind: 'ready', instance: first });
  assert.equal(stays.acquired, null, 'it may not go ahead');
});

test('who was sent ahead and not begun is served before those that wait', async () => {
  const { pool, wait, taken } = await busy();
  const [first] = taken;
  first.hasRoomAhead = true;
  assert.equal(pool.take(ahead), first);
  const waiting = wait('a', signal);
  pool.takeBack(first);
  const back = wait('b', signal, returned);
  first.state = { kind: 'busy', since: 0 };
  pool.putBack(first, 1);
  await settle();
  assert.equal(back.acquired?.kind === 'ready' && back.acquired.instance, first);
  assert.equal(waiting.acquired, null);
});

test('an instance whose only request did not begin is idle again', async () => {
  const { pool, taken } = await busy();
  const [first, second] = taken;
  pool.takeBack(first);
  pool.putBack(second, 1);
  assert.equal(pool.take(), second);
  assert.equal(pool.take(), first);
});

test('an instance that ended is not asked', async () => {
  const { pool, taken } = await busy();
  taken[0].hasRoomAhead = true;
  await taken[0].crash();
  pool.takeBack(taken[0]);
  assert.equal(pool.take(ahead)?.number, 2, 'an idle one');
});
