// Puts the compute plane together for the data process: plane, door, idle sweep, exits. Called by composition.
import { inspect } from 'node:util';
import { BodyBudget } from '../base/body-budget.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { FunctionTarget } from '../model/api.ts';
import type { DebugTarget, PauseOf } from '../model/debugging.ts';
import type { FunctionConfig } from '../model/function.ts';
import type { HttpFunctions } from '../model/http-function.ts';
import type { InvokeFunction } from '../model/invocation.ts';
import type { ChangeBatch } from '../model/published.ts';
import { type InstanceLimit, type InstancesNow, type Provision, scalingKey } from '../model/scaling.ts';
import { debugProvision, isDebugged, pauseBy } from './debugging.ts';
import type { FindVisitor } from './doorway/visitor.ts';
import { createExec, type Exec } from './exec.ts';
import { readFunctionHost } from './http/address.ts';
import { createCallHttp, takesEvents } from './http/call-http.ts';
import { createHttpDoor, type HttpDoor, type HttpDoorDeps } from './http/http-door.ts';
import { HttpTriggers } from './http/triggers.ts';
import type { LogLine } from './instances/request-log.ts';
import type { StateKind } from './instances/state.ts';
import { createInvoke, type InvokeElsewhere } from './invoke.ts';
import { type Launcher, type NetworkMode, parseIsolationTier } from './launcher/port.ts';
import { defaultLimits, type Limits } from './limits.ts';
import { type FindFunction, Plane, type PlaneDeps } from './plane.ts';
import { defaultRuntimesDirectory } from './runtimes-directory.ts';

export type FunctionsDeps = {
  readonly clock: Clock;
  readonly runDir: string;
  readonly launcher: Launcher;
  readonly find: FindFunction;
  /** The same without chance: of an alias its main version. Default: find(). */
  readonly findMain?: FindFunction;
  readonly isPublished: PlaneDeps['isPublished'];
  /** The temporary credentials that a function has now; null when it gets none. */
  readonly credentialsOf: PlaneDeps['credentialsOf'];
  /** Let the nearest newer interpreter serve a runtime that is not here. */
  readonly runtimeFallback: boolean;
  /** The function that a debugger may attach to. */
  readonly debug?: DebugTarget | null;
  /** The tier that the launcher starts instances in. */
  readonly tier: string;
  /** The network that instances get there unless their function has less. Default: the host's. */
  readonly network?: NetworkMode;
  /** Instances are spoken to by relays. Default: where they do not share the host's network. */
  readonly hasOwnNetwork?: boolean;
  /** Holds unpacked container images. Default: none are served. */
  readonly imageDirectory?: string | null;
  readonly limits?: Partial<Limits>;
  /** Asked before a call is refused for want of instances. Default: it is refused. */
  readonly elsewhere?: InvokeElsewhere | null;
  /** Default: this machine's. */
  readonly memory?: PlaneDeps['memory'];
  /** Default: this machine's. */
  readonly outside?: PlaneDeps['outside'];
  readonly log: Log;
  /** Takes each line that functions write. Default: dropped (a request's tail is kept all the same). */
  readonly onOutput?: (line: LogLine) => void;
  /** Asks who knows the keys whether a call of an HTTP trigger is signed as it has to be. Default: it never is. */
  readonly authenticateHttp?: HttpDoorDeps['authenticate'];
  /** Takes the record of each call of an HTTP trigger. Default: dropped. */
  readonly reportHttp?: HttpDoorDeps['report'];
  /** Where traces are kept: watches the invocations behind HTTP calls; `ratio` as in the gateway's settings. Default: nobody does. */
  readonly traces?: { readonly watch: (invoke: InvokeFunction) => InvokeFunction; readonly ratio: number } | null;
  /** The package's `runtimes` folder, if not where it always is. */
  readonly runtimesDirectory?: string;
  /** Below it lies the code of all functions. Without it no processes wait for functions. */
  readonly packagesDirectory?: string;
};

/** Counts at this moment. */
export type FunctionsStats = {
  readonly instances: Readonly<Record<StateKind, number>>;
  readonly inFlight: number;
  readonly waiting: number;
  readonly pools: number;
  /** Processes that wait for a function. */
  readonly spares: number;
};

export type Functions = {
  readonly invoke: InvokeFunction;
  /** The same, for what `elsewhere` of another process passes on: it goes no further. */
  readonly invokeHere: InvokeFunction;
  /** How many more calls would be admitted here now; `wanted` at most. */
  roomFor(target: FunctionTarget, wanted: number): number;
  readonly http: HttpFunctions;
  /** For callers that have limits of their own. */
  readonly pauseOf: PauseOf;
  /** Answers HTTP requests by the triggers that apply() told of. */
  readonly httpDoor: HttpDoor;
  /** What is published for functions; functions themselves are found by `find`. */
  apply(batch: ChangeBatch): void;
  /**
   * A new configuration of the function is published (or it is gone): nothing that comes later runs old code.
   * Of one version of it, or of all.
   */
  changed(key: string, versionId?: string): void;
  /** A limit of instances is published (key: scalingKey()), or withdrawn. */
  limitChanged(key: string, limit: InstanceLimit | null): void;
  /** Provisioned instances are set (key: scalingKey()), or withdrawn. */
  provisionChanged(key: string, provision: Provision | null): void;
  /** What a qualifier of a function has now; null: all its qualifiers. */
  instancesNow(functionKey: string, qualifier: string | null): InstancesNow;
  /** Ends every instance; who waits is refused. */
  close(): Promise<void>;
  stats(): FunctionsStats;
  /** Further processes in instances. */
  readonly exec: Exec;
  /** Who knocks at the doorway. */
  readonly findVisitor: FindVisitor;
};

