// Composition of the data process: listeners → gateway → functions → launcher, and the records that go back to control.
import type { RequestListener, Server } from 'node:http';
import { inspect } from 'node:util';
import { AddressGuard } from './base/address-guard.ts';
import { systemClock } from './base/clock.ts';
import { systemRandom } from './base/ids.ts';
import type { Log } from './base/log.ts';
import { createNonceStore } from './base/nonce-store.ts';
import { createWindowCounters } from './base/window-counters.ts';
import { createFailureReporter } from './failure-reporter.ts';
import { FunctionDirectory } from './function-directory.ts';
import {
  connectLauncher,
  connectSandd,
  createFunctions,
  createRoleCredentials,
  type Interpreter,
} from './functions/index.ts';
import { createGateway, defaultGatewaySettings, listenerOptions, RequestMetrics } from './gateway/index.ts';
import { serveUnknownDomain } from './http-listener.ts';
import { type Listener, listen, listenTls } from './listener.ts';
import type { InvokeFunction } from './model/invocation.ts';
import type { DataMetrics } from './model/metrics.ts';
import type { ChangeBatch } from './model/published.ts';
import type { RequestRecord } from './model/record.ts';
import { watchProcess } from './process-metrics.ts';
import { createRequestLogSender, type RequestLogSender } from './request-log-sender.ts';
import { type DataSettings, type ListeningAddresses, limits, type TlsListening } from './settings.ts';
import { createTokenSealer, type TokenSealer } from './wire/security-token.ts';

export type DataPlaneOutlets = {
  /** A failed request; `dropped` others were not sent since the last. */
  readonly report: (record: RequestRecord, dropped: number) => void;
  /** Lines of the log of requests; resolves when control has them. */
  readonly sendRequests: (lines: Buffer) => Promise<void>;
  readonly log: Log;
  /** The launcher can no longer be reached: nothing can be started or ended any more. */
  readonly onLauncherGone: () => void;
  /** Looks for the interpreters of this machine: this process starts nothing. */
  readonly findInterpreters: () => Promise<readonly Interpreter[]>;
};

export type DataPlane = {
  readonly invoke: InvokeFunction;
  /** Returns the version reached; a page of a batch shows with the last. */
  apply(batch: ChangeBatch & { readonly isLast?: boolean }): Promise<number>;
  setDefaultGroup(groupId: string | null): void;
  /** The key that functions' security tokens are made with, 32 bytes; comes before the first request. */
  setTokenKey(key: Buffer): void;
  /** `apiPort`: where the APIs answer, which backends must not be. */
  metrics(): DataMetrics;
  /** Resolves when control has the records of all requests that were answered. */
  flushRequests(): Promise<void>;
  listen(how: { apiPort: number; tls: TlsListening | null }): Promise<ListeningAddresses>;
  close(graceMs: number): Promise<void>;
};

