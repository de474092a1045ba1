// Whether others on this machine take the processors away from instances in the background. Asked by background.ts.
import { readFileSync } from 'node:fs';

/** Measures closer together than this say little, and further apart nothing of now; ms. */
const apart = { leastMs: 900, mostMs: 3_000 };
/** Of one processor: what this process may use while it is not its own calls that keep the processors busy. */
const ownUse = 0.25;
/** Of one processor: what the background together gets at least when it is not short of them. */
const backgroundUse = 0.25;
/** Of all processors: with more than this unused nobody is short of them. */
const unused = 0.05;

export type ProcessorTimes = { readonly ownMs: number; readonly unusedTicks: number; readonly allTicks: number };

/**
 * Watches what this process and the machine have used. In the idle class who computes gets next to nothing beside a program
 * that computes, too: for our own calls that is meant, for what else the machine does it is not.
 */
export class OutsideLoad {
  readonly #read: () => ProcessorTimes;
  #last: (ProcessorTimes & { readonly at: number }) | null = null;
  #isOutside = false;

  constructor(read: () => ProcessorTimes = readProcessorTimes) {
    this.#read = read;
  }

  /** To be told the time (monotonic ms) while anything runs. */
  watch(now: number): void {
    if (this.#last !== null && now - this.#last.at < apart.leastMs) return;
    const times = { ...this.#read(), at: now };
    const last = this.#last;
    this.#last = times;
    if (last === null || now - last.at > apart.mostMs) {
      this.#isOutside = false;
      return;
    }
    const isFull = times.unusedTicks - last.unusedTicks <= unused * (times.allTicks - last.allTicks);
    this.#isOutside = isFull && (times.ownMs - last.ownMs) / (now - last.at) < ownUse;
  }

  /** `use`: of one processor, by all that is in the background. */
  takesFrom(use: number): boolean {
    return this.#isOutside && use < backgroundUse;
  }
}

/** Source: proc_stat(5): `cpu`, then user, nice, system, idle, iowait and others, in ticks. */
export function parseProcessorTimes(stat: string): Omit<ProcessorTimes, 'ownMs'> {
  const [, ...words] = stat.slice(0, stat.indexOf('\n')).trim().split(/ +/);
  // The last two, of guests, are in the first two already.
  const ticks = words.slice(0, 8).map(Number);
  return { unusedTicks: (ticks[3] ?? 0) + (ticks[4] ?? 0), allTicks: ticks.reduce((sum, each) => sum + each, 0) };
}

function readProcessorTimes(): ProcessorTimes {
  const { user, system } = process.cpuUsage();
  return { ownMs: (user + system) / 1000, ...parseProcessorTimes(readFileSync('/proc/stat', 'latin1')) };
}
