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
/** Nobody is put in the background for so long when it is others on this machine who take the processors from it; ms. */
const suspendedMs = 10_000;
/** Functions that are known to compute. The oldest are forgotten: they are found out anew. */
const heavyLimit = 1_024;

export type WatchedInstance = {
  readonly id: string;
  readonly pid: number;
  readonly state: InstanceState;
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
  /** Default: this machine's. */
  readonly outside?: Pick<OutsideLoad, 'watch' | 'takesFrom'>;
  report(text: string): void;
};

/** What an instance has been doing since `since`. */
type Track = {
  since: number;
  isBackground: boolean;
  isStarved: boolean;
  /** Of one processor, as the last look in the background found; 1 before it. */
  use: number;
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

/**
 * A request begins in the foreground. It is looked at when it is 20 ms old, then after 20, 40, 80 ms and so on; one that
 * computed 10 ms between two looks goes to the background until it ends. The next request of its function begins there, and
 * its instances rest there, until one of them turns out to compute less. Who gets nothing there for a second has a turn in
 * the foreground.
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
  readonly #outside: Pick<OutsideLoad, 'watch' | 'takesFrom'>;
  #cancelRound: (() => void) | null = null;
  #turnAt = 0;
  #suspendedUntil = 0;
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

  /** Whether what could begin in the background may. */
  get isOpen(): boolean {
    return this.#deps.setBackground !== undefined && this.#deps.clock.monotonic() >= this.#suspendedUntil;
  }

  /** Something begins: from now on instances are looked at, as long as one does anything. */
  wake(): void {
    if (this.#cancelRound !== null || this.#deps.setBackground === undefined) return;
    this.#cancelRound = this.#deps.clock.after(roundMs, () => this.#round());
  }

  /** A request was given to the instance. */
  begins({ config, concurrency }: WatchedPool, instance: WatchedInstance): void {
    const isThere = this.#resting.delete(instance);
    if (concurrency > 1 || !this.#heavy.has(config.key) || !this.isOpen) {
      if (isThere) this.#tell(instance.id, false);
      return;
    }
    const now = this.#deps.clock.monotonic();
    const cpuMs = this.#readCpuMs(instance.pid);
    const track = { ...newTrack(instance.state.since, now), firstCpuMs: cpuMs, cpuMs };
    this.#tracks.set(instance.id, track);
    putThere(track, now);
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
      // 0: the process has ended, and nobody knows.
      if (cpuMs > 0 && cpuMs - track.firstCpuMs < computedMs) this.#heavy.delete(config.key);
    }
    if (track.isBackground && this.#heavy.has(config.key)) {
      this.#tracks.delete(id);
      this.#resting.add(instance);
    } else this.#forget(id, track);
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
    this.#outside.watch(now);
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
      track = this.#isNewBorn(instance) ? bornTrack(state.since, now) : newTrack(state.since, state.since + roundMs);
      this.#tracks.set(id, track);
    }
    if (now < track.lookAt) return;
    const cpuMs = this.#readCpuMs(instance.pid);
    if (track.firstCpuMs === null) {
      track.firstCpuMs = cpuMs;
    } else {
      const usedMs = cpuMs - track.cpuMs;
      const enoughMs = pool.concurrency > 1 ? Math.max(computedMs, (now - track.lookedAt) * sharedUse) : computedMs;
      if (track.isBackground) {
        track.isStarved = usedMs < computedMs;
        track.use = usedMs / (now - track.lookedAt);
        track.isExempt = track.isStarved && (state.kind === 'starting' || state.kind === 'loading');
        if (track.isExempt) this.#lookSoon(id, track, now);
      } else if (usedMs >= enoughMs) {
        if (this.isOpen && !track.isExempt) this.#demote(id, track, now);
        if (state.kind === 'busy' && pool.concurrency === 1) this.#remember(pool.config.key);
      } else {
        track.intervalMs = Math.min(track.intervalMs * 2, longestLookMs);
      }
    }
    track.cpuMs = cpuMs;
    track.lookedAt = now;
    track.lookAt = now + track.intervalMs;
  }

  /** One of those that starve, the longest waiting first, is in the foreground until it has computed something. */
  #giveTurn(now: number): void {
    if (now < this.#turnAt) return;
    for (const [id, track] of this.#tracks) {
      if (!track.isBackground || !track.isStarved) continue;
      this.#turnAt = now + starvedMs;
      if (this.#outside.takesFrom(this.#backgroundUse)) {
        this.#suspend(now);
        return;
      }
      this.#lookSoon(id, track, now);
      this.#tracks.delete(id);
      this.#tracks.set(id, track);
      return;
    }
  }

  get #backgroundUse(): number {
    let use = 0;
    for (const track of this.#tracks.values()) if (track.isBackground) use += track.use;
    return use;
  }

  /** Beside what else this machine does all instances are in the foreground for a while: they compete as others do. */
  #suspend(now: number): void {
    this.#suspendedUntil = now + suspendedMs;
    for (const [id, track] of this.#tracks) if (track.isBackground) this.#lookSoon(id, track, now);
  }

  #lookSoon(id: string, track: Track, now: number): void {
    this.#promote(id, track);
    track.intervalMs = roundMs;
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
  track.use = 1;
  track.intervalMs = starvedMs;
  track.lookedAt = now;
  track.lookAt = now + starvedMs;
}

function newTrack(since: number, lookAt: number): Track {
  const none = { isBackground: false, isStarved: false, isBorn: false, isExempt: false };
  return { since, lookedAt: since, lookAt, intervalMs: roundMs, firstCpuMs: null, cpuMs: 0, use: 1, ...none };
}

function bornTrack(since: number, now: number): Track {
  const there = { isBackground: true, isBorn: true, intervalMs: starvedMs, lookedAt: now, firstCpuMs: 0 };
  return { ...newTrack(since, now + starvedMs), ...there };
}

/** Whether something of the function's runs in it. */
function isActive({ kind }: InstanceState): boolean {
  return kind === 'busy' || kind === 'starting' || kind === 'loading' || kind === 'initializing' || kind === 'freezing';
}
