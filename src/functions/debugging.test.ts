import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DebugTurns, debugCommand, debugProvision } from './debugging.ts';
import { languageOf } from './languages.ts';

const command = (language: 'python' | 'node' | 'java' | 'php') =>
  debugCommand(language, languageOf(language).command('/r', 512), 9229).join(' ');

test('each language opens its own debugger before the bootstrap', () => {
  assert.equal(command('node'), '--inspect=127.0.0.1:9229 /r/bootstrap.cjs');
  assert.equal(command('python'), '-B -s -m debugpy --listen 127.0.0.1:9229 /r/bootstrap.py');
  assert.match(command('java'), /^-agentlib:jdwp=\S+address=127\.0\.0\.1:9229 .* yunmen\.Bootstrap$/);
  assert.match(
    command('php'),
    / -d xdebug\.mode=debug .*-d xdebug\.client_host=127\.0\.0\.1 -d xdebug\.client_port=9229 .*\/r\/bootstrap\.php$/,
  );
});

test('a debugged function has one instance, always there', () => {
  const [key, provision] = debugProvision({ serviceName: 's', functionName: 'f', port: 1, codeDirectory: '/c' }, 5);
  assert.equal(key, 's/f@LATEST');
  assert.deepEqual([provision.target, provision.keepsCpu, provision.allowsOnDemand], [1, true, false]);
});

test('an instance of the debugged function begins when those before it have gone, whatever becomes of those between', async () => {
  const turns = new DebugTurns();
  const begun: string[] = [];
  const begin = (id: string) => turns.take(id).then(() => begun.push(id));
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  for (const id of ['first', 'second', 'third']) void begin(id);
  await settle();
  assert.deepEqual(begun, ['first']);
  turns.gone('second');
  await settle();
  assert.deepEqual(begun, ['first']);
  turns.gone('first');
  await settle();
  assert.deepEqual(begun, ['first', 'second', 'third']);
});
