import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from '../instances/fake-clock.ts';
import { MemoryWatch, type Usage } from './memory-watch.ts';

const megabyte = 1024;

function setUp(usages: Map<number, Usage>, proportional: (pid: number) => number | null = () => null) {
  const clock = fakeClock();
  let looks = 0;
  const watch = new MemoryWatch(clock, {
    tree: () => [...usages.keys()],
    usage: (pid) => {
      looks += 1;
      return usages.get(pid) ?? null;
    },
    proportional,
  });
  const over: string[] = [];
  return { clock, watch, over, looks: () => looks };
}
const alone = (mb: number): Usage => ({ resident: mb * megabyte, own: mb * megabyte });

test('an instance over its limit is told once, with the most that was seen', () => {
  const usages = new Map([[1, alone(100)]]);
  const { clock, watch, over } = setUp(usages);
  watch.add('a', 1, 128, () => over.push('a'));
  clock.advance(1_000);
  assert.deepEqual(over, []);
  usages.set(1, alone(129));
  clock.advance(1_000);
  assert.deepEqual(over, ['a']);
  usages.set(1, alone(50));
  clock.advance(1_000);
  assert.equal(watch.remove('a'), 129 * megabyte);
  assert.deepEqual(over, ['a']);
});

test('children count without what they share with the first', () => {
  const usages = new Map([
    [1, alone(60)],
    [2, { resident: 60 * megabyte, own: 10 * megabyte }],
  ]);
  const { clock, watch, over } = setUp(usages);
  watch.add('a', 1, 128, () => over.push('a'));
  clock.advance(1_000);
  assert.equal(watch.remove('a'), 70 * megabyte);
  assert.deepEqual(over, []);
});

test('forked children that share pages are measured exactly before they are held over the limit', () => {
  const usages = new Map([1, 2, 3].map((pid) => [pid, alone(100)] as const));
  let shareMb = 40;
  const { clock, watch, over } = setUp(usages, () => shareMb * megabyte);
  watch.add('a', 1, 128, () => over.push('a'));
  clock.advance(1_000);
  assert.deepEqual(over, []);
  shareMb = 50;
  clock.advance(1_000);
  assert.deepEqual(over, ['a']);
});

test('a paused instance is not looked at, and nobody looks when all are', () => {
  const { clock, watch, looks } = setUp(new Map([[1, alone(10)]]));
  watch.add('a', 1, 128, () => {});
  clock.advance(1_000);
  watch.setPaused('a', true);
  clock.advance(200);
  const [before, timers] = [looks(), clock.timersMade];
  clock.advance(60_000);
  assert.equal(looks(), before);
  assert.equal(clock.timersMade, timers);
  watch.setPaused('a', false);
  clock.advance(200);
  assert.ok(looks() > before);
});

test('looks come closer when half of the limit is used', () => {
  const usages = new Map([[1, alone(10)]]);
  const { clock, watch, looks } = setUp(usages);
  watch.add('a', 1, 128, () => {});
  clock.advance(2_000);
  const calm = looks();
  usages.set(1, alone(100));
  clock.advance(2_000);
  assert.ok(looks() - calm > calm * 3);
});
