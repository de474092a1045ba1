// The parameters of HTTP handlers: what a call becomes, and which answers can be sent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readHttpAnswerParams, readHttpHead, responseHeadLimitBytes, writeHttpParams } from './http-params.ts';

const call = {
  method: 'GET',
  path: '/a b',
  requestUri: '/a%20b?x=1',
  clientIp: '192.0.2.1',
  host: 'example.test',
  headers: [] as string[],
  query: [] as string[],
  basePath: null,
};

test('repeated headers become one list under their first spelling, whatever their letters', () => {
  const { headersMap } = writeHttpParams({ ...call, headers: ['X-A', '1', 'Accept', '*/*', 'x-a', '2'] });
  assert.deepEqual(headersMap, { 'X-A': ['1', '2'], Accept: ['*/*'] });
});

test('query names differ by their letters, and every name is kept, __proto__ too', () => {
  const { queriesMap } = writeHttpParams({ ...call, query: ['a', '1', 'A', '2', '__proto__', 'x'] });
  assert.equal(JSON.stringify(queriesMap), '{"a":["1"],"A":["2"],"__proto__":["x"]}');
});

test('a single text stands for a list of one; other shapes are no answer', () => {
  assert.deepEqual(readHttpAnswerParams({ status: 200, headersMap: { A: 'b' } }), {
    status: 200,
    headersMap: { A: ['b'] },
  });
  for (const wrong of [null, [], { status: '200' }, { status: 200, headersMap: { A: [1] } }, { headersMap: {} }]) {
    assert.equal(readHttpAnswerParams(wrong), null);
  }
});

test('what HTTP cannot carry is dropped, what would smuggle is refused', () => {
  const read = (headersMap: Record<string, string[]>) => readHttpHead({ status: 200, headersMap });
  assert.deepEqual(read({ 'X-A': ['1', '2'], 'no name': ['x'], 'X-U': ['云'] }), {
    ok: true,
    head: { status: 200, headers: ['X-A', '1', 'X-A', '2'] },
  });
  assert.equal(read({ 'X-A': ['1\r\nSet-Cookie: x'] }).ok, false);
  assert.equal(read({ 'X-A': ['x'.repeat(responseHeadLimitBytes)] }).ok, false);
});

test('a status outside 200 to 599 cannot be sent', () => {
  for (const status of [0, 100, 199, 600, 200.5, Number.NaN]) {
    assert.equal(readHttpHead({ status, headersMap: {} }).ok, false);
  }
  assert.equal(readHttpHead({ status: 599, headersMap: {} }).ok, true);
});
