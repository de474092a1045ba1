// The Python bootstrap on every other Python found here: the nearest ones serve where a named version is missing.
// The newest and the system's own run every case, the rest only what is particular to Python.
import { describe } from 'node:test';
import { interpretersOf } from './bootstrap-interpreters.ts';
import { namedMinors, olderPythonSuite, pythonSuite } from './bootstrap-python-suite.ts';
import { minorOf, suite } from './bootstrap-suite.ts';

const others = interpretersOf('python').filter((found) => !namedMinors.includes(minorOf(found)));
const newest = Math.max(...others.map((found) => Number(minorOf(found).slice(2))));
for (const interpreter of others) {
  describe(`the Python bootstrap on ${interpreter.version}`, { concurrency: 4 }, () => {
    const isSystem = interpreter.path.startsWith('/usr/');
    if (interpreter.version.startsWith('2.') || isSystem || minorOf(interpreter) === `3.${newest}`) suite(interpreter);
    if (interpreter.version.startsWith('3.')) pythonSuite(interpreter);
    else olderPythonSuite(interpreter);
  });
}
