// Composition of the data process: listeners → gateway → functions → launcher, and the records that go back to control.
import type { RequestListener, Server, ServerOptions } from 'node:http';
import { inspect } from 'node:util';
import { AddressGuard } from './base/address-guard.ts';
import type { Message } from './base/channel.ts';
import { systemClock } from './base/clock.ts';
import { type CounterAnswers, type CounterBatch, createSharedCounters } from './base/counter-leases.ts';
import { systemRandom } from './base/ids.ts';
import type { Log } from './base/log.ts';
import { type ClaimNonce, createNonceStore } from './base/nonce-store.ts';
import { type CountCall, createWindowCounters } from './base/window-counters.ts';
import { Elsewhere, type ElsewhereDeps } from './elsewhere.ts';
import { createFailureReporter } from './failure-reporter.ts';
import { FunctionDirectory } from './function-directory.ts';
import {
  type ApiPlace,
  type AuthenticateHttp,
  connectLauncher,
  connectSandd,
  createFunctions,
  createRoleCredentials,
  type Doorway,
  type DoorwayOptions,
  type Exec,
  type Interpreter,
  openDoorway,
  shareOfLimits,
  takeDoorwaySockets,
} from './functions/index.ts';
import {
  type BreakerEvent,
  createGateway,
  defaultGatewaySettings,
  listenerLimits,
  listenerOptions,
} from './gateway/index.ts';
import { serveHttp } from './http-listener.ts';
import { type Listener, listen, listenTls, refuseTakenPort } from './listener.ts';
import type { FunctionTarget } from './model/api.ts';
import type { InvokeFunction } from './model/invocation.ts';
import type { DataMetrics } from './model/metrics.ts';
import type { ChangeBatch } from './model/published.ts';
import type { RequestRecord } from './model/record.ts';
import type { InstancesNow } from './model/scaling.ts';
import { createOutputSender } from './output-sender.ts';
import { watchProcess } from './process-metrics.ts';
import { createRequestLogSender, type RequestLogSender } from './request-log-sender.ts';
import { RequestMetrics } from './request-metrics.ts';
import { createRequestSpans, type RequestSpans } from './request-spans.ts';
import { limitShare, provisionShare } from './scaling-share.ts';
import { ServingLease } from './serving-lease.ts';
import { type DataSettings, type ListeningAddresses, type ListenOrder, limits, type TlsListening } from './settings.ts';
import { createTraceExporter, postTo, type TraceExporter } from './trace-exporter.ts';
import { createTokenSealer, type TokenSealer } from './wire/security-token.ts';

export type DataPlaneOutlets = {
  /** Failed requests; `dropped` others were not sent since the last. */
  readonly report: (records: readonly RequestRecord[], dropped: number) => void;
  /** Lines of the log of requests; resolves when control has them. */
  readonly sendRequests: (lines: Buffer) => Promise<void>;
  /** Lines that functions printed; resolves when control has them. */
  readonly sendOutput: (lines: Buffer) => Promise<void>;
  readonly log: Log;
  /** The launcher can no longer be reached: nothing can be started or ended any more. */
  readonly onLauncherGone: () => void;
  /** Looks for the interpreters of this machine: this process starts nothing. */
  readonly findInterpreters: () => Promise<readonly Interpreter[]>;
  /** Waits for what of the bootstraps is built; null, or why it is not there. */
  readonly builtBootstraps: () => Promise<string | null>;
  /** Asks who knows the keys whether a call of an HTTP trigger is signed as it has to be. */
  readonly authenticateHttp: AuthenticateHttp;
  /** Asks the authority that several data processes share. */
  readonly askCounters: (batch: CounterBatch) => Promise<CounterAnswers>;
  /** Asks for leave to serve, see ServingLease. */
  readonly askLease: () => Promise<number>;
  /** Asks control who of the others would admit calls, and passes one on. */
  readonly askRoom: ElsewhereDeps['askRoom'];
  readonly passCall: ElsewhereDeps['pass'];
  /** Tells the other data processes of a backend's time-outs. */
  readonly shareBreakerEvent: (event: BreakerEvent) => void;
};

