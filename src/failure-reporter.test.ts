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
  const { report, flush } = createFailureReporter(clock, 2, (records, dropped) =>
    sent.push([records.map(({ requestId }) => requestId).join(' '), dropped]),
  );
  return { clock, sent, report, flush };
}

test('failures go out together, soon or when somebody asks; successes are not sent', () => {
  const { clock, sent, report, flush } = open();
  report(failed('1'));
  report(requestRecord({ requestId: 'fine' }));
  report(failed('2'));
  assert.deepEqual(sent, []);
  clock.advance(20);
  assert.deepEqual(sent, [['1 2', 0]]);
  clock.advance(1_000);
  report(failed('3'));
  flush();
  flush();
  clock.advance(100);
  assert.deepEqual(sent.slice(1), [['3', 0]]);
});

test('failures beyond the rate are counted, and the count goes with the next ones', () => {
  const { clock, sent, report } = open();
  for (const id of ['1', '2', '3', '4']) report(failed(id));
  clock.advance(20);
  assert.deepEqual(sent, [['1 2', 2]]);
  clock.advance(400);
  report(failed('5'));
  clock.advance(1_000);
  report(failed('6'));
  clock.advance(20);
  assert.deepEqual(sent.slice(1), [
    ['5', 0],
    ['6', 0],
  ]);
});

test('a burst that nothing follows is told of when its second is over, once', () => {
  const { clock, sent, report } = open();
  for (const id of ['1', '2']) report(failed(id));
  clock.advance(20);
  for (const id of ['3', '4', '5']) report(failed(id));
  clock.advance(1_000);
  clock.advance(5_000);
  assert.deepEqual(sent, [
    ['1 2', 0],
    ['5', 2],
  ]);
});
