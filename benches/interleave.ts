// Measures contestants in turns, so that what the machine does meanwhile hits all of them alike. Used by the benches of calls and of the proxy.
import type { Target } from './load-job.ts';
import { type LoadGenerator, startLoadGenerator } from './processes.ts';
import { processorMicros } from './processor-time.ts';
import { makeRow, type Row, type Window } from './report.ts';

/** `pids` are looked up anew for each window: instances come and go. */
export type Contestant = {
  readonly name: string;
  readonly target: Target;
  readonly pids: () => readonly number[];
  readonly dataPid: number | null;
};

/**
 * A contestant is warm when it has answered so many requests, or after so many windows: until then the compiler works beside
 * it, and a request costs up to twice as much. After 40,000 requests it still takes a seventh of a data process' time, after 100,000
 * next to nothing.
 */
const warmUp = { requests: 100_000, windowMs: 2000, windows: 25 };
/** One connection shows latency, not throughput: its windows may be shorter. */
const loads = [
  { connections: 64, share: 1 },
  { connections: 1, share: 0.4 },
];

async function measure(
  generator: LoadGenerator,
  contestant: Contestant,
  connections: number,
  durationMs: number,
): Promise<Window> {
  const { name, target, pids, dataPid } = contestant;
  const before = new Map(pids().map((pid) => [pid, processorMicros(pid)]));
  const dataBefore = dataPid === null ? 0 : processorMicros(dataPid);
  const load = await generator.run({ target, connections, durationMs, perSecond: null });
  const dataMicros = dataPid === null ? null : processorMicros(dataPid) - dataBefore;
  // A process that was not there before has spent all its time in this window.
  const allMicros = pids().reduce((total, pid) => total + processorMicros(pid) - (before.get(pid) ?? 0), 0);
  if (load.wrong > 0) throw new Error(`${name}: ${load.wrong} wrong answers, the first: ${load.firstWrong}`);
  if (load.requests === 0) throw new Error(`${name}: no answer at all`);
  return { load, allMicros, dataMicros };
}

async function warm(
  generator: LoadGenerator,
  contestant: Contestant,
  connections: number,
  share: number,
): Promise<void> {
  let requests = 0;
  for (let window = 0; window < warmUp.windows && requests < warmUp.requests * share; window++) {
    const { load } = await measure(generator, contestant, connections, warmUp.windowMs * share);
    requests += load.requests;
  }
}

/** Rounds A B C A B C … at each number of connections, after unmeasured windows each. */
export async function interleave(contestants: readonly Contestant[], rounds: number, windowMs: number): Promise<Row[]> {
  const generator = startLoadGenerator();
  const rows: Row[] = [];
  try {
    for (const { connections, share } of loads) {
      for (const contestant of contestants) await warm(generator, contestant, connections, share);
      const windows = new Map<string, Window[]>(contestants.map(({ name }) => [name, []]));
      for (let round = 1; round <= rounds; round++) {
        console.error(`round ${round} of ${rounds} at ${connections} connections`);
        for (const contestant of contestants) {
          windows.get(contestant.name)?.push(await measure(generator, contestant, connections, windowMs * share));
        }
      }
      rows.push(...contestants.map(({ name }) => makeRow(name, connections, windows.get(name) ?? [])));
    }
  } finally {
    await generator.close();
  }
  return rows;
}
