import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StartGate } from './start-gate.ts';

test('no more start at once than the limit, and functions take turns', () => {
  const gate = new StartGate(2);
  const order: string[] = [];
  const starter = (name: string, count: number) => {
    let left = count;
    return {
      starting: 0,
      startOne() {
        if (left === 0) return false;
        left -= 1;
        order.push(name);
        return true;
      },
    };
  };
  gate.want(starter('a', 4));
  gate.want(starter('b', 2));
  assert.deepEqual(order, ['a', 'a']);
  assert.equal(gate.starting, 2);
  for (let index = 0; index < 4; index += 1) gate.finished();
  assert.deepEqual(order, ['a', 'a', 'a', 'b', 'a', 'b']);
  gate.finished();
  gate.finished();
  assert.equal(gate.starting, 0);
});

test('who wants none any more takes no slot', () => {
  const gate = new StartGate(1);
  gate.want({ starting: 0, startOne: () => false });
  assert.equal(gate.starting, 0);
});
