import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Background, type WatchedInstance, type WatchedPool } from './background.ts';
import { fakeClock } from './fake-clock.ts';
import { OutsideLoad, parseProcessorTimes } from './outside-load.ts';
import type { InstanceState } from './state.ts';

type Fake = WatchedInstance & { state: InstanceState; cpuMs: number };

/** Instances of one function each unless said; `use` is the part of a processor that they take while time passes. */
function setUp({ count = 1, concurrency = 1, hasClasses = true, isBackground = false, isOutside = false } = {}) {
  const clock = fakeClock();
  const told: string[] = [];
  const reports: string[] = [];
  const made: Fake[] = [];
  for (let pid = 1; pid <= count; pid += 1) {
    const plan = { launch: { isBackground } };
    made.push({ id: `i${pid}`, pid, state: { kind: 'idle', since: 0 }, cpuMs: 500, plan });
  }
  const pool: WatchedPool & { inFlight: number; starting: number } = {
    config: { key: 'f' },
    concurrency,
    inFlight: 0,
    starting: 0,
    instances: made,
  };
  const setBackground = async (id: string, isBackground: boolean) => {
    told.push(`${isBackground ? 'demoted' : 'promoted'} ${id}`);
    if (id === 'broken') throw new Error('no class');
  };
  const background = new Background({
    clock,
    setBackground: hasClasses ? setBackground : undefined,
    pools: () => [pool],
    outside: { watch: () => {}, takesFrom: (use) => isOutside && use < 0.25 },
    readCpuMs: (pid) => made.find((each) => each.pid === pid)?.cpuMs ?? 0,
    report: (text) => reports.push(text),
  });
  const [first] = made;
  assert.ok(first !== undefined);
  const begin = (instance = first) => {
    instance.state = { kind: 'busy', since: clock.monotonic() };
    pool.inFlight += 1;
    background.wake();
    background.begins(pool, instance);
  };
  const end = (instance = first, isLast = false) => {
    background.ends(pool, instance, isLast);
    pool.inFlight -= 1;
    instance.state = { kind: 'idle', since: clock.monotonic() };
  };
  const pass = (ms: number, use: number, instances: readonly Fake[] = [first]) => {
    for (let passed = 0; passed < ms; passed += 10) {
      for (const instance of instances) instance.cpuMs += 10 * use;
      clock.advance(10);
    }
  };
  return { clock, told, reports, made, first, pool, background, begin, end, pass };
}

test('a request that computes goes to the background, and its instance stays there for the next one', () => {
  const { told, begin, end, pass, background } = setUp();
  begin();
  pass(30, 1);
  assert.deepEqual(told, []);
  pass(30, 1);
  assert.deepEqual(told, ['demoted i1']);
  assert.equal(background.count, 1);
  pass(1_500, 1);
  assert.deepEqual(told, ['demoted i1']);
  end();
  assert.equal(background.count, 0);
  for (let turn = 0; turn < 5; turn += 1) {
    begin();
    assert.equal(background.count, 1);
    pass(200, 1);
    end();
    pass(1_000, 0);
  }
  assert.deepEqual(told, ['demoted i1'], 'no class changes from request to request');
});

test('a request that waits stays in the foreground however long, and is looked at seldom', () => {
  const { told, begin, pass, clock } = setUp();
  begin();
  pass(60_000, 0.001);
  assert.deepEqual(told, []);
  assert.ok(clock.timersMade < 60_000 / 15);
});

test('the next request of a function that computes begins in the background, until one computes little', () => {
  const { told, begin, end, pass } = setUp();
  begin();
  pass(100, 1);
  end();
  assert.deepEqual(told, ['demoted i1']);
  begin();
  pass(5, 1);
  end();
  // This one took 10 ms of it at least: it is still known to compute.
  assert.deepEqual(told, ['demoted i1']);
  begin();
  end();
  assert.deepEqual(told, ['demoted i1', 'promoted i1']);
  begin();
  end();
  assert.equal(told.length, 2, 'the one before computed nothing');
});