export type DataPlane = {
  readonly invoke: InvokeFunction;
  /** Runs what another data process passes on. */
  readonly invokeHere: InvokeFunction;
  /** How many more calls of a function would be admitted here, `wanted` at most. */
  roomFor(target: FunctionTarget, wanted: number): number;
  /** A part of an answer that another data process makes for one of our callers. */
  streamed(part: Message): Promise<void>;
  /** Returns the version reached; a page of a batch shows with the last. */
  apply(batch: ChangeBatch & { readonly isLast?: boolean }): Promise<number>;
  setDefaultGroup(groupId: string | null): void;
  /** The key that functions' security tokens are made with, 32 bytes; comes before the first request. */
  setTokenKey(key: Buffer): void;
  metrics(): DataMetrics;
  /** What a qualifier of a function has now; null: all its qualifiers. */
  instancesNow(functionKey: string, qualifier: string | null): InstancesNow;
  /** Further processes in instances. */
  readonly exec: Exec;
  /** Resolves when control has the records of all requests that were answered, and what functions printed until now. */
  flushLogs(): Promise<void>;
  listen(order: ListenOrder): Promise<ListeningAddresses>;
  /** What another data process saw of a backend. */
  breakerEvent(event: BreakerEvent): void;
  close(graceMs: number): Promise<void>;
};

