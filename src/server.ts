// A whole server: store, APIs, and the launcher and data processes around them. Runs in the control process.

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from './base/clock.ts';
import { answerCounterBatch } from './base/counter-leases.ts';
import { randomHex } from './base/ids.ts';
import type { Log } from './base/log.ts';
import { createNonceStore } from './base/nonce-store.ts';
import { createWindowCounters } from './base/window-counters.ts';
import type { RunningServer, ServerCredentials, ServerOptions } from './cli/index.ts';
import {
  type Control,
  type ControlOptions,
  createControl,
  ensureAccount,
  republishFunctions,
  tokenKeyPurpose,
} from './control/index.ts';
import { DataProcesses } from './data-processes.ts';
import type { OwnSettings, SlotOptions } from './data-slot.ts';
import { openDevelopmentCa } from './development-ca.ts';
import { createExecSessions } from './exec-sessions.ts';
import { type ApiPlace, defaultRuntimesDirectory, isKnownRuntime, runtimeIds } from './functions/index.ts';
import { createHttpForward } from './http-forward.ts';
import { joinInstances } from './join-instances.ts';
import { joinMetrics } from './join-metrics.ts';
import { type BeginLauncher, type ChosenLauncher, chooseLauncher, type StartedLauncher } from './launcher-start.ts';
import { LogDelivery, type LogDeliverySource } from './log-delivery.ts';
import type { Account } from './model/account.ts';
import type { LoopDelay } from './model/loop-delay.ts';
import type { InstancesNow } from './model/scaling.ts';
import { dataHandlers } from './outlets.ts';
import { OutputKeeper } from './output-keeper.ts';
import { watchProcess } from './process-metrics.ts';
import { Relay } from './relay.ts';
import { makeRunDirectory } from './run-directory.ts';
import { sweepDirectoriesOf, sweepRunDirectories } from './run-directory-sweep.ts';
import {
  credentialsPath,
  removeServerFile,
  runDirectoriesOf,
  type ServerFacts,
  writeCredentials,
  writeServerFile,
} from './server-files.ts';
import { type ServerUser, takeOnUser } from './server-user.ts';
import { type DataSettings, type ListeningAddresses, limits, type TlsListening } from './settings.ts';
import { acquireDataDir, openStore, RequestLog, type Store } from './store/index.ts';
import { Sweeps } from './sweeps.ts';

/**
 * Starts a server; resolves when it serves.
 *
 * Errors: a sentence that says what is in the way (data directory in use, port taken, isolation tier not to be had);
 * nothing is left running or locked then.
 */
