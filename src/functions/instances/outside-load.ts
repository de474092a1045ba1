// Whether others on this machine take the processors that instances in the background would use. Asked by background.ts.
import { readFileSync } from 'node:fs';

/** Measures closer together than this say little, and further apart nothing of now; ms. */
const apart = { leastMs: 200, mostMs: 3_000 };
/** Of all processors: with more than this unused nobody is short of them. */
const unused = 0.05;
/**
 * What clients of this machine and functions use for a call beside what this process does, at most (of calls that compute
 * for long the instances are counted): as many others are taken for our own calls.
 */
const perOwn = 4;
/** Of all processors, by others: at first, and for as long as they are known to take them. */
const taken = { first: 0.75, still: 0.25 };
/** So often in a row before it is believed. */
const sureAfter = 2;
/** How long it is believed after that, ms. */
const believedMs = 3_000;
/** Of the times in /proc; the same on every Linux that Node runs on. */
const ticksPerSecond = 100;

export type ProcessorTimes = { readonly ownMs: number; readonly unusedMs: number; readonly allMs: number };

/** Unknown: nothing was measured lately, or once only. */
export type Verdict = 'free' | 'taken' | 'unknown';

/**
 * Watches what this process, its instances and the machine have used. In the idle class who computes gets next to nothing
 * beside a program that computes, too: for our own calls that is meant, for what else the machine does it is not. Measured
 * before anybody goes there, so that nobody has to starve there for it to be found out.
 */
export class OutsideLoad {
  readonly #read: () => ProcessorTimes;
  #last: (ProcessorTimes & { readonly at: number }) | null = null;
  #inRow = 0;
  #takenUntil = 0;
  #isFull = false;
  #measuredAt = Number.NEGATIVE_INFINITY;

  constructor(read: () => ProcessorTimes = readProcessorTimes) {
    this.#read = read;
  }

  /** At the last measure no processor was unused. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /**
   * To be told the time (monotonic ms) while anything runs; whether a measure was made. `countInstances` says what instances
   * used since it was called last, ms of processors, and is called only while no processor is unused.
   */
  watch(now: number, countInstances: () => number): boolean {
    if (this.#last !== null && now - this.#last.at < apart.leastMs) return false;
    const times = { ...this.#read(), at: now };
    const last = this.#last;
    this.#last = times;
    if (last === null || now - last.at > apart.mostMs) {
      this.#inRow = 0;
      this.#isFull = false;
      return false;
    }
    this.#measuredAt = now;
    const allMs = times.allMs - last.allMs;
    const unusedMs = times.unusedMs - last.unusedMs;
    this.#isFull = unusedMs <= unused * allMs;
    const othersMs = this.#isFull ? allMs - unusedMs - countInstances() - (1 + perOwn) * (times.ownMs - last.ownMs) : 0;
    const isTaken = othersMs > (now < this.#takenUntil ? taken.still : taken.first) * allMs;
    this.#inRow = isTaken ? this.#inRow + 1 : 0;
    if (this.#inRow >= sureAfter) this.#takenUntil = now + believedMs;
    return true;
  }

  verdict(now: number): Verdict {
    if (now < this.#takenUntil) return 'taken';
    return now - this.#measuredAt > apart.mostMs || this.#inRow > 0 ? 'unknown' : 'free';
  }
}

/** Source: proc_stat(5): `cpu`, then user, nice, system, idle, iowait and others, in ticks. */
export function parseProcessorTimes(stat: string): Omit<ProcessorTimes, 'ownMs'> {
  const [, ...words] = stat.slice(0, stat.indexOf('\n')).trim().split(/ +/);
  // The last two, of guests, are in the first two already.
  const times = words.slice(0, 8).map((ticks) => (Number(ticks) * 1000) / ticksPerSecond);
  return { unusedMs: (times[3] ?? 0) + (times[4] ?? 0), allMs: times.reduce((sum, each) => sum + each, 0) };
}

function readProcessorTimes(): ProcessorTimes {
  const { user, system } = process.cpuUsage();
  return { ownMs: (user + system) / 1000, ...parseProcessorTimes(readFileSync('/proc/stat', 'latin1')) };
}
