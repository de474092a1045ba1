// `npm run bench -- --only neighbour`: the p99 of a function's warm calls while another misbehaves, beside what it is alone.
import { setTimeout as delay } from 'node:timers/promises';
import { percentile } from './cold.ts';
import { type BenchPlane, openPlane } from './plane.ts';
import { markdownTable } from './report.ts';

/** Alone and beside in turns, so that what else the machine does meets both; figures are the medians of the turns'. */
const rounds = 3;
const windowMs = 2_000;
/** Before the window: what is measured is how it goes on, not the first burst of starts. */
const settleMs = 2_500;
/** Callers of the misbehaving function, each calling again as soon as it is answered. */
const callers = 20;

const hogs = {
  'dies at its start': 'import os\nos._exit(3)\n',
  'dies in its requests': 'import os\ndef handler(event, context):\n    os._exit(3)\n',
  'holds all its instances, waiting': 'import time\ndef handler(event, context):\n    time.sleep(0.5)\n',
  'holds all its instances, computing':
    'import time\ndef handler(event, context):\n    end = time.monotonic() + 0.5\n    while time.monotonic() < end: pass\n',
} as const;

async function latencies(plane: BenchPlane): Promise<number[]> {
  const all: number[] = [];
  const end = performance.now() + windowMs;
  while (performance.now() < end) {
    const began = performance.now();
    const outcome = await plane.invoke('neighbour', 'x');
    if (outcome.kind !== 'success') throw new Error(`the neighbour was not served: ${outcome.kind}`);
    all.push(performance.now() - began);
  }
  return all;
}

async function beside(plane: BenchPlane, hog: string): Promise<{ latencies: number[]; hogCalls: number }> {
  let isOver = false;
  let hogCalls = 0;
  const loop = async () => {
    while (!isOver) {
      await plane.invoke(hog, 'x');
      hogCalls += 1;
      // Answered at once it would call in a circle that nobody else gets into.
      await delay(5);
    }
  };
  const loops = Array.from({ length: callers }, loop);
  await delay(settleMs);
  const measured = await latencies(plane);
  isOver = true;
  await Promise.all(loops);
  plane.forget(hog);
  return { latencies: measured, hogCalls };
}

export async function runNeighbour(): Promise<string> {
  const plane = await openPlane('sandd', 'strong').catch(() => openPlane('node', 'none'));
  try {
    plane.publish('neighbour', 'python3.10', { 'index.py': 'def handler(event, context):\n    return event\n' });
    for (const [name, text] of Object.entries(hogs))
      plane.publish(name.replaceAll(/\W/g, '-'), 'python3.10', { 'index.py': text });
    await latencies(plane);
    const rows: string[][] = [];
    for (const name of Object.keys(hogs)) {
      const alone: number[][] = [];
      const together: number[][] = [];
      let calls = 0;
      for (let round = 0; round < rounds; round += 1) {
        alone.push(await latencies(plane));
        const measured = await beside(plane, name.replaceAll(/\W/g, '-'));
        together.push(measured.latencies);
        calls += measured.hogCalls;
      }
      const at = (turns: readonly number[][], part: number) =>
        percentile(
          turns.map((turn) => percentile(turn, part)),
          0.5,
        );
      const [before, now] = [at(alone, 0.99), at(together, 0.99)];
      const [quiet, busy] = [at(alone, 0.5), at(together, 0.5)];
      const times = [quiet, before, busy, now].map((ms) => ms.toFixed(2));
      rows.push([name, ...times, (now / before).toFixed(1), String(calls)]);
    }
    const head = ['a neighbour that', 'p50 alone', 'p99 alone', 'p50 beside', 'p99 beside', 'ratio', 'its calls'];
    return `A warm Python function beside another with ${callers} callers (${plane.name}), ms, medians of ${rounds} turns:\n\n${markdownTable(head, rows)}`;
  } finally {
    await plane.close();
  }
}
