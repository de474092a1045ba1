// `--user`: started as root, a server whose control and data processes are somebody else for good, in each tier.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { findSandd, isolationTiers, probeSandd } from '../../src/functions/index.ts';
import { OpenApi } from '../harness/openapi.ts';
import { zipped } from '../harness/sdk.ts';
import { leftovers, processTree, startServer } from '../harness/server.ts';

const isRoot = process.getuid?.() === 0;
const sandd = await findSandd();
const probed = sandd.ok ? await probeSandd(sandd.path) : new Map<string, string>();
const user = 'nobody';
const uid = Number(/^nobody:[^:]*:(\d+)/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[1]);

function missing(tier: string): string | false {
  if (!isRoot) return 'it takes root to become somebody else';
  if (!sandd.ok) return sandd.why;
  const result = tier === 'none' ? 'ok' : (probed.get(tier) ?? 'the probe did not end');
  return result === 'ok' ? false : result;
}

/** Effective and saved ids, capabilities that are permitted. */
function rightsOf(pid: number) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? '';
  return {
    uids: field('Uid').split('\t').map(Number),
    permitted: BigInt(`0x${field('CapPrm')}`),
    groups: field('Groups').trim(),
  };
}

/** A port below 1024 that nobody listens on. */
async function lowPort(): Promise<number> {
  for (let port = 1023; port > 600; port -= 1) {
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    await new Promise((resolve) => server.close(resolve));
    if (isFree) return port;
  }
  throw new Error('no port below 1024 is free');
}

for (const tier of isolationTiers) {
  test(`--user: only the launcher keeps root's rights, and functions run (tier ${tier})`, {
    skip: missing(tier),
  }, async (t) => {
    const dataDir = join('/tmp', `yunmen-test-user-${process.pid}-${tier}`);
    mkdirSync(dataDir, { mode: 0o700 });
    t.after(() => rmSync(dataDir, { recursive: true, force: true }));
    const server = await startServer(t, ['start', '--runtime-fallback', '--isolation', tier, '--user', user], dataDir);
    const { pids, runDir } = server.facts;
    for (const pid of [pids.control, pids.data]) {
      assert.deepEqual(rightsOf(pid), { uids: [uid, uid, uid, uid], permitted: 0n, groups: '' });
    }
    assert.equal(rightsOf(pids.launcher).uids[0], 0);
    for (const name of ['credentials.json', 'server.json', 'secret.key']) {
      const { uid: owner, mode } = statSync(join(dataDir, name));
      assert.deepEqual([owner, mode & 0o777], [uid, 0o600], name);
    }
    assert.equal(statSync(runDir).uid, 0);

    const api = new OpenApi(server.ready, server.credentials);
    const code =
      'import json, os\ndef handler(event, context):\n    return json.dumps([os.getuid(), open("own.txt").read()])\n';
    const zipFile = await zipped({ 'index.py': code, 'own.txt': 'its own' });
    const made = { functionName: 'who', runtime: 'python3.10', handler: 'index.handler', code: { zipFile } };
    assert.equal((await api.fc('POST', '/functions', made)).status, 200);
    const { body } = await api.fc('POST', '/functions/who/invocations', {});
    const [seen, own] = body as unknown as readonly [number, string];
    assert.equal(own, 'its own');
    if (tier === 'none') assert.equal(seen, uid);
    else assert.ok(seen !== 0 && seen !== uid, String(seen));
    await api.close();

    const marks = processTree(server.child.pid ?? 0);
    assert.equal(await server.stop(), 0);
    assert.deepEqual(await leftovers(marks, [runDir, join(dataDir, 'server.json')], 4_000), []);
  });
}

test('--user: ports below 1024 are bound, and nothing keeps the right to', { skip: missing('strong') }, async (t) => {
  const dataDir = join('/tmp', `yunmen-test-user-${process.pid}-ports`);
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const port = await lowPort();
  const server = await startServer(t, ['start', '--user', user], dataDir, { gatewayPort: port });
  assert.equal(server.ready.gateway, `http://127.0.0.1:${port}`);
  assert.equal(rightsOf(server.facts.pids.control).permitted, 0n);
  assert.equal(rightsOf(server.facts.pids.data).permitted, 1n << 10n, 'to bind low ports, and nothing else');
  assert.equal(await server.stop(), 0);
});

test('--user: several data processes are all somebody else’s, and the end of one ends the server in order', {
  skip: missing('strong') && missing('user'),
}, async (t) => {
  const dataDir = join('/tmp', `yunmen-test-user-${process.pid}-several`);
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const command = ['start', '--runtime-fallback', '--user', user, '--data-processes', '2'];
  const server = await startServer(t, command, dataDir);
  const all = server.facts.dataProcesses;
  assert.equal(all.length, 2);
  for (const { data, launcher } of all) {
    assert.deepEqual(rightsOf(data), { uids: [uid, uid, uid, uid], permitted: 0n, groups: '' });
    assert.equal(rightsOf(launcher).uids[0], 0);
  }
  const api = new OpenApi(server.ready, server.credentials);
  const code = { zipFile: await zipped({ 'index.py': "def handler(event, context):\n    return '{}'\n" }) };
  const made = { functionName: 'both', runtime: 'python3.10', handler: 'index.handler', code };
  assert.equal((await api.fc('POST', '/functions', made)).status, 200);
  // They take turns.
  for (let calls = 0; calls < 4; calls++) {
    assert.equal((await api.fc('POST', '/functions/both/invocations', {})).status, 200);
  }
  await api.close();
  const marks = processTree(server.child.pid ?? 0);
  const exited = new Promise((resolve) => server.child.once('exit', resolve));
  process.kill(all[1]?.data ?? 0, 'SIGKILL');
  await exited;
  const runDirs = all.map(({ runDir }) => runDir);
  assert.deepEqual(await leftovers(marks, [...runDirs, join(dataDir, 'server.json')], 4_000), []);
});
