// `npm run bench -- --only publish`: a server with 100,000 published APIs: how soon what is published, changed or taken away through
// its API is what requests meet. An answer of the former state to a request sent after the acknowledgement fails the bench.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../src/base/clock.ts';
import { randomHex } from '../src/base/ids.ts';
import { acquireDataDir, openStore, type Store } from '../src/store/index.ts';
import type { ApiRow, DeploymentRow } from '../src/store/rows.ts';
import { ApiClient } from './api-client.ts';
import { percentile } from './cold.ts';
import { mockApi } from './mock-project.ts';
import { OneConnection, type PlainAnswer } from './one-connection.ts';
import { startYunmen, type Yunmen } from './processes.ts';
import { memoryKb } from './processor-time.ts';
import { markdownTable } from './report.ts';

const apiCount = 100_000;
/** Source: docs: a group holds 1,000 APIs. */
const perGroup = 1_000;
const stage = 'RELEASE';
const turns = 60;
/** Turns before those, so that the compiler has done its work. */
const warmUps = 10;
/** Between an answer and the client's next request. */
const pauseMs = 1;
const giveUpMs = 5_000;

/** Of the number'th API of all. */
const pathOf = (number: number) => `/v1/service${number % 37}/resource${number}`;

type Place = { readonly groupId: string; readonly apiId: string; readonly number: number };

/** Groups with one API each, published by the server itself. */
async function makeModels(client: ApiClient): Promise<Place[]> {
  const models: Place[] = [];
  for (let number = 0; number < apiCount; number += perGroup) {
    const made = await client.rpc('CreateApiGroup', { GroupName: `group_${number}`, Description: '' });
    const groupId = String(made['GroupId']);
    const { ApiId } = await client.rpc('CreateApi', mockApi(groupId, String(number), pathOf(number), `body ${number}`));
    const apiId = String(ApiId);
    await deploy(client, { groupId, apiId });
    models.push({ groupId, apiId, number });
  }
  return models;
}

function deploy(client: ApiClient, { groupId, apiId }: Omit<Place, 'number'>): Promise<unknown> {
  return client.rpc('DeployApi', { GroupId: groupId, ApiId: apiId, StageName: stage, Description: 'bench' });
}

/** Each model's rows and its fact, again for all APIs of its group: what as many calls would have left, in a tenth of the time. */
async function multiply(store: Store, model: Place): Promise<void> {
  await store.write(async ({ rows, publish }) => {
    const draft = await rows.apis.get(model.apiId);
    const [deployment] = await rows.deployments.find('apiId', model.apiId, 1);
    if (draft === null || deployment === undefined) throw new Error(`${model.apiId} is not there`);
    for (let number = model.number + 1; number < model.number + perGroup; number += 1) {
      const apiId = randomHex(16);
      const api = renamed(draft, apiId, number);
      const live: DeploymentRow = { ...deployment, apiId, api };
      await rows.apis.insert(api);
      await rows.deployments.insert(live);
      await rows.histories.insert({ ...live, status: 'ONLINE' });
      const { groupId, definition } = api;
      await publish('api', `${apiId}/${stage}`, { apiId, groupId, stage, definition });
    }
  });
}

function renamed(model: ApiRow, apiId: string, number: number): ApiRow {
  const { definition } = model;
  const request = { ...definition.request, path: pathOf(number) };
  return { ...model, apiId, definition: { ...definition, apiName: `api_${number}`, request } };
}

async function fill(dataDir: string): Promise<Place[]> {
  const yunmen = await startYunmen([], { dataDir });
  const client = new ApiClient(yunmen);
  let models: Place[] = [];
  try {
    models = await makeModels(client);
  } finally {
    client.close();
    await yunmen.close();
  }
  const lock = acquireDataDir(dataDir);
  const store = await openStore({ dataDir, clock: systemClock });
  try {
    for (const model of models) await multiply(store, model);
  } finally {
    await store.close();
    lock.release();
  }
  return models;
}

/** Milliseconds since the call was sent. */
type Seen = { readonly acknowledged: number; readonly visible: number };

