// Which instances run in the background: those whose request (or start) has computed for a while, so that a call that needs
// a processor for a moment does not wait for one that needs it for long. Kept by plane.ts, told of requests by invoke.ts.
import type { Clock } from '../../base/clock.ts';
import type { Launcher } from '../launcher/port.ts';
import { readCpuMs } from '../provisioning/cpu-meter.ts';
import { OutsideLoad } from './outside-load.ts';
import type { InstanceState } from './state.ts';

/** Between two rounds, and the age at which a request is looked at first; ms. */
const roundMs = 20;
/** A request that computes less between two looks is looked at half as often, up to this; ms. */
const longestLookMs = 640;
/** Processor time between two looks that is called computing, ms: the least that /proc tells. */
const computedMs = 10;
/** Of an instance with several requests nobody knows which one computes: it has to use so much of a processor. */
const sharedUse = 0.5;
/** An instance in the background that computed nothing for so long gets a turn, and one at most gets one meanwhile; ms. */
const starvedMs = 1_000;
/** The same while all of them together get less than this part of one processor; as many then as half of the processors. */
const short = { use: 0.25, turnMs: 200 };
/** Processor time that a start may use, and the loading of code, before it is called computing: a caller waits for it; ms. */
const startMs = 1_000;
/** What was started in the background is looked at so soon, and comes out with less than this part of a processor. */
const born = { lookMs: 100, use: 0.25 };
/** Functions that are known to compute. The oldest are forgotten: they are found out anew. */
const heavyLimit = 1_024;

export type WatchedInstance = {
  readonly id: string;
  readonly pid: number;
  readonly state: InstanceState;
  /** Somebody has a session in it. */
  readonly isHeld: boolean;
  /** `isBackground`: the launcher started it there. */
  readonly plan: { readonly launch: { readonly isBackground?: boolean } };
};
export type WatchedPool = {
  readonly config: { readonly key: string };
  readonly concurrency: number;
  readonly inFlight: number;
  readonly starting: number;
  readonly instances: Iterable<WatchedInstance>;
};

export type BackgroundDeps = {
  readonly clock: Clock;
  /** Undefined: there are no classes here, and nothing is done. */
  readonly setBackground: Launcher['setBackground'];
  pools(): Iterable<WatchedPool>;
  /** Default: /proc. */
  readonly readCpuMs?: (pid: number) => number;
  readonly processors: number;
  /** Default: this machine's. */
  readonly outside?: Pick<OutsideLoad, 'watch' | 'verdict' | 'isFull'>;
  report(text: string): void;
};

/** What an instance has been doing since `since`. */
type Track = {
  readonly pid: number;
  since: number;
  isBackground: boolean;
  isStarved: boolean;
  /** It computed the least that can be told at the last look. */
  isSuspect: boolean;
  /** It was started in the background, and stays there until it has answered something. */
  readonly isBorn: boolean;
  /** A start that starved: it has a limit of time that its function did not choose. */
  isExempt: boolean;
  lookedAt: number;
  lookAt: number;
  intervalMs: number;
  /** Of its processes at the first look and at the last; null: it has not been looked at. */
  firstCpuMs: number | null;
  cpuMs: number;
};

type Look = {
  readonly instance: WatchedInstance;
  readonly track: Track;
  readonly cpuMs: number;
  readonly now: number;
};

/**
 * A request begins in the foreground. It is looked at when it is 20 ms old, then after 20, 40, 80 ms and so on; one that
 * computed 10 ms between two looks goes to the background until it ends. The next request of its function begins there, and
 * its instances rest there, until one of them turns out to compute less. Who gets nothing there for a second has a turn in
 * the foreground. A start, for which somebody waits, may compute more. While others take the processors nobody is there.
 */
