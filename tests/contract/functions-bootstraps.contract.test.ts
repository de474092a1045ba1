// Bootstraps that are built once in a checkout: who waits for them, and what is said when they cannot be had.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Interpreter, LauncherClient } from '../../src/functions/index.ts';
import { describe, openFixture } from './functions-fixture.ts';

const java: Interpreter = {
  language: 'java',
  version: '17.0.1',
  path: '/nonexistent/bin/java',
  prefix: '/nonexistent',
};
const echo = { 'index.js': 'exports.handler = (event, context, callback) => callback(null, event);\n' };

const building =
  (wait: () => Promise<string | null>) =>
  (launcher: LauncherClient): LauncherClient => ({
    ...launcher,
    interpreters: async () => [java, ...(await launcher.interpreters()).filter(({ language }) => language !== 'java')],
    builtBootstraps: wait,
  });

test('while a bootstrap is built, functions of its language wait and others do not', async () => {
  const built = Promise.withResolvers<string | null>();
  const asked = Promise.withResolvers<void>();
  const wait = () => {
    asked.resolve();
    return built.promise;
  };
  const plane = await openFixture('none', {}, {}, building(wait));
  plane.publish('compiled', { 'Echo.class': '' }, { runtime: 'java11', handler: 'Echo::handle' });
  plane.publish('quick', echo, { runtime: 'nodejs16' });
  let isAnswered = false;
  const waiting = plane.invoke('compiled').finally(() => {
    isAnswered = true;
  });
  await asked.promise;
  assert.equal((await plane.succeed('quick', 'x')).body.toString(), 'x');
  assert.equal(isAnswered, false);
  built.resolve('no compiler is here');
  const refused = await waiting;
  assert.ok(refused.kind === 'refused', describe(refused));
  assert.deepEqual(
    [refused.code, refused.message],
    ['InvalidArgument', 'Java functions cannot run: no compiler is here'],
  );
  await plane.close();
});