/** Sends a call, and asks meanwhile and afterwards until the answer is the new one. */
async function watch(
  connection: OneConnection,
  place: Omit<Place, 'apiId'>,
  call: () => Promise<unknown>,
  isNew: (answer: PlainAnswer) => boolean,
): Promise<Seen> {
  const headers = { host: `${place.groupId}.localhost` };
  const ask = () => connection.get(pathOf(place.number), headers);
  if (isNew(await ask())) throw new Error('the answer was new before the call');
  const began = performance.now();
  let acknowledged: number | null = null;
  const calling = call().then(() => {
    acknowledged = performance.now() - began;
  });
  const isAcknowledged = () => acknowledged !== null;
  for (;;) {
    const wasAcknowledged = isAcknowledged();
    const answer = await ask();
    const now = performance.now() - began;
    if (isNew(answer)) {
      await calling;
      return { acknowledged: acknowledged ?? now, visible: now };
    }
    if (wasAcknowledged) throw new Error(`the former state answered after the acknowledgement: ${answer.status}`);
    if (now > giveUpMs) throw new Error(`not visible after ${giveUpMs} ms`);
    await delay(pauseMs);
  }
}

async function measure(yunmen: Yunmen, models: readonly Place[]): Promise<ReadonlyMap<string, readonly Seen[]>> {
  const client = new ApiClient(yunmen);
  const connection = new OneConnection(yunmen.gateway);
  const [changed, added, removed]: [Seen[], Seen[], Seen[]] = [[], [], []];
  try {
    const group = await client.rpc('CreateApiGroup', { GroupName: 'further', Description: '' });
    const groupId = String(group['GroupId']);
    for (let turn = 0; turn < warmUps + turns; turn += 1) {
      const model = models[(turn * 7) % models.length];
      if (model === undefined) throw new Error('there is no API');
      const body = `turn ${turn}`;
      await client.rpc('ModifyApi', {
        ...mockApi(model.groupId, String(model.number), pathOf(model.number), body),
        ApiId: model.apiId,
      });
      const deployed = () => deploy(client, model);
      changed.push(await watch(connection, model, deployed, ({ text }) => text === body));
      const number = apiCount + turn;
      const { ApiId } = await client.rpc('CreateApi', mockApi(groupId, String(number), pathOf(number), body));
      const further = { groupId, number, apiId: String(ApiId) };
      const published = () => deploy(client, further);
      added.push(await watch(connection, further, published, ({ status }) => status === 200));
      const taken = () => client.rpc('AbolishApi', { GroupId: groupId, ApiId: further.apiId, StageName: stage });
      removed.push(await watch(connection, further, taken, ({ status }) => status === 404));
    }
  } finally {
    connection.close();
    client.close();
  }
  return new Map([
    ['a change of an API', changed.slice(warmUps)],
    ['a new API', added.slice(warmUps)],
    ['an API taken away', removed.slice(warmUps)],
  ]);
}

export async function runPublish(): Promise<string> {
  const dataDir = mkdtempSync(`${tmpdir()}/yunmen-bench-`);
  try {
    const began = performance.now();
    const models = await fill(dataDir);
    console.error(`${apiCount} APIs made in ${((performance.now() - began) / 1000).toFixed(0)} s`);
    const yunmen = await startYunmen([], { dataDir, expects: / 404 I404NF: / });
    try {
      const all = await measure(yunmen, models);
      const memory = memoryKb(yunmen.pids.data);
      return describe(all, yunmen.readyMs, memory.rss / 1024);
    } finally {
      await yunmen.close();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function describe(all: ReadonlyMap<string, readonly Seen[]>, readyMs: number, dataMb: number): string {
  const rows = [...all].map(([name, list]) => {
    const of = (part: keyof Seen, quantile: number) =>
      percentile(
        list.map((each) => each[part]),
        quantile,
      ).toFixed(1);
    return [
      name,
      of('acknowledged', 0.5),
      of('acknowledged', 0.95),
      of('visible', 0.5),
      of('visible', 0.95),
      of('visible', 1),
    ];
  });
  const head = ['published', 'acknowledged p50 ms', 'p95', 'visible p50 ms', 'p95', 'slowest'];
  return `A server with ${apiCount} published APIs (ready ${(readyMs / 1000).toFixed(1)} s after its start, data process ${dataMb.toFixed(0)} MB): ${turns} publishes of each kind through its API, from the call to its answer and to the first answer of the new state to a client that asks without end, ${pauseMs} ms after each answer. No request sent after the acknowledgement was answered by the former state.\n\n${markdownTable(head, rows)}`;
}