export async function startServer(options: ServerOptions, log: Log): Promise<RunningServer> {
  const stack = new AsyncDisposableStack();
  try {
    return await assemble(options, log, stack);
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function assemble(options: ServerOptions, log: Log, stack: AsyncDisposableStack): Promise<RunningServer> {
  const { dataDir } = options;
  await removeLeftovers(sweepRunDirectories, log); // while we have all rights, with `--user` too
  const rights = await takeRights(options, log);
  const lock = acquireDataDir(dataDir);
  stack.defer(() => lock.release());
  await removeLeftovers(() => removePredecessor(dataDir, rights.user), log);
  const ended = Promise.withResolvers<{ reason: string }>();
  const readProcess = watchProcess();
  const requests = openRequestLog(dataDir, log, stack);
  const delivery = new LogDelivery({ directory: join(dataDir, 'logs'), log });
  const output = new OutputKeeper({ directory: join(dataDir, 'requests'), log, show: options.onOutput ?? null });
  stack.defer(() => output.close());

  const opening = openKeptStore(dataDir, stack);
  const forwardToken = randomHex(32);
  const controlling = Promise.withResolvers<Control>();
  const starting = startDataProcesses(options, {
    log,
    rights,
    requests,
    delivery,
    output,
    opening,
    forwardToken,
    authenticateHttp: async (call) => (await controlling.promise).authenticateHttp(call),
    onEnd: (reason) => ended.resolve({ reason }),
  });
  const [data, store] = await Promise.all([starting, opening, output.opened]);
  // After the last lines of data processes, and while the store still knows the names of groups.
  stack.defer(() => delivery.close());
  stack.defer(() => data.close());
  const credentials = await ensureAccount(store, options);
  writeCredentials(dataDir, credentials);

  const account = { accountId: credentials.accountId, regionId: options.region };
  await delivery.begin(deliverySource(store, account));
  stack.defer(followGroups(store, delivery));
  await republishFunctions(store, account);
  const sweeps = new Sweeps({ store, clock: systemClock, log });
  stack.defer(() => sweeps.close());
  await data.follow();
  await data.tell('tokenKey', null, store.deriveKey(tokenKeyPurpose));

  let functionUrls: string | null = null;
  const http = createHttpForward(() => functionUrls, forwardToken);
  stack.defer(() => http.close());
  const control = createControl({
    store,
    account,
    clock: systemClock,
    awaitLive: (version) => data.awaitLive(version),
    invoke: data.invoke,
    functionUrls: () => functionUrls,
    instancesNow: async (of) =>
      joinInstances((await data.ask('instances', of)).map(({ answer }) => answer.data as InstancesNow)),
    openExec: createExecSessions(() => data),
    forwardHttp: http.forward,
    ...keptLogs(await requests, output, data),
    probeLogs: (target) => delivery.probe(target),
    deliverLogs: () => delivery.follow(),
    health: () => isolationOf(data),
    readMetrics: async () => joinMetrics(await data.metrics(), readProcess()),
    loopDelay: async (what) => ((await data.ask('loopDelay', what))[0]?.answer.data ?? null) as LoopDelay | null,
    runtimes: { isKnown: isKnownRuntime, all: runtimeIds },
    settings: {
      showColdStart: options.mode === 'dev',
      apiTimeoutMaxMs: options.apiTimeoutMaxMs,
      httpsPolicy: options.httpsPolicy,
      limitsUnboundGroups: options.limitsUnboundGroups,
      groupLimitPerSecond: options.groupLimit,
    },
    log,
  });
  controlling.resolve(control);
  const tls = await openTls(options, store, log, stack);
  const addresses = await openListeners(options, control, { data, tls, rights }, stack);
  rights.user?.dropForGood();
  functionUrls = addresses.http;
  const writeFacts = () => writeServerFile(dataDir, { ...addresses, region: options.region, ...factsOf(data) });
  data.onReplaced = writeFacts;
  writeFacts();
  stack.defer(() => removeServerFile(dataDir));

  const close = closeOnce(stack, ended.resolve);
  void ended.promise.then(({ reason }) => close(reason));
  return {
    ready: {
      ...addresses,
      console: `${addresses.api}/console/`,
      accountId: credentials.accountId,
      region: options.region,
      accessKeyId: credentials.accessKeyId,
      credentialsFile: credentialsPath(dataDir),
      ...isolationOf(data),
    },
    credentials: credentials satisfies ServerCredentials,
    onExit: ended.promise,
    async setDefaultGroup(groupId) {
      await data.tell('defaultGroup', groupId);
    },
    close: () => close('stopped'),
  };
}

async function removeLeftovers(sweep: () => Promise<readonly string[]>, log: Log): Promise<void> {
  try {
    const directories = await sweep();
    if (directories.length > 0) log.info('what killed servers left was removed', { directories });
  } catch (error) {
    log.warn('what killed servers left could not be removed', { error: String(error) });
  }
}

/** Who has the lock of the data directory knows that whoever served it before is dead. */
function removePredecessor(dataDir: string, user: ServerUser | null): Promise<readonly string[]> {
  const asOwner = user === null ? <T>(act: () => T): T => act() : user.asRoot;
  return sweepDirectoriesOf(runDirectoriesOf(dataDir), { parent: '/tmp', asOwner });
}

/** What keeps functions apart: the same in every data process. */
function isolationOf({ first: { launcher } }: DataProcesses) {
  return { isolation: launcher.tier, network: launcher.network, carrier: launcher.carrier, launcher: launcher.kind };
}

/** Everything is given back in the reverse order of its making, once, whoever asks first. */
function closeOnce(
  stack: AsyncDisposableStack,
  ended: (how: { reason: string }) => void,
): (reason: string) => Promise<void> {
  let closing: Promise<void> | null = null;
  return (reason) => {
    closing ??= stack.disposeAsync().finally(() => ended({ reason }));
    return closing;
  };
}

async function openKeptStore(dataDir: string, stack: AsyncDisposableStack): Promise<Store> {
  const secretKey = process.env['YUNMEN_SECRET_KEY'];
  const store = await openStore({ dataDir, clock: systemClock, ...(secretKey === undefined ? {} : { secretKey }) });
  stack.defer(() => store.close());
  return store;
}

/** The log of requests outlives the data process, which sends its last lines when it ends. */
function openRequestLog(dataDir: string, log: Log, stack: AsyncDisposableStack): Promise<RequestLog> {
  const opening = RequestLog.open({
    directory: join(dataDir, 'requests'),
    clock: systemClock,
    onError: (error) => log.error('the log of requests cannot be written', { error: String(error) }),
  });
  opening.catch(() => {}); // Told by whoever awaits it, perhaps after another failure.
  stack.defer(async () => (await opening).close());
  return opening;
}

function deliverySource(store: Store, account: Account): LogDeliverySource {
  return {
    account,
    findTarget: () => store.read((tx) => tx.rows.logConfigs.get('access')),
    findGroup: (groupId) => store.read((tx) => tx.rows.groups.get(groupId)),
  };
}

/** Delivered lines hold the names of groups as they are now. The result undoes it. */
function followGroups(store: Store, delivery: LogDelivery): () => void {
  return store.onPublished(({ changes }) => {
    for (const { kind, key } of changes) if (kind === 'group') delivery.forget(key);
  });
}

/** What is on the way from the data process counts as kept. */
function keptLogs(requests: RequestLog, output: OutputKeeper, data: DataProcesses): Kept {
  const arrived = () => data.ask('flushLogs');
  return {
    requests: {
      find: (requestId) => arrived().then(() => requests.find(requestId)),
      search: (query) => arrived().then(() => requests.search(query)),
    },
    output: { search: (query) => arrived().then(() => output.search(query)) },
  };
}

type Kept = Pick<ControlOptions, 'requests' | 'output'>;

/** `user` null: all go on as who started the server. */
type Rights = { readonly user: ServerUser | null; readonly launcher: Promise<ChosenLauncher> };

/** With `--user` the launcher is chosen first, by root; from then on we act as that user. */
async function takeRights(options: ServerOptions, log: Log): Promise<Rights> {
  const { user: name, dataDir, isolation, mode, network, allowedNetworks } = options;
  const launcher = chooseLauncher({ isolation, mode, network, allowedNetworks }, log);
  launcher.catch(() => {}); // awaited by whoever starts one
  if (name === null) return { user: null, launcher };
  const { path } = await launcher;
  if (path === null) throw new Error('--user takes the native launcher (apt-get install -y gcc libc6-dev)');
  return { user: await takeOnUser(name, dataDir), launcher };
}

/** How run directories and data processes come about: the first is root's, the second never is. */
async function waysOf(
  { user, launcher }: Rights,
  options: ServerOptions,
): Promise<Pick<SlotOptions, 'makeRunDirectory' | 'begin'>> {
  if (user === null) return { makeRunDirectory };
  const { path } = await launcher;
  const ports = [options.gatewayPort, options.gatewayTlsPort ?? 0, options.httpPort];
  const mayBind = ports.some((port) => port > 0 && port < 1024) ? '1' : '0';
  const prefix = ['become', String(user.uid), String(user.gid), mayBind];
  return {
    makeRunDirectory: () => user.asRoot(makeRunDirectory),
    begin: (file, args, how) => user.asRoot(() => spawn(path ?? file, [...prefix, file, ...args], how)),
  };
}

type Around = {
  readonly rights: Rights;
  readonly log: Log;
  readonly requests: Promise<RequestLog>;
  readonly delivery: LogDelivery;
  readonly output: OutputKeeper;
  /** The store as it is opened at the same time. */
  readonly opening: Promise<Store>;
  readonly forwardToken: string;
  readonly authenticateHttp: Control['authenticateHttp'];
  onEnd(reason: string): void;
};

async function startDataProcesses(
  options: ServerOptions,
  { log, requests, delivery, output, opening, onEnd, forwardToken, authenticateHttp, rights }: Around,
): Promise<DataProcesses> {
  const { dataProcesses: count } = options;
  const launcher = rights.launcher.then(
    ({ begin }): BeginLauncher =>
      (place) =>
        begin(place, rights.user),
  );
  launcher.catch(() => {}); // awaited by whoever starts one
  const authority = {
    counters: createWindowCounters(limits.countersPerWindow),
    claimNonce: createNonceStore({ clock: systemClock, limit: limits.nonces }).claim,
    processes: count,
  };
  const relay = new Relay({
    clock: systemClock,
    answerMs: limits.roomAnswerMs,
    onSilent: ({ place }) => log.warn('a data process does not say whether it has room for calls', { place }),
    running: () => processes.running,
    replaced: () => processes.replaced,
  });
  const processes: DataProcesses = await DataProcesses.start({
    count,
    // Nobody has the rights to start a launcher once root's are given up.
    replaces: rights.user === null,
    launcher,
    ...(await waysOf(rights, options)),
    log,
    onEnd,
    feed: opening,
    handlers: (slot) =>
      dataHandlers(
        log,
        { requests, delivery, output },
        {
          allow: (directory) => slot.launcher.allow(directory),
          authenticateHttp,
          count: (batch) => answerCounterBatch(batch, authority),
          lease: () => slot.follower.lease(),
          room: (ask, signal) => relay.room(slot, ask, signal),
          passCall: (message, signal) => relay.pass(slot, message, signal),
          passPart: (message) => relay.streamed(message),
          tellOthers: (name, data) => processes.noteOthers(slot, name, data),
        },
      ),
    settings: async (started) => {
      const codeDirectory = (await opening).packages.directory;
      started.openWay([options.dataDir, codeDirectory]);
      const images = options.imageDirectory === null ? [] : [options.imageDirectory];
      const debugged = options.debug ? [options.debug.codeDirectory] : [];
      // One into which an archive will be unpacked may not be there yet.
      for (const directory of debugged) mkdirSync(directory, { recursive: true });
      for (const directory of [codeDirectory, defaultRuntimesDirectory(), ...images, ...debugged]) {
        const refusal = await started.allow(directory);
        if (refusal !== null) throw new Error(`functions cannot be shown ${directory}: ${refusal}`);
      }
      return dataSettings(options, started, { codeDirectory, forwardToken });
    },
  });
  return processes;
}

function dataSettings(
  options: ServerOptions,
  launcher: StartedLauncher,
  { codeDirectory, forwardToken }: Pick<DataSettings, 'codeDirectory' | 'forwardToken'>,
): Omit<DataSettings, OwnSettings> {
  return {
    codeDirectory,
    host: options.host,
    gatewayPort: options.gatewayPort,
    httpPort: options.httpPort,
    regionId: options.region,
    defaultGroup: options.defaultGroup,
    roles: options.roles,
    runtimeFallback: options.runtimeFallback,
    debug: options.debug ?? null,
    strict: options.strict,
    allowsLoopbackBackends: options.mode === 'dev',
    ownDomainLimitPerDay: options.ownDomainLimitPerDay,
    allowedBackends: options.allowedBackends,
    vpcTargets: options.vpcTargets,
    trustedProxies: options.trustedProxies,
    groupLimit: options.groupLimit,
    requestLimits: options.requestLimits,
    apiTimeoutMaxMs: options.apiTimeoutMaxMs,
    httpsPolicy: options.httpsPolicy,
    instanceLimit: options.instanceLimit,
    spareMemoryMb: options.spareMemoryMb,
    intranet: options.intranet,
    traces: options.traces,
    showWhyToLoopback: options.mode === 'dev',
    tier: launcher.tier,
    network: launcher.network,
    nativePath: launcher.nativePath,
    dataProcesses: options.dataProcesses,
    forwardToken,
    imageDirectory: options.imageDirectory,
    launcher: launcher.kind,
  };
}

/** What server.json tells of the processes. */
function factsOf(data: DataProcesses): Pick<ServerFacts, 'pid' | 'pids' | 'runDir' | 'dataProcesses'> {
  const dataProcesses = data.running.map((slot) => ({
    data: slot.data.pid,
    launcher: slot.launcher.pid,
    runDir: slot.runDir,
  }));
  const { pid } = process;
  const pids = { control: pid, data: data.first.data.pid, launcher: data.first.launcher.pid };
  return { pid, pids, runDir: data.first.runDir, dataProcesses };
}

/** The authority of the TLS listener; null when none is asked for. */
async function openTls(
  { gatewayTlsPort, dataDir }: ServerOptions,
  store: Store,
  log: Log,
  stack: AsyncDisposableStack,
): Promise<TlsListening | null> {
  if (gatewayTlsPort === null) return null;
  const ca = await openDevelopmentCa(dataDir, store, (error) =>
    log.error('the certificate of the development authority was not renewed', { error: String(error) }),
  );
  stack.defer(() => ca.close());
  return { port: gatewayTlsPort, authority: ca.authority };
}

/** Where the APIs are reached from this machine. */
function placeOf(api: string): ApiPlace {
  const { hostname, port } = new URL(api);
  const host = hostname.replace(/^\[|\]$/g, '');
  const here: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  return { host: here[host] ?? host, port: Number(port || 80) };
}

type Addresses = ListeningAddresses & { readonly api: string };

async function openListeners(
  options: ServerOptions,
  control: Control,
  { data, tls, rights }: { readonly data: DataProcesses; readonly tls: TlsListening | null; readonly rights: Rights },
  stack: AsyncDisposableStack,
): Promise<Addresses> {
  const listen = () => control.listen({ host: options.apiHost, port: options.apiPort });
  const isLow = options.apiPort > 0 && options.apiPort < 1024;
  const api = await (rights.user !== null && isLow ? rights.user.whileRoot(listen) : listen());
  stack.defer(() => control.close());
  return { ...(await data.listen({ api: placeOf(api), tls })), api };
}
