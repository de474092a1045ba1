// A whole server: store, APIs, and the launcher and data processes around them. Runs in the control process.
import { join } from 'node:path';
import type { Channel } from './base/channel.ts';
import { systemClock } from './base/clock.ts';
import { randomHex } from './base/ids.ts';
import type { Log } from './base/log.ts';
import { type OwnProcess, startOwnProcess } from './child-process.ts';
import type { RunningServer, ServerCredentials, ServerOptions } from './cli/index.ts';
import {
  type Control,
  type ControlOptions,
  createControl,
  ensureAccount,
  republishFunctions,
  tokenKeyPurpose,
} from './control/index.ts';
import { openDevelopmentCa } from './development-ca.ts';
import { Follower } from './follower.ts';
import { decodeOutcome, encodeRequest } from './forwarded-invocation.ts';
import { defaultRuntimesDirectory, isKnownRuntime, runtimeIds } from './functions/index.ts';
import { type StartedLauncher, startLauncher } from './launcher-start.ts';
import type { InvokeFunction } from './model/invocation.ts';
import type { LoopDelay } from './model/loop-delay.ts';
import type { DataMetrics } from './model/metrics.ts';
import { dataHandlers } from './outlets.ts';
import { watchProcess } from './process-metrics.ts';
import { makeRunDirectory, removeRunDirectory } from './run-directory.ts';
import { credentialsPath, removeServerFile, writeCredentials, writeServerFile } from './server-files.ts';
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
  const lock = acquireDataDir(dataDir);
  stack.defer(() => lock.release());
  const runDir = makeRunDirectory();
  stack.defer(() => removeRunDirectory(runDir));
  const ended = Promise.withResolvers<{ reason: string }>();
  const readProcess = watchProcess();
  const requests = openRequestLog(dataDir, log, stack);

  const opening = openKeptStore(dataDir, stack);
  const [processes, store] = await Promise.all([
    startProcesses(options, { runDir, log, requests, stack, opening }),
    opening,
  ]);
  const { launcher, data } = processes;
  const credentials = await ensureAccount(store, options);
  writeCredentials(dataDir, credentials);

  const account = { accountId: credentials.accountId, regionId: options.region };
  await republishFunctions(store, account);
  const sweeps = new Sweeps({ store, clock: systemClock, log });
  stack.defer(() => sweeps.close());

  const follower = new Follower(store, data.channel, {
    clock: systemClock,
    limitMs: limits.followMs,
    onLaggard: (error) => ended.resolve({ reason: error.message }),
  });
  stack.defer(() => follower.close());
  await follower.catchUp();
  const tokenKey = store.deriveKey(tokenKeyPurpose);
  await data.channel.call('tokenKey', null, { body: tokenKey });

  let functionUrls: string | null = null;
  const control = createControl({
    store,
    account,
    clock: systemClock,
    awaitLive: (version) => follower.awaitLive(version),
    invoke: forwardTo(data.channel),
    functionUrls: () => functionUrls,
    requests: keptRequests(await requests, data.channel),
    readMetrics: async () => ({
      data: (await data.channel.call('metrics', null)).data as DataMetrics,
      control: readProcess(),
    }),
    loopDelay: async (what) => (await data.channel.call('loopDelay', what)).data as LoopDelay | null,
    runtimes: { isKnown: isKnownRuntime, all: runtimeIds },
    settings: { showColdStart: options.mode === 'dev' },
    log,
  });
  const tls = await openTls(options, store, log, stack);
  const addresses = await openListeners(options, control, { data: data.channel, tls }, stack);
  functionUrls = addresses.http;
  writeServerFile(dataDir, {
    pid: process.pid,
    ...addresses,
    region: options.region,
    pids: { control: process.pid, data: data.pid, launcher: launcher.pid },
    runDir,
  });
  stack.defer(() => removeServerFile(dataDir));

  const close = closeOnce(stack, ended.resolve);
  for (const child of [launcher, data]) {
    void child.exited.then((how) => close(`the ${child.name} process ended (${how})`));
  }
  void ended.promise.then(({ reason }) => close(reason));
  return {
    ready: {
      ...addresses,
      console: `${addresses.api}/console/`,
      accountId: credentials.accountId,
      region: options.region,
      accessKeyId: credentials.accessKeyId,
      credentialsFile: credentialsPath(dataDir),
      isolation: launcher.tier,
      launcher: launcher.kind,
    },
    credentials: credentials satisfies ServerCredentials,
    onExit: ended.promise,
    async setDefaultGroup(groupId) {
      await data.channel.call('defaultGroup', groupId);
    },
    close: () => close('stopped'),
  };
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

