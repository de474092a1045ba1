// The peak memory of an instance: what it tells, or what its processes show. Held by instance.ts.
import { readFileSync } from 'node:fs';

const processLimit = 64;
/** Between two looks at the memory of a program that does not tell it, ms: a look costs more than a request. */
const measureMs = 1_000;

export class PeakMemory {
  /** As last told or seen. */
  kb = 0;
  #measuredAt = Number.NEGATIVE_INFINITY;

  told(kb: number): void {
    this.kb = Math.max(this.kb, kb);
  }

  /** `now`: monotonic ms. */
  measureNowAndThen(pid: number, now: number): void {
    if (now - this.#measuredAt < measureMs) return;
    this.#measuredAt = now;
    this.measure(pid);
  }

  /** Of a process that cannot tell it any more (time-out). `pid` 0: none was started. */
  measure(pid: number): void {
    if (pid > 0) this.told(readPeakMemoryKb(pid));
  }
}

/** Peak resident KB of the largest process among `pid` and its descendants; 0 when none can be read. */
function readPeakMemoryKb(pid: number): number {
  let peak = 0;
  const open = [pid];
  for (let seen = 0; seen < processLimit; seen += 1) {
    const next = open.pop();
    if (next === undefined) break;
    const text = readText(`/proc/${next}/status`);
    peak = Math.max(peak, Number(/^VmHWM:\s+(\d+) kB/m.exec(text)?.[1] ?? 0));
    const children = readText(`/proc/${next}/task/${next}/children`).split(' ');
    for (const child of children) if (child !== '') open.push(Number(child));
  }
  return peak;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process has gone, which is an answer
  }
}
