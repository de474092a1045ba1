import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallOff } from './call-off.ts';

test('listeners hear of it once, in order; removed and late ones do not', () => {
  const off = new CallOff();
  const heard: string[] = [];
  const removed = () => heard.push('removed');
  off.addEventListener('abort', () => heard.push('first'));
  off.addEventListener('abort', removed);
  off.addEventListener('abort', () => heard.push('second'));
  off.removeEventListener('abort', removed);
  off.removeEventListener('abort', removed);
  assert.equal(off.aborted, false);
  off.abort();
  off.abort();
  assert.equal(off.aborted, true);
  off.addEventListener('abort', () => heard.push('late'));
  assert.deepEqual(heard, ['first', 'second']);
});
