// 100,000 published APIs in one gateway: heap, look-up, how soon a publish is visible, and the longest pause of the event loop
// while they are loaded. Run by itself: `node --expose-gc benches/routes.ts [--apis 100000]`. Design: 0.5 µs, 100 MB, 50 ms, 10 ms.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createGateway, defaultGatewaySettings } from '../src/gateway/index.ts';
import { parsePattern, SegmentTrie } from '../src/gateway/segment-trie.ts';
import { definition, parameter, request } from '../src/gateway/testing.ts';
import type { ApiDefinition } from '../src/model/api.ts';
import type { Change } from '../src/model/published.ts';

const { values } = parseArgs({ options: { apis: { type: 'string', default: '100000' } } });
const apiCount = Number(values.apis);
/** Source: docs: a group holds 1,000 APIs. */
const perGroup = 1_000;
/** Changes that control sends at once while a data process catches up. */
const pageSize = 250;
const publishes = 1_000;

const groupOf = (n: number) =>
  Math.floor(n / perGroup)
    .toString(16)
    .padStart(32, '0');
const idOf = (n: number) => `${n.toString(16).padStart(12, '0')}feedfacecafebeef0123`;
const pathOf = (n: number) => `/v1/service${n % 37}/resource${n}/[id]/items`;

/** The shape of the journey's API: two form fields, mapped to the query of a function. */
function definitionOf(n: number): ApiDefinition {
  const base = definition({
    auth: { type: 'APP' },
    request: { method: n % 2 === 0 ? 'GET' : 'POST', path: pathOf(n) },
    rest: {
      apiName: `api_number_${n}`,
      parameters: [
        parameter({ name: 'id', location: 'PATH', required: true }),
        parameter({ name: 'a' }),
        parameter({ name: 'b' }),
      ],
      serviceParameters: ['id', 'a', 'b'].map((name) => ({
        name,
        location: 'QUERY',
        type: 'STRING',
        catalog: 'REQUEST',
      })),
      mappings: ['id', 'a', 'b'].map((name) => ({ requestName: name, serviceName: name })),
      backend: { kind: 'mock', status: 200, headers: [], body: `answer ${n}`, timeoutMs: 10_000 },
    },
  });
  // As it arrives from control: parsed JSON, sharing nothing.
  return JSON.parse(JSON.stringify(base)) as ApiDefinition;
}

function changeOf(n: number): Change {
  return {
    kind: 'api',
    key: `${idOf(n)}/RELEASE`,
    value: { apiId: idOf(n), groupId: groupOf(n), stage: 'RELEASE', definition: definitionOf(n) },
  };
}

function groupChange(index: number): Change {
  const groupId = groupOf(index * perGroup);
  return {
    kind: 'group',
    key: groupId,
    value: {
      groupId,
      regionId: 'cn-hangzhou',
      subDomain: `${groupId}-cn-hangzhou.alicloudapi.com`,
      basePath: '/',
      domains: [],
      isClassic: false,
    },
  };
}

