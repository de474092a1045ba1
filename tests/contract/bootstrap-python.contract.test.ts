// The Python bootstrap on the versions that runtime ids name.
import { describe, it } from 'node:test';
import { interpretersOf } from './bootstrap-interpreters.ts';
import { namedMinors, pythonSuite } from './bootstrap-python-suite.ts';
import { minorOf, suite } from './bootstrap-suite.ts';

const pythons = interpretersOf('python');
for (const minor of namedMinors) {
  const interpreter = pythons.find((found) => minorOf(found) === minor);
  if (interpreter === undefined) {
    it(`the Python bootstrap on ${minor}`, { skip: `no Python ${minor} on this machine` }, () => {});
    continue;
  }
  describe(`the Python bootstrap on ${interpreter.version}`, { concurrency: 4 }, () => {
    suite(interpreter);
    pythonSuite(interpreter);
  });
}