export async function startDataPlane(settings: DataSettings, outlets: DataPlaneOutlets): Promise<DataPlane> {
  const failures = createFailureReporter(systemClock, limits.failuresPerSecond, outlets.report);
  const requests = startRequestLog(outlets, settings);
  const keep = (record: RequestRecord) => (record.failure === null ? requests.add(record) : failures.report(record));
  const output = createOutputSender({
    clock: systemClock,
    batchMs: limits.logBatchMs,
    waitingBytes: limits.logWaitingBytes,
    perSecond: limits.outputPerSecond,
    send: outlets.sendOutput,
    onFull: () => outlets.log.warn('what functions print is not logged, control is too busy'),
  });
  const flushLogs = async () => {
    failures.flush();
    await Promise.all([requests.flush(), output.flush()]);
  };
  const metrics = RequestMetrics.ofApis();
  const triggers = RequestMetrics.ofFunctions();
  const directory = new FunctionDirectory({ codeDirectory: settings.codeDirectory, random: systemRandom });
  const access = { runDir: settings.runDir, token: settings.launcherToken, onGone: outlets.onLauncherGone };
  const launcher = await (settings.launcher === 'sandd'
    ? connectSandd({
        ...access,
        interpreters: outlets.findInterpreters,
        builtBootstraps: outlets.builtBootstraps,
      })
    : connectLauncher(access));
  let tokens: TokenSealer | null = null;
  const credentialsOf = createRoleCredentials(systemClock, ({ accountId, key: functionKey, role }, expiresAt) => {
    if (tokens === null) throw new Error('the key of security tokens has not come yet');
    return tokens.issue({ accountId, functionKey, role, expiresAt });
  });
  const traces = startTraces(settings, outlets.log);
  const bounds = shareOfLimits(settings);
  const elsewhere = new Elsewhere({
    askRoom: outlets.askRoom,
    pass: outlets.passCall,
    onTrouble: (error) => outlets.log.warn('a call could not be passed on', { error: error.message }),
    limits: { waiting: bounds.waitingTotal, bytes: bounds.waitingBytes },
  });
  const functions = createFunctions({
    clock: systemClock,
    runDir: settings.runDir,
    launcher,
    find: (target) => directory.find(target),
    findMain: (target) => directory.findMain(target),
    isPublished: (config) => directory.isPublished(config),
    credentialsOf,
    packagesDirectory: settings.codeDirectory,
    runtimeFallback: settings.runtimeFallback,
    debug: settings.debug,
    tier: settings.tier,
    network: settings.network,
    limits: {
      ...bounds,
      spareMemoryMb: Math.floor(settings.spareMemoryMb / settings.dataProcesses),
      ...(settings.strict ? { freezeMs: 0 } : {}),
    },
    elsewhere: settings.dataProcesses === 1 ? null : elsewhere.invoke,
    log: outlets.log,
    onOutput: (line) => output.add(line),
    authenticateHttp: outlets.authenticateHttp,
    traces: traces === null ? null : { watch: traces.spans.watch, ratio: traces.ratio },
    reportHttp: (record) => {
      triggers.add(record);
      traces?.spans.add(record);
      keep(record);
    },
    imageDirectory: settings.imageDirectory,
  });
  const gatewaySettings = {
    ...defaultGatewaySettings,
    defaultGroup: settings.defaultGroup,
    ownDomainLimitPerDay: settings.ownDomainLimitPerDay,
    knownRoles: settings.roles === null ? null : new Set(settings.roles),
    showWhyToLoopback: settings.showWhyToLoopback,
    trustedProxies: settings.trustedProxies,
    groupLimitPerSecond: settings.groupLimit,
    bodyLimitBytes: settings.requestLimits.body,
    uriLimitBytes: settings.requestLimits.target,
    headerLimitBytes: settings.requestLimits.headers,
    httpsPolicy: settings.httpsPolicy,
    stallTimeoutMs: Math.max(defaultGatewaySettings.stallTimeoutMs, settings.apiTimeoutMaxMs + limits.stallMarginMs),
    instanceLimitPerSecond: settings.instanceLimit,
    traceRatio: settings.traces?.ratio ?? null,
    // A caller whose request stands at a breakpoint hears nothing for as long as somebody thinks.
    ...(settings.debug === null ? {} : { stallTimeoutMs: 0 }),
    ...(settings.intranet === null ? {} : { intranet: settings.intranet }),
  };
  const { count, claimNonce } = sharedOrOwnCounters(settings, outlets);
  const lease = settings.dataProcesses === 1 ? null : new ServingLease(systemClock, outlets.askLease);
  const guard = new AddressGuard({
    allowsLoopback: settings.allowsLoopbackBackends,
    allowed: settings.allowedBackends,
  });
  const readProcess = watchProcess();
  const gateway = createGateway({
    clock: systemClock,
    invoke: traces === null ? functions.invoke : traces.spans.watch(functions.invoke),
    httpFunctions: functions.http,
    pauseOf: functions.pauseOf,
    claimNonce,
    count,
    ...(lease === null ? {} : { enter: () => lease.enter() }),
    report(record) {
      metrics.add(record);
      traces?.spans.add(record);
      keep(record);
    },
    reportBug: (error, requestId) => outlets.log.error('a bug in the gateway', { requestId, error: inspect(error) }),
    settings: gatewaySettings,
    outbound: {
      guard,
      vpcTargets: new Map(Object.entries(settings.vpcTargets)),
      tellBreakers: outlets.shareBreakerEvent,
    },
  });
  const onHttp = serveHttp(functions.httpDoor, settings.forwardToken, () => lease?.enter() ?? null);
  let apiPlace: ApiPlace | null = null;
  const visitors = { findVisitor: functions.findVisitor, apiPlace: () => apiPlace };
  const doorway = await openOwnDoorway(settings, visitors, outlets);
  const listeners: Listener[] = [];
  const { host } = settings;
  const opened = (listener: Listener) => {
    listeners.push(listener);
    guard.addOwnPort(portOf(listener.url));
    return listener.url;
  };
  const open = async (
    place: Place,
    server: ServerOptions,
    onRequest: RequestListener,
    prepare: (server: Server) => void,
  ) => opened(await listen({ host, ...place, server, prepare }, onRequest));
  const openTls = async (place: Place, { authority }: TlsListening) => {
    const server = gateway.tlsOptions(authority);
    const url = opened(await listenTls({ host, ...place, server, prepare: gateway.attachTls }));
    gateway.setTlsPort(portOf(url));
    return url;
  };
  return {
    invoke: functions.invoke,
    invokeHere: functions.invokeHere,
    roomFor: functions.roomFor,
    streamed: (part) => elsewhere.streamed(part),
    async apply(batch) {
      const changed = directory.apply(batch);
      functions.apply(batch);
      await gateway.apply(batch);
      for (const { key, versionId } of changed) functions.changed(key, versionId);
      for (const change of batch.changes) {
        if (change.kind === 'instanceLimit') functions.limitChanged(change.key, limitShare(change.value, settings));
        if (change.kind === 'provision') functions.provisionChanged(change.key, provisionShare(change.value, settings));
      }
      return batch.version;
    },
    setDefaultGroup: (groupId) => gateway.setDefaultGroup(groupId),
    setTokenKey: (key) => {
      tokens = createTokenSealer(key);
    },
    async listen({ api, tls, isShared, ports }) {
      apiPlace = api;
      guard.addOwnPort(api.port);
      const own = { gateway: settings.gatewayPort, gatewayTls: tls?.port ?? null, http: settings.httpPort };
      const wanted = ports ?? own;
      const place = async (port: number): Promise<Place> => {
        if (isShared && ports === null) await refuseTakenPort({ host, port });
        return { port, isShared };
      };
      return {
        gateway: await open(
          await place(wanted.gateway),
          listenerOptions(gatewaySettings),
          gateway.handle,
          gateway.attach,
        ),
        gatewayTls: tls === null ? null : await openTls(await place(wanted.gatewayTls ?? tls.port), tls),
        http: await open(await place(wanted.http), listenerLimits(gatewaySettings), onHttp, (server) => {
          server.maxConnections = gatewaySettings.connectionLimit;
        }),
      };
    },
    breakerEvent: (event) => gateway.breakerEvent(event),
    metrics: () => ({
      requests: metrics.read(),
      triggers: triggers.read(),
      process: readProcess(),
      functions: functions.stats(),
      log: requests.counts(),
    }),
    instancesNow: (functionKey, qualifier) => functions.instancesNow(functionKey, qualifier),
    exec: functions.exec,
    flushLogs,
    async close(graceMs) {
      await Promise.all(listeners.map((listener) => listener.close(graceMs)));
      await flushLogs();
      await traces?.exporter.close();
      gateway.close();
      await functions.close();
      await output.flush();
      doorway?.close();
      launcher.close();
    },
  };
}

