// What becomes of the program when whoever reads its output goes first.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { functionCompute } from '../harness/sdk.ts';
import { type Credentials, type Ready, root, temporaryDirectory } from '../harness/server.ts';

const program = join(root, 'bin/yunmen');

test('a command whose reader has gone ends without a word, as in `yunmen --help | head`', async () => {
  for (const args of [['--help'], ['runtime', 'list'], ['call', '--help']]) {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    const [complaint, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    assert.deepEqual([complaint, code], ['', 0], args.join(' '));
  }
});

test('a server goes on when its ready line was all that was read', async (t) => {
  const ports = ['--gateway-port', '0', '--http-port', '0', '--api-port', '0'];
  const [dataDir, project] = [temporaryDirectory(t), temporaryDirectory(t)];
  cpSync(join(root, 'examples/testadd'), project, { recursive: true });
  const child = spawn(program, ['dev', project, '--json', '--data-dir', dataDir, ...ports], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const ready = JSON.parse(line) as Ready & { credentialsFile: string };
  child.stdout.destroy();
  const fc = functionCompute(ready, JSON.parse(readFileSync(ready.credentialsFile, 'utf8')) as Credentials);
  const checksum = async () => (await fc.getFunction('demo', 'testadd')).data['codeChecksum'];
  const before = await checksum();
  // It deploys what was saved, and says so to nobody.
  appendFileSync(join(project, 'testadd/index.py'), '# saved\n');
  while ((await checksum()) === before) await sleep(50);
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
});
