// What all invocations share: pools by configuration, counts, the host's places. Made by functions.ts, used by invoke.ts.
import type { Clock } from '../base/clock.ts';
import { randomHex } from '../base/ids.ts';
import { createLoopLoad } from '../base/loop-load.ts';
import type { FunctionTarget } from '../model/api.ts';
import type { DebugTarget } from '../model/debugging.ts';
import type { Credentials, FunctionConfig } from '../model/function.ts';
import type { InvokeRefusalCode } from '../model/invocation.ts';
import type { InstanceFact, InstanceLimit } from '../model/scaling.ts';
import { shareOf } from '../model/shares.ts';
import { chooseInterpreter, type Interpreter, type InterpreterChoice } from './choose-interpreter.ts';
import { DebugTurns, isDebugged } from './debugging.ts';
import { type Visitor, visitorOf } from './doorway/visitor.ts';
import { type HostMemory, SystemMemory } from './host-memory.ts';
import { chooseImage } from './images.ts';
import { Background, type BackgroundDeps } from './instances/background.ts';
import { Deadlines } from './instances/deadlines.ts';
import { Instance } from './instances/instance.ts';
import type { InstanceEvents } from './instances/instance-port.ts';
import { Places } from './instances/places.ts';
import { Pool } from './instances/pool.ts';
import type { PoolDeps } from './instances/pool-port.ts';
import { PortClaims } from './instances/port-claims.ts';
import { freeRequests, Quotas } from './instances/quota.ts';
import type { LogLine } from './instances/request-log.ts';
import { StartGate } from './instances/start-gate.ts';
import { planStart } from './instances/start-plan.ts';
import type { StateKind } from './instances/state.ts';
import { languageOf } from './languages.ts';
import type { Exit, IsolationTier, Launcher, NetworkMode } from './launcher/port.ts';
import type { Limits } from './limits.ts';
import { Provisioner } from './provisioning/provisioner.ts';
import { findRuntime } from './runtimes.ts';
import { Spares } from './spares/spares.ts';

export type FindFunction = (
  target: FunctionTarget,
) =>
  | { readonly ok: true; readonly config: FunctionConfig }
  | { readonly ok: false; readonly code: InvokeRefusalCode; readonly message: string };

export type PlaneDeps = {
  readonly clock: Clock;
  /** Instances' socket directories are made in `<runDir>/i`. */
  readonly runDir: string;
  readonly runtimesDirectory: string;
  /** Below it lies the code of all functions; null: it is not known, and no processes wait for functions. */
  readonly packagesDirectory: string | null;
  readonly launcher: Launcher;
  readonly find: FindFunction;
  /** The same without chance: of an alias its main version. Default: find(). */
  readonly findMain?: FindFunction;
  /** Whether find() still gives this object. */
  isPublished(config: FunctionConfig): boolean;
  /** The temporary credentials that a function has now; null when it gets none. */
  readonly credentialsOf: (config: FunctionConfig) => Credentials | null;
  readonly limits: Limits;
  /** Default: this machine's. */
  readonly memory?: HostMemory;
  readonly outside?: BackgroundDeps['outside'];
  readonly runtimeFallback: boolean;
  /** The function that is debugged. */
  readonly debug?: DebugTarget | null;
  readonly tier: IsolationTier;
  /** Instances do not share the host's network. */
  readonly hasOwnNetwork: boolean;
  /** Holds unpacked container images; null: none are served. */
  readonly imageDirectory: string | null;
  readonly network: NetworkMode;
  /** For the operator. */
  report(text: string): void;
  onOutput(line: LogLine): void;
};

/** States of an instance that serves, or could. */
const serving: ReadonlySet<StateKind> = new Set<StateKind>(['idle', 'freezing', 'frozen', 'busy']);
/** How long the interpreters that were found are believed before a missing one is looked for again, ms. */
const rediscoverMs = 10_000;

export class Plane {
  readonly find: FindFunction;
  readonly credentialsOf: PlaneDeps['credentialsOf'];
  readonly clock: Clock;
  readonly limits: Limits;
  readonly deadlines: Deadlines;
  readonly provisioner: Provisioner;
  readonly background: Background;
  readonly #deps: PlaneDeps;
  readonly #poolDeps: PoolDeps<Instance, Pool<Instance>>;
  readonly #gate: StartGate;
  readonly #spares: Spares;
  readonly #quotas = new Quotas();
  /** By the published object itself: a new one is a new configuration. Bounded by instances and requests. */
  readonly #pools = new Map<FunctionConfig, Pool<Instance>>();
  /** Retired pools that still have instances or requests. */
  readonly #leaving = new Set<Pool<Instance>>();
  readonly #instances = new Map<string, Instance>();
  readonly #ports = new PortClaims();
  readonly #debugTurns = new DebugTurns();
  readonly #places: Places<Pool<Instance>>;
  #inFlight = 0;
  #alone = 0;
  #waiting = 0;
  #waitingBytes = 0;
  #interpreters: Promise<readonly Interpreter[]> | null = null;
  #discoveredAt = 0;
  #isClosed = false;

