// Where the image of a function is looked for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundleNames } from './images.ts';

for (const [reference, names] of [
  ['app', ['app:latest', 'app']],
  ['team/app:v1', ['team/app:v1', 'team/app', 'app:v1', 'app']],
  [
    'registry.cn-hangzhou.aliyuncs.com/team/app:v1',
    [
      'registry.cn-hangzhou.aliyuncs.com/team/app:v1',
      'registry.cn-hangzhou.aliyuncs.com/team/app',
      'team/app:v1',
      'team/app',
      'app:v1',
      'app',
    ],
  ],
  ['localhost:5000/app:v1', ['localhost:5000/app:v1', 'localhost:5000/app', 'app:v1', 'app']],
] as const) {
  test(`${reference} is looked for as written, without its registry, and by its last name`, () => {
    assert.deepEqual(bundleNames(reference), names);
  });
}

test('what a digest names is looked for by that digest, as written', () => {
  const digest = `sha256:${'0a'.repeat(32)}`;
  for (const reference of [`localhost:5000/app@${digest}`, `localhost:5000/app:v1@${digest}`]) {
    assert.deepEqual(bundleNames(reference), [`localhost:5000/app@${digest}`]);
  }
});

test('a malformed digest, a way out of the directory and an empty name are no references', () => {
  for (const reference of ['app@sha256:00', '../app', 'a/../b', '', '/app', 'a//b'])
    assert.equal(bundleNames(reference), null);
});
