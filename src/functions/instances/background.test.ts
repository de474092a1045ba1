import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Background, type WatchedInstance, type WatchedPool } from './background.ts';
import { fakeClock } from './fake-clock.ts';
import { OutsideLoad, parseProcessorTimes, type Verdict } from './outside-load.ts';
import type { InstanceState } from './state.ts';

type Fake = WatchedInstance & { state: InstanceState; cpuMs: number; isHeld: boolean };

/** Instances of one function each unless said; `use` is the part of a processor that they take while time passes. */
function setUp({ count = 1, concurrency = 1, hasClasses = true, isBackground = false } = {}) {
  const clock = fakeClock();
  const told: string[] = [];
  const reports: string[] = [];
  const made: Fake[] = [];
  for (let pid = 1; pid <= count; pid += 1) {
    const plan = { launch: { isBackground } };
    made.push({ id: `i${pid}`, pid, state: { kind: 'idle', since: 0 }, cpuMs: 500, isHeld: false, plan });
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
  const machine = { verdict: 'free' as Verdict, isFull: false, usedMs: 0 };
  const outside = {
    verdict: () => machine.verdict,
    get isFull() {
      return machine.isFull;
    },
    watch(now: number, countInstances: () => number) {
      if (now % 200 !== 0) return false;
      if (machine.isFull) machine.usedMs = countInstances();
      return true;
    },
  };
  const background = new Background({
    clock,
    processors: 2,
    setBackground: hasClasses ? setBackground : undefined,
    pools: () => [pool],
    outside,
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
  return { clock, told, reports, made, first, pool, background, machine, begin, end, pass };
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

test('the least that /proc tells is no computing unless it comes twice in a row', () => {
  const { told, first, begin, pass } = setUp();
  begin();
  pass(30, 0);
  for (let turn = 0; turn < 5; turn += 1) {
    first.cpuMs += 10;
    pass(2_000, 0);
  }
  assert.deepEqual(told, []);
  for (let turn = 0; turn < 5; turn += 1) {
    first.cpuMs += 10;
    pass(640, 0);
  }
  assert.deepEqual(told, ['demoted i1']);
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

test('all that are in the background have turns often while they get little together', () => {
  const { told, made, machine, begin, pass } = setUp({ count: 3 });
  for (const instance of made) begin(instance);
  pass(100, 1, made);
  told.length = 0;
  machine.isFull = true;
  pass(400, 0.2, made); // the first of these measures began before
  assert.deepEqual(told, [], 'more than half a processor');
  pass(600, 0, made);
  assert.deepEqual(told, ['promoted i1', 'promoted i2']);
  machine.isFull = false;
  pass(400, 0, made);
  assert.equal(told.length, 2, 'who does not compute gets nothing from nobody');
});

test('a start may compute for a while before it is in the background, until it is done', () => {
  const { told, first, pool, begin, background, pass } = setUp();
  begin();
  first.state = { kind: 'loading', since: 0 };
  pass(980, 1);
  assert.deepEqual(told, []);
  pass(80, 1);
  assert.deepEqual(told, ['demoted i1']);
  first.state = { kind: 'busy', since: 1_060 };
  pass(20, 0);
  assert.deepEqual(told, ['demoted i1', 'promoted i1']);
  // A start says nothing of the function's requests.
  background.ends(pool, first, false);
  begin();
  assert.equal(told.length, 2);
});

test('an instance in which somebody has a session is in the foreground, computing or resting', () => {
  const { told, first, background, begin, end, pass } = setUp();
  begin();
  pass(100, 1);
  first.isHeld = true;
  background.held(first);
  assert.deepEqual(told, ['demoted i1', 'promoted i1']);
  pass(500, 1);
  end();
  begin();
  pass(500, 1);
  assert.equal(told.length, 2);
  first.isHeld = false;
  pass(60, 1);
  end();
  assert.deepEqual(told.slice(2), ['demoted i1']);
  background.held(first);
  background.held(first);
  assert.deepEqual(told.slice(3), ['promoted i1']);
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
  pass(90, 0);
  assert.equal(background.count, 1);
  // More than nothing, and less than a quarter of a processor.
  first.cpuMs = 20;
  pass(40, 0);
  assert.deepEqual(told, ['promoted i1']);
  pass(500, 1);
  assert.deepEqual(told, ['promoted i1']);
});

test('while others of this machine take the processors nobody is in the background, and nobody rests there', () => {
  const { told, made, machine, begin, end, pass, background } = setUp({ count: 3 });
  const [one, other, resting] = made;
  for (const instance of made) begin(instance);
  pass(100, 1, made);
  end(resting);
  assert.equal(background.count, 2);
  told.length = 0;
  machine.verdict = 'taken';
  pass(20, 1, made);
  assert.deepEqual(told, ['promoted i1', 'promoted i2', 'promoted i3']);
  pass(5_000, 1, made);
  end(one);
  begin(one);
  end(other);
  begin(resting);
  machine.verdict = 'unknown';
  pass(1_000, 1, made);
  assert.deepEqual([told.length, background.isOpen], [3, false]);
  machine.verdict = 'free';
  pass(40, 1, made);
  assert.deepEqual([told.slice(3), background.isOpen], [['demoted i1', 'demoted i3'], true]);
});

test('what instances used is counted from the last look at them, also when their requests end, while the machine is full', () => {
  const { made, machine, begin, end, pass } = setUp({ count: 2 });
  for (const instance of made) begin(instance);
  machine.isFull = true;
  pass(200, 0.5, made);
  pass(190, 0.5, made);
  end();
  pass(10, 0.5, [made[1] as Fake]);
  // 100 ms each in 200, and what the one did at last.
  assert.ok(machine.usedMs >= 185 && machine.usedMs <= 200, `${machine.usedMs}`);
});

test('others take the processors when none is unused and neither this process nor its instances use them', () => {
  const times = { ownMs: 0, unusedMs: 0, allMs: 0 };
  let at = 0;
  const load = new OutsideLoad(() => ({ ...times }));
  /** Of two processors. */
  const pass = (own: number, instances: number, unused: number, elapsedMs = 200) => {
    times.ownMs += own * elapsedMs;
    times.unusedMs += unused * elapsedMs;
    times.allMs += 2 * elapsedMs;
    at += elapsedMs;
    load.watch(at, () => instances * elapsedMs);
    return load.verdict(at);
  };
  assert.equal(pass(0.01, 0, 0), 'unknown', 'there is nothing to compare with');
  assert.equal(pass(0.01, 0, 0), 'unknown', 'once is not sure');
  assert.equal(pass(0.01, 0, 0), 'taken');
  assert.equal(pass(0.01, 0, 0, 100), 'taken', 'too soon to tell anything else');
  assert.equal(pass(0.01, 1.4, 0, 200), 'taken', 'they still take some');
  for (let passed = 0; passed < 2_800; passed += 200) assert.equal(pass(0.3, 0, 0.5), 'taken');
  assert.equal(pass(0.3, 0, 0.5), 'free', 'processors were unused for long enough');
  assert.equal(pass(0.3, 0, 0), 'free', 'so many are clients and functions of our own');
  assert.equal(pass(0.01, 0.6, 0), 'free', 'instances have more than a quarter');
  assert.equal(pass(0.01, 0.1, 0), 'unknown');
  assert.equal(pass(0.01, 0.1, 0.2), 'free', 'not in a row');
  assert.equal(pass(0.01, 0.1, 0, 10_000), 'unknown', 'too long ago');
  assert.equal(load.isFull, false);
});

test('unused is what is idle or waits for disks, and guests are not counted twice', () => {
  const stat = 'cpu  100 2 30 400 50 6 7 8 90 1\ncpu0 1 1 1 1 1 1 1 1 1 1\n';
  assert.deepEqual(parseProcessorTimes(stat), { unusedMs: 4_500, allMs: 6_030 });
});
