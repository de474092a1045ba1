// Which class a test file falls into, on the files of this checkout.
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { filesOf, testClasses } from './classes.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('every test file of the checkout but the room rules belongs to exactly one class', () => {
  const exclude = (path: string) => /(^|\/)(node_modules|console|examples)(\/|$)/.test(path);
  const all = globSync('**/*.test.ts', { cwd: root, exclude }).filter((path) => path !== 'tests/architecture.test.ts');
  const classified = testClasses.flatMap((testClass) => filesOf(testClass, root));
  assert.deepEqual(classified.toSorted(), all.toSorted());
});

test('a class that has files is expected to have them', () => {
  for (const testClass of testClasses)
    assert.equal(filesOf(testClass, root).length > 0, testClass.isExpected, testClass.name);
});
