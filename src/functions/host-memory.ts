// Whether this machine (or the container that it is) has memory for one more instance. Asked by instances/places.ts at each start.
import { readFileSync } from 'node:fs';
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

export function readSystemFile(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // not this kind of system, which is an answer
  }
}

/** Kilobytes behind a name in /proc/meminfo, as bytes. */
function memberOf(meminfo: string, name: string): number | null {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo);
  return match === null ? null : Number(match[1]) * 1024;
}

/** The limit of the control group that the container is, if it is one: the two generations of files. */
function groupReading(read: Read): Reading | null {
  const places = [
    ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory.current', '/sys/fs/cgroup/memory.stat', 'inactive_file'],
    [
      '/sys/fs/cgroup/memory/memory.limit_in_bytes',
      '/sys/fs/cgroup/memory/memory.usage_in_bytes',
      '/sys/fs/cgroup/memory/memory.stat',
      'total_inactive_file',
    ],
  ] as const;
  for (const [limitPath, usedPath, statPath, cacheName] of places) {
    const [limit, used] = [Number(read(limitPath) ?? Number.NaN), Number(read(usedPath) ?? Number.NaN)];
    if (!(limit > 0) || !(used >= 0)) continue;
    // What was read from files is given back when memory is needed.
    const cache = Number(new RegExp(`^${cacheName} (\\d+)$`, 'm').exec(read(statPath) ?? '')?.[1] ?? 0);
    return { totalBytes: limit, freeBytes: limit - used + cache };
  }
  return null;
}

/** Null on a system that does not tell. Source: proc(5), the kernel's cgroup documentation. */
export function readMemory(read: Read): Reading | null {
  const meminfo = read('/proc/meminfo');
  const [total, free] = meminfo === null ? [] : [memberOf(meminfo, 'MemTotal'), memberOf(meminfo, 'MemAvailable')];
  if (!total || free === null || free === undefined) return null;
  const group = groupReading(read);
  if (group === null || group.totalBytes >= total) return { totalBytes: total, freeBytes: free };
  return { totalBytes: group.totalBytes, freeBytes: Math.min(free, group.freeBytes) };
}

export class SystemMemory implements HostMemory {
  readonly #clock: Clock;
  readonly #read: Read;
  #lack: string | null = null;
  #until = 0;

  constructor(clock: Clock, read: Read = readSystemFile) {
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