export class Background {
  readonly #deps: BackgroundDeps;
  readonly #readCpuMs: (pid: number) => number;
  readonly #tracks = new Map<string, Track>();
  readonly #heavy = new Set<string>();
  /** Those that stay in the background while nothing runs in them: the next request of a function that computes begins there. */
  readonly #resting = new WeakSet<WatchedInstance>();
  /** Those of the instances that were started in the background that have a track, or had one. */
  readonly #born = new WeakSet<WatchedInstance>();
  readonly #outside: Pick<OutsideLoad, 'watch' | 'verdict' | 'isFull'>;
  /** What each had used when it was last looked at; and what they used since the machine was, by class. */
  readonly #counted = new WeakMap<WatchedInstance, number>();
  #usedMs = { background: 0, foreground: 0 };
  #measuredAt = 0;
  #isShort = false;
  #isTaken = false;
  #cancelRound: (() => void) | null = null;
  #turnAt = 0;
  #isReported = false;

  constructor(deps: BackgroundDeps) {
    this.#deps = deps;
    this.#readCpuMs = deps.readCpuMs ?? readCpuMs;
    this.#outside = deps.outside ?? new OutsideLoad();
  }

  /** Instances that do something in the background now. */
  get count(): number {
    return [...this.#tracks.values()].filter(({ isBackground }) => isBackground).length;
  }

  /** Whether what could be in the background may: not while others take the processors, nor while nobody knows. */
  get isOpen(): boolean {
    return this.#deps.setBackground !== undefined && this.#outside.verdict(this.#deps.clock.monotonic()) === 'free';
  }

  /** Something begins: from now on instances are looked at, as long as one does anything. */
  wake(): void {
    if (this.#cancelRound !== null || this.#deps.setBackground === undefined) return;
    this.#cancelRound = this.#deps.clock.after(roundMs, () => this.#round());
  }

  /** A request was given to the instance. */
  begins({ config, concurrency }: WatchedPool, instance: WatchedInstance): void {
    const isThere = this.#resting.delete(instance);
    if (concurrency > 1 || instance.isHeld || !this.#heavy.has(config.key) || !this.isOpen) {
      if (isThere) this.#tell(instance.id, false);
      return;
    }
    const now = this.#deps.clock.monotonic();
    const cpuMs = this.#readCpuMs(instance.pid);
    const track = { ...newTrack(instance, now), firstCpuMs: cpuMs, cpuMs };
    this.#tracks.set(instance.id, track);
    putThere(track, now);
    this.#count(instance, cpuMs);
    if (!isThere) this.#tell(instance.id, true);
  }

  /** The request that ran in the instance has ended; `isLast`: so does the instance, which it may do in the background. */
  ends({ config, concurrency }: WatchedPool, instance: WatchedInstance, isLast: boolean): void {
    if (this.#tracks.size === 0) return;
    const { id, pid } = instance;
    const track = this.#tracks.get(id);
    if (track === undefined || (concurrency > 1 && !track.isBorn)) return;
    if (isLast) {
      this.#tracks.delete(id);
      return;
    }
    if (this.#heavy.has(config.key) && track.firstCpuMs !== null) {
      const cpuMs = this.#readCpuMs(pid);
      this.#count(instance, cpuMs);
      // 0: the process has ended, and nobody knows.
      if (cpuMs > 0 && cpuMs - track.firstCpuMs < computedMs) this.#heavy.delete(config.key);
    }
    if (track.isBackground && !instance.isHeld && this.#heavy.has(config.key)) {
      this.#tracks.delete(id);
      this.#resting.add(instance);
    } else this.#forget(id, track);
  }

  /** Somebody begins a session in the instance: as long as it lasts it is in the foreground. */
  held(instance: WatchedInstance): void {
    if (this.#resting.delete(instance)) this.#tell(instance.id, false);
    const track = this.#tracks.get(instance.id);
    if (track?.isBackground === true) this.#lookSoon(instance.id, track, this.#deps.clock.monotonic());
  }

  close(): void {
    this.#cancelRound?.();
    this.#cancelRound = null;
    this.#tracks.clear();
  }

  #round(): void {
    this.#cancelRound = null;
    const now = this.#deps.clock.monotonic();
    const active = new Set<string>();
    let isAnyDue = false;
    this.#watchMachine(now);
    for (const pool of this.#deps.pools()) {
      if (pool.inFlight === 0 && pool.starting === 0) continue;
      isAnyDue = true;
      for (const instance of pool.instances) {
        if (instance.pid === 0 || !isActive(instance.state)) continue;
        active.add(instance.id);
        this.#follow(pool, instance, now);
      }
    }
    for (const [id, track] of this.#tracks) if (!active.has(id)) this.#forget(id, track);
    this.#giveTurn(now);
    // A request may still wait for the process of its instance.
    if (isAnyDue) this.wake();
  }

  #follow(pool: WatchedPool, instance: WatchedInstance, now: number): void {
    const { id, state } = instance;
    let track = this.#tracks.get(id);
    if (track !== undefined && track.since !== state.since) {
      if (track.isBorn && track.isBackground) track.since = state.since;
      else {
        this.#forget(id, track);
        track = undefined;
      }
    }
    if (track === undefined) {
      track = this.#isNewBorn(instance) ? bornTrack(instance, now) : newTrack(instance, state.since + roundMs);
      this.#tracks.set(id, track);
    }
    if (now < track.lookAt) return;
    const cpuMs = this.#readCpuMs(instance.pid);
    this.#count(instance, cpuMs);
    if (track.firstCpuMs === null) track.firstCpuMs = cpuMs;
    else this.#judge(pool, { instance, track, cpuMs, now });
    track.cpuMs = cpuMs;
    track.lookedAt = now;
    track.lookAt = now + track.intervalMs;
  }

  /** At every look but the first. */
  #judge({ config, concurrency }: WatchedPool, { instance, track, cpuMs, now }: Look): void {
    const { id, state, isHeld } = instance;
    const passedMs = now - track.lookedAt;
    const usedMs = cpuMs - track.cpuMs;
    const isStart = state.kind === 'starting' || state.kind === 'loading';
    if (track.isBackground) {
      track.isStarved = usedMs < computedMs;
      track.intervalMs = isStart ? born.lookMs : starvedMs;
      track.isExempt = isStart && usedMs < born.use * passedMs;
      if (track.isExempt) this.#lookSoon(id, track, now);
      return;
    }
    if (usedMs < (concurrency > 1 ? Math.max(computedMs, passedMs * sharedUse) : computedMs)) {
      track.intervalMs = Math.min(track.intervalMs * 2, longestLookMs);
      track.isSuspect = false;
      return;
    }
    // The least that is told may be the end of 10 ms that were used long ago, for once.
    const isSure = track.isSuspect || usedMs > computedMs;
    track.isSuspect = true;
    if (!isSure) return;
    const mayCompute = track.isExempt || isHeld || (isStart && cpuMs - (track.firstCpuMs ?? 0) < startMs);
    if (this.isOpen && !mayCompute) this.#demote(id, track, now);
    if (state.kind === 'busy' && concurrency === 1) this.#remember(config.key);
  }

  /** What instances use is counted only where it matters: while no processor is unused. */
  #watchMachine(now: number): void {
    const countInstances = () => {
      for (const pool of this.#deps.pools()) {
        if (pool.inFlight === 0 && pool.starting === 0) continue;
        for (const each of pool.instances)
          if (each.pid !== 0 && isActive(each.state)) this.#count(each, this.#readCpuMs(each.pid));
      }
      return this.#usedMs.background + this.#usedMs.foreground;
    };
    if (this.#outside.watch(now, countInstances)) {
      this.#isShort = this.#outside.isFull && this.#usedMs.background < short.use * (now - this.#measuredAt);
      this.#usedMs = { background: 0, foreground: 0 };
      this.#measuredAt = now;
    }
    const wasTaken = this.#isTaken;
    this.#isTaken = this.#outside.verdict(now) === 'taken';
    if (this.#isTaken && !wasTaken) this.#comeOut(now);
  }

  #count(instance: WatchedInstance, cpuMs: number): void {
    const before = this.#counted.get(instance) ?? cpuMs;
    this.#counted.set(instance, cpuMs);
    const isBackground = this.#tracks.get(instance.id)?.isBackground === true;
    this.#usedMs[isBackground ? 'background' : 'foreground'] += Math.max(0, cpuMs - before);
  }

  /** One of those that starve, the longest waiting first, is in the foreground until it has computed something. */
  #giveTurn(now: number): void {
    if (now < this.#turnAt) return;
    let left = this.#isShort ? Math.max(1, Math.floor(this.#deps.processors / 2)) : 1;
    for (const [id, track] of this.#tracks) {
      if (!track.isBackground || !(track.isStarved || this.#isShort)) continue;
      this.#turnAt = now + (this.#isShort ? short.turnMs : starvedMs);
      this.#lookSoon(id, track, now);
      this.#tracks.delete(id);
      this.#tracks.set(id, track);
      left -= 1;
      if (left === 0) return;
    }
  }

  /** Beside what else this machine does all instances are in the foreground: they compete as others do. */
  #comeOut(now: number): void {
    for (const [id, track] of this.#tracks) if (track.isBackground) this.#lookSoon(id, track, now);
    for (const { instances } of this.#deps.pools())
      for (const each of instances) if (this.#resting.delete(each)) this.#tell(each.id, false);
  }

  #lookSoon(id: string, track: Track, now: number): void {
    this.#promote(id, track);
    track.intervalMs = roundMs;
    track.cpuMs = this.#readCpuMs(track.pid);
    track.lookedAt = now;
    track.lookAt = now + roundMs;
  }

  /** Once for each that was started in the background: it may have come out meanwhile. */
  #isNewBorn(instance: WatchedInstance): boolean {
    if (instance.plan.launch.isBackground !== true || this.#born.has(instance)) return false;
    this.#born.add(instance);
    return this.#deps.setBackground !== undefined;
  }

  #remember(key: string): void {
    this.#heavy.add(key);
    const [oldest] = this.#heavy;
    if (this.#heavy.size > heavyLimit && oldest !== undefined) this.#heavy.delete(oldest);
  }

  #forget(id: string, track: Track): void {
    this.#tracks.delete(id);
    if (track.isBackground) this.#promote(id, track);
  }

  #demote(id: string, track: Track, now: number): void {
    putThere(track, now);
    this.#tell(id, true);
  }

  #promote(id: string, track: Track): void {
    track.isBackground = false;
    track.isStarved = false;
    this.#tell(id, false);
  }

  #tell(id: string, isBackground: boolean): void {
    this.#deps.setBackground?.(id, isBackground).catch((error: unknown) => {
      // One that ends meanwhile has no class any more.
      const isThere = [...this.#deps.pools()].some(({ instances }) =>
        [...instances].some((each) => each.id === id && each.state.kind !== 'stopping' && each.state.kind !== 'gone'),
      );
      if (!isThere || this.#isReported) return;
      this.#isReported = true;
      const why = error instanceof Error ? error.message : String(error);
      this.#deps.report(`instance ${id} could not be put ${isBackground ? 'in' : 'out of'} the background: ${why}`);
    });
  }
}

function putThere(track: Track, now: number): void {
  track.isBackground = true;
  track.intervalMs = starvedMs;
  track.lookedAt = now;
  track.lookAt = now + starvedMs;
}

function newTrack({ pid, state: { since } }: WatchedInstance, lookAt: number): Track {
  const none = { isBackground: false, isStarved: false, isSuspect: false, isBorn: false, isExempt: false };
  return { pid, since, lookedAt: since, lookAt, intervalMs: roundMs, firstCpuMs: null, cpuMs: 0, ...none };
}

function bornTrack(instance: WatchedInstance, now: number): Track {
  const there = { isBackground: true, isBorn: true, intervalMs: born.lookMs, lookedAt: now, firstCpuMs: 0 };
  return { ...newTrack(instance, now + born.lookMs), ...there };
}

/** Whether something of the function's runs in it. */
function isActive({ kind }: InstanceState): boolean {
  return kind === 'busy' || kind === 'starting' || kind === 'loading' || kind === 'initializing' || kind === 'freezing';
}
