// CPU time and memory of processes, read from /proc (Linux). Used by the benches.
import { readdirSync, readFileSync } from 'node:fs';

/** Length of one tick of utime and stime. Source: docs (proc(5); USER_HZ is 100 on every Linux that Node runs on). */
const tickMicros = 10_000;

type Stat = { readonly parent: number; readonly micros: number };

/** The line of /proc/<pid>/stat; null when the process has gone. The name in parentheses may hold spaces and parentheses. */
export function parseStat(text: string): Stat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { parent: Number(fields[1]), micros: (Number(fields[11]) + Number(fields[12])) * tickMicros };
}

function readStat(pid: number): Stat | null {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return null;
  }
}

/** User and system time that a process has used so far, in microseconds; 0 when it has gone. */
export function processorMicros(pid: number): number {
  return readStat(pid)?.micros ?? 0;
}

/** A process and all that came of it, as they are now. */
export function familyOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const parent = /^\d+$/.test(entry) ? readStat(Number(entry))?.parent : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const family = [pid];
  for (const member of family) family.push(...(children.get(member) ?? []));
  return family;
}

/** Resident and proportional memory of a process in KB; shared pages count whole in `rss` and in part in `pss`. */
export function memoryKb(pid: number): { readonly rss: number; readonly pss: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0);
  return { rss: field('Rss'), pss: field('Pss') };
}
