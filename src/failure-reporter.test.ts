import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFailureReporter } from './failure-reporter.ts';
import type { RequestRecord } from './model/record.ts';

const failed = { failure: { code: 'I404NF' } } as unknown as RequestRecord;
const fine = { failure: null } as unknown as RequestRecord;

test('failures beyond the rate are dropped and counted with the next one; successes are not sent', () => {
  let now = 5_000;
  const sent: number[] = [];
  const clock = { now: () => now, monotonic: () => now, after: () => () => {} };
  const report = createFailureReporter(clock, 2, (_record, dropped) => sent.push(dropped));
  for (const record of [failed, fine, failed, failed, failed, failed]) report(record);
  assert.deepEqual(sent, [0, 0]);
  now += 1_000;
  report(failed);
  report(failed);
  assert.deepEqual(sent, [0, 0, 3, 0]);
});
