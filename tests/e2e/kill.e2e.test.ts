// kill -9 of one process ends all the others and everything they started, within two seconds.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Project, type Runtime } from '../harness/project.ts';
import { functionCompute } from '../harness/sdk.ts';
import {
  alive,
  instanceProcesses,
  leftovers,
  processTree,
  startServer,
  temporaryDirectory,
} from '../harness/server.ts';

/** Starts a process that leaves its session and its parent, prints nothing, and lives on; answers its pid. */
const daemonising: Runtime = {
  runtime: 'python3.10',
  handler: 'index.handler',
  files: {
    'index.py': `
import os, time
def handler(event, context):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(writer, str(os.getpid()).encode())
            time.sleep(600)
        os._exit(0)
    os.wait()
    return os.read(reader, 20)
`,
  },
};

describe('kill -9', () => {
  for (const tier of process.getuid?.() === 0 ? ['none', 'user', 'strong'] : ['none', 'user']) {
    for (const victim of ['control', 'data', 'launcher'] as const) {
      test(`of the ${victim} process leaves no process and no socket behind (tier ${tier})`, async (t) => {
        const server = await startServer(
          t,
          ['start', '--runtime-fallback', '--isolation', tier],
          temporaryDirectory(t),
        );
        await Project.create(server, 'killed').then((project) => project.addFunction('killed', 'daemon', daemonising));
        const fc = functionCompute(server.ready, server.credentials);
        const { data } = await fc.invokeFunction('killed', 'daemon', '');
        assert.match(String(data), /^\d+$/, 'the function answered the pid of its daemon');
        const all = [...processTree(server.facts.pid), ...instanceProcesses(server.facts.runDir)];
        assert.ok(alive(all).length >= 5, 'three processes of ours, an instance and its daemon');
        process.kill(server.facts.pids[victim], 'SIGKILL');
        assert.deepEqual(await leftovers(all, [server.facts.runDir], 2_000), []);
      });
    }
  }
});

test('a server that was killed starts again on its data and serves', async (t) => {
  const dataDir = temporaryDirectory(t);
  const first = await startServer(t, ['start', '--runtime-fallback', '--isolation', 'none'], dataDir);
  const project = await Project.create(first, 'kept');
  await project.addFunction('kept', 'daemon', daemonising);
  process.kill(first.facts.pids.control, 'SIGKILL');
  await first.exited;
  await leftovers(processTree(first.facts.pid), [first.facts.runDir], 2_000);
  const second = await startServer(t, ['start', '--runtime-fallback', '--isolation', 'none'], dataDir);
  assert.deepEqual(second.credentials, first.credentials);
  const { data } = await functionCompute(second.ready, second.credentials).invokeFunction('kept', 'daemon', '');
  assert.match(String(data), /^\d+$/);
});
