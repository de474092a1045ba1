import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashed, type Fake, setUp } from './fake-pool.ts';
import type { Acquired } from './pool-port.ts';
import { StartGate } from './start-gate.ts';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test('a request without an instance starts one and gets it with its cold start', async () => {
  const { pool, made, wait } = setUp();
  assert.equal(pool.take(), null);
  const result = wait();
  assert.equal(made.length, 1);
  made[0]?.ready();
  await settle();
  const { acquired } = result;
  assert.ok(acquired?.kind === 'ready');
  assert.equal(acquired.instance, made[0]);
  assert.deepEqual(acquired.coldStart, {
    isSpare: false,
    waitMs: 0,
    startMs: 10,
    codeMs: 0,
    loadMs: 5,
    initializerMs: 0,
  });
});

test('the instance used last is used next', async () => {
  const { pool, made, wait } = setUp();
  wait();
  wait();
  for (const fake of made) fake.ready();
  await settle();
  for (const fake of made) pool.putBack(fake, 1);
  assert.equal(pool.take()?.number, 2);
  assert.equal(pool.take()?.number, 1);
  assert.equal(pool.take(), null);
});

test('who waits longest is served first, by whichever instance frees', async () => {
  const { pool, made, wait } = setUp();
  const first = wait('a');
  const second = wait('b');
  const third = wait('c');
  assert.equal(made.length, 2, 'no more starts at once than allowed');
  made[1]?.ready();
  await settle();
  assert.ok(first.acquired?.kind === 'ready' && first.acquired.instance.number === 2);
  if (made[1] !== undefined) pool.putBack(made[1], 1);
  await settle();
  assert.ok(second.acquired?.kind === 'ready' && second.acquired.instance.number === 2);
  assert.equal(second.acquired.coldStart, null, 'a warm instance served it');
  assert.equal(third.acquired, null);
});

test('a start that fails answers one caller; each caller causes one start and no more', async () => {
  const { made, wait } = setUp();
  const results = [wait('a'), wait('b'), wait('c')];
  for (let index = 0; index < made.length; index += 1) {
    made[index]?.fail(crashed);
    await settle();
  }
  assert.equal(made.length, 3);
  assert.deepEqual(
    results.map(({ acquired }) => acquired?.kind),
    ['start-failed', 'start-failed', 'start-failed'],
  );
});

test('when an instance dies the queue is not lost', async () => {
  const { pool, made, wait } = setUp({ startsAtOnce: 1 });
  wait('a');
  made[0]?.ready();
  await settle();
  const next = wait('b');
  await made[0]?.crash();
  assert.equal(made.length, 2);
  made[1]?.ready();
  await settle();
  assert.equal(next.acquired?.kind, 'ready');
  assert.equal(pool.waiting, 0);
});

test('a quick function is not given an instance for each of many callers', async () => {
  const { clock, pool, made, wait } = setUp();
  wait();
  wait();
  for (const fake of [...made]) fake.ready();
  await settle();
  for (const fake of made) pool.putBack(fake, 1);
  const taken = [pool.take(), pool.take()];
  for (let index = 0; index < 10; index += 1) wait();
  assert.equal(made.length, 2, 'waiting 5 ms beats starting');
  clock.advance(200);
  assert.equal(made.length, 4, 'it did not: more are started');
  assert.ok(taken.every((each) => each !== null));
});

test('many callers of a quick function wait for the instances that the processors can run, also when others are idle', async () => {
  const { clock, pool, made, wait, loop } = setUp({ startsAtOnce: 8 });
  for (let index = 0; index < 4; index += 1) wait();
  for (const fake of [...made]) fake.ready();
  await settle();
  for (const fake of made) pool.putBack(fake, 1);
  loop.isBusy = true;
  const taken = [pool.take(), pool.take()];
  assert.ok(taken.every((each) => each !== null));
  assert.equal(pool.take(), null, 'two are idle and stay so');
  const [first, second] = [wait(), wait()];
  const [busy] = taken;
  if (busy) pool.putBack(busy, 1);
  await settle();
  assert.equal(first.acquired?.kind === 'ready' && first.acquired.instance, busy, 'who waits gets what frees');
  assert.equal(second.acquired, null);
  clock.advance(1);
  await settle();
  assert.equal(second.acquired, null);
  clock.advance(2);
  await settle();
  const late: Acquired<Fake> | null = second.acquired;
  assert.equal(
    late === null ? null : (late as Acquired<Fake>).kind,
    'ready',
    'nothing ended meanwhile: an idle one serves',
  );
  assert.equal(made.length, 4);
});

