// kill -9 at random moments under writes: whatever was acknowledged is there afterwards, and the gateway behaves by it.
// Small counts in `npm test`; YUNMEN_TORTURE=1: 200 kills under at least 20,000 acknowledged writes.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { counted, isTorture } from '../../scripts/test/torture.ts';
import { randomHex } from '../../src/base/ids.ts';
import { OpenApi } from '../harness/openapi.ts';
import { zipped } from '../harness/sdk.ts';
import { startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';

const rounds = counted(5, 200);
const writesWanted = counted(300, 20_000);
const writers = 8;

/** A small seeded generator (mulberry32), so that a run can be repeated. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One thing that was written: its last acknowledged state (null: not there), and the state under way, which a kill may have let through. */
type Expected<State> = { acknowledged: State | null; possible: (State | null)[] };
type World = {
  /** Function name → checksum of its code. */
  readonly functions: Map<string, Expected<string>>;
  /** `host path` → body that the gateway must answer; null: not published. */
  readonly routes: Map<string, Expected<string> & { host: string; path: string }>;
  /** One group a writer, kept over the kills: an account may have 200 groups, a group 1,000 APIs. */
  readonly groups: Map<number, string>;
  acknowledged: number;
};

/** Runs one write. Remembers its state as possible before, as acknowledged after. */
async function write<State>(
  world: World,
  expected: Expected<State>,
  state: State | null,
  call: () => Promise<{ status: number; body: object }>,
) {
  expected.possible.push(state);
  const { status, body } = await call();
  assert.ok(status >= 200 && status < 300, `${status} ${JSON.stringify(body)}`);
  expected.acknowledged = state;
  expected.possible = [];
  world.acknowledged++;
}

async function writeUntilKilled(
  server: TestServer,
  world: World,
  round: number,
  writer: number,
  packages: readonly Package[],
) {
  const api = new OpenApi(server.ready, server.credentials);
  const name = `r${round}w${writer}`;
  try {
    const groupId = await groupOf(api, world, writer);
    for (let step = 0; ; step++) {
      await writeFunction(
        api,
        world,
        `${name}s${step}`,
        packages[(step + writer) % packages.length],
        packages[(step + writer + 1) % packages.length],
      );
      await writeApi(api, world, { groupId, host: `${groupId}.localhost`, name: `${name}s${step}` });
    }
  } catch (error) {
    // The kill cuts connections; anything else is a failure of the test.
    if (!isConnectionError(error)) throw error;
  } finally {
    api.close();
  }
}

async function groupOf(api: OpenApi, world: World, writer: number): Promise<string> {
  const kept = world.groups.get(writer);
  if (kept !== undefined) return kept;
  // A kill may have let an earlier try through, so each try has a name of its own.
  const { status, body } = await api.rpc('CreateApiGroup', { GroupName: `group_${writer}_${randomHex(4)}` });
  assert.equal(status, 200, JSON.stringify(body));
  world.acknowledged++;
  const groupId = String(body['GroupId']);
  world.groups.set(writer, groupId);
  return groupId;
}

function isConnectionError(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return (
    code === 'ECONNRESET' || code === 'ECONNREFUSED' || code === 'EPIPE' || /aborted|socket hang up/.test(String(error))
  );
}

type Package = { readonly zipFile: string };

async function writeFunction(
  api: OpenApi,
  world: World,
  name: string,
  first: Package | undefined,
  second: Package | undefined,
) {
  assert.ok(first && second);
  const expected: Expected<string> = { acknowledged: null, possible: [] };
  world.functions.set(name, expected);
  await write(world, expected, first.zipFile, () =>
    api.fc('POST', '/functions', { functionName: name, runtime: 'python3.10', handler: 'index.handler', code: first }),
  );
  await write(world, expected, second.zipFile, () => api.fc('PUT', `/functions/${name}`, { code: second }));
}

async function writeApi(
  api: OpenApi,
  world: World,
  { groupId, host, name }: { groupId: string; host: string; name: string },
) {
  const path = `/${name}`;
  const expected = { acknowledged: null as string | null, possible: [] as (string | null)[], host, path };
  const config = (body: string) => ({
    GroupId: groupId,
    ApiName: `api_${name}`,
    Visibility: 'PRIVATE',
    AuthType: 'ANONYMOUS',
    RequestConfig: { RequestProtocol: 'HTTP', RequestHttpMethod: 'GET', RequestPath: path, RequestMode: 'PASSTHROUGH' },
    ServiceConfig: {
      ServiceProtocol: 'HTTP',
      ServiceAddress: 'http://unused',
      ServiceTimeout: 1000,
      Mock: 'TRUE',
      MockResult: body,
    },
    ResultType: 'JSON',
    ResultSample: '{}',
  });
  const created = await api.rpc('CreateApi', config('one'));
  assert.equal(created.status, 200, JSON.stringify(created.body));
  world.acknowledged++;
  const ApiId = String(created.body['ApiId']);
  const stage = { GroupId: groupId, ApiId, StageName: 'RELEASE' };
  world.routes.set(`${host} ${path}`, expected);
  await write(world, expected, 'one', () => api.rpc('DeployApi', { ...stage, Description: 'one' }));
  const modified = await api.rpc('ModifyApi', { ...config('two'), ApiId });
  assert.equal(modified.status, 200, JSON.stringify(modified.body));
  world.acknowledged++;
  await write(world, expected, 'two', () => api.rpc('DeployApi', { ...stage, Description: 'two' }));
  // Every fourth goes off line again: a withdrawn API must not come back.
  if (name.endsWith('3')) await write(world, expected, null, () => api.rpc('AbolishApi', stage));
}

function get(agent: Agent, gateway: string, host: string, path: string): Promise<string | null> {
  const { hostname, port } = new URL(gateway);
  return new Promise((resolve, reject) => {
    request({ host: hostname, port, path, headers: { Host: host }, agent }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      answer.on('end', () => resolve(answer.statusCode === 200 ? body : null));
    })
      .on('error', reject)
      .end();
  });
}

