// Processes that wait for functions, by kind: follows demand within a budget of memory, refills when nobody waits for it,
// replaces what dies with growing pauses. Asked by plane.ts for each instance that is to start.
import { existsSync, statSync } from 'node:fs';
import type { Clock } from '../../base/clock.ts';
import { randomHex } from '../../base/ids.ts';
import type { FunctionConfig } from '../../model/function.ts';
import type { InterpreterChoice } from '../choose-interpreter.ts';
import type { PortClaims } from '../instances/port-claims.ts';
import { networkOf, planStart, type StartPlan } from '../instances/start-plan.ts';
import { hasOwnRoot } from '../launcher/placement.ts';
import type { Exit, IsolationTier, Launcher, NetworkMode } from '../launcher/port.ts';
import type { Limits } from '../limits.ts';
import { Demand } from './demand.ts';
import { type SpareShape, spareEnvironmentBytes, spareShape } from './shape.ts';
import { Spare } from './spare.ts';

export type SparesDeps = {
  readonly clock: Clock;
  readonly runDir: string;
  readonly runtimesDirectory: string;
  /** Below it lies the code of all functions. */
  readonly packagesDirectory: string | null;
  readonly launcher: Launcher;
  readonly limits: Limits;
  readonly tier: IsolationTier;
  /** Of those that wait: functions that get another have none of them. */
  readonly network: NetworkMode;
  /** As of a StartPlan. */
  readonly hasOwnNetwork: boolean;
  readonly ports: PortClaims;
  /** A function is being started: a refill would only slow it down. */
  isBusy(): boolean;
  report(text: string): void;
};

type Runnable = Extract<InterpreterChoice, { ok: true }>;

type Kind = SpareShape & {
  readonly demand: Demand;
  /** Oldest first. */
  readonly spares: Set<Spare>;
};

/** Kinds are interpreters that are here, of Java one a size of functions; more than these are not remembered. */
const kindsMax = 16;
const refillMs = 20;
/** So long refills give way to starts of functions. */
const patienceMs = 1_000;
const sweepMs = 10_000;
const reportedFailures = 5;

export class Spares {
  readonly #deps: SparesDeps;
  readonly #kinds = new Map<string, Kind>();
  /** All that have not been taken, and those that are ending. */
  readonly #byId = new Map<string, Spare>();
  readonly #ending = new Set<Promise<void>>();
  #cancelRefill: (() => void) | null = null;
  #refillAt = 0;
  #cancelSweep: (() => void) | null = null;
  #busySince: number | null = null;
  #failures = 0;
  #isClosed = false;

  constructor(deps: SparesDeps) {
    this.#deps = deps;
  }