export async function startDataPlane(settings: DataSettings, outlets: DataPlaneOutlets): Promise<DataPlane> {
  const directory = new FunctionDirectory({ codeDirectory: settings.codeDirectory, random: systemRandom });
  const access = { runDir: settings.runDir, token: settings.launcherToken, onGone: outlets.onLauncherGone };
  const launcher = await (settings.launcher === 'sandd'
    ? connectSandd({ ...access, interpreters: outlets.findInterpreters })
    : connectLauncher(access));
  let tokens: TokenSealer | null = null;
  const credentialsOf = createRoleCredentials(systemClock, ({ accountId, key: functionKey, role }, expiresAt) => {
    if (tokens === null) throw new Error('the key of security tokens has not come yet');
    return tokens.issue({ accountId, functionKey, role, expiresAt });
  });
  const functions = createFunctions({
    clock: systemClock,
    runDir: settings.runDir,
    launcher,
    find: (target) => directory.find(target),
    isPublished: (config) => directory.isPublished(config),
    credentialsOf,
    runtimeFallback: settings.runtimeFallback,
    tier: settings.tier,
    limits: settings.strict ? { freezeMs: 0 } : {},
    log: outlets.log,
  });
  const gatewaySettings = {
    ...defaultGatewaySettings,
    defaultGroup: settings.defaultGroup,
    ownDomainLimitPerDay: settings.ownDomainLimitPerDay,
    knownRoles: settings.roles === null ? null : new Set(settings.roles),
    showWhyToLoopback: settings.showWhyToLoopback,
    trustedProxies: settings.trustedProxies,
    groupLimitPerSecond: settings.groupLimit,
    instanceLimitPerSecond: settings.instanceLimit,
    ...(settings.intranet === null ? {} : { intranet: settings.intranet }),
  };
  // This process is the only one, so it is its own authority; several share control's by base/counter-leases.ts.
  const nonces = createNonceStore({ clock: systemClock, limit: limits.nonces });
  const counters = createWindowCounters(limits.countersPerWindow);
  const guard = new AddressGuard({
    allowsLoopback: settings.allowsLoopbackBackends,
    allowed: settings.allowedBackends,
  });
  const reportFailure = createFailureReporter(systemClock, limits.failuresPerSecond, outlets.report);
  const requests = startRequestLog(outlets);
  const metrics = new RequestMetrics();
  const readProcess = watchProcess();
  const gateway = createGateway({
    clock: systemClock,
    invoke: functions.invoke,
    claimNonce: nonces.claim,
    count: counters.count,
    report(record) {
      metrics.add(record);
      if (record.failure === null) requests.add(record);
      else reportFailure(record);
    },
    reportBug: (error, requestId) => outlets.log.error('a bug in the gateway', { requestId, error: inspect(error) }),
    settings: gatewaySettings,
    outbound: { guard, vpcTargets: new Map(Object.entries(settings.vpcTargets)) },
  });
  const listeners: Listener[] = [];
  const open = async (port: number, onRequest: RequestListener, prepare: (server: Server) => void) => {
    const server = listenerOptions(gatewaySettings);
    const listener = await listen({ host: settings.host, port, server, prepare }, onRequest);
    listeners.push(listener);
    guard.addOwnPort(portOf(listener.url));
    return listener.url;
  };
  const openTls = async ({ port, authority }: TlsListening) => {
    const server = gateway.tlsOptions(authority);
    const listener = await listenTls({ host: settings.host, port, server, prepare: gateway.attachTls });
    listeners.push(listener);
    guard.addOwnPort(portOf(listener.url));
    gateway.setTlsPort(portOf(listener.url));
    return listener.url;
  };
  return {
    invoke: functions.invoke,
    async apply(batch) {
      const changed = directory.apply(batch);
      await gateway.apply(batch);
      for (const { key, versionId } of changed) functions.changed(key, versionId);
      for (const change of batch.changes) {
        if (change.kind === 'instanceLimit') functions.limitChanged(change.key, change.value);
      }
      return batch.version;
    },
    setDefaultGroup: (groupId) => gateway.setDefaultGroup(groupId),
    setTokenKey: (key) => {
      tokens = createTokenSealer(key);
    },
    async listen({ apiPort, tls }) {
      guard.addOwnPort(apiPort);
      return {
        gateway: await open(settings.gatewayPort, gateway.handle, gateway.attach),
        gatewayTls: tls === null ? null : await openTls(tls),
        http: await open(settings.httpPort, serveUnknownDomain, () => {}),
      };
    },
    metrics: () => ({
      requests: metrics.read(),
      process: readProcess(),
      functions: functions.stats(),
      log: requests.counts(),
    }),
    flushRequests: () => requests.flush(),
    async close(graceMs) {
      await Promise.all(listeners.map((listener) => listener.close(graceMs)));
      await requests.flush();
      gateway.close();
      await functions.close();
      launcher.close();
    },
  };
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return Number(port || (protocol === 'https:' ? 443 : 80));
}

function startRequestLog({ sendRequests, log }: DataPlaneOutlets): RequestLogSender {
  return createRequestLogSender({
    clock: systemClock,
    fullRate: limits.loggedPerSecond,
    batchMs: limits.logBatchMs,
    waitingBytes: limits.logWaitingBytes,
    send: sendRequests,
    onSampling: (keepEvery) =>
      log.info(keepEvery === 1 ? 'every request is logged again' : 'the log of requests is sampled', { keepEvery }),
  });
}
