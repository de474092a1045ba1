import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFailureReporter } from './failure-reporter.ts';
import { FakeClock } from './gateway/testing.ts';
import { requestRecord } from './model/testing.ts';

const failed = (requestId: string) =>
  requestRecord({
    requestId,
    failure: {
      code: 'I404NF',
      side: 'client',
      field: null,
      expected: null,
      got: null,
      message: '',
      functionLog: null,
    },
  });

function open() {
  const clock = new FakeClock();
  clock.advance(1_000 - (clock.now() % 1_000));
  const sent: [string, number][] = [];
  const report = createFailureReporter(clock, 2, ({ requestId }, dropped) => sent.push([requestId, dropped]));
  return { clock, sent, report };
}

test('failures beyond the rate are counted, and the count goes with the next one; successes are not sent', () => {
  const { clock, sent, report } = open();
  for (const id of ['1', '2', '3', '4']) report(failed(id));
  report(requestRecord({ requestId: 'fine' }));
  assert.deepEqual(sent, [
    ['1', 0],
    ['2', 0],
  ]);
  clock.advance(400);
  report(failed('5'));
  clock.advance(700);
  report(failed('6'));
  assert.deepEqual(sent.slice(2), [
    ['5', 2],
    ['6', 0],
  ]);
});

test('a burst that nothing follows is told of when its second is over, once', () => {
  const { clock, sent, report } = open();
  for (const id of ['1', '2', '3', '4', '5']) report(failed(id));
  clock.advance(1_000);
  clock.advance(5_000);
  assert.deepEqual(sent.slice(2), [['5', 2]]);
  for (const id of ['6', '7', '8']) report(failed(id));
  clock.advance(1_000);
  assert.deepEqual(sent.slice(3), [
    ['6', 0],
    ['7', 0],
    ['8', 0],
  ]);
});