const collect = () => {
  if (globalThis.gc === undefined) throw new Error('run with --expose-gc');
  globalThis.gc();
  globalThis.gc();
};
const heapMb = () => {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
};
const micros = (ms: number) => `${(ms * 1000).toFixed(2)} µs`;
const percentile = (sorted: readonly number[], share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;

/** Longest stretch without a turn of the event loop while `work` runs; by wall and by this thread's processor time, in ms. */
async function watchPauses(work: () => Promise<void>): Promise<{ wallMs: number; cpuMs: number }> {
  let isOver = false;
  let wallMs = 0;
  let cpuMs = 0;
  const watch = (async () => {
    let lastWall = performance.now();
    let lastCpu = process.threadCpuUsage();
    while (!isOver) {
      await nextTurn();
      const { user, system } = process.threadCpuUsage(lastCpu);
      wallMs = Math.max(wallMs, performance.now() - lastWall);
      cpuMs = Math.max(cpuMs, (user + system) / 1000);
      lastWall = performance.now();
      lastCpu = process.threadCpuUsage();
    }
  })();
  await work();
  isOver = true;
  await watch;
  return { wallMs, cpuMs };
}

function openGateway() {
  return createGateway({
    clock: { now: () => Date.now(), monotonic: () => performance.now(), after: () => () => {} },
    invoke: async () => ({ kind: 'refused', code: 'FunctionNotFound', message: '' }),
    claimNonce: () => true,
    count: () => -1,
    report: () => {},
    reportBug: (error) => console.error(error),
    settings: defaultGatewaySettings,
  });
}

/** Processor time of this thread, ms: other programs on the machine do not count. */
const cpuNow = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

function benchTrie(): void {
  const editor = new SegmentTrie<number>().edit();
  const began = cpuNow();
  for (let n = 0; n < apiCount; n++) editor.insert(parsePattern(pathOf(n)).pattern, 'GET', n);
  const trie = editor.done();
  console.log(`trie of one group      ${apiCount} routes built in ${(cpuNow() - began).toFixed(0)} ms`);
  const paths = Array.from({ length: 10_000 }, (_, n) =>
    pathOf((n * 7919) % apiCount)
      .slice(1)
      .split('/'),
  );
  for (let round = 0; round < 3; round++) {
    const start = cpuNow();
    for (let turn = 0; turn < 20; turn++)
      for (const path of paths) if (trie.find(path, 0, 'GET') === null) throw new Error('not found');
    if (round === 2) console.log(`look-up                ${micros((cpuNow() - start) / (20 * paths.length))} (0.5 µs)`);
  }
}

async function main(): Promise<void> {
  benchTrie();
  const gateway = openGateway();
  let version = 1;
  await gateway.apply({
    version,
    changes: Array.from({ length: Math.ceil(apiCount / perGroup) }, (_, n) => groupChange(n)),
  });
  const before = heapMb();
  const pages = Math.ceil(apiCount / pageSize);
  const pageOf = (page: number) => {
    const length = Math.min(pageSize, apiCount - page * pageSize);
    return Array.from({ length }, (_, n) => changeOf(page * pageSize + n));
  };
  let applyMs = 0;
  const pauses = await watchPauses(async () => {
    for (let page = 0; page < pages; page++) {
      const changes = pageOf(page);
      await nextTurn(); // making the changes is not what is measured
      const began = cpuNow();
      await gateway.apply({ version: ++version, changes });
      applyMs += cpuNow() - began;
      await nextTurn();
    }
  });
  console.log(
    `load ${apiCount} in pages   ${applyMs.toFixed(0)} ms in apply; longest pause ${pauses.wallMs.toFixed(1)} ms (${pauses.cpuMs.toFixed(1)} ms of processor; making a page included)`,
  );
  console.log(`heap                   ${(heapMb() - before).toFixed(1)} MB (100 MB)`);

  const bulk = Array.from({ length: 10_000 }, (_, n) => changeOf(n));
  collect();
  const bulkPauses = await watchPauses(async () => {
    await nextTurn();
    await gateway.apply({ version: ++version, changes: bulk });
  });
  console.log(
    `one batch of 10,000    longest pause ${bulkPauses.wallMs.toFixed(1)} ms (${bulkPauses.cpuMs.toFixed(1)} ms of processor) (10 ms)`,
  );

  const times: number[] = [];
  for (let n = 0; n < publishes; n++) {
    const change = changeOf((n * 7919) % apiCount);
    const began = cpuNow();
    await gateway.apply({ version: ++version, changes: [change] });
    times.push(cpuNow() - began);
    if (n % 10 === 0) await nextTurn();
  }
  times.sort((a, b) => a - b);
  console.log(
    `publish one            p50 ${percentile(times, 0.5).toFixed(3)} ms, p99 ${percentile(times, 0.99).toFixed(3)} ms, longest ${percentile(times, 1).toFixed(2)} ms (50 ms with transport)`,
  );

  const ask = (n: number) =>
    gateway.run(
      request({
        method: n % 2 === 0 ? 'GET' : 'POST',
        target: pathOf(n).replace('[id]', 'x'),
        headers: { Host: `${groupOf(n)}.localhost` },
      }),
    );
  const { record } = await ask(4242 % apiCount);
  if (record.failure?.code !== 'A400MA') throw new Error(`wrong answer: ${record.failure?.code}`);
  const coldBegan = cpuNow();
  for (let n = 0; n < 4_000; n++) await ask((n * 7919) % apiCount);
  console.log(`first request of an API ${micros((cpuNow() - coldBegan) / 4_000)}`);
  const warmBegan = cpuNow();
  for (let n = 0; n < 4_000; n++) await ask((n * 7919) % apiCount);
  console.log(`further requests       ${micros((cpuNow() - warmBegan) / 4_000)} (a whole refused request)`);
  console.log(`heap after requests    ${(heapMb() - before).toFixed(1)} MB`);
}

await main();