/** Compares everything written since `since` with what is there; returns how many things were looked at. */
async function verify(
  server: TestServer,
  world: World,
  checksums: ReadonlyMap<string, string>,
  since: { functions: number; routes: number },
) {
  const api = new OpenApi(server.ready, server.credentials);
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  try {
    for (const [name, expected] of [...world.functions].slice(since.functions)) {
      const { status, body } = await api.fc('GET', `/functions/${name}`);
      const found = status === 200 ? String(body['codeChecksum']) : null;
      const allowed = [expected.acknowledged, ...expected.possible].map((zip) =>
        zip === null ? null : checksums.get(zip),
      );
      assert.ok(allowed.includes(found), `function ${name}: ${status}, ${found}; allowed ${allowed.join(', ')}`);
    }
    for (const expected of [...world.routes.values()].slice(since.routes)) {
      const body = await get(agent, server.ready.gateway, expected.host, expected.path);
      const allowed = [expected.acknowledged, ...expected.possible];
      assert.ok(allowed.includes(body), `${expected.host}${expected.path}: ${body}; allowed ${allowed.join(', ')}`);
    }
  } finally {
    api.close();
    agent.destroy();
  }
}

test(`${rounds} kills under writes lose nothing that was acknowledged`, {
  timeout: isTorture ? 3_600_000 : 300_000,
}, async (t) => {
  const random = seeded(Number(process.env['YUNMEN_SEED'] ?? 20_261_122));
  const dataDir = temporaryDirectory(t);
  const packages: Package[] = [];
  for (let index = 0; index < 16; index++) {
    packages.push({ zipFile: await zipped({ 'index.py': `def handler(event, context):\n    return "${index}"\n` }) });
  }
  const world: World = { functions: new Map(), routes: new Map(), groups: new Map(), acknowledged: 0 };
  const checksums = new Map<string, string>();
  const start = () => startServer(t, ['start', '--runtime-fallback', '--isolation', 'none'], dataDir);
  let server = await start();
  for (const [index, code] of packages.entries()) {
    const api = new OpenApi(server.ready, server.credentials);
    const { body } = await api.fc('POST', '/functions', {
      functionName: `probe${index}`,
      runtime: 'python3.10',
      handler: 'index.handler',
      code,
    });
    checksums.set(code.zipFile, String(body['codeChecksum']));
    api.close();
  }
  for (let round = 0; round < rounds; round++) {
    const since = { functions: world.functions.size, routes: world.routes.size };
    const target = Math.ceil((writesWanted * (round + 1)) / rounds);
    const work = Promise.all(
      Array.from({ length: writers }, (_, writer) => writeUntilKilled(server, world, round, writer, packages)),
    );
    let hasFailed = false;
    work.catch(() => {
      hasFailed = true;
    });
    while (world.acknowledged < target && !hasFailed) await sleep(1);
    await sleep(random() * 20);
    process.kill(server.facts.pids.control, 'SIGKILL');
    await work;
    await server.exited;
    server = await start();
    await verify(server, world, checksums, since);
  }
  await verify(server, world, checksums, { functions: 0, routes: 0 });
  assert.equal(await server.stop(), 0);
  assert.ok(world.acknowledged >= writesWanted);
  t.diagnostic(`${rounds} kills, ${world.acknowledged} acknowledged writes`);
  const databases = readdirSync(dataDir).filter((name) => name.endsWith('.db') && name !== 'lock.db');
  assert.ok(databases.length > 0);
  for (const name of databases) {
    const database = new DatabaseSync(join(dataDir, name), { readOnly: true });
    assert.deepEqual({ ...database.prepare('pragma integrity_check').get() }, { integrity_check: 'ok' });
    database.close();
  }
  const temporary = readdirSync(join(dataDir, 'code')).filter((name) => !/^[0-9a-f]{64}(\.zip)?$/.test(name));
  assert.deepEqual(temporary, []);
});
