import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RequestRecord } from '../model/record.ts';
import { createTimeWriter, readIndexedMembers, readLogLine, writeLogLine } from './request-log-line.ts';

const text = fc.string({ unit: 'binary', maxLength: 20 }).map((value) => value.toWellFormed());
const optional = <T>(inner: fc.Arbitrary<T>) => fc.option(inner, { nil: null });
const plain = { noNullPrototype: true };
const ms = fc.nat({ max: 60_000 });
const record: fc.Arbitrary<RequestRecord> = fc.record(
  {
    requestId: fc.uuid(),
    at: fc.integer({ min: 0, max: 4_000_000_000_000 }),
    status: fc.integer({ min: 100, max: 599 }),
    method: text,
    host: text,
    path: text,
    clientIp: fc.ipV6(),
    isTls: fc.boolean(),
    groupId: optional(text),
    apiId: optional(text),
    apiName: optional(text),
    functionName: optional(text),
    qualifier: optional(text),
    stage: optional(text),
    appId: optional(fc.nat()),
    appName: optional(text),
    appKey: optional(text),
    nonce: optional(text),
    initialRequestId: optional(text),
    traceId: optional(text),
    customTraceId: optional(text),
    requestBytes: optional(fc.nat()),
    responseBytes: optional(fc.nat()),
    totalMs: ms,
    backendAt: optional(fc.nat()),
    backendMs: optional(ms),
    coldStart: optional(
      fc.record(
        {
          isSpare: fc.boolean(),
          waitMs: ms,
          startMs: ms,
          codeMs: ms,
          loadMs: ms,
          initializerMs: ms,
          handlerMs: ms,
        },
        plain,
      ),
    ),
    logged: optional(
      fc.record(
        {
          requestQueryString: text,
          requestHeaders: optional(text),
          requestBody: optional(text),
          responseHeaders: optional(text),
          responseBody: optional(text),
          jwtClaims: optional(text),
        },
        plain,
      ),
    ),
    failure: optional(
      fc.record(
        {
          code: text,
          side: fc.constantFrom('client', 'api-owner', 'function', 'platform', 'unknown'),
          field: optional(text),
          expected: optional(text),
          got: optional(text),
          message: text,
          functionLog: optional(text),
        },
        plain,
      ),
    ),
  },
  plain,
);

test('a record comes back from its line, which is one line of JSON', () => {
  fc.assert(
    fc.property(record, fc.integer({ min: 1, max: 50 }), (value, weight) => {
      const line = writeLogLine(value, createTimeWriter(), weight);
      assert.equal(line.indexOf('\n'), line.length - 1);
      assert.deepEqual(readLogLine(line), value);
      assert.equal((JSON.parse(line) as { weight?: number }).weight ?? 1, weight);
    }),
  );
});

test('a cut line, another document and nonsense are no records', () => {
  fc.assert(
    fc.property(record, fc.nat(200), (value, cut) => {
      assert.equal(readLogLine(writeLogLine(value, createTimeWriter()).slice(0, -2 - cut)), null);
    }),
  );
  for (const line of ['', '[]', 'null', '{}', '{"requestId":1}', '\u0000']) assert.equal(readLogLine(line), null);
});

test('the members of an index are those of the record, whatever the texts beside them hold', () => {
  const indexed = (line: string) => {
    const read = readIndexedMembers(line);
    return read === null ? null : [read.requestId, read.at, read.status, read.apiId, read.appId];
  };
  const tricky = fc.constantFrom(
    '","apiUid":"x',
    ',"apiUid":"x"',
    '"FrontRequestStart":5',
    '","appId":7,"',
    '\\',
    '"',
    '}}',
  );
  fc.assert(
    fc.property(record, tricky, fc.nat(200), (made, path, cut) => {
      const value = { ...made, path };
      const line = writeLogLine(value, createTimeWriter()).slice(0, -1);
      assert.deepEqual(indexed(line), [value.requestId, value.at, value.status, value.apiId, value.appId]);
      assert.equal(indexed(line.slice(0, -1 - cut)), null);
    }),
  );
  for (const line of ['', '[]', 'null', '{}', '{}}', '{"requestId":1}}', '{"requestId":"a"}}']) {
    assert.equal(readIndexedMembers(line), null);
  }
});