type Traces = { readonly spans: RequestSpans; readonly exporter: TraceExporter; readonly ratio: number };

/** Null where the operator names no collector. */
function startTraces({ traces, regionId }: DataSettings, log: Log): Traces | null {
  if (traces === null) return null;
  const exporter = createTraceExporter({
    clock: systemClock,
    post: postTo(traces.endpoint, traces.headers),
    resource: { 'service.name': 'yunmen', 'cloud.region': regionId, 'process.pid': process.pid },
    onTrouble(error, dropped) {
      if (error === null) log.info('the collector takes traces again', { dropped });
      else log.warn('the collector does not take traces; they are dropped meanwhile', { error, dropped });
    },
  });
  const { ratio } = traces;
  return { exporter, spans: createRequestSpans(systemClock, { export: exporter.add, ratio }), ratio };
}

/** Null when functions share the host's network, where no address can be theirs alone. */
async function openOwnDoorway(
  { network, nativePath, runDir, launcherToken }: DataSettings,
  visitors: Pick<DoorwayOptions, 'findVisitor' | 'apiPlace'>,
  { log }: DataPlaneOutlets,
): Promise<Doorway | null> {
  if (network === 'host' || nativePath === null) return null;
  const sockets = await takeDoorwaySockets({ path: nativePath, runDir, token: launcherToken });
  const onError = (error: Error) => log.error('the doorway of functions failed', { error: error.message });
  return await openDoorway({ clock: systemClock, sockets, ...visitors, onError });
}

type Place = { readonly port: number; readonly isShared: boolean };

/** One process is its own authority; several share control's, so that each limit and each nonce counts once. */
function sharedOrOwnCounters(
  { dataProcesses }: DataSettings,
  { askCounters }: DataPlaneOutlets,
): { readonly count: CountCall; readonly claimNonce: ClaimNonce } {
  if (dataProcesses > 1) return createSharedCounters(askCounters);
  const nonces = createNonceStore({ clock: systemClock, limit: limits.nonces });
  return { count: createWindowCounters(limits.countersPerWindow).count, claimNonce: nonces.claim };
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return Number(port || (protocol === 'https:' ? 443 : 80));
}

/** The rate of records that are kept is the server's, whatever number of processes share it. */
function startRequestLog({ sendRequests, log }: DataPlaneOutlets, { dataProcesses }: DataSettings): RequestLogSender {
  return createRequestLogSender({
    clock: systemClock,
    fullRate: Math.ceil(limits.loggedPerSecond / dataProcesses),
    batchMs: limits.logBatchMs,
    waitingBytes: limits.logWaitingBytes,
    send: sendRequests,
    onSampling: (keepEvery) =>
      log.info(keepEvery === 1 ? 'every request is logged again' : 'the log of requests is sampled', { keepEvery }),
  });
}