  /** Those that are ready. */
  get count(): number {
    return [...this.#byId.values()].filter((each) => each.isReady).length;
  }

  /** Null: none waits that this function could have. Whatever comes of it, more are kept for the next. */
  take(config: FunctionConfig, choice: Runnable): Spare | null {
    const kind = this.#kindOf(config, choice);
    if (kind === null || bringsSettings(config, kind)) return null;
    const spare = [...kind.spares].find((each) => each.isReady) ?? null;
    if (spare !== null) {
      kind.spares.delete(spare);
      this.#byId.delete(spare.id);
    }
    const left = [...kind.spares].filter((each) => each.isReady).length;
    kind.demand.used(this.#now(), left);
    this.#planRefill(refillMs);
    return spare;
  }

  /** A function is published that could use one. */
  expect(runtimeId: string, memoryMb: number, choice: Runnable): void {
    this.#kindOf(emptyFunction(runtimeId, '', memoryMb), choice)?.demand.expect(this.#now());
    this.#planRefill(refillMs);
  }

  /** True when it was one of these. */
  exited({ instanceId, signal, code }: Exit): boolean {
    const spare = this.#byId.get(instanceId);
    spare?.break(`it ended (${signal ?? `code ${code}`})`);
    return spare !== undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRefill?.();
    this.#cancelSweep?.();
    for (const spare of [...this.#byId.values()]) this.#end(spare);
    await Promise.all(this.#ending);
  }

  #now(): number {
    return this.#deps.clock.monotonic();
  }

  #kindOf(config: FunctionConfig, choice: Runnable): Kind | null {
    const { launcher, tier, limits, network } = this.#deps;
    if (networkOf(config, network) !== network) return null;
    const shape = spareShape(config, choice);
    if (shape === null || limits.spareMemoryMb <= 0 || this.#isClosed) return null;
    if (!launcher.spareTiers.includes(tier) || this.#deps.packagesDirectory === null) return null;
    const { key, memoryMb } = shape;
    const known = this.#kinds.get(key);
    if (known !== undefined) return known;
    if (!this.#canWait(shape)) return null;
    if (this.#kinds.size >= kindsMax && !this.#forgetKind()) return null;
    const most = Math.floor(limits.spareMemoryMb / memoryMb);
    const kind: Kind = { ...shape, demand: new Demand(most), spares: new Set() };
    this.#kinds.set(key, kind);
    return kind;
  }

  /** Of those of which none waits, the one that was used longest ago. False: there is none. */
  #forgetKind(): boolean {
    const idle = [...this.#kinds.values()].filter(({ spares }) => spares.size === 0);
    const oldest = idle.sort((a, b) => a.demand.usedAt - b.demand.usedAt)[0];
    return oldest !== undefined && this.#kinds.delete(oldest.key);
  }

  /**
   * Java cannot change its working directory, which is where its code will be, without a library that a compiler makes. For
   * a program nothing is made ready where it gets no sandbox.
   */
  #canWait({ choice: { interpreter } }: SpareShape): boolean {
    const { tier, runtimesDirectory } = this.#deps;
    if (interpreter !== null && interpreter.language !== 'java') return true;
    return hasOwnRoot(tier) && (interpreter === null || existsSync(`${runtimesDirectory}/java/build/spare.so`));
  }

  #planRefill(afterMs: number): void {
    const at = this.#now() + afterMs;
    if (this.#isClosed || (this.#cancelRefill !== null && this.#refillAt <= at)) return;
    this.#cancelRefill?.();
    this.#refillAt = at;
    this.#cancelRefill = this.#deps.clock.after(afterMs, () => {
      this.#cancelRefill = null;
      this.#refill();
    });
  }

  #refill(): void {
    const now = this.#now();
    if (!this.#deps.isBusy()) this.#busySince = null;
    else this.#busySince ??= now;
    if (this.#busySince !== null && now - this.#busySince < patienceMs) {
      this.#planRefill(refillMs);
      return;
    }
    let next = Number.POSITIVE_INFINITY;
    for (const kind of this.#kinds.values()) {
      if (kind.spares.size >= kind.demand.wanted(now)) continue;
      // One after the other: a start takes a processor, and the next may not be wanted any more.
      if ([...kind.spares].some((each) => !each.isReady)) continue;
      if (kind.demand.pausedUntil > now) next = Math.min(next, kind.demand.pausedUntil - now);
      else if (this.#makeRoom(kind)) this.#start(kind);
    }
    if (next < Number.POSITIVE_INFINITY) this.#planRefill(next);
    this.#planSweep();
  }

  /** Demand ebbs with time. */
  #planSweep(): void {
    if (this.#cancelSweep !== null || this.#isClosed || this.#byId.size === 0) return;
    this.#cancelSweep = this.#deps.clock.after(sweepMs, () => {
      this.#cancelSweep = null;
      const now = this.#now();
      for (const { spares, demand } of this.#kinds.values()) {
        const [oldest] = spares;
        if (oldest !== undefined && spares.size > demand.wanted(now)) this.#end(oldest);
      }
      this.#planSweep();
    });
  }

  /** Whether one more fits into the budget; kinds that were used longer ago give way. */
  #makeRoom(kind: Kind): boolean {
    const budget = this.#deps.limits.spareMemoryMb - kind.memoryMb;
    const used = () => [...this.#kinds.values()].reduce((sum, each) => sum + each.spares.size * each.memoryMb, 0);
    const older = [...this.#kinds.values()]
      .filter((each) => each !== kind && each.demand.usedAt < kind.demand.usedAt)
      .sort((a, b) => a.demand.usedAt - b.demand.usedAt);
    for (const each of older) for (const spare of each.spares) if (used() > budget) this.#end(spare);
    return used() <= budget;
  }

  #start(kind: Kind): void {
    const { launcher, clock, limits, ports } = this.#deps;
    const hasPrivateRoot = hasOwnRoot(this.#deps.tier);
    const spec = { plan: this.#plan(kind), key: kind.key, road: { clock, limits, ports }, hasPrivateRoot };
    const spare = new Spare(spec, launcher, {
      onReady: () => {
        kind.demand.succeeded();
        this.#planRefill(refillMs);
      },
      onBroken: (broken, why) => {
        kind.demand.failed(this.#now());
        this.#failures += 1;
        if (this.#failures <= reportedFailures) this.#deps.report(`a process that waited for a function broke: ${why}`);
        this.#end(broken);
        this.#planRefill(refillMs);
      },
    });
    kind.spares.add(spare);
    this.#byId.set(spare.id, spare);
    void spare.start();
  }

  #end(spare: Spare): void {
    this.#kinds.get(spare.key)?.spares.delete(spare);
    const ending = spare.stop().then(() => {
      this.#byId.delete(spare.id);
      this.#ending.delete(ending);
    });
    this.#ending.add(ending);
  }

  /** As for a function of no code and no environment, but for the room in which its environment will be. */
  #plan({ choice, port, runtime, limitMb }: Kind): StartPlan {
    const { runDir, runtimesDirectory, packagesDirectory, tier, network, hasOwnNetwork } = this.#deps;
    const instanceId = `c-${randomHex(4)}-${randomHex(10)}`;
    const socketDirectory = `${runDir}/i/${instanceId}`;
    const empty = emptyFunction(runtime, `${socketDirectory}/code`, limitMb);
    const server = { command: [], args: [], port: port ?? 0, healthCheck: null, image: null };
    const plan = planStart({
      config: port === null ? empty : { ...empty, server },
      choice,
      tier,
      instanceId,
      socketDirectory,
      runtimesDirectory,
      token: randomHex(32),
      debug: null,
      credentials: null,
      hasOwnNetwork,
      network,
    });
    const codeDirectory = packagesDirectory ?? socketDirectory;
    if (choice.interpreter === null) {
      return { ...plan, launch: { ...plan.launch, argv: [], environment: {}, codeDirectory } };
    }
    const kept = Object.entries(plan.launch.environment).filter(([name]) => !name.startsWith('FC_'));
    const environment = { ...Object.fromEntries(kept), FC_INSTANCE_ID: instanceId };
    // Where it connects before it waits, and room.
    const spare = `${plan.launch.socketPath} ${'x'.repeat(spareEnvironmentBytes)}`;
    return { ...plan, launch: { ...plan.launch, environment: { ...environment, FC_SPARE: spare }, codeDirectory } };
  }
}

/** PHP reads `extension/*.ini` of the package when it starts, and loads what they name. */
function bringsSettings({ code }: FunctionConfig, { choice }: SpareShape): boolean {
  return (
    choice.interpreter?.language === 'php' &&
    statSync(`${code.directory}/extension`, { throwIfNoEntry: false }) !== undefined
  );
}

function emptyFunction(runtime: string, directory: string, memoryMb: number): FunctionConfig {
  return {
    key: '',
    accountId: '',
    regionId: '',
    serviceName: null,
    functionName: '',
    versionId: '',
    qualifier: '',
    runtime,
    handler: '',
    memoryMb,
    timeoutMs: 0,
    initializer: null,
    environment: {},
    instanceConcurrency: 1,
    role: null,
    logProject: '',
    logStore: '',
    code: { checksum: '', sizeBytes: 0, directory },
  };
}
