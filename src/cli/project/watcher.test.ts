import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../base/clock.ts';
import { BurstTimer, isIgnoredPath } from './watcher.ts';

/** A clock that moves when told to and runs what is due. */
class FakeClock implements Clock {
  #now = 0;
  readonly #timers = new Map<object, { at: number; run: () => void }>();

  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): () => void {
    const key = {};
    this.#timers.set(key, { at: this.#now + delayMs, run });
    return () => void this.#timers.delete(key);
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const [key, timer] of [...this.#timers]) {
      if (timer.at > this.#now) continue;
      this.#timers.delete(key);
      timer.run();
    }
  }
}

function setUp() {
  const clock = new FakeClock();
  let reports = 0;
  const timer = new BurstTimer(clock, () => reports++);
  return { clock, timer, reports: () => reports };
}

test('a burst of changes is reported once, when it is over', () => {
  const { clock, timer, reports } = setUp();
  for (let i = 0; i < 5; i++) {
    timer.touch(false);
    clock.advance(30);
  }
  assert.equal(reports(), 0);
  clock.advance(40);
  assert.equal(reports(), 1);
  clock.advance(10_000);
  assert.equal(reports(), 1);
});

test('changes that never stop are reported all the same', () => {
  const { clock, timer, reports } = setUp();
  for (let i = 0; i < 50; i++) {
    timer.touch(false);
    clock.advance(20);
  }
  assert.ok(reports() >= 2);
});

test('changes below node_modules wait until the installer is quiet', () => {
  const { clock, timer, reports } = setUp();
  timer.touch(true);
  clock.advance(900);
  timer.touch(true);
  clock.advance(900);
  assert.equal(reports(), 0);
  clock.advance(100);
  assert.equal(reports(), 1);
});

test('a change of an own file does not wait for an installer', () => {
  const { clock, timer, reports } = setUp();
  timer.touch(true);
  clock.advance(10);
  timer.touch(false);
  clock.advance(40);
  assert.equal(reports(), 1);
});

test('after close nothing is reported and no timer is left', () => {
  const { clock, timer, reports } = setUp();
  timer.touch(false);
  timer.close();
  assert.equal(clock.pending, 0);
  clock.advance(1_000);
  assert.equal(reports(), 0);
});

test('our own data, version control and the data dir are not watched', () => {
  for (const path of ['.git/index', 'a/.git/x', '.yunmen/db', 'state', 'state/log']) {
    assert.equal(isIgnoredPath(path, ['state']), true, path);
  }
  for (const path of ['index.py', 'statement.py', 'a/state', '.gitignore']) {
    assert.equal(isIgnoredPath(path, ['state', '']), false, path);
  }
});
