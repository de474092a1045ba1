// Two data processes behind one port: one nonce and one limit for both, writes that a lagging one cannot hold up nor undo, and
// the end of one of them. YUNMEN_TORTURE=1: 10,000 replays.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { counted } from '../../scripts/test/torture.ts';
import { signRequest } from '../../src/wire/gateway-signature.ts';
import { type Connection, connectTo } from '../harness/connections.ts';
import { mockApi } from '../harness/mock-api.ts';
import { Project } from '../harness/project.ts';
import { functionCompute } from '../harness/sdk.ts';
import {
  Cleanup,
  instanceProcesses,
  leftovers,
  processTree,
  type ServerFacts,
  startServer,
  type TestServer,
  temporaryDirectory,
} from '../harness/server.ts';

const replays = counted(300, 10_000);
const limit = 2_000;
const command = ['start', '--runtime-fallback', '--isolation', 'none', '--data-processes', '2'];

type App = { readonly key: string; readonly secret: string };

function signed(path: string, app: App, host: string): Record<string, string> {
  return signRequest({
    method: 'GET',
    target: path,
    headers: { Host: host, Accept: '*/*' },
    body: Buffer.alloc(0),
    appKey: app.key,
    appSecret: app.secret,
    timestamp: Date.now(),
    nonce: randomUUID(),
  }).headers;
}

/** An API that a mock answers. */
async function addMock(project: Project, path: string, auth: 'APP' | 'ANONYMOUS', result: string): Promise<string> {
  const made = await project.cloudApi('CreateApi', mockApi(project.groupId, path, auth, result));
  const ApiId = String(made['ApiId']);
  await deploy(project, ApiId);
  return ApiId;
}

function deploy(project: Project, ApiId: string) {
  return project.cloudApi('DeployApi', { GroupId: project.groupId, ApiId, StageName: 'RELEASE', Description: 'next' });
}

function factsNow(server: TestServer): ServerFacts {
  return JSON.parse(readFileSync(join(server.dataDir, 'server.json'), 'utf8')) as ServerFacts;
}

async function connectToBoth(server: TestServer, t: Pick<TestContext, 'after'>): Promise<[Connection, Connection]> {
  const [one, other] = factsNow(server).dataProcesses;
  assert.ok(one !== undefined && other !== undefined, 'there are two data processes');
  return [await connectTo(server.ready.gateway, one.data, t), await connectTo(server.ready.gateway, other.data, t)];
}

describe('two data processes', () => {
  const cleanup = new Cleanup();
  let server: TestServer;
  let project: Project;

  before(async () => {
    server = await startServer(cleanup, command, temporaryDirectory(cleanup));
    project = await Project.create(server, 'shared');
  });
  after(() => cleanup.run());

  test('accept a request that is sent to both once, every time', { timeout: 600_000 }, async (t) => {
    const apiId = await addMock(project, '/replayed', 'APP', 'once');
    const app = await project.addApp('replaying', apiId);
    const connections = await connectToBoth(server, t);
    for (let i = 0; i < replays; i++) {
      const headers = signed('/replayed', app, project.host);
      const answers = await Promise.all(connections.map((one) => one.send('GET', '/replayed', headers)));
      assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, 403], `try ${i}`);
      const refused = answers.find(({ status }) => status === 403);
      assert.equal(refused?.headers['x-ca-error-code'], 'S403NU');
    }
    t.diagnostic(`${replays} replays`);
  });

  test('let through between 98 and 100 percent of a limit together', async (t) => {
    const apiId = await addMock(project, '/limited', 'ANONYMOUS', 'in');
    const made = await project.cloudApi('CreateTrafficControl', {
      TrafficControlName: 'shared_limit',
      TrafficControlUnit: 'DAY',
      ApiDefault: limit,
    });
    await project.cloudApi('SetTrafficControlApis', {
      GroupId: project.groupId,
      StageName: 'RELEASE',
      TrafficControlId: made['TrafficControlId'],
      ApiIds: apiId,
    });
    const connections = [...(await connectToBoth(server, t)), ...(await connectToBoth(server, t))];
    let accepted = 0;
    await Promise.all(
      connections.map(async (one, at) => {
        // One process gets three times as much as the other.
        for (let i = 0; i < (at % 2 === 0 ? 900 : 300); i++) {
          const { status } = await one.send('GET', '/limited', { Host: project.host });
          assert.ok(status === 200 || status === 429, String(status));
          if (status === 200) accepted += 1;
        }
      }),
    );
    assert.ok(accepted <= limit && accepted >= limit * 0.98, `${accepted} of ${limit}`);
  });

  test('a write is acknowledged soon though one of them stands still, which answers nothing older afterwards', async (t) => {
    const apiId = await addMock(project, '/written', 'ANONYMOUS', 'old');
    const [first, second] = await connectToBoth(server, t);
    const standing = factsNow(server).dataProcesses[1]?.data ?? 0;
    const get = (one: Connection) => one.send('GET', '/written', { Host: project.host });
    assert.deepEqual([(await get(first)).body, (await get(second)).body], ['old', 'old']);
    await project.cloudApi('ModifyApi', { ...mockApi(project.groupId, '/written', 'ANONYMOUS', 'new'), ApiId: apiId });
    process.kill(standing, 'SIGSTOP');
    try {
      const startedAt = performance.now();
      await deploy(project, apiId);
      t.diagnostic(`acknowledged after ${Math.round(performance.now() - startedAt)} ms`);
      assert.equal((await get(first)).body, 'new');
      const waiting = get(second);
      process.kill(standing, 'SIGCONT');
      assert.equal((await waiting).body, 'new');
    } finally {
      process.kill(standing, 'SIGCONT'); // also when a check before it failed
    }
    const { dataProcesses } = factsNow(server);
    assert.ok(
      dataProcesses.some(({ data }) => data === standing),
      'it was not replaced',
    );
  });
});

