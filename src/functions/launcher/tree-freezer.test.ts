import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from '../instances/fake-clock.ts';
import type { ProcessRow } from './process-table.ts';
import { TreeFreezer } from './tree-freezer.ts';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Processes that stop when they are told to; `fork` gives one more that nobody has told yet. */
function setUp() {
  const clock = fakeClock();
  const rows = new Map<number, ProcessRow>();
  const signals: string[] = [];
  const add = (pid: number, parent: number, instanceId: string | null = null) =>
    rows.set(pid, { pid, parent, instanceId, isStopped: false, isHeld: false });
  const deaf = new Set<number>();
  const freezer = new TreeFreezer(
    clock,
    () => [...rows.values()],
    (pid, signal) => {
      signals.push(`${signal} ${pid}`);
      const row = rows.get(pid);
      if (row !== undefined && !deaf.has(pid)) rows.set(pid, { ...row, isStopped: signal === 'SIGSTOP' });
    },
  );
  return { clock, rows, signals, add, deaf, freezer };
}

test('a whole tree stands still, with a child born while it was being stopped', async () => {
  const { clock, rows, add, freezer } = setUp();
  add(10, 1);
  add(11, 10);
  add(20, 1, 'c-1');
  let isFrozen: boolean | null = null;
  void freezer.freeze('c-1', 10).then((result) => (isFrozen = result));
  clock.advance(0);
  add(12, 11);
  await settle();
  assert.equal(isFrozen, null);
  clock.advance(10);
  await settle();
  assert.equal(isFrozen, true);
  assert.ok([...rows.values()].every(({ isStopped }) => isStopped));
});

test('thawing reaches all that was stopped, also in the middle of freezing', async () => {
  const { clock, rows, add, freezer } = setUp();
  add(10, 1);
  add(11, 10);
  const first = freezer.freeze('c-1', 10);
  clock.advance(0);
  freezer.thaw('c-1');
  assert.equal(await first, false);
  assert.ok([...rows.values()].every(({ isStopped }) => !isStopped));
  const second = freezer.freeze('c-1', 10);
  clock.advance(10);
  assert.equal(await second, true);
  assert.equal(freezer.isFrozen('c-1'), true);
  freezer.thaw('c-1');
  assert.ok([...rows.values()].every(({ isStopped }) => !isStopped));
  assert.equal(freezer.isFrozen('c-1'), false);
});

test('a tree that does not stop is let go, and that is told', async () => {
  const { clock, add, deaf, signals, freezer } = setUp();
  add(10, 1);
  add(11, 10);
  deaf.add(11);
  const freezing = freezer.freeze('c-1', 10);
  clock.advance(2_000);
  assert.equal(await freezing, false);
  assert.ok(signals.includes('SIGCONT 10'));
  const made = clock.timersMade;
  clock.advance(10_000);
  assert.equal(clock.timersMade, made, 'nobody looks any more');
});

test('a process that is held in the kernel stands still once it has been told', async () => {
  const { clock, rows, add, deaf, signals, freezer } = setUp();
  add(10, 1);
  add(11, 10);
  deaf.add(10);
  rows.set(10, { pid: 10, parent: 1, instanceId: null, isStopped: false, isHeld: true });
  const freezing = freezer.freeze('c-1', 10);
  clock.advance(10);
  assert.equal(await freezing, true);
  assert.ok(signals.includes('SIGSTOP 10'));
});

test('an instance that has gone gets no signal', () => {
  const { clock, add, signals, freezer } = setUp();
  add(10, 1);
  void freezer.freeze('c-1', 10);
  freezer.forget('c-1');
  clock.advance(10);
  freezer.thaw('c-1');
  assert.deepEqual(signals, []);
});
