// Counting and listing of test results.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countResults, formatSkips, formatTotals, parseResults, type TestResult } from './results.ts';

const results: readonly TestResult[] = [
  { kind: 'passed', file: 'a.test.ts', name: 'adds' },
  { kind: 'skipped', file: 'a.test.ts', name: 'sandboxes', reason: 'no bwrap' },
  { kind: 'failed', file: 'b.test.ts', name: 'fails' },
  { kind: 'skipped', file: 'b.test.ts', name: 'also', reason: 'no bwrap' },
  { kind: 'finished' },
];

test('counts what passed, failed and was skipped', () => {
  assert.equal(formatTotals(countResults(results)), '1 passed, 1 failed, 2 skipped');
});

test('lists skipped tests below their reason, each reason once', () => {
  assert.deepEqual(formatSkips(results), ['  no bwrap (2)', '    a.test.ts: sandboxes', '    b.test.ts: also']);
});

test('leaves out the line that a dying process did not finish', () => {
  const text = `${JSON.stringify(results[0])}\n{"kind":"pas`;
  assert.deepEqual(parseResults(text), [results[0]]);
});