test('while control stands still a call is refused in time, with its code, and served again afterwards', async (t) => {
  const server = await startServer(t, command, temporaryDirectory(t));
  const project = await Project.create(server, 'standing');
  await addMock(project, '/standing', 'ANONYMOUS', 'here');
  const [one] = await connectToBoth(server, t);
  const get = () => one.send('GET', '/standing', { Host: project.host });
  assert.equal((await get()).status, 200);
  const { control } = server.facts.pids;
  process.kill(control, 'SIGSTOP');
  try {
    await sleep(100); // the leave to serve has ended then
    const refused = await get();
    assert.equal(refused.status, 504);
    assert.equal(refused.headers['x-ca-error-code'], 'X504TO');
    assert.equal(refused.headers['x-ca-error-message'], 'Service timeout');
  } finally {
    process.kill(control, 'SIGCONT');
  }
  const again = await connectTo(server.ready.gateway, factsNow(server).dataProcesses[0]?.data ?? 0, t);
  assert.equal((await again.send('GET', '/standing', { Host: project.host })).body, 'here');
});

test('one of them that is killed ends with its instances and is replaced, while the other serves', async (t) => {
  const server = await startServer(t, command, temporaryDirectory(t));
  const project = await Project.create(server, 'replaced');
  const apiId = await addMock(project, '/kept', 'APP', 'kept');
  const app = await project.addApp('calling', apiId);
  await project.addFunction('replaced', 'instance', {
    runtime: 'python3.10',
    handler: 'index.handler',
    files: { 'index.py': 'def handler(event, context):\n    return "ran"\n' },
  });
  const fc = functionCompute(server.ready, server.credentials);
  const before = factsNow(server);
  const [kept, victim] = before.dataProcesses;
  assert.ok(kept !== undefined && victim !== undefined);
  // One after the other takes an invocation, but for one that is behind: until both have an instance.
  const hasInstance = ({ runDir }: typeof kept) => instanceProcesses(runDir).length > 0;
  for (let calls = 0; calls < 2 || !(hasInstance(kept) && hasInstance(victim)); calls++) {
    assert.ok(calls < 50, 'both were called');
    assert.equal((await fc.invokeFunction('replaced', 'instance', '')).data, 'ran');
  }
  const its = [...instanceProcesses(victim.runDir), ...processTree(victim.data), ...processTree(victim.launcher)];
  const connection = await connectTo(server.ready.gateway, kept.data, t);
  const burned = signed('/kept', app, project.host);
  assert.equal((await connection.send('GET', '/kept', burned)).status, 200);

  process.kill(victim.data, 'SIGKILL');
  assert.deepEqual(await leftovers(its, [victim.runDir], 2_000), []);
  assert.equal((await connection.send('GET', '/kept', signed('/kept', app, project.host))).status, 200);
  await addMock(project, '/later', 'ANONYMOUS', 'later');

  const deadline = Date.now() + 20_000;
  let now = factsNow(server);
  while (now.dataProcesses.length < 2 || now.dataProcesses.some(({ data }) => data === victim.data)) {
    assert.ok(Date.now() < deadline, 'no other data process came');
    await sleep(20);
    now = factsNow(server);
  }
  const next = now.dataProcesses.find(({ data }) => data !== kept.data);
  const fresh = await connectTo(server.ready.gateway, next?.data ?? 0, t);
  assert.equal((await fresh.send('GET', '/later', { Host: project.host })).body, 'later');
  const replayed = await fresh.send('GET', '/kept', burned);
  assert.equal(replayed.headers['x-ca-error-code'], 'S403NU', 'a nonce stays burned');
  assert.equal((await fc.invokeFunction('replaced', 'instance', '')).data, 'ran');
  assert.equal((await fc.invokeFunction('replaced', 'instance', '')).data, 'ran');
  assert.equal(await server.stop(), 0);
});

