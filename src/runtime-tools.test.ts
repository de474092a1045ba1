import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installAll } from './runtime-tools.ts';

test('a library that has no version for a language is left out by name; the others are there', async () => {
  const asked: string[] = [];
  const left = await installAll(['a', 'old', 'b'], async (names) => {
    asked.push(names.join(' '));
    if (names.includes('old')) throw new Error('pip failed:\nNo matching distribution found for old');
  });
  assert.deepEqual(asked, ['a old b', 'a', 'old', 'b']);
  assert.deepEqual([...left], [['old', 'No matching distribution found for old']]);
});

test('when nothing can be installed that is an error', async () => {
  const failing = () => Promise.reject(new Error('no network'));
  await assert.rejects(installAll(['a'], failing), /no network/);
  await assert.rejects(installAll(['a', 'b'], failing), /no network/);
});
