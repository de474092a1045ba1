// `yunmen exec` against a server: a command beside the function, its streams and its exit code; a terminal; and what is refused.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { findSandd } from '../../src/functions/index.ts';
import { OpenApi } from '../harness/openapi.ts';
import { zipped } from '../harness/sdk.ts';
import { Cleanup, root, startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';

const native = await findSandd();

describe('yunmen exec', { skip: native.ok ? false : native.why }, () => {
  const cleanup = new Cleanup();
  let server: TestServer;
  let api: OpenApi;

  before(async () => {
    server = await startServer(cleanup, ['start', '--runtime-fallback', '--strict'], temporaryDirectory(cleanup));
    api = new OpenApi(server.ready, server.credentials);
    cleanup.after(() => api.close());
    const code = 'import os\ndef handler(event, context):\n    return str(os.getpid())\n';
    const zipFile = await zipped({ 'index.py': code });
    const made = { functionName: 'f', runtime: 'python3.10', handler: 'index.handler', code: { zipFile } };
    assert.equal((await api.fc('POST', '/functions', made)).status, 200);
  });
  after(() => cleanup.run());

  function run(args: readonly string[], input = '', [file, ...before]: readonly string[] = ['bin/yunmen']) {
    const { promise, resolve } = Promise.withResolvers<{ code: number | null; out: string; err: string }>();
    const all = ['exec', ...args.slice(0, 1), '--data-dir', server.dataDir, ...args.slice(1)];
    const typed = ['bin/yunmen', ...all].map((each) => `'${each}'`).join(' ');
    const line = before.length === 0 ? all : [...before, typed, '/dev/null'];
    const child = spawn(file ?? '', line, { cwd: root, stdio: 'pipe' });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.on('close', (code) => resolve({ code, out, err }));
    child.stdin.on('error', () => {}); // it ended before it read
    child.stdin.end(input);
    return promise;
  }

  test('a function that has no instance is told so', async () => {
    const { code, err } = await run(['f', '--', 'true']);
    assert.equal(code, 1);
    assert.match(err, /no instance of f runs/);
  });

  test('runs in the frozen instance of a function, with its streams and exit code', async () => {
    const pid = (await api.invoke('f', 'e')).bytes.toString();
    const script = 'read line; echo "$line $FC_FUNCTION_NAME"; echo fault >&2; pwd; exit 7';
    const { code, out, err } = await run(['f', '--', 'sh', '-c', script], 'typed\nmore\n');
    assert.deepEqual([code, err], [7, 'fault\n']);
    assert.match(out, /^typed f\n\/.*\n$/);
    assert.deepEqual((await run(['f', '--', 'cat'], 'x'.repeat(300_000))).out.length, 300_000);
    assert.equal((await run(['f', '--', 'sh', '-c', 'kill -9 $$'])).code, 137);
    const missing = await run(['f', '--', 'no-such-program']);
    assert.equal(missing.code, 1);
    assert.match(missing.err, /cannot run no-such-program/);
    assert.equal((await api.invoke('f', 'e')).bytes.toString(), pid, 'it serves on');
  });

  test('opens a shell in a terminal', { skip: script() }, async () => {
    await api.invoke('f', 'e');
    const { code, out } = await run(['f', '--', 'sh', '-c', '[ -t 0 ] && [ -t 1 ] && stty size; exit 5'], '', [
      'script',
      '-qec',
    ]);
    assert.match(out, /\d+ \d+/);
    assert.equal(code, 5);
  });

  test('an instance that does not run, or another function, is refused', async () => {
    const { code, err } = await run(['f', '--instance', 'c-00000000-00000000000000000000', '--', 'true']);
    assert.equal(code, 1);
    assert.match(err, /InstanceNotFound/);
    assert.equal((await run(['no-such', '--', 'true'])).code, 1);
  });
});

/** Why no terminal can be made here, or false. */
function script(): string | false {
  return process.platform === 'linux' ? false : 'script(1) of util-linux is needed';
}
