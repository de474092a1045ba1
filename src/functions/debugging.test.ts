import assert from 'node:assert/strict';
import { test } from 'node:test';
import { debugCommand, debugProvision } from './debugging.ts';
import { languageOf } from './languages.ts';

const command = (language: 'python' | 'node' | 'java' | 'php') =>
  debugCommand(language, languageOf(language).command('/r', 512), 9229).join(' ');

test('each language opens its own debugger before the bootstrap', () => {
  assert.equal(command('node'), '--inspect=127.0.0.1:9229 /r/bootstrap.cjs');
  assert.equal(command('python'), '-B -s -m debugpy --listen 127.0.0.1:9229 /r/bootstrap.py');
  assert.match(command('java'), /^-agentlib:jdwp=\S+address=127\.0\.0\.1:9229 .* yunmen\.Bootstrap$/);
  assert.doesNotMatch(command('php'), /9229/);
});

test('a debugged function has one instance, always there', () => {
  const [key, provision] = debugProvision({ serviceName: 's', functionName: 'f', port: 1, codeDirectory: '/c' }, 5);
  assert.equal(key, 's/f@LATEST');
  assert.deepEqual([provision.target, provision.keepsCpu, provision.allowsOnDemand], [1, true, false]);
});
