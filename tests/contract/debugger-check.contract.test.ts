// Whether a language's debugger is found to be missing, by real interpreters.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findMissingDebugger } from '../../src/functions/index.ts';
import type { DebuggerQuestion } from '../../src/model/debugging.ts';
import { temporaryDirectory } from '../harness/server.ts';
import { interpretersOf } from './bootstrap-interpreters.ts';

const found = (['python', 'php', 'node', 'java'] as const).flatMap((language) => interpretersOf(language));
const find = (about: DebuggerQuestion) => findMissingDebugger(about, found);
const lacks = (language: 'python' | 'php') => interpretersOf(language).length === 0 && `no ${language} here`;
const question = { environment: {}, layerDirectories: [], runtimeFallback: true };

test('Node and Java bring their debuggers', async () => {
  for (const runtime of ['nodejs20', 'java11', 'custom', 'nonsense'])
    assert.equal(await find({ ...question, runtime, codeDirectory: '/nonexistent' }), null);
});

test('debugpy is looked for where the function looks: its own path, its package, its layers', {
  skip: lacks('python'),
}, async (t) => {
  const folder = temporaryDirectory(t);
  const module = (name: string, text: string) => {
    mkdirSync(join(folder, name, 'debugpy'), { recursive: true });
    writeFileSync(join(folder, name, 'debugpy/__init__.py'), text);
    return join(folder, name);
  };
  const broken = module('broken', 'raise ImportError()');
  const whole = module('whole', '');
  module('layer/python', '');
  const runtime = 'python3.10';
  const missing = await find({ ...question, runtime, codeDirectory: broken });
  assert.match(missing ?? '', /debugpy is not installed for (\S+); install it: \1 -m pip install debugpy/);
  assert.equal(await find({ ...question, runtime, codeDirectory: whole }), null);
  const environment = { PYTHONPATH: whole };
  assert.equal(await find({ ...question, runtime, environment, codeDirectory: broken }), null);
  const layerDirectories = [join(folder, 'layer')];
  assert.equal(await find({ ...question, runtime, layerDirectories, codeDirectory: folder }), null);
});

test('without Xdebug the advice is the package that brings it', { skip: lacks('php') }, async (t) => {
  const environment = { PHP_INI_SCAN_DIR: temporaryDirectory(t) };
  const about = { ...question, runtime: 'php7.2', environment, codeDirectory: '/nonexistent' };
  assert.match((await find(about)) ?? '', /install it: apt-get install php-xdebug/);
});