/** What is on the way from the data process counts as kept. */
function keptRequests(requests: RequestLog, data: Channel): ControlOptions['requests'] {
  const arrived = () => data.call('flushRequests', null);
  return {
    find: (requestId) => arrived().then(() => requests.find(requestId)),
    search: (query) => arrived().then(() => requests.search(query)),
  };
}

function forwardTo(channel: Channel): InvokeFunction {
  return async (request, signal) => {
    const { data, body } = encodeRequest(request);
    return decodeOutcome(await channel.call('invoke', data, { body, signal }));
  };
}

type Processes = { readonly launcher: StartedLauncher; readonly data: OwnProcess };
type Around = {
  readonly runDir: string;
  readonly log: Log;
  readonly requests: Promise<RequestLog>;
  readonly stack: AsyncDisposableStack;
  /** The store as it is opened at the same time. */
  readonly opening: Promise<Store>;
};

async function startProcesses(options: ServerOptions, around: Around): Promise<Processes> {
  const { runDir, log, requests, stack, opening } = around;
  const launcherToken = randomHex(32);
  const { isolation, mode } = options;
  const starting = startLauncher({ runDir, launcherToken, isolation, mode }, log);
  starting.catch(() => {}); // awaited below, when the data process can be disposed of
  const allow = async (directory: string) => (await starting).allow(directory);
  const data = await startOwnProcess('data', dataHandlers(log, requests, allow));
  // Disposed in reverse: the data process first (it finishes what runs), then the launcher (it ends the instances).
  stack.defer(async () => await endLauncher(await starting.catch(() => null)));
  stack.defer(() => endData(data));
  const launcher = await starting;
  const codeDirectory = (await opening).packages.directory;
  for (const directory of [codeDirectory, defaultRuntimesDirectory()]) {
    const refusal = await launcher.allow(directory);
    if (refusal !== null) throw new Error(`functions cannot be shown ${directory}: ${refusal}`);
  }
  const dataSettings: DataSettings = {
    runDir,
    launcherToken,
    codeDirectory,
    host: options.host,
    gatewayPort: options.gatewayPort,
    httpPort: options.httpPort,
    regionId: options.region,
    defaultGroup: options.defaultGroup,
    roles: options.roles,
    runtimeFallback: options.runtimeFallback,
    strict: options.strict,
    allowsLoopbackBackends: options.mode === 'dev',
    ownDomainLimitPerDay: options.ownDomainLimitPerDay,
    allowedBackends: options.allowedBackends,
    vpcTargets: options.vpcTargets,
    trustedProxies: options.trustedProxies,
    groupLimit: options.groupLimit,
    instanceLimit: options.instanceLimit,
    intranet: options.intranet,
    showWhyToLoopback: options.mode === 'dev',
    tier: launcher.tier,
    launcher: launcher.kind,
  };
  await data.channel.call('configure', dataSettings);
  return { launcher, data };
}

/** How long a process may take to end by itself before it is killed; milliseconds. */
const endMs = 1_500;

async function endData(data: OwnProcess): Promise<void> {
  const isGone = data.exited.then(() => true);
  const stop = data.channel.call('stop', limits.stopGraceMs).catch(() => {}); // gone already: nothing to finish
  await Promise.race([stop, isGone]);
  data.channel.close();
  await endWithin(data, endMs);
}

async function endLauncher(launcher: StartedLauncher | null): Promise<void> {
  if (launcher === null) return;
  launcher.close();
  await endWithin(launcher, endMs);
  await launcher.cleanUp();
}

async function endWithin(child: Pick<OwnProcess, 'exited' | 'kill'>, limitMs: number): Promise<void> {
  const kill = setTimeout(() => child.kill('SIGKILL'), limitMs);
  await child.exited;
  clearTimeout(kill);
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

type Addresses = ListeningAddresses & { readonly api: string };

async function openListeners(
  options: ServerOptions,
  control: Control,
  { data, tls }: { readonly data: Channel; readonly tls: TlsListening | null },
  stack: AsyncDisposableStack,
): Promise<Addresses> {
  const api = await control.listen({ host: options.apiHost, port: options.apiPort });
  stack.defer(() => control.close());
  const apiPort = Number(new URL(api).port || 80);
  const addresses = (await data.call('listen', { apiPort, tls })).data as ListeningAddresses;
  return { ...addresses, api };
}
