// Whether this machine (or the container that it is) has memory for one more instance. Asked by instances/places.ts at each start.
import { openSync, readSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';

export type HostMemory = {
  /** Why no further instance should be started now; null: there is room. */
  lack(): string | null;
  /** Something has ended: what was read before says nothing any more. */
  changed(): void;
};

/** Kept free for the system and for what runs: a share of all, or so much of a large machine. */
const reserve = { share: 0.05, bytes: 256 * 1024 * 1024 };
/** How long a reading is believed, ms. */
const believedMs = 200;
const megabyte = 1024 * 1024;

type Reading = { readonly totalBytes: number; readonly freeBytes: number };
/** The text of a file; null when there is none. */
type Read = (path: string) => string | null;

/** More than the kernel writes into any of them. */
const systemFileBytes = 16 * 1024;

/** Reads small files of the kernel's. They stay open, and what is missing is not looked for again: cold calls wait for this. */
export function createSystemReader(): Read {
  const open = new Map<string, number | null>();
  const bytes = Buffer.alloc(systemFileBytes);
  return (path) => {
    try {
      let file = open.get(path);
      if (file === undefined) {
        open.set(path, null);
        file = openSync(path, 'r');
        open.set(path, file);
      }
      return file === null ? null : bytes.toString('latin1', 0, readSync(file, bytes, 0, systemFileBytes, 0));
    } catch {
      return null; // not this kind of system, which is an answer
    }
  };
}

const totalOf = /^MemTotal:\s+(\d+) kB$/m;
const availableOf = /^MemAvailable:\s+(\d+) kB$/m;

/** Kilobytes in /proc/meminfo, as bytes. */
function memberOf(meminfo: string, pattern: RegExp): number | null {
  const match = pattern.exec(meminfo);
  return match === null ? null : Number(match[1]) * 1024;
}

/** The files of both generations: the group's limit, what of it is used, and what of that was read from files. */
const groupFiles = [
  [
    '/sys/fs/cgroup/memory.max',
    '/sys/fs/cgroup/memory.current',
    '/sys/fs/cgroup/memory.stat',
    /^inactive_file (\d+)$/m,
  ],
  [
    '/sys/fs/cgroup/memory/memory.limit_in_bytes',
    '/sys/fs/cgroup/memory/memory.usage_in_bytes',
    '/sys/fs/cgroup/memory/memory.stat',
    /^total_inactive_file (\d+)$/m,
  ],
] as const;

/** The limit of the control group that the container is, if it is one. `total`: more than this is none. */
function groupReading(read: Read, total: number): Reading | null {
  for (const [limitPath, usedPath, statPath, cachePattern] of groupFiles) {
    const limit = Number(read(limitPath) ?? Number.NaN);
    if (!(limit > 0)) continue;
    if (limit >= total) return null;
    const used = Number(read(usedPath) ?? Number.NaN);
    if (!(used >= 0)) continue;
    // What was read from files is given back when memory is needed.
    const cache = Number(cachePattern.exec(read(statPath) ?? '')?.[1] ?? 0);
    return { totalBytes: limit, freeBytes: limit - used + cache };
  }
  return null;
}

/** Null on a system that does not tell. Source: proc(5), the kernel's cgroup documentation. */
export function readMemory(read: Read): Reading | null {
  const meminfo = read('/proc/meminfo');
  const [total, free] = meminfo === null ? [] : [memberOf(meminfo, totalOf), memberOf(meminfo, availableOf)];
  if (!total || free === null || free === undefined) return null;
  const group = groupReading(read, total);
  if (group === null) return { totalBytes: total, freeBytes: free };
  return { totalBytes: group.totalBytes, freeBytes: Math.min(free, group.freeBytes) };
}

export class SystemMemory implements HostMemory {
  readonly #clock: Clock;
  readonly #read: Read;
  #lack: string | null = null;
  #until = 0;

  constructor(clock: Clock, read: Read = createSystemReader()) {
    this.#clock = clock;
    this.#read = read;
  }

  lack(): string | null {
    const now = this.#clock.monotonic();
    if (now < this.#until) return this.#lack;
    this.#until = now + believedMs;
    const reading = readMemory(this.#read);
    this.#lack = reading === null ? null : describeLack(reading);
    return this.#lack;
  }

  changed(): void {
    this.#until = 0;
  }
}

function describeLack({ totalBytes, freeBytes }: Reading): string | null {
  const reserved = Math.min(reserve.bytes, totalBytes * reserve.share);
  if (freeBytes >= reserved) return null;
  const inMegabytes = (bytes: number) => `${Math.max(0, Math.round(bytes / megabyte))} MB`;
  return `the host has no memory for another instance: ${inMegabytes(freeBytes)} of ${inMegabytes(totalBytes)} are free`;
}
