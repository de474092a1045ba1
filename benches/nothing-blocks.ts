// `npm run bench -- --only nothing-blocks`: what uploads and publishes do to requests and to the data process's event loop.
// Any failed request ends the bench with an error; delays are printed, not judged, because the machine has a share in them.
import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import yazl from 'yazl';
import { ApiClient } from './api-client.ts';
import { setUpEchoes } from './echo-project.ts';
import type { LoadResult, Target } from './load-job.ts';
import { startLoadGenerator, startYunmen, type Yunmen } from './processes.ts';
import { markdownTable } from './report.ts';

const perSecond = 200;
const connections = 16;
const packageBytes = 50 * 1024 * 1024;
const publishes = 1000;
/** Publishes under way at once. */
const publishers = 8;
const quietMs = 5000;

type LoopDelay = {
  readonly turns: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly longestWorkMs: number;
};
type Phase = { readonly name: string; readonly took: number; readonly load: LoadResult; readonly loop: LoopDelay };

/** A zip of random bytes, stored: the most there is to check, unpack and write for its size. */
async function bigPackage(): Promise<string> {
  const zip = new yazl.ZipFile();
  zip.addBuffer(Buffer.from('def handler(event, context):\n    return event\n'), 'index.py', { mode: 0o644 });
  const pieces = 10;
  for (let piece = 0; piece < pieces; piece++) {
    const bytes = randomBytes(Math.floor(packageBytes / pieces) - 1024);
    zip.addBuffer(bytes, `data/${piece}.bin`, { mode: 0o644, compress: false });
  }
  zip.end();
  return (await buffer(zip.outputStream)).toString('base64');
}

async function upload(api: ApiClient, zipFile: string): Promise<void> {
  const asked = { functionName: 'big', runtime: 'python3.10', handler: 'index.handler', code: { zipFile } };
  const body = Buffer.from(JSON.stringify(asked));
  await api.send('POST', '/2023-03-30/functions', { action: 'CreateFunction', version: '2023-03-30' }, [], body);
}

async function inTurns(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: publishers }, worker));
}

/** Drafts of mocked APIs, in a group of their own. */
async function makeDrafts(api: ApiClient): Promise<{ groupId: string; apiIds: string[] }> {
  const groupId = String((await api.rpc('CreateApiGroup', { GroupName: 'many' }))['GroupId']);
  const apiIds: string[] = [];
  await inTurns(publishes, async (index) => {
    const made = await api.rpc('CreateApi', {
      GroupId: groupId,
      ApiName: `many_${index}`,
      Visibility: 'PRIVATE',
      AuthType: 'ANONYMOUS',
      RequestConfig: JSON.stringify({
        RequestProtocol: 'HTTP',
        RequestHttpMethod: 'GET',
        RequestPath: `/many/${index}/[id]`,
        RequestMode: 'MAPPING',
      }),
      ServiceConfig: JSON.stringify({ ServiceProtocol: 'MOCK', Mock: 'TRUE', MockResult: 'ok', ServiceTimeout: 1000 }),
      RequestParameters: JSON.stringify([
        { ApiParameterName: 'id', Location: 'PATH', ParameterType: 'String', Required: 'REQUIRED' },
      ]),
      ServiceParameters: JSON.stringify([{ ServiceParameterName: 'id', Location: 'QUERY', ParameterType: 'STRING' }]),
      ServiceParametersMap: JSON.stringify([{ ServiceParameterName: 'id', RequestParameterName: 'id' }]),
      ResultType: 'JSON',
      ResultSample: '{}',
    });
    apiIds.push(String(made['ApiId']));
  });
  return { groupId, apiIds };
}

type Bench = {
  readonly api: ApiClient;
  readonly target: Target;
  readonly generator: ReturnType<typeof startLoadGenerator>;
};

const measuring = { action: 'MeasureProcesses', version: 'yunmen' } as const;

/** Steady requests while `work` runs, and for a moment before and after. */
async function during(bench: Bench, name: string, work: () => Promise<unknown>): Promise<Phase> {
  const { api, target, generator } = bench;
  let isOver = false;
  const loads: LoadResult[] = [];
  const requests = (async () => {
    while (!isOver) loads.push(await generator.run({ target, connections, durationMs: 1000, perSecond }));
  })();
  await delay(500);
  await api.send('POST', '/yunmen/loop-delay', measuring, [], Buffer.alloc(0));
  const began = performance.now();
  await work();
  const took = performance.now() - began;
  const { loopDelay } = await api.send('DELETE', '/yunmen/loop-delay', measuring, [], Buffer.alloc(0));
  isOver = true;
  await requests;
  return { name, took, load: together(loads), loop: loopDelay as LoopDelay };
}

function together(loads: readonly LoadResult[]): LoadResult {
  const failed = loads.find(({ wrong }) => wrong > 0);
  if (failed !== undefined) throw new Error(`a request failed: ${failed.firstWrong}`);
  const sum = (of: (load: LoadResult) => number) => loads.reduce((total, load) => total + of(load), 0);
  const most = (of: (load: LoadResult) => number) => Math.max(...loads.map(of));
  return {
    requests: sum(({ requests }) => requests),
    seconds: sum(({ seconds }) => seconds),
    p50: most(({ p50 }) => p50),
    p99: most(({ p99 }) => p99),
    max: most(({ max }) => max),
    wrong: 0,
    firstWrong: null,
  };
}

async function runPhases(yunmen: Yunmen): Promise<Phase[]> {
  const bench: Bench = {
    api: new ApiClient(yunmen),
    target: (await setUpEchoes(yunmen)).node,
    generator: startLoadGenerator(),
  };
  const { api, generator, target } = bench;
  try {
    const zipFile = await bigPackage();
    const { groupId, apiIds } = await makeDrafts(api);
    await generator.run({ target, connections, durationMs: 2000, perSecond });
    return [
      await during(bench, 'requests alone', () => delay(quietMs)),
      await during(bench, 'upload of 50 MB', () => upload(api, zipFile)),
      await during(bench, `${publishes} publishes`, () =>
        inTurns(publishes, (index) =>
          api.rpc('DeployApi', {
            GroupId: groupId,
            ApiId: apiIds[index] ?? '',
            StageName: 'RELEASE',
            Description: 'bench',
          }),
        ),
      ),
      await during(bench, 'requests alone, after', () => delay(quietMs)),
    ];
  } finally {
    await generator.close();
    api.close();
  }
}

const headings = [
  `while (${perSecond} requests/s)`,
  'took s',
  'requests',
  'failed',
  'p99 ms',
  'slowest ms',
  'loop delay p99 ms',
  'loop delay max ms',
  'longest own work ms',
];

/** The figures as text. Errors: when any request failed. */
export async function runNothingBlocks(): Promise<string> {
  const yunmen = await startYunmen();
  try {
    const phases = await runPhases(yunmen);
    const cells = phases.map(({ name, took, load, loop }) => [
      name,
      (took / 1000).toFixed(2),
      String(load.requests),
      String(load.wrong),
      load.p99.toFixed(2),
      load.max.toFixed(2),
      loop.p99Ms.toFixed(2),
      loop.maxMs.toFixed(2),
      loop.longestWorkMs.toFixed(2),
    ]);
    const note =
      "The data process's event loop, watched each millisecond. `loop delay` holds what the machine took away too (the other " +
      'processes and the load generator share its processors); `longest own work` is processor time of the loop alone.';
    return `${note}\n\n${markdownTable(headings, cells)}`;
  } finally {
    await yunmen.close();
  }
}
