import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { OutputLine } from '../model/output.ts';
import { functionMember, readIndexedOutput, readOutputLine, writeOutputLine } from './output-line.ts';

const lines: fc.Arbitrary<OutputLine> = fc.record({
  at: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  functionName: fc.stringMatching(/^[a-z][\w-]{0,20}(\/[a-z][\w-]{0,20})?$/),
  instanceId: fc.stringMatching(/^c-[0-9a-f]{8}$/),
  requestId: fc.option(fc.uuid()),
  text: fc.string({ unit: 'grapheme' }),
});

test('a line is read as it was written, and its index says the same', () => {
  fc.assert(
    fc.property(lines, (line) => {
      const text = writeOutputLine(line);
      assert.equal(text.indexOf('\n'), text.length - 1);
      assert.deepEqual(readOutputLine(text.trimEnd()), { ...line });
      assert.deepEqual(readIndexedOutput(text.slice(0, -1)), { requestId: line.requestId ?? '', at: line.at });
      assert.ok(text.includes(functionMember(line.functionName)));
    }),
  );
});

test('a text does not pass for the name of a function', () => {
  const text = writeOutputLine({
    ...{ at: 1, functionName: 'mine', instanceId: 'c-1', requestId: null },
    text: functionMember('yours'),
  });
  assert.ok(!text.includes(functionMember('yours')));
});

test('a line that was cut is none', () => {
  const whole = writeOutputLine({ at: 1, functionName: 'f', instanceId: 'c-1', requestId: 'r', text: 'x' }).trimEnd();
  for (let end = 0; end < whole.length; end++) assert.equal(readOutputLine(whole.slice(0, end)), null);
  assert.equal(readIndexedOutput(whole.slice(0, -1)), null);
  for (const text of ['null', '[]', '{}', '{"requestId":"r","at":"1"}']) assert.equal(readOutputLine(text), null);
});
