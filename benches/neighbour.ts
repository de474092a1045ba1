// `npm run bench -- --only neighbour`: the p99 of a function's warm calls while another misbehaves, beside what it is alone.
// Both are called as clients call them, through the gateway of a whole server, each from a process of its own.
import { setTimeout as delay } from 'node:timers/promises';
import { percentile } from './cold.ts';
import { echoFunctions, openEchoProject } from './echo-project.ts';
import type { LoadResult, Target } from './load-job.ts';
import { type LoadGenerator, startLoadGenerator, startYunmen } from './processes.ts';
import { markdownTable } from './report.ts';

/** Alone and beside in turns, so that what else the machine does meets both; figures are the medians of the turns'. */
const rounds = 5;
const windowMs = 2_000;
/** Before the window: what is measured is how it goes on, not the first burst of starts. */
const settleMs = 2_500;
/** Callers of the misbehaving function, and how often all of them together call while they are answered in time. */
const hogLoad = { connections: 20, perSecond: 400 };
/** How the measured function is called, over one connection: again when it is answered, or evenly (its process rests between). */
const paces = { 'at once': null, 'every 3 ms': 1000 / 3 } as const;

const hogs = {
  'behaves, as often': echoFunctions.python.files['index.py'],
  'dies at its start': 'import os\nos._exit(3)\n',
  'dies in its requests': 'import os\ndef handler(event, context):\n    os._exit(3)\n',
  'holds all its instances, waiting': 'import time\ndef handler(event, context):\n    time.sleep(0.5)\n',
  'holds all its instances, computing':
    'import time\ndef handler(event, context):\n    end = time.monotonic() + 0.5\n    while time.monotonic() < end: pass\n',
} as const;

type Turn = { readonly p50: number; readonly p99: number };

/** Errors: when a call was not answered as it should be. */
async function measure(generator: LoadGenerator, target: Target, perSecond: number | null): Promise<Turn> {
  const { p50, p99, wrong, firstWrong } = await generator.run({
    target,
    connections: 1,
    durationMs: windowMs,
    perSecond,
  });
  if (wrong > 0) throw new Error(`the neighbour was not served: ${wrong} wrong answers, the first: ${firstWrong}`);
  return { p50, p99 };
}

type Beside = { readonly turns: Record<keyof typeof paces, Turn>; readonly hog: LoadResult };

async function beside(generators: { quiet: LoadGenerator; hog: LoadGenerator }, quiet: Target, hog: Target) {
  const durationMs = settleMs + Object.keys(paces).length * (windowMs + 200);
  const load = generators.hog.run({ target: hog, ...hogLoad, durationMs, toleratesWrong: true });
  load.catch(() => {}); // heard below
  await delay(settleMs);
  const turns = await eachPace(generators.quiet, quiet);
  return { turns, hog: await load } satisfies Beside;
}

async function eachPace(generator: LoadGenerator, target: Target): Promise<Beside['turns']> {
  return {
    'at once': await measure(generator, target, paces['at once']),
    'every 3 ms': await measure(generator, target, paces['every 3 ms']),
  };
}

export async function runNeighbour(): Promise<string> {
  const yunmen = await startYunmen([], { expects: / POST \/echo\/hog-|^ {2}/ });
  const generators = { quiet: startLoadGenerator(), hog: startLoadGenerator() };
  try {
    const project = await openEchoProject(yunmen);
    const quiet = await project.deploy('neighbour', echoFunctions.python);
    const { runtime } = echoFunctions.python;
    const targets = new Map<string, Target>();
    for (const [at, [name, code]] of Object.entries(hogs).entries()) {
      targets.set(name, await project.deploy(`hog-${at}`, { runtime, files: { 'index.py': code } }));
    }
    for (let turn = 0; turn < 4; turn += 1) await eachPace(generators.quiet, quiet); // warm
    const rows: string[][] = [];
    for (const [name, hog] of targets) {
      const alone: Beside['turns'][] = [];
      const together: Beside[] = [];
      for (let round = 0; round < rounds; round += 1) {
        alone.push(await eachPace(generators.quiet, quiet));
        together.push(await beside(generators, quiet, hog));
      }
      const hogPerSecond = percentile(
        together.map(({ hog: { requests, seconds } }) => requests / seconds),
        0.5,
      );
      for (const pace of Object.keys(paces) as (keyof typeof paces)[]) {
        const at = (turns: readonly Beside['turns'][], part: keyof Turn) =>
          percentile(
            turns.map((turn) => turn[pace][part]),
            0.5,
          );
        const now = together.map(({ turns }) => turns);
        const times = [at(alone, 'p50'), at(alone, 'p99'), at(now, 'p50'), at(now, 'p99')];
        const ratio = at(now, 'p99') / at(alone, 'p99');
        rows.push([name, pace, ...times.map((ms) => ms.toFixed(2)), ratio.toFixed(1), hogPerSecond.toFixed(0)]);
      }
    }
    const times = ['p50 alone', 'p99 alone', 'p50 beside', 'p99 beside', 'ratio'];
    const head = ['a neighbour that', 'called', ...times, 'its calls a second'];
    return `A warm Python function, called through the gateway over one connection, beside another that ${hogLoad.connections} callers call (up to ${hogLoad.perSecond} a second; ${yunmen.isolation}), ms, medians of ${rounds} turns:\n\n${markdownTable(head, rows)}`;
  } finally {
    await generators.quiet.close();
    await generators.hog.close();
    await yunmen.close();
  }
}