export function createFunctions(deps: FunctionsDeps): Functions {
  const limits: Limits = { ...defaultLimits, ...deps.limits };
  const plane = new Plane({
    clock: deps.clock,
    runDir: deps.runDir,
    runtimesDirectory: deps.runtimesDirectory ?? defaultRuntimesDirectory(),
    packagesDirectory: deps.packagesDirectory ?? null,
    launcher: deps.launcher,
    find: deps.find,
    ...(deps.findMain === undefined ? {} : { findMain: deps.findMain }),
    isPublished: deps.isPublished,
    credentialsOf: deps.credentialsOf,
    limits,
    ...(deps.memory === undefined ? {} : { memory: deps.memory }),
    ...(deps.outside === undefined ? {} : { outside: deps.outside }),
    runtimeFallback: deps.runtimeFallback,
    debug: deps.debug ?? null,
    tier: parseIsolationTier(deps.tier),
    network: deps.network ?? 'host',
    hasOwnNetwork: deps.hasOwnNetwork ?? (deps.network ?? 'host') !== 'host',
    imageDirectory: deps.imageDirectory ?? null,
    report: (text) => deps.log.warn(text),
    onOutput: deps.onOutput ?? (() => {}),
  });
  deps.launcher.onExited((exit) => plane.exited(exit));
  plane.prepare();
  if (deps.debug) plane.provisioner.change(...debugProvision(deps.debug, deps.clock.now()));
  const sweepMs = Math.max(10, limits.idleMs / 10);
  let cancelSweep = deps.clock.after(sweepMs, sweep);
  function sweep(): void {
    plane.sweep();
    cancelSweep = deps.clock.after(sweepMs, sweep);
  }
  const invoke = createInvoke(plane, deps.elsewhere ?? null);
  const now = () => deps.clock.now();
  const { traces = null } = deps;
  const callHttp = createCallHttp({ find: deps.find, invoke: traces === null ? invoke : traces.watch(invoke), now });
  const triggers = new HttpTriggers();
  return {
    changed(key, versionId) {
      plane.retire((config) => isVersion(config, key, versionId ?? null));
      plane.provisioner.functionChanged(key);
    },
    invoke,
    invokeHere: createInvoke(plane, null),
    roomFor(target, wanted) {
      const found = deps.find(target);
      return found.ok ? plane.roomFor(found.config, wanted) : 0;
    },
    pauseOf(target) {
      const debug = deps.debug ?? null;
      return pauseBy(isDebugged(target, debug) ? debug.port : null);
    },
    exec: createExec({
      launcher: deps.launcher,
      tier: parseIsolationTier(deps.tier),
      find: ({ functionKey, qualifier, instanceId }) => {
        const isIts = plane.instancesOf(functionKey, qualifier).some((fact) => fact.instanceId === instanceId);
        return isIts ? (plane.instances.get(instanceId) ?? null) : null;
      },
      hold: (instance) => plane.hold(instance),
    }),
    findVisitor: (address) => plane.visitorAt(address),
    http: {
      call: callHttp,
      takesEvents: (target) => takesEvents(deps.find, target),
      accountOf(target) {
        const found = deps.find(target);
        return found.ok ? found.config.accountId : '';
      },
      targetOf(host) {
        const address = readFunctionHost(host);
        return address === null ? null : triggers.ofPrefix(address.urlPrefix);
      },
    },
    httpDoor: createHttpDoor({
      triggers,
      find: deps.find,
      call: callHttp,
      authenticate: deps.authenticateHttp ?? refuseSigned,
      bodies: { limitBytes: limits.invocationBytes, budget: new BodyBudget(limits.waitingBytes) },
      clock: deps.clock,
      traceRatio: traces?.ratio ?? null,
      report: deps.reportHttp ?? (() => {}),
      reportBug: (error, requestId) => deps.log.error('a bug in an HTTP trigger', { requestId, error: inspect(error) }),
    }),
    apply(batch) {
      triggers.apply(batch);
      const published = new Map(
        batch.changes.flatMap(({ kind, value }) =>
          kind === 'function' && value !== null ? [[`${value.runtime} ${value.memoryMb}`, value]] : [],
        ),
      );
      for (const { runtime, memoryMb } of published.values()) plane.expect(runtime, memoryMb);
    },
    limitChanged: (key, limit) => plane.limitChanged(key, limit),
    provisionChanged: (key, provision) => plane.provisioner.change(key, provision),
    instancesNow: (functionKey, qualifier) => ({
      instances: plane.instancesOf(functionKey, qualifier),
      ...plane.provisioner.now(scalingKey({ functionKey, qualifier })),
    }),
    async close() {
      cancelSweep();
      await plane.close();
    },
    stats() {
      const instances = {
        starting: 0,
        loading: 0,
        initializing: 0,
        idle: 0,
        freezing: 0,
        frozen: 0,
        busy: 0,
        stopping: 0,
        gone: 0,
      };
      for (const { state } of plane.instances.values()) instances[state.kind] += 1;
      return {
        instances,
        inFlight: plane.inFlight,
        waiting: plane.waiting,
        pools: plane.poolCount,
        spares: plane.spareCount,
      };
    },
  };
}

const refuseSigned: HttpDoorDeps['authenticate'] = async () => {
  return { ok: false, status: 403, code: 'AccessDenied', message: 'nobody here can check signatures' };
};

function isVersion(config: FunctionConfig, key: string, versionId: string | null): boolean {
  return config.key === key && (versionId === null || config.versionId === versionId);
}