  constructor(deps: PlaneDeps) {
    this.#deps = deps;
    this.find = deps.find;
    this.credentialsOf = deps.credentialsOf;
    this.clock = deps.clock;
    this.limits = deps.limits;
    this.deadlines = new Deadlines(deps.clock);
    this.#places = new Places({
      count: deps.limits.instancesInAll,
      memory: deps.memory ?? new SystemMemory(deps.clock),
      pools: () => this.#pools.values(),
      want: (pool) => this.#gate.want(pool),
    });
    this.provisioner = new Provisioner({
      clock: deps.clock,
      find: deps.findMain ?? deps.find,
      poolOf: (config) => this.poolOf(config),
      openPool: (config) => this.openPool(config),
    });
    this.background = new Background({
      clock: deps.clock,
      setBackground: deps.launcher.setBackground,
      pools: () => [...this.#pools.values(), ...this.#leaving],
      processors: deps.limits.processors,
      ...(deps.outside === undefined ? {} : { outside: deps.outside }),
      report: (text) => deps.report(text),
    });
    this.#gate = new StartGate(deps.limits.startsAtOnce);
    this.#spares = new Spares({
      clock: deps.clock,
      runDir: deps.runDir,
      runtimesDirectory: deps.runtimesDirectory,
      packagesDirectory: deps.packagesDirectory,
      launcher: deps.launcher,
      limits: deps.limits,
      tier: deps.tier,
      network: deps.network,
      hasOwnNetwork: deps.hasOwnNetwork,
      ports: this.#ports,
      isBusy: () => this.#gate.starting > 0,
      report: (text) => deps.report(text),
    });
    const loopLoad = createLoopLoad(() => deps.clock.monotonic());
    this.#poolDeps = {
      clock: deps.clock,
      deadlines: this.deadlines,
      gate: this.#gate,
      limits: deps.limits,
      createInstance: (config, choice, events, givesWay) => this.#createInstance(config, choice, events, givesWay),
      takePlace: (pool) => this.#places.take(pool),
      givePlaceBack: () => this.#places.giveBack(),
      becameIdle: () => this.#places.becameIdle(),
      isLoopBusy: () => loopLoad.isBusy(),
      forget: (instance) => {
        this.#instances.delete(instance.id);
        this.#debugTurns.gone(instance.id);
        this.#places.ended();
      },
      drained: (pool) => this.#leaving.delete(pool),
    };
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Requests under way that take an instance each. */
  get alone(): number {
    return this.#alone;
  }

  get instances(): ReadonlyMap<string, Instance> {
    return this.#instances;
  }

  /** The instance in a network of its own that has this address. */
  visitorAt(address: string): Visitor | null {
    let found: Instance | null = null;
    // The youngest: an address comes round again only after thousands of others.
    for (const instance of this.#instances.values()) if (instance.address === address) found = instance;
    return found === null ? null : visitorOf(found.plan);
  }

  /** See Pool.hold(). */
  hold(instance: Instance): () => void {
    const pools = [...this.#pools.values(), ...this.#leaving];
    const letGo = pools.find(({ instances }) => instances.has(instance))?.hold(instance);
    this.background.held(instance);
    return letGo ?? (() => {});
  }

  get waiting(): number {
    return this.#waiting;
  }

  get spareCount(): number {
    return this.#spares.count;
  }

  get poolCount(): number {
    return this.#pools.size + this.#leaving.size;
  }

  enter(pool: Pool<Instance>): void {
    pool.inFlight += 1;
    if (pool.quota !== null) pool.quota.inFlight += 1;
    this.#inFlight += 1;
    this.background.wake();
    if (pool.concurrency === 1) this.#alone += 1;
  }

  leave(pool: Pool<Instance>): void {
    pool.inFlight -= 1;
    if (pool.quota !== null) pool.quota.inFlight -= 1;
    this.#inFlight -= 1;
    if (pool.concurrency === 1) this.#alone -= 1;
  }

  mayWait(bytes: number): boolean {
    return this.#waiting < this.limits.waitingTotal && this.#waitingBytes + bytes <= this.limits.waitingBytes;
  }

  waitBegins(bytes: number): void {
    this.#waiting += 1;
    this.#waitingBytes += bytes;
  }

  waitEnds(bytes: number): void {
    this.#waiting -= 1;
    this.#waitingBytes -= bytes;
  }

  /** How many more requests of a configuration would be admitted now, as invoke.ts does; `wanted` at most. */
  roomFor(config: FunctionConfig, wanted: number): number {
    const { instancesPerFunction, instancesInAll, among } = this.limits;
    const pool = this.#pools.get(config) ?? {
      config,
      most: shareOf(instancesPerFunction, among, config.key),
      // It may turn out to be less when the pool is made: a call that does not fit is then refused, and its room looked for again.
      concurrency: Math.max(1, config.instanceConcurrency),
      minimum: 0,
      allowsOnDemand: config.disablesOnDemand !== true,
      inFlight: 0,
      quota: this.#quotas.of(config),
    };
    const { most, concurrency, inFlight } = pool;
    const alone = concurrency === 1 ? instancesInAll - this.#alone : wanted;
    return Math.max(0, Math.min(wanted, most * concurrency - inFlight, freeRequests(pool), alone));
  }

  poolOf(config: FunctionConfig): Pool<Instance> | null {
    return this.#pools.get(config) ?? null;
  }

  isDebugged(config: FunctionConfig): boolean {
    return isDebugged(config, this.#deps.debug ?? null);
  }

  /** Makes the pool of a configuration if it is still the published one; pools of older ones of it retire. */
  async openPool(
    config: FunctionConfig,
  ): Promise<
    { readonly ok: true } | { readonly ok: false; readonly code: InvokeRefusalCode; readonly message: string }
  > {
    const choice = await this.#chooseFor(config);
    if (this.#isClosed || choice === null) {
      return { ok: false, code: 'InternalServerError', message: 'the server cannot start instances now' };
    }
    if (!choice.ok) return { ok: false, code: 'InvalidArgument', message: choice.message };
    if (!this.#pools.has(config) && this.#deps.isPublished(config)) {
      this.retire((other) => isSameCall(other, config));
      const pool = new Pool(config, choice, this.#poolDeps);
      this.#quotas.attach(pool);
      this.provisioner.opened(pool);
      this.#pools.set(config, pool);
    }
    return { ok: true };
  }

  /** A limit of instances is published or withdrawn. */
  limitChanged(key: string, limit: InstanceLimit | null): void {
    this.#quotas.change(key, limit, [...this.#pools.values(), ...this.#leaving]);
  }

  /** The instances that serve a qualifier of a function, or all its qualifiers (null). */
  instancesOf(functionKey: string, qualifier: string | null): InstanceFact[] {
    const pools = [...this.#pools.values(), ...this.#leaving].filter(
      ({ config }) => config.key === functionKey && (qualifier === null || config.qualifier === qualifier),
    );
    return pools.flatMap(({ config, instances }) =>
      [...instances]
        .filter(({ state }) => serving.has(state.kind))
        .map(({ id, startedAt }) => ({
          instanceId: id,
          versionId: config.versionId,
          qualifier: config.qualifier,
          startedAt,
        })),
    );
  }

  /** Begins to look for interpreters, so that the first invocation need not wait for it. */
  prepare(): void {
    // A failure is told to the first invocation, which looks again.
    this.#discover(false).catch(() => {
      this.#interpreters = null;
    });
  }

  /** Functions of a runtime have been published: a process for the first call may be made ready. */
  expect(runtimeId: string, memoryMb: number): void {
    if (this.limits.spareMemoryMb <= 0) return;
    void this.#choose(runtimeId).then((choice) => {
      if (choice?.ok === true && !this.#isClosed) this.#spares.expect(runtimeId, memoryMb, choice);
    });
  }

  /** Retires the pools of some configurations. */
  retire(isMeant: (config: FunctionConfig) => boolean): void {
    for (const [config, pool] of this.#pools) {
      if (!isMeant(config)) continue;
      this.#pools.delete(config);
      this.#leaving.add(pool);
      pool.retire('replaced');
      for (const instance of pool.instances) {
        if (pool.waiting === 0 && this.#debugTurns.isWaiting(instance.id)) void instance.stop('replaced');
      }
    }
  }

  /** Ends instances that have been idle for the limit, and forgets pools that have nothing. */
  sweep(): void {
    const now = this.clock.monotonic();
    for (const [config, pool] of this.#pools) {
      pool.endIdleSince(now - (config.idleMs ?? this.limits.idleMs));
      if (pool.instances.size === 0 && pool.inFlight === 0 && pool.minimum === 0) this.#pools.delete(config);
    }
  }

  exited(exit: Exit): void {
    if (this.#spares.exited(exit)) return;
    this.#instances.get(exit.instanceId)?.exited(exit);
  }

  report(text: string): void {
    this.#deps.report(text);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.provisioner.close();
    this.background.close();
    await Promise.all([...this.#pools.values(), ...this.#leaving].map((pool) => pool.close()));
    this.#pools.clear();
    this.#leaving.clear();
    await this.#spares.close();
    this.deadlines.close();
  }

  async #chooseFor(config: FunctionConfig): Promise<InterpreterChoice | null> {
    return findRuntime(config.runtime)?.kind === 'container' ? this.#chooseImage(config) : this.#choose(config.runtime);
  }

  /** Null when the launcher cannot tell what is here. */
  async #choose(runtimeId: string): Promise<InterpreterChoice | null> {
    const choose = (found: readonly Interpreter[]) => chooseInterpreter(runtimeId, found, this.#deps.runtimeFallback);
    try {
      const first = await this.#withBootstrap(choose(await this.#discover(false)));
      return first.ok ? first : await this.#withBootstrap(choose(await this.#discover(true)));
    } catch (error) {
      this.#interpreters = null;
      this.report(`cannot look for interpreters: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  }

  /** The same when its bootstrap is there, for which it waits where that is built. */
  async #withBootstrap(choice: InterpreterChoice): Promise<InterpreterChoice> {
    if (!choice.ok || choice.interpreter === null) return choice;
    const { name, isBuilt = false } = languageOf(choice.interpreter.language);
    const failure = isBuilt ? ((await this.#deps.launcher.builtBootstraps?.()) ?? null) : null;
    return failure === null ? choice : { ok: false, message: `${name} functions cannot run: ${failure}` };
  }

  async #chooseImage(config: FunctionConfig): Promise<InterpreterChoice> {
    const { imageDirectory: directory, tier } = this.#deps;
    const choice = await chooseImage(config, { directory, hasOwnRoot: tier === 'user' || tier === 'strong' });
    if (!choice.ok) return choice;
    return { ok: true, interpreter: null, program: 'server', shows: [], image: choice.image, note: null };
  }

  /** The interpreters of this machine; `anew`: looked for again, unless that was done just now. */
  #discover(anew: boolean): Promise<readonly Interpreter[]> {
    const now = this.clock.monotonic();
    if (this.#interpreters === null || (anew && now - this.#discoveredAt > rediscoverMs)) {
      this.#discoveredAt = now;
      this.#interpreters = this.#deps.launcher.interpreters();
    }
    return this.#interpreters;
  }

  #createInstance(
    config: FunctionConfig,
    choice: Extract<InterpreterChoice, { ok: true }>,
    events: InstanceEvents<Instance>,
    givesWay: boolean,
  ): Instance {
    const debug = this.#deps.debug ?? null;
    // What waits for a function is not for those that would use it up: another is started for each that is taken.
    const spare = givesWay || isDebugged(config, debug) ? null : this.#spares.take(config, choice);
    const instanceId = spare?.id ?? `c-${randomHex(4)}-${randomHex(10)}`;
    const plan = planStart({
      config,
      choice,
      tier: this.#deps.tier,
      hasOwnNetwork: this.#deps.hasOwnNetwork,
      network: this.#deps.network,
      instanceId,
      socketDirectory: `${this.#deps.runDir}/i/${instanceId}`,
      runtimesDirectory: this.#deps.runtimesDirectory,
      token: spare?.token ?? randomHex(32),
      credentials: this.credentialsOf(config),
      debug,
      isBackground: givesWay && this.background.isOpen,
    });
    const { clock, launcher, limits, report, onOutput } = this.#deps;
    const forwardLine = (requestId: string | null, text: string) =>
      onOutput({ functionKey: config.key, instanceId, requestId, text });
    const deps = { clock, deadlines: this.deadlines, launcher, limits, ports: this.#ports, forwardLine, report };
    const turn = plan.debugPort === null ? null : this.#debugTurns.take(instanceId);
    const instance = new Instance(plan, { ...deps, turn }, events, spare);
    this.#instances.set(instanceId, instance);
    return instance;
  }
}

/** Two configurations of which only one can be the published one. */
function isSameCall(left: FunctionConfig, right: FunctionConfig): boolean {
  return left.key === right.key && left.versionId === right.versionId && left.qualifier === right.qualifier;
}
