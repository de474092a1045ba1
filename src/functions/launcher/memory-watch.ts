// Looks at the memory of instances where no control group limits it, and says which use more than they may.
// Used by instance-processes.ts.
import { readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '../../base/clock.ts';

/** Between two looks at an instance; shorter when one of them uses more than half of what it may. */
const calmMs = 100;
const alertMs = 20;
/** Looking may take one part in so many of a processor: a look that took long is followed by a longer pause. */
const restFactor = 20;
/** The tree is followed anew after so many looks; processes counted of one instance. */
const looksPerTree = 5;
const processLimit = 256;

/** Of one process, KB. `own` is what it does not share with others by mapping files or memory. */
export type Usage = { readonly resident: number; readonly own: number };

export type MemoryReader = {
  /** The process and its descendants. */
  tree(root: number): readonly number[];
  /** Null when it has ended. */
  usage(pid: number): Usage | null;
  /** Its part of the memory that it shares, and all of its own, KB; null when that cannot be read. */
  proportional(pid: number): number | null;
};

type Watched = {
  readonly root: number;
  readonly limitKb: number;
  readonly onOver: () => void;
  pids: readonly number[];
  looks: number;
  peakKb: number;
  isPaused: boolean;
  isOver: boolean;
};

/**
 * Samples: what is allocated between two looks is seen at the next. An instance that stands still is not looked at.
 * Daemons that have left their parent are seen where they stay below the root (in a sandbox), not at tier none.
 */
export class MemoryWatch {
  readonly #clock: Clock;
  readonly #reader: MemoryReader;
  /** Bounded by the instances. */
  readonly #watched = new Map<string, Watched>();
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, reader: MemoryReader = procReader) {
    this.#clock = clock;
    this.#reader = reader;
  }

  /** `onOver` is called once, when the processes from `root` down use more than `limitMb`. */
  add(instanceId: string, root: number, limitMb: number, onOver: () => void): void {
    const limitKb = limitMb * 1024;
    const looks = 0;
    this.#watched.set(instanceId, {
      root,
      limitKb,
      onOver,
      pids: [root],
      looks,
      peakKb: 0,
      isPaused: false,
      isOver: false,
    });
    this.#schedule(calmMs);
  }

  /** Stops looking; the most that was seen, KB. */
  remove(instanceId: string): number {
    const peakKb = this.#watched.get(instanceId)?.peakKb ?? 0;
    this.#watched.delete(instanceId);
    return peakKb;
  }

  setPaused(instanceId: string, isPaused: boolean): void {
    const watched = this.#watched.get(instanceId);
    if (watched === undefined) return;
    watched.isPaused = isPaused;
    if (!isPaused) this.#schedule(calmMs);
  }

  #schedule(delayMs: number): void {
    this.#cancel ??= this.#clock.after(delayMs, () => {
      this.#cancel = null;
      this.#look();
    });
  }

  #look(): void {
    const began = this.#clock.monotonic();
    let isAny = false;
    let isClose = false;
    for (const watched of this.#watched.values()) {
      if (watched.isPaused || watched.isOver) continue;
      isAny = true;
      const usedKb = this.#measure(watched);
      if (usedKb > watched.limitKb) {
        watched.isOver = true;
        watched.onOver();
      }
      isClose ||= usedKb > watched.limitKb / 2;
    }
    if (!isAny) return;
    const tookMs = this.#clock.monotonic() - began;
    this.#schedule(Math.max(isClose ? alertMs : calmMs, tookMs * restFactor));
  }

  #measure(watched: Watched): number {
    if (watched.looks % looksPerTree === 0) watched.pids = this.#reader.tree(watched.root).slice(0, processLimit);
    watched.looks += 1;
    // The first process counts whole, the others without what they share with it.
    let usedKb = 0;
    for (const pid of watched.pids) {
      const usage = this.#reader.usage(pid);
      if (usage !== null) usedKb += pid === watched.pids[0] ? usage.resident : usage.own;
    }
    // Children that were forked share pages that the sum counts again: before it is held against them, look closer.
    if (usedKb > watched.limitKb && watched.pids.length > 1) usedKb = this.#measureExactly(watched.pids, usedKb);
    watched.peakKb = Math.max(watched.peakKb, usedKb);
    return usedKb;
  }

  #measureExactly(pids: readonly number[], roughKb: number): number {
    let exactKb = 0;
    for (const pid of pids) {
      const part = this.#reader.proportional(pid);
      if (part === null) {
        if (this.#reader.usage(pid) !== null) return roughKb;
      } else exactKb += part;
    }
    return exactKb;
  }
}

const pageKb = 4;

const procReader: MemoryReader = {
  tree(root) {
    const pids = [root];
    for (let at = 0; at < pids.length && pids.length < processLimit; at += 1) {
      for (const thread of list(`/proc/${pids[at]}/task`)) {
        const children = read(`/proc/${pids[at]}/task/${thread}/children`) ?? '';
        for (const child of children.split(' ')) if (child !== '') pids.push(Number(child));
      }
    }
    return pids;
  },
  usage(pid) {
    const [, resident, shared] = (read(`/proc/${pid}/statm`) ?? '').split(' ').map(Number);
    if (resident === undefined || shared === undefined) return null;
    return { resident: resident * pageKb, own: (resident - shared) * pageKb };
  },
  proportional(pid) {
    const found = /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? '');
    return found === null ? null : Number(found[1]);
  },
};

function read(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null; // it ended meanwhile, or may not be read
  }
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // it ended meanwhile
  }
}
