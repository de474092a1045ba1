// Reading /proc lines as the benches do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStat } from './processor-time.ts';

test('reads parent and CPU time past a name that holds spaces and parentheses', () => {
  const line = '42 (a ) b (c) S 7 42 42 0 -1 4194560 100 0 0 0 250 50 9 9 20 0 11 0 123 456 789';
  assert.deepEqual(parseStat(line), { parent: 7, micros: 3_000_000 });
});