test('callers are held back neither for slow functions nor while the process has time', async () => {
  for (const [isBusy, durationMs] of [
    [true, 20],
    [false, 1],
  ] as const) {
    const { pool, made, wait, loop } = setUp({ startsAtOnce: 8 });
    for (let index = 0; index < 4; index += 1) wait();
    for (const fake of [...made]) fake.ready();
    await settle();
    for (const fake of made) pool.putBack(fake, durationMs);
    loop.isBusy = isBusy;
    const taken = made.map(() => pool.take());
    assert.ok(taken.every((each) => each !== null));
  }
});

test('when the process itself stood still, no instance is started for what it has not read', async () => {
  const { clock, pool, made, wait } = setUp();
  wait();
  wait();
  for (const fake of [...made]) fake.ready();
  await settle();
  for (const fake of made) pool.putBack(fake, 1);
  for (let index = 0; index < 12; index += 1) if (pool.take() === null) wait();
  assert.equal(made.length, 2);
  clock.standStill(500);
  assert.equal(made.length, 2);
  clock.advance(200);
  assert.equal(made.length, 4, 'nothing came in a time in which it would have: more are started');
});

test('a caller that leaves while it waits is told so and served no more', async () => {
  const { pool, made, wait } = setUp();
  const controller = new AbortController();
  const left = wait('a', controller.signal);
  controller.abort();
  await settle();
  assert.equal(left.acquired?.kind, 'caller-gone');
  made[0]?.ready();
  await settle();
  assert.equal(pool.take(), made[0], 'the instance rests');
});

test('a retired pool ends idle instances at once, the others after their requests, and says when it is drained', async () => {
  const { pool, made, wait, drained } = setUp();
  wait();
  wait();
  for (const fake of made) fake.ready();
  await settle();
  if (made[0] !== undefined) pool.putBack(made[0], 1);
  pool.retire('replaced');
  await settle();
  assert.equal(made[0]?.state.kind, 'gone');
  assert.equal(made[1]?.state.kind, 'idle', 'it still runs its request');
  assert.equal(drained(), 0);
  if (made[1] !== undefined) pool.putBack(made[1], 1);
  await settle();
  assert.equal(made[1]?.state.kind, 'gone');
  assert.equal(drained(), 1);
});

test('instances unused for too long end, the others stay', async () => {
  const { clock, pool, made, wait } = setUp();
  wait();
  wait();
  for (const fake of made) fake.ready();
  await settle();
  if (made[0] !== undefined) pool.putBack(made[0], 1);
  clock.advance(1000);
  if (made[1] !== undefined) pool.putBack(made[1], 1);
  pool.endIdleSince(500);
  await settle();
  assert.deepEqual(
    made.map(({ state }) => state.kind),
    ['gone', 'idle'],
  );
});

test('after close everybody is told and every instance is ended', async () => {
  const { pool, made, wait } = setUp({ startsAtOnce: 1 });
  const waiting = wait();
  await pool.close();
  await settle();
  assert.equal(waiting.acquired?.kind, 'closed');
  assert.equal(made[0]?.state.kind, 'gone');
});

test('an instance is frozen when it was unused for the limit, and is used again frozen', async () => {
  const { clock, pool, made, wait } = setUp({ freezeMs: 1_000 });
  wait();
  wait();
  for (const fake of made) fake.ready();
  await settle();
  const [first, second] = made;
  assert.ok(first && second);
  pool.putBack(first, 1);
  clock.advance(600);
  pool.putBack(second, 1);
  clock.advance(399);
  assert.deepEqual([first.state.kind, second.state.kind], ['idle', 'idle']);
  clock.advance(2);
  assert.deepEqual([first.state.kind, second.state.kind], ['frozen', 'idle']);
  assert.equal(pool.take(), second, 'the one that runs is used first');
  clock.advance(2_000);
  assert.equal(second.state.kind, 'idle', 'who is taken is not frozen');
  pool.putBack(second, 1);
  clock.advance(1_001);
  assert.equal(second.state.kind, 'frozen');
  assert.equal(pool.take(), second);
  assert.equal(pool.oldestIdleSince, 0, 'frozen or not, it is unused since its last request');
});

test('with no time to wait an instance is frozen as soon as nobody needs it', async () => {
  const { pool, made, wait } = setUp({ freezeMs: 0 });
  wait();
  made[0]?.ready();
  await settle();
  const [only] = made;
  assert.ok(only);
  pool.putBack(only, 1);
  assert.equal(only.state.kind, 'frozen');
});

