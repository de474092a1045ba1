import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Failure } from '../model/record.ts';
import { requestRecord } from '../model/testing.ts';
import { writeDeliveredLine } from './delivered-line.ts';

const owner = { accountId: '1', regionId: 'cn-hangzhou', instanceId: 'i', group: null };
const failureOf = (code: string, side: Failure['side']): Failure => ({
  ...{ code, side, field: null, expected: null, got: null },
  message: 'what happened',
  functionLog: null,
});

describe('a delivered line', () => {
  const rows: readonly (readonly [what: string, failure: Failure | null, told: readonly string[]])[] = [
    ['of an error of the gateway has its code', failureOf('D504TO', 'api-owner'), ['D504TO', 'what happened']],
    ['of a backend’s own answer has none', failureOf('404', 'function'), ['', '']],
    ['of a caller who hung up has none', failureOf('499', 'client'), ['', '']],
    ['of a good request has none', null, ['', '']],
  ];
  for (const [what, failure, told] of rows) {
    it(what, () => {
      const line = JSON.parse(writeDeliveredLine(requestRecord({ failure }), owner)) as Record<string, unknown>;
      assert.deepEqual([line['errorCode'], line['errorMessage']], told);
      assert.equal(line['exception'], failure === null ? '' : `${failure.side}: what happened`);
    });
  }
});