test('of the requests that run while one of them is killed only those of its own connections fail, in that moment', async (t) => {
  const server = await startServer(t, command, temporaryDirectory(t));
  const project = await Project.create(server, 'loaded');
  await addMock(project, '/loaded', 'ANONYMOUS', 'served');
  const [kept, victim] = factsNow(server).dataProcesses;
  assert.ok(kept !== undefined && victim !== undefined);
  const failures = new Map<string, number>();
  let [served, isOver] = [0, false];
  const call = async (name: string, connection: Connection) => {
    while (!isOver) {
      try {
        const { status, body } = await connection.send('GET', '/loaded', { Host: project.host });
        assert.deepEqual([status, body], [200, 'served']);
        served += 1;
      } catch (error) {
        // Without an answer: its connection went with the process. The next one goes to whom the kernel gives it.
        assert.match(String((error as NodeJS.ErrnoException).code), /^(ECONNRESET|ECONNREFUSED|EPIPE)$/);
        failures.set(name, (failures.get(name) ?? 0) + 1);
      }
    }
  };
  const connections: [name: string, Connection][] = [];
  for (let at = 0; at < 4; at++) {
    connections.push([`kept ${at}`, await connectTo(server.ready.gateway, kept.data, t)]);
    connections.push([`victim ${at}`, await connectTo(server.ready.gateway, victim.data, t)]);
  }
  const calling = Promise.all(connections.map(([name, connection]) => call(name, connection)));
  const until = async (isTrue: () => boolean) => {
    while (!isTrue()) await Promise.race([sleep(10), calling]);
  };
  await until(() => served > 100);
  process.kill(victim.data, 'SIGKILL');
  await until(() => {
    const { dataProcesses } = factsNow(server);
    return dataProcesses.length === 2 && dataProcesses.every(({ data }) => data !== victim.data);
  });
  const replacedAt = served;
  await until(() => served > replacedAt + 100);
  isOver = true;
  await calling;
  t.diagnostic(
    `${served} served, ${[...failures].map(([name, times]) => `${name}: ${times}`).join(', ')} without an answer`,
  );
  assert.ok(failures.size > 0, 'some were under way');
  // The kernel may give it the next connection too, before its listener is gone.
  for (const [name, times] of failures) assert.ok(name.startsWith('victim') && times <= 3, `${name}: ${times}`);
  assert.equal(await server.stop(), 0);
});

test('kill -9 of control leaves nothing of several data processes behind', async (t) => {
  const server = await startServer(t, command, temporaryDirectory(t));
  const all = processTree(server.facts.pid);
  assert.ok(all.length >= 5, 'control, two data processes and two launchers');
  process.kill(server.facts.pids.control, 'SIGKILL');
  const paths = server.facts.dataProcesses.map(({ runDir }) => runDir);
  assert.deepEqual(await leftovers(all, paths, 2_000), []);
});
