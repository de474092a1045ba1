// What callers of InvokeFunction see of how instances rest and end, on the real server in its best tier.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { counted } from '../../scripts/test/torture.ts';
import { findSandd, probeSandd } from '../../src/functions/index.ts';
import { functionCompute, zipped } from '../harness/sdk.ts';
import { Cleanup, root, startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';

const run = promisify(execFile);
const tails = counted(100, 1_000);

const printing = {
  'python3.10': {
    'index.py': 'def handler(event, context):\n    print("last line of " + event.decode())\n    return event\n',
  },
  nodejs16: {
    'index.js':
      'exports.handler = (event, context, callback) => { console.log("last line of " + event); callback(null, event); };\n',
  },
};

/** A thread that notes the longest time in which it was not let run. */
const watchful = `
import threading, time
longest = 0
def watch():
    global longest
    while True:
        before = time.monotonic()
        time.sleep(0.005)
        longest = max(longest, time.monotonic() - before)
threading.Thread(target=watch, daemon=True).start()
frozen = []
def pre_freeze(context):
    frozen.append(context.request_id)
def handler(event, context):
    time.sleep(0.05)  # the thread notes how long it stood still
    return '%.3f %d' % (longest, len(frozen))
`;

const sandd = await findSandd();
const probed = sandd.ok ? await probeSandd(sandd.path) : new Map<string, string>();
for (const tier of ['none', 'strong']) {
  const skip = !sandd.ok ? sandd.why : tier === 'none' || probed.get(tier) === 'ok' ? false : `no tier ${tier} here`;
  describe(`what functions print last, through sandd in tier ${tier}`, { skip }, () => {
    const cleanup = new Cleanup();
    let server: TestServer;
    before(async () => {
      const command = ['dev', join(root, 'examples/testadd'), '--isolation', tier];
      server = await startServer(cleanup, command, temporaryDirectory(cleanup));
      assert.deepEqual([server.ready.isolation, server.ready.launcher], [tier, 'sandd']);
    });
    after(() => cleanup.run());

    for (const [runtime, files] of Object.entries(printing)) {
      test(`${tails} tails of a ${runtime} function hold it`, async () => {
        const fc = functionCompute(server.ready, server.credentials);
        const service = `tails-${runtime.slice(0, 4)}`;
        await fc.createService(service);
        const code = { zipFile: await zipped(files) };
        await fc.createFunction(service, {
          functionName: 'tail',
          runtime,
          handler: 'index.handler',
          timeout: 10,
          code,
        });
        for (let call = 0; call < tails; call += 1) {
          const answer = await fc.invokeFunction(service, 'tail', `call ${call}`, { 'x-fc-log-type': 'Tail' });
          const log = Buffer.from(answer.headers['x-fc-log-result'] ?? '', 'base64').toString();
          assert.match(log, new RegExp(`last line of call ${call}\\nFC Invoke End RequestId: `));
        }
      });
    }
  });
}

describe('the ends of instances, on the real server', () => {
  const cleanup = new Cleanup();
  let server: TestServer;
  let fc: ReturnType<typeof functionCompute>;
  const add = async (name: string, runtime: string, files: Readonly<Record<string, string>>, more: object = {}) => {
    const code = { zipFile: await zipped(files) };
    await fc.createFunction('ends', {
      functionName: name,
      runtime,
      handler: 'index.handler',
      timeout: 10,
      code,
      ...more,
    });
  };

  before(async () => {
    const project = join(root, 'examples/testadd');
    server = await startServer(cleanup, ['dev', project, '--strict'], temporaryDirectory(cleanup));
    fc = functionCompute(server.ready, server.credentials);
    await fc.createService('ends');
  });
  after(() => cleanup.run());

  test('nothing of a function runs between requests; the hook before a freeze has run before each', async () => {
    const preFreeze = { handler: 'index.pre_freeze', timeout: 5 };
    await add('watchful', 'python3.10', { 'index.py': watchful }, { instanceLifecycleConfig: { preFreeze } });
    for (let freezes = 0; freezes < 3; freezes += 1) {
      const [longest, count] = String((await fc.invokeFunction('ends', 'watchful', '')).data)
        .split(' ')
        .map(Number);
      assert.equal(count, freezes);
      if (freezes > 0) assert.ok((longest ?? 0) > 0.25, `the thread ran on: ${longest} s`);
      // Sixty turns of the thread: if it were let run, none of them would be long.
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
  });

  test('`yunmen invoke --log` tells what a cold start was made of', async () => {
    await add('cold', 'python3.10', printing['python3.10']);
    const invoke = (...flags: string[]) =>
      run(join(root, 'bin/yunmen'), ['invoke', 'ends/cold', '--event', 'x', '--data-dir', server.dataDir, ...flags]);
    const { stderr } = await invoke('--log');
    const how = /^Cold start(, ms: wait [\d.]+, start| with a waiting process, ms: wait [\d.]+, code)/m;
    assert.match(stderr, how);
    assert.match(stderr, / [\d.]+, load [\d.]+, initializer 0, handler [\d.]+$/m);
    assert.equal((JSON.parse((await invoke('--json')).stdout) as { coldStart: unknown }).coldStart, null);
  });
});
