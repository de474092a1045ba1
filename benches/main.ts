// `npm run bench`: one interleaved run of raw node:http hello, signed call → Python echo, signed call → Node echo.
// Options: --only <a name of the table below>, --seconds <of one window at 64 connections>, --rounds, --write <file>.
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runCold } from './cold.ts';
import { runColdGateway } from './cold-gateway.ts';
import { runDensity } from './density.ts';
import { runDeployed } from './deployed.ts';
import { setUpEchoes } from './echo-project.ts';
import { runHeld } from './held.ts';
import { type Contestant, interleave } from './interleave.ts';
import { runLanguages } from './languages.ts';
import type { Target } from './load-job.ts';
import { runNeighbour } from './neighbour.ts';
import { runNothingBlocks } from './nothing-blocks.ts';
import { runPolicies } from './policies.ts';
import { startHello, startYunmen, type Yunmen } from './processes.ts';
import { familyOf, memoryKb } from './processor-time.ts';
import { runProxy } from './proxy.ts';
import { runPublish } from './publish.ts';
import { runReload } from './reload.ts';
import { describeMachine, formatStart, formatTable, type StartMeasurement } from './report.ts';
import { runRoads } from './roads.ts';

const startCount = 5;

function echoContestants(yunmen: Yunmen, targets: Record<'python' | 'node', Target>): Contestant[] {
  const { control, data, launcher } = yunmen.pids;
  const pids = () => [...new Set([control, data, launcher].flatMap(familyOf))];
  return [
    { name: 'Python echo', target: targets.python, pids, dataPid: data },
    { name: 'Node echo', target: targets.node, pids, dataPid: data },
  ];
}

async function runCalls(withYunmen: boolean, rounds: number, windowMs: number): Promise<string> {
  const hello = await startHello();
  let yunmen: Yunmen | null = null;
  try {
    const contestants: Contestant[] = [
      { name: 'hello', target: { kind: 'hello', origin: hello.origin }, pids: () => [hello.pid], dataPid: null },
    ];
    if (withYunmen) {
      yunmen = await startYunmen();
      contestants.push(...echoContestants(yunmen, await setUpEchoes(yunmen)));
    }
    const table = formatTable(await interleave(contestants, rounds, windowMs));
    const isolation = yunmen === null ? '' : `Isolation tier ${yunmen.isolation}. `;
    return `${isolation}${rounds} rounds, windows of ${windowMs / 1000} s; the load generator shares the processors.\n\n${table}`;
  } finally {
    await yunmen?.close();
    await hello.close();
  }
}

/** Starts an empty server several times; memory is read two seconds after the last one is ready. */
async function runStart(): Promise<string> {
  const readyMs: number[] = [];
  let memory: StartMeasurement['memory'] = [];
  for (let count = 1; count <= startCount; count++) {
    const yunmen = await startYunmen();
    try {
      readyMs.push(yunmen.readyMs);
      if (count === startCount) {
        await delay(2000);
        memory = Object.entries(yunmen.pids).map(([name, pid]) => {
          const { rss, pss } = memoryKb(pid);
          return { process: name, rssKb: rss, pssKb: pss };
        });
      }
    } finally {
      await yunmen.close();
    }
  }
  return formatStart({ readyMs, memory });
}

/** In the order of a whole run. `hello` is part of `calls`, so a whole run leaves it out. */
const benches: Readonly<Record<string, (rounds: number, windowMs: number) => Promise<string>>> = {
  hello: (rounds, windowMs) => runCalls(false, rounds, windowMs),
  calls: (rounds, windowMs) => runCalls(true, rounds, windowMs),
  proxy: runProxy,
  start: runStart,
  'nothing-blocks': runNothingBlocks,
  cold: runCold,
  'cold-gateway': runColdGateway,
  density: runDensity,
  deployed: runDeployed,
  neighbour: runNeighbour,
  roads: runRoads,
  languages: runLanguages,
  held: runHeld,
  policies: runPolicies,
  reload: runReload,
  publish: runPublish,
};

function options() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: 'all' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
      write: { type: 'string' },
    },
  });
  const names = Object.keys(benches);
  const rounds = Number(values.rounds);
  const seconds = Number(values.seconds);
  const wanted = values.only === 'all' ? names.filter((name) => name !== 'hello') : [values.only];
  if (wanted.some((name) => !names.includes(name)) || !(rounds >= 1) || !(seconds > 0)) {
    console.error(
      `usage: npm run bench -- [--only ${names.join('|')}] [--rounds n] [--seconds s] [--write docs/benchmarks.md]`,
    );
    process.exit(2);
  }
  return { wanted, rounds, windowMs: seconds * 1000, write: values.write };
}

const { wanted, rounds, windowMs, write } = options();
const parts: string[] = [];
for (const name of wanted) parts.push((await benches[name]?.(rounds, windowMs)) ?? '');
const heading = `${new Date().toISOString().slice(0, 10)}; ${describeMachine()}.`;
const text = [heading, ...parts].join('\n\n');
console.log(`\n${text}`);
if (write !== undefined) {
  const explanation =
    'Written by `npm run bench -- --write docs/benchmarks.md`. Every answer is checked; one wrong answer fails the run.\n' +
    '`hello` is a bare `node:http` server. The echoes are signed form posts through the gateway to a warm function: signature, nonce, grant, parameter mapping.\n' +
    'CPU is user and system time per request: `all` is every process of the server and its instances, `data` the data process alone.\n' +
    'Each contestant is warm before it is measured: it has answered 30,000 requests, or for 16 s (at one connection 12,000, or 6.4 s).';
  writeFileSync(write, `# Benchmarks\n\n${explanation}\n\n${text}\n`);
}