test('while the hook before a freeze runs nobody gets the instance, and who waits then gets it unfrozen', async () => {
  const preFreeze = { handler: 'index.pre_freeze', timeoutMs: 1_000 };
  const { clock, pool, made, wait } = setUp({ freezeMs: 1_000, instancesPerFunction: 1 }, { preFreeze });
  wait();
  made[0]?.ready();
  await settle();
  const [only] = made;
  assert.ok(only);
  pool.putBack(only, 1);
  clock.advance(1_001);
  assert.equal(only.state.kind, 'freezing');
  assert.equal(pool.take(), null);
  const waiting = wait();
  only.hook.resolve(true);
  await settle();
  assert.equal(waiting.acquired?.kind, 'ready');
  assert.equal(only.state.kind, 'idle');
});

test('an instance whose hook came to no end is not used again', async () => {
  const preFreeze = { handler: 'index.pre_freeze', timeoutMs: 1_000 };
  const { clock, pool, made, wait } = setUp({ freezeMs: 1_000 }, { preFreeze });
  wait();
  made[0]?.ready();
  await settle();
  const [only] = made;
  assert.ok(only);
  pool.putBack(only, 1);
  clock.advance(1_001);
  only.hook.resolve(false);
  await settle();
  assert.equal(pool.take(), null);
});

test('a function whose instances die at start is started ever more rarely; its callers get their error at once', async () => {
  const { clock, made, wait } = setUp();
  const answered = async () => {
    const caller = wait();
    for (const fake of made) if (fake.state.kind === 'starting') fake.fail(crashed);
    await settle();
    return caller.acquired?.kind;
  };
  for (let call = 0; call < 6; call += 1) assert.equal(await answered(), 'start-failed');
  assert.equal(made.length, 6, 'one start for each of the first callers');
  for (let call = 0; call < 50; call += 1) assert.equal(await answered(), 'start-failed');
  assert.equal(made.length, 6, 'none while it pauses');
  let starts = made.length;
  const pauses: number[] = [];
  for (let elapsed = 0; elapsed <= 10_000; elapsed += 50) {
    clock.advance(50);
    assert.equal(await answered(), 'start-failed');
    if (made.length > starts) pauses.push(elapsed);
    starts = made.length;
  }
  assert.ok(pauses.length >= 5 && pauses.length <= 8, `${pauses.length} starts in ten seconds`);
  clock.advance(10_000);
  const caller = wait();
  made.at(-1)?.ready();
  await settle();
  assert.equal(caller.acquired?.kind, 'ready', 'when it can start again it is served');
});

test('a function whose instances die in their requests is started one at a time, at a pace; callers wait', async () => {
  const { clock, made, wait } = setUp();
  const callers = Array.from({ length: 20 }, () => wait());
  for (let death = 0; death < 6; death += 1) {
    const fake = made[death];
    assert.ok(fake);
    fake.ready();
    await fake.crash();
  }
  const starting = () => made.filter(({ state }) => state.kind === 'starting');
  // Those that were under way when it became clear come to the same end.
  while (starting().length > 0) {
    const [fake] = starting();
    fake?.ready();
    await fake?.crash();
  }
  for (let round = 0; round < 5; round += 1) {
    clock.advance(100);
    await settle();
    assert.equal(starting().length, 1);
    const [fake] = starting();
    fake?.ready();
    await fake?.crash();
    assert.equal(starting().length, 0, 'a pause between');
  }
  assert.ok(callers.some(({ acquired }) => acquired === null));
});

test('two functions: the one that crashes at every start keeps the other from no slot', async () => {
  const gate = new StartGate(4);
  const hog = {
    starting: 0,
    startOne() {
      hog.starting += 1;
      return true;
    },
  };
  gate.want(hog);
  assert.equal(hog.starting, 3, 'a quarter of the slots is left');
  const neighbour = {
    starting: 0,
    startOne() {
      if (neighbour.starting > 0) return false;
      neighbour.starting = 1;
      return true;
    },
  };
  gate.want(neighbour);
  assert.equal(neighbour.starting, 1);
});

test('an instance that is unwell ends: an idle one at once, a busy one after its request', async () => {
  const { pool, made, wait } = setUp();
  wait();
  wait();
  for (const fake of made) fake.ready();
  await settle();
  const [idle, busy] = made;
  assert.ok(idle !== undefined && busy !== undefined);
  pool.putBack(idle, 1);
  idle.becomeUnwell();
  await settle();
  assert.deepEqual(idle.state, { kind: 'gone', since: 0, reason: 'unwell' });
  assert.equal(pool.take(), null);
  busy.becomeUnwell();
  assert.equal(busy.state.kind === 'stopping', false);
  pool.putBack(busy, 1);
  await settle();
  assert.equal(busy.state.kind, 'gone');
  assert.equal(pool.take(), null);
});
