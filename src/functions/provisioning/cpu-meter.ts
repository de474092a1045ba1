// How much processor time the instances of a pool use: what a policy for CPU use follows. Kept by provisioner.ts.
import { readFileSync } from 'node:fs';

/** What is needed of an instance. `pid` 0: it has no process yet. */
export type Measured = { readonly id: string; readonly pid: number };

/** Processes of one instance that are looked at. */
const processLimit = 64;
/** Of the times in /proc; the same on every Linux that Node runs on. */
const ticksPerSecond = 100;

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process has gone, which is an answer
  }
}

/** Processor time of `pid` and its descendants, of those that ended and were waited for too, ms. Source: proc(5). */
export function readCpuMs(pid: number, read: (path: string) => string = readText): number {
  let ticks = 0;
  const open = [pid];
  for (let seen = 0; seen < processLimit; seen += 1) {
    const next = open.pop();
    if (next === undefined) break;
    // The name, in parentheses, may hold anything; utime, stime, cutime and cstime are the 12th to 15th word after it.
    const stat = read(`/proc/${next}/stat`);
    const words = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    for (const word of words.slice(11, 15)) ticks += Number(word);
    const children = read(`/proc/${next}/task/${next}/children`).split(' ');
    for (const child of children) if (child !== '') open.push(Number(child));
  }
  return (ticks * 1000) / ticksPerSecond;
}

/** Measures from one call to the next. Bounded by the instances of the last call. */
export class CpuMeter {
  readonly #read: (pid: number) => number;
  #last = new Map<string, number>();
  #at: number | null = null;

  constructor(read: (pid: number) => number = readCpuMs) {
    this.#read = read;
  }

  /** Processors that were busy on average since the last call (monotonic ms); 0 at the first. */
  coresUsed(instances: Iterable<Measured>, now: number): number {
    const next = new Map<string, number>();
    let usedMs = 0;
    for (const { id, pid } of instances) {
      if (pid <= 0) continue;
      const cpuMs = this.#read(pid);
      next.set(id, cpuMs);
      usedMs += Math.max(0, cpuMs - (this.#last.get(id) ?? cpuMs));
    }
    const elapsedMs = this.#at === null ? 0 : now - this.#at;
    this.#last = next;
    this.#at = now;
    return elapsedMs > 0 ? usedMs / elapsedMs : 0;
  }
}
