// The peak memory of a process that did not tell it itself (time-out). Called by instance.ts, rarely.
import { readFileSync } from 'node:fs';

const processLimit = 64;

/** Peak resident KB of the largest process among `pid` and its descendants; 0 when none can be read. */
export function readPeakMemoryKb(pid: number): number {
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
