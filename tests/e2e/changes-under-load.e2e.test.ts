// Publishes, abolishes and grants change while requests run: no request fails that should not, and none is answered by a
// state older than what was acknowledged before it began. YUNMEN_TORTURE=1: 1,000 changes of each kind.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { counted, isTorture } from '../../scripts/test/torture.ts';
import { signRequest } from '../../src/wire/gateway-signature.ts';
import { mockApi } from '../harness/mock-api.ts';
import { OpenApi } from '../harness/openapi.ts';
import { zipped } from '../harness/sdk.ts';
import { startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';

const changesPerWriter = counted(20, 500);
const writersOfEachKind = 2;
/** Requests under way at once on each thing that changes, and on what does not. */
const readers = 2;
const timeout = isTorture ? 3_600_000 : 120_000;

type Got = { readonly status: number; readonly body: string };
type App = { readonly key: string; readonly secret: string };

/** The gateway as clients see it. */
class Callers {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #url: URL;
  readonly #host: string;

  constructor(server: TestServer, groupId: string) {
    this.#url = new URL(server.ready.gateway);
    this.#host = `${groupId}.localhost`;
  }

  get(path: string, app: App | null): Promise<Got> {
    const plain = { Host: this.#host, Accept: '*/*' };
    const signed =
      app === null
        ? plain
        : signRequest({
            method: 'GET',
            target: path,
            headers: plain,
            body: Buffer.alloc(0),
            appKey: app.key,
            appSecret: app.secret,
            timestamp: Date.now(),
            nonce: randomUUID(),
          }).headers;
    const { hostname, port } = this.#url;
    return new Promise((resolve, reject) => {
      request({ host: hostname, port, path, headers: signed, agent: this.#agent }, (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        answer.on('error', reject);
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
      })
        .on('error', reject)
        .end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Something that is written again and again. `states[n]` is the answer of its n-th state. */
type Changing = {
  readonly path: string;
  readonly app: App | null;
  readonly states: string[];
  /** The newest state that was acknowledged, and the newest that was sent off. */
  acknowledged: number;
  sent: number;
};

const show = ({ status, body }: Got) => (status === 200 ? body : String(status));

/** One request: its answer must be that of a state between what was acknowledged before it and what was sent off by its end. */
async function look(callers: Callers, changing: Changing): Promise<void> {
  const oldest = changing.acknowledged;
  const got = show(await callers.get(changing.path, changing.app));
  const allowed = changing.states.slice(oldest, changing.sent + 1);
  assert.ok(
    allowed.includes(got),
    `${changing.path} answered ${got} where states ${oldest} to ${changing.sent} answer ${allowed.join(', ')}`,
  );
}

/** Writes the next state; the first request after the acknowledgement must see it. */
async function change(callers: Callers, changing: Changing, answers: string, write: () => Promise<unknown>) {
  changing.states.push(answers);
  changing.sent = changing.states.length - 1;
  await write();
  changing.acknowledged = changing.sent;
  await look(callers, changing);
}

/** The control plane, where every call must succeed. */
function strict(api: OpenApi) {
  return async (action: string, parameters: Readonly<Record<string, unknown>>) => {
    const { status, body } = await api.rpc(action, parameters);
    assert.equal(status, 200, `${action}: ${JSON.stringify(body)}`);
    return body;
  };
}
type Call = ReturnType<typeof strict>;

/** Publishes one version after the other, and takes the API off line after every third. */
async function publishing(
  call: Call,
  callers: Callers,
  GroupId: string,
  path: string,
): Promise<[Changing, () => Promise<void>]> {
  const changing: Changing = { path, app: null, states: ['404'], acknowledged: 0, sent: 0 };
  const ApiId = String((await call('CreateApi', mockApi(GroupId, path, 'ANONYMOUS', '0')))['ApiId']);
  const stage = { GroupId, ApiId, StageName: 'RELEASE' };
  const run = async () => {
    for (let n = 1; n <= changesPerWriter; n++) {
      if (n % 4 === 0) {
        await change(callers, changing, '404', () => call('AbolishApi', stage));
        continue;
      }
      await call('ModifyApi', { ...mockApi(GroupId, path, 'ANONYMOUS', `version ${n}`), ApiId });
      await change(callers, changing, `version ${n}`, () => call('DeployApi', { ...stage, Description: `${n}` }));
    }
  };
  return [changing, run];
}

/** Grants and takes the grant away again. */
async function granting(
  call: Call,
  callers: Callers,
  GroupId: string,
  path: string,
): Promise<[Changing, () => Promise<void>]> {
  const ApiId = String((await call('CreateApi', mockApi(GroupId, path, 'APP', 'granted')))['ApiId']);
  const stage = { GroupId, ApiId, StageName: 'RELEASE' };
  await call('DeployApi', { ...stage, Description: 'once' });
  const AppId = Number((await call('CreateApp', { AppName: `app_${path.slice(1)}` }))['AppId']);
  const security = await call('DescribeAppSecurity', { AppId });
  const app = { key: String(security['AppKey']), secret: String(security['AppSecret']) };
  const changing: Changing = { path, app, states: ['403'], acknowledged: 0, sent: 0 };
  const run = async () => {
    for (let n = 1; n <= changesPerWriter; n++) {
      const [action, answers] = n % 2 === 1 ? ['SetAppsAuthorities', 'granted'] : ['RemoveAppsAuthorities', '403'];
      await change(callers, changing, answers ?? '', () => call(action ?? '', { ...stage, AppIds: String(AppId) }));
    }
  };
  return [changing, run];
}

/** An API of a function, that nobody changes. */
async function stableFunction(call: Call, api: OpenApi, server: TestServer, GroupId: string): Promise<Changing> {
  const made = await api.fc('POST', '/functions', {
    functionName: 'stable',
    runtime: 'python3.10',
    handler: 'index.handler',
    code: {
      zipFile: await zipped({
        'index.py':
          'import json\ndef handler(event, context):\n    return json.dumps({"statusCode": 200, "body": "stable"})\n',
      }),
    },
  });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  const { ApiId } = await call('CreateApi', {
    ...mockApi(GroupId, '/stable', 'ANONYMOUS', ''),
    ServiceConfig: {
      ServiceProtocol: 'FunctionCompute',
      ServiceTimeout: 10_000,
      FunctionComputeConfig: { FcVersion: '3.0', FcRegionId: server.ready.region, FunctionName: 'stable' },
    },
  });
  await call('DeployApi', { GroupId, ApiId, StageName: 'RELEASE', Description: 'once' });
  return { path: '/stable', app: null, states: ['stable'], acknowledged: 0, sent: 0 };
}

async function setUp(t: TestContext, dataProcesses: number) {
  const command = ['start', '--runtime-fallback', '--isolation', 'none', '--data-processes', String(dataProcesses)];
  const server = await startServer(t, command, temporaryDirectory(t));
  const api = new OpenApi(server.ready, server.credentials);
  const call = strict(api);
  const groupId = String((await call('CreateApiGroup', { GroupName: 'changing' }))['GroupId']);
  const callers = new Callers(server, groupId);
  t.after(() => {
    callers.close();
    api.close();
  });
  return { server, api, call, callers, groupId };
}

async function changeUnderLoad(t: TestContext, dataProcesses: number): Promise<void> {
  const { server, api, call, callers, groupId } = await setUp(t, dataProcesses);
  const stable = await stableFunction(call, api, server, groupId);
  await look(callers, stable);
  const changing: Changing[] = [stable];
  const writers: (() => Promise<void>)[] = [];
  for (let index = 0; index < writersOfEachKind; index++) {
    for (const [thing, run] of [
      await publishing(call, callers, groupId, `/published${index}`),
      await granting(call, callers, groupId, `/granted${index}`),
    ]) {
      changing.push(thing);
      writers.push(run);
    }
  }
  let isOver = false;
  let requests = 0;
  const reading = changing.flatMap((thing) =>
    Array.from({ length: readers }, async () => {
      while (!isOver) {
        await look(callers, thing);
        requests += 1;
      }
    }),
  );
  const writing = Promise.all(writers.map((run) => run())).finally(() => {
    isOver = true;
  });
  // A reader's failure ends the test without waiting for the writers.
  await Promise.race([writing, Promise.all(reading)]);
  await Promise.all([writing, ...reading]);
  const changes = changing.reduce((total, { acknowledged }) => total + acknowledged, 0);
  assert.equal(changes, 2 * writersOfEachKind * changesPerWriter);
  assert.ok(requests > changes, `only ${requests} requests ran meanwhile`);
  t.diagnostic(`${changes} changes under ${requests} requests`);
  assert.equal(await server.stop(), 0);
}

test('no request fails for a change, and every change is in force when it is acknowledged', { timeout }, (t) =>
  changeUnderLoad(t, 1),
);

test('so it is when two data processes answer', { timeout }, (t) => changeUnderLoad(t, 2));