test('the other instances of a function come out of the background when they are used next', () => {
  const { told, made, begin, end, pass } = setUp({ count: 3 });
  for (const instance of made) begin(instance);
  pass(100, 1, made);
  for (const instance of made) end(instance);
  told.length = 0;
  const [one, other] = made;
  begin(one);
  end(one);
  assert.deepEqual(told, ['promoted i1'], 'it computed nothing');
  begin(other);
  assert.deepEqual(told, ['promoted i1', 'promoted i2']);
  end(other);
  begin(other);
  assert.equal(told.length, 2, 'once');
});

test('who comes to the background in another instance is put there as it begins', () => {
  const { told, made, begin, end, pass } = setUp({ count: 2 });
  begin();
  pass(100, 1);
  end();
  begin(made[1]);
  assert.deepEqual(told, ['demoted i1', 'demoted i2']);
});

test('what crowds of computing requests get little of is found, too', () => {
  const { told, made, begin, pass } = setUp({ count: 20 });
  for (const instance of made) begin(instance);
  pass(800, 0.1, made);
  assert.equal(new Set(told).size, 20);
});

test('who starves in the background has a turn in the foreground, one at a time', () => {
  const { told, made, begin, pass, background } = setUp({ count: 3 });
  for (const instance of made) begin(instance);
  pass(100, 1, made);
  assert.equal(background.count, 3);
  told.length = 0;
  pass(2_000, 0);
  assert.deepEqual(told, ['promoted i1']);
  // It computes at once, and gives the turn back.
  pass(100, 1);
  assert.deepEqual(told, ['promoted i1', 'demoted i1']);
  pass(2_400, 0);
  assert.deepEqual(told.slice(2), ['promoted i2', 'promoted i3']);
});

test('a start that computes is in the background until it is done', () => {
  const { told, first, pool, begin, background, pass } = setUp();
  begin();
  first.state = { kind: 'loading', since: 0 };
  pass(80, 1);
  assert.deepEqual(told, ['demoted i1']);
  first.state = { kind: 'busy', since: 80 };
  pass(20, 0);
  assert.deepEqual(told, ['demoted i1', 'promoted i1']);
  // A start says nothing of the function's requests.
  background.ends(pool, first, false);
  begin();
  assert.equal(told.length, 2);
});

test('a request that waited for its instance to start is looked at, too', () => {
  const { told, first, pool, background, pass } = setUp();
  const unborn = { ...first, pid: 0, state: { kind: 'starting', since: 0 } } as const;
  const instances = [unborn] as Fake[];
  Object.assign(pool, { inFlight: 1, instances });
  background.wake();
  pass(500, 0);
  instances[0] = first;
  first.state = { kind: 'busy', since: 500 };
  pass(80, 1);
  assert.deepEqual(told, ['demoted i1']);
});

test('an instance that ended is forgotten, and rounds stop when nothing runs', () => {
  const { told, first, pool, begin, pass, clock, background } = setUp();
  begin();
  pass(100, 1);
  first.state = { kind: 'stopping', since: 100, reason: 'exited' };
  pool.inFlight = 0;
  pass(40, 0);
  assert.deepEqual(told, ['demoted i1', 'promoted i1']);
  assert.equal(background.count, 0);
  const before = clock.timersMade;
  pass(1_000, 0);
  assert.equal(clock.timersMade, before);
});

test('an instance with several requests is demoted only when it keeps half a processor', () => {
  const calm = setUp({ concurrency: 10 });
  calm.begin();
  calm.pass(5_000, 0.4);
  assert.deepEqual(calm.told, []);
  const busy = setUp({ concurrency: 10 });
  busy.begin();
  busy.pass(200, 1);
  assert.deepEqual(busy.told, ['demoted i1']);
});

test('where there are no classes nothing is looked at', () => {
  const { told, begin, end, pass, clock } = setUp({ hasClasses: false });
  begin();
  pass(1_000, 1);
  end();
  assert.deepEqual(told, []);
  assert.equal(clock.timersMade, 0);
});

test('an instance that ends with its request ends where it is', () => {
  const { told, begin, end, pass, background } = setUp();
  begin();
  pass(100, 1);
  end(undefined, true);
  assert.deepEqual(told, ['demoted i1']);
  assert.equal(background.count, 0);
});

