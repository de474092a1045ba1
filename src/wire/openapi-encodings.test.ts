import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseQuery } from './percent-encoding.ts';
import { flattenRpc, RpcParameters } from './rpc-parameters.ts';
import { formatHistoryVersion, formatUtcSeconds, parseHttpDate, parseUtcSeconds } from './utc-time.ts';
import { toXml } from './xml-answer.ts';

describe('RPC parameters', () => {
  it('finds a name in any spelling, the exact one first', () => {
    const parameters = new RpcParameters(parseQuery('apiid=1&ApiId=2&GROUPID=3'));
    assert.equal(parameters.get('ApiId'), '2');
    assert.equal(parameters.get('GroupId'), '3');
    assert.equal(parameters.get('Absent'), undefined);
  });

  it('collects sparse lists by number, not by text', () => {
    const parameters = new RpcParameters(parseQuery('ResourceId.10=c&ResourceId.2=b&resourceId.0=a&ResourceId.x=no'));
    assert.deepEqual(parameters.list('ResourceId'), ['a', 'b', 'c']);
  });

  it('reads back any list of records that it flattened', () => {
    const records = fc.array(fc.record({ Key: fc.string(), Value: fc.string() }, { noNullPrototype: true }), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(records, (rows) => {
        assert.deepEqual(new RpcParameters(flattenRpc('Tag', rows)).objects('Tag'), rows);
      }),
    );
  });
});

describe('times of the wire', () => {
  it('writes and reads UTC seconds', () => {
    assert.equal(formatUtcSeconds(Date.UTC(2026, 0, 2, 3, 4, 5, 678)), '2026-01-02T03:04:05Z');
    assert.equal(parseUtcSeconds('2026-01-02T03:04:05Z'), Date.UTC(2026, 0, 2, 3, 4, 5));
    for (const text of ['', '2026-01-02', '2026-01-02T03:04:05', '2026-13-02T03:04:05Z', 'Fri']) {
      assert.equal(parseUtcSeconds(text), null);
    }
  });

  it('reads RFC 1123 dates, also without blanks', () => {
    assert.equal(parseHttpDate('Fri, 02 Jan 2026 03:04:05 GMT'), Date.UTC(2026, 0, 2, 3, 4, 5));
    assert.equal(parseHttpDate('Fri,02Jan2026 03:04:05GMT'), Date.UTC(2026, 0, 2, 3, 4, 5));
    for (const text of ['', '2026-01-02T03:04:05Z', 'Fri, 02 Foo 2026 03:04:05 GMT'])
      assert.equal(parseHttpDate(text), null);
  });

  it('names a history version by 17 digits', () => {
    assert.equal(formatHistoryVersion(Date.UTC(2026, 0, 2, 3, 4, 5, 7)), '20260102030405007');
  });
});

describe('XML answers', () => {
  it('repeats the element of a list, leaves out nulls and escapes text', () => {
    const xml = toXml('XResponse', { A: '<&>', B: { C: [{ D: 1 }, { D: 2 }] }, E: null, F: [], G: false });
    assert.equal(
      xml,
      "<?xml version='1.0' encoding='UTF-8'?><XResponse><A>&lt;&amp;&gt;</A><B><C><D>1</D></C><C><D>2</D></C></B><G>false</G></XResponse>",
    );
  });
});
