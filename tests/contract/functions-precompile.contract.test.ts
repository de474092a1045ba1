// Byte code for the bootstrap of Python, made by a real Python in a copy of it.
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { findInterpreters, precompilePython } from '../../src/functions/index.ts';
import { defaultRuntimesDirectory } from '../../src/functions/runtimes-directory.ts';

const all = await findInterpreters();
const python = all.find(({ language, version }) => language === 'python' && version.startsWith('3.'));

test('byte code is made once for each source, and again when the source has changed', async (t) => {
  if (python === undefined) return t.diagnostic('no Python 3 was found');
  const directory = mkdtempSync('/tmp/yunmen-agent-');
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const isSource = (path: string) => !path.includes('__pycache__');
  cpSync(`${defaultRuntimesDirectory()}/python/agent`, directory, { recursive: true, filter: isSource });
  const sources = readdirSync(directory).length;
  assert.equal(await precompilePython([python], directory), 1);
  assert.equal(readdirSync(`${directory}/__pycache__`).length, sources);
  assert.equal(await precompilePython([python], directory), 0);
  appendFileSync(`${directory}/serve.py`, '# changed\n');
  assert.equal(await precompilePython([python], directory), 1);
  assert.equal(await precompilePython([python], directory), 0);
});

test('a place that is not there or a Python that does not run is no error', async () => {
  const broken = { language: 'python', version: '3.10.1', path: '/no/python', prefix: '/no' } as const;
  const directory = mkdtempSync('/tmp/yunmen-agent-');
  chmodSync(directory, 0o555);
  assert.equal(await precompilePython([broken], `${directory}/none`), 0);
  rmSync(directory, { recursive: true });
});