test('what was started in the background stays there until it has answered something, and comes out once', () => {
  const { told, first, begin, end, pass, background, pool } = setUp({ isBackground: true });
  pool.starting = 1;
  background.wake();
  first.state = { kind: 'starting', since: 0 };
  pass(60, 1);
  first.state = { kind: 'loading', since: 60 };
  pass(60, 1);
  assert.equal(background.count, 1);
  pool.starting = 0;
  begin();
  pass(60, 0);
  assert.deepEqual([told, background.count], [[], 1]);
  end();
  assert.deepEqual(told, ['promoted i1']);
  begin();
  pass(100, 0);
  assert.deepEqual(told, ['promoted i1']);
  pass(100, 1);
  end();
});

test('what was started there for nobody comes out when it rests', () => {
  const { told, first, pool, pass, background } = setUp({ isBackground: true });
  pool.starting = 1;
  background.wake();
  first.state = { kind: 'loading', since: 0 };
  pass(60, 1);
  first.state = { kind: 'idle', since: 60 };
  pass(40, 0);
  assert.deepEqual(told, ['promoted i1']);
});

test('a start that starves there goes on in the foreground', () => {
  const { told, first, pool, pass, background } = setUp({ isBackground: true });
  pool.starting = 1;
  background.wake();
  first.state = { kind: 'loading', since: 0 };
  pass(990, 0);
  assert.equal(background.count, 1);
  // As little as the kernel tells of it: more than nothing.
  first.cpuMs = 5;
  pass(40, 0);
  assert.deepEqual(told, ['promoted i1']);
  pass(500, 1);
  assert.deepEqual(told, ['promoted i1']);
});

test('nobody is in the background for a while when others of this machine take the processors from it', () => {
  const { told, made, begin, end, pass, background } = setUp({ count: 2, isOutside: true });
  for (const instance of made) begin(instance);
  pass(100, 1, made);
  assert.equal(background.count, 2);
  told.length = 0;
  pass(2_100, 0.001, made);
  assert.deepEqual(told, ['promoted i1', 'promoted i2']);
  told.length = 0;
  pass(5_000, 1, made);
  for (const instance of made) end(instance);
  begin();
  pass(1_000, 1);
  assert.deepEqual([told, background.isOpen], [[], false]);
  pass(6_000, 1);
  assert.deepEqual([told, background.isOpen], [['demoted i1'], true]);
});

test('one that waits in the background while others compute there is no sign of an outside load', () => {
  const { told, made, first, begin, pass } = setUp({ count: 2, isOutside: true });
  for (const instance of made) begin(instance);
  pass(100, 1, made);
  told.length = 0;
  pass(2_200, 1, [first]);
  assert.deepEqual(told, ['promoted i2']);
});

test('others take the processors when none is unused and this process does not use them either', () => {
  const times = { ownMs: 0, unusedTicks: 0, allTicks: 0 };
  let at = 0;
  const load = new OutsideLoad(() => times);
  const second = (ownMs: number, unusedTicks: number, elapsedMs = 1_000) => {
    times.ownMs += ownMs;
    times.unusedTicks += unusedTicks;
    times.allTicks += 200;
    at += elapsedMs;
    load.watch(at);
    return load.takesFrom(0.1);
  };
  assert.equal(second(10, 0), false, 'there is nothing to compare with');
  assert.equal(second(10, 0), true);
  assert.equal(load.takesFrom(0.3), false, 'the background gets enough');
  assert.equal(second(10, 0, 100), true, 'too soon to tell anything else');
  assert.equal(second(800, 0), false, 'it is this process');
  assert.equal(second(10, 30), false, 'processors are unused');
  assert.equal(second(10, 0), true);
  assert.equal(second(10, 0, 10_000), false, 'too long ago');
});

test('unused is what is idle or waits for disks, and guests are not counted twice', () => {
  const stat = 'cpu  100 2 30 400 50 6 7 8 90 1\ncpu0 1 1 1 1 1 1 1 1 1 1\n';
  assert.deepEqual(parseProcessorTimes(stat), { unusedTicks: 450, allTicks: 603 });
});
