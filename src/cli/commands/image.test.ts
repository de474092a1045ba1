// What `yunmen image pull` asks for, and where it takes a password from.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PullOptions } from '../../model/runtime-report.ts';
import { runCli } from '../run.ts';

async function pull(words: readonly string[], typed = '') {
  const asked: PullOptions[] = [];
  let stderr = '';
  const exitCode = await runCli(['image', 'pull', 'r.example/a:v1', '--image-dir', '/images', ...words], {
    startServer: () => Promise.reject(new Error('not here')),
    discoverPython: () => Promise.resolve(true),
    pullImage: async (_reference, place, options) => {
      asked.push(options);
      return { place, digest: 'sha256:0', isNew: true };
    },
    version: '1.2.3',
    stdout: { write: () => true },
    stderr: { write: (chunk: string | Uint8Array) => (stderr += chunk.toString()) },
    env: {},
    cwd: '/nowhere',
    stdin: (async function* () {
      yield typed;
    })(),
  });
  return { exitCode, stderr, asked };
}

test('without a name, what was kept for the registry is looked for', async () => {
  assert.deepEqual((await pull(['--replace'])).asked, [{ replaces: true }]);
});

test('a password comes from standard input, without the end of its line', async () => {
  const credentials = { username: 'team', password: ' p w ' };
  assert.deepEqual((await pull(['--username', 'team', '--password-stdin'], ' p w \n')).asked, [
    { replaces: false, credentials },
  ]);
});

test('a name without a password, or the other way round, is refused before anything is fetched', async () => {
  for (const [words, typed] of [
    [['--username', 'team'], ''],
    [['--password-stdin'], 'p'],
    [['--username', 'team', '--password-stdin'], '\n'],
    [['--username', 'te:am', '--password-stdin'], 'p'],
  ] as const) {
    const { exitCode, stderr, asked } = await pull(words, typed);
    assert.deepEqual([exitCode, asked], [2, []], stderr);
  }
});
