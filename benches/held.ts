// What 10,000 idle connections cost the gateway: latency and CPU of the requests of others, and memory. Called by main.ts.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setUpMocks } from './mock-project.ts';
import { startLoadGenerator, startYunmen } from './processes.ts';
import { memoryKb, processorMicros } from './processor-time.ts';
import { markdownTable } from './report.ts';

const idleCount = 10_000;
const warmUpMs = 2_000;
/** After a change, until memory is looked at. */
const settleMs = 1_500;

/** Opens them in a process of its own; they are gone when the result has been called. */
async function holdIdle(origin: string): Promise<() => Promise<void>> {
  const child = fork(fileURLToPath(new URL('idle-connections.ts', import.meta.url)));
  const exited = once(child, 'exit');
  child.send({ origin, count: idleCount });
  const [answer] = (await Promise.race([
    once(child, 'message'),
    exited.then(() => Promise.reject(new Error('the idle connections could not be opened (ulimit -n?)'))),
  ])) as [unknown];
  if (answer !== 'ready') throw new Error(`idle connections were closed: ${JSON.stringify(answer)}`);
  let lost: unknown = null;
  child.on('message', (message) => {
    lost = message;
  });
  return async () => {
    if (lost !== null) throw new Error(`idle connections were closed: ${JSON.stringify(lost)}`);
    child.disconnect();
    await exited;
  };
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

type Sample = { readonly p50: number; readonly p99: number; readonly micros: number };

/** Rounds of: no idle connection, 10,000 of them; so that what the machine does meanwhile hits both alike. */
export async function runHeld(rounds: number, windowMs: number): Promise<string> {
  const yunmen = await startYunmen();
  const generator = startLoadGenerator();
  try {
    const { plain } = await setUpMocks(yunmen);
    const { data } = yunmen.pids;
    const measure = async (durationMs: number): Promise<Sample> => {
      await delay(settleMs);
      const before = processorMicros(data);
      const load = await generator.run({ target: plain, connections: 16, durationMs, perSecond: null });
      if (load.wrong > 0) throw new Error(`${load.wrong} wrong answers, the first: ${load.firstWrong}`);
      return { p50: load.p50, p99: load.p99, micros: (processorMicros(data) - before) / load.requests };
    };
    await measure(warmUpMs);
    // Of the first only: memory that was once used stays with the process.
    const before = memoryKb(data).rss;
    const releaseFirst = await holdIdle(yunmen.gateway);
    await delay(settleMs);
    const each = (memoryKb(data).rss - before) / idleCount;
    await releaseFirst();
    const alone: Sample[] = [];
    const beside: Sample[] = [];
    for (let round = 1; round <= rounds; round++) {
      console.error(`round ${round} of ${rounds}, idle connections`);
      alone.push(await measure(windowMs));
      const release = await holdIdle(yunmen.gateway);
      beside.push(await measure(windowMs));
      await release();
    }
    return describe(alone, beside, each, windowMs);
  } finally {
    await generator.close();
    await yunmen.close();
  }
}

function describe(alone: readonly Sample[], beside: readonly Sample[], each: number, windowMs: number): string {
  const row = (name: string, samples: readonly Sample[]) => [
    name,
    median(samples.map(({ p50 }) => p50)).toFixed(3),
    median(samples.map(({ p99 }) => p99)).toFixed(3),
    median(samples.map(({ micros }) => micros)).toFixed(1),
  ];
  const ratio = (of: (sample: Sample) => number) => (median(beside.map(of)) / median(alone.map(of))).toFixed(3);
  const heads = ['idle connections', 'p50 ms', 'p99 ms', 'CPU µs data'];
  const table = markdownTable(heads, [row('0', alone), row(String(idleCount), beside)]);
  const ratios = `p50 × ${ratio(({ p50 }) => p50)}, CPU × ${ratio(({ micros }) => micros)}, ${each.toFixed(1)} KB for each idle connection.`;
  return `Connections held: a mock is called over 16 connections, ${alone.length} rounds of ${windowMs / 1000} s.\n\n${table}\n\n${ratios}`;
}
