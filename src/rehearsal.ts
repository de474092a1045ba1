// The data process rehearses: calls that nobody has made, to a function that is nobody's, through a gateway and a compute plane of
// its own, so that the code for it is compiled when the first call comes (docs/decisions/0018). Started by data-process.ts.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { systemClock } from './base/clock.ts';
import { systemRandom } from './base/ids.ts';
import type { Log } from './base/log.ts';
import { createNonceStore } from './base/nonce-store.ts';
import { createWindowCounters } from './base/window-counters.ts';
import { FunctionDirectory } from './function-directory.ts';
import { createFunctions, type Exit, type Functions, type Launcher } from './functions/index.ts';
import { createGateway, defaultGatewaySettings, type Gateway, listenerOptions } from './gateway/index.ts';
import {
  authDefaults,
  listDefaults,
  parameterDefaults,
  requestDefaults,
  serviceDefaults,
} from './model/api-defaults.ts';
import type { Change } from './model/published.ts';
import type { RequestRecord } from './model/record.ts';
import { createRequestLogSender } from './request-log-sender.ts';
import { RequestMetrics } from './request-metrics.ts';
import { encodeFrame, FrameDecoder, protocolVersion } from './wire/frames.ts';
import { signRequest } from './wire/gateway-signature.ts';

/** Changes of the function, each with a cold call after it and a warm one: more made nothing quicker. */
const rounds = 12;
const callsPerRound = 2;
/** Between two of them: who calls really is served meanwhile. */
const pauseMs = 5;
/** All that it may take; the process is busy with better things then. */
const limitMs = 20_000;
/** One process that waits is enough. */
const spareMemoryMb = 32;

const host = '0'.repeat(32);
const path = '/rehearsal';
const app = { key: 'rehearsal', secret: 'r'.repeat(32) };
const answer = Buffer.from('{"isBase64Encoded":false,"statusCode":200,"headers":{},"body":"{\\"n\\":\\"1\\"}"}');

/**
 * Resolves when nothing of it is left. `runDir`: where the sockets of instances are.
 *
 * Errors: rejects when a call is not answered as it must be, or in time, or by `signal`; nothing is left then either.
 */
export async function rehearse(runDir: string, log: Log, signal: AbortSignal): Promise<void> {
  const address = `${runDir}/i/g.sock`;
  const stack = new AsyncDisposableStack();
  try {
    const stage = openStage(runDir, log, stack);
    const server = createServer(listenerOptions(defaultGatewaySettings), stage.gateway.handle);
    stage.gateway.attach(server);
    stack.defer(() => closeServer(server));
    server.listen(address);
    await once(server, 'listening', { signal });
    const late = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
    for (let round = 1; round <= rounds; round += 1) {
      await stage.publish(round);
      while (stage.functions.stats().spares === 0) await delay(pauseMs, undefined, { signal: late });
      for (let call = 0; call < callsPerRound; call += 1) {
        await callOnce(address, late);
        await delay(pauseMs, undefined, { signal: late });
      }
    }
  } finally {
    await stack.disposeAsync();
  }
}

type Stage = { readonly gateway: Gateway; readonly functions: Functions; publish(version: number): Promise<void> };

function openStage(runDir: string, log: Log, stack: AsyncDisposableStack): Stage {
  const directory = new FunctionDirectory({ codeDirectory: '/', random: systemRandom });
  const actors = new Actors();
  const functions = createFunctions({
    clock: systemClock,
    runDir,
    launcher: actors,
    find: (target) => directory.find(target),
    isPublished: (config) => directory.isPublished(config),
    credentialsOf: () => null,
    packagesDirectory: '/',
    runtimeFallback: true,
    tier: 'strong',
    limits: { spareMemoryMb },
    log,
  });
  stack.defer(() => functions.close());
  const metrics = RequestMetrics.ofApis();
  const sender = createRequestLogSender({
    clock: systemClock,
    fullRate: 1_000,
    batchMs: 100,
    waitingBytes: 1024 * 1024,
    send: () => Promise.resolve(),
    onSampling: () => {},
  });
  stack.defer(() => sender.flush());
  const gateway = createGateway({
    clock: systemClock,
    invoke: functions.invoke,
    httpFunctions: functions.http,
    pauseOf: functions.pauseOf,
    claimNonce: createNonceStore({ clock: systemClock, limit: 1_000 }).claim,
    count: createWindowCounters(1_000).count,
    report(record: RequestRecord) {
      metrics.add(record);
      sender.add(record);
    },
    reportBug: (error) => log.error('a bug in the rehearsal', { error: inspect(error) }),
    settings: defaultGatewaySettings,
  });
  stack.defer(() => gateway.close());
  return {
    gateway,
    functions,
    async publish(version) {
      const changes = version === 1 ? [...fixed, functionOf(version)] : [functionOf(version)];
      const changed = directory.apply({ version, changes });
      functions.apply({ version, changes });
      await gateway.apply({ version, changes });
      for (const { key, versionId } of changed) functions.changed(key, versionId);
    },
  };
}

/** Errors: rejects when the answer is not the function's. */
async function callOnce(socketPath: string, signal: AbortSignal): Promise<void> {
  const body = Buffer.from('n=1');
  const { headers } = signRequest({
    method: 'POST',
    target: path,
    headers: { Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded; charset=UTF-8' },
    body,
    appKey: app.key,
    appSecret: app.secret,
    stage: 'RELEASE',
    timestamp: Date.now(),
    nonce: crypto.randomUUID(),
  });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const socket = connect(socketPath);
  try {
    await once(socket, 'connect', { signal });
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: ${host}.localhost\r\nContent-Length: ${body.length}\r\n${lines.join('')}\r\n${body}`,
    );
    const [bytes] = (await once(socket, 'data', { signal })) as [Buffer];
    const text = bytes.toString('latin1');
    if (!text.startsWith('HTTP/1.1 200 ')) throw new Error(`a rehearsed call was answered ${text.slice(0, 200)}`);
  } finally {
    socket.destroy();
  }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Processes that are none: each takes its function and answers, within this process. */
class Actors implements Launcher {
  readonly spareTiers = ['strong'] as const;
  readonly #actors = new Map<string, { readonly log: Socket; readonly frames: Socket }>();
  #onExited: (exit: Exit) => void = () => {};

  start(): Promise<never> {
    return Promise.reject(new Error('a rehearsed call found no process that waited'));
  }

  async startSpare({ instanceId, socketDirectory }: Parameters<Launcher['startSpare']>[0]) {
    const [log, frames] = [connect(`${socketDirectory}/l.sock`), connect(`${socketDirectory}/f.sock`)];
    this.#actors.set(instanceId, { log, frames });
    for (const socket of [log, frames]) socket.on('error', () => {}); // the other end closes it
    await Promise.all([once(log, 'connect'), once(frames, 'connect')]);
    log.write('FC_SPARE ready\n');
    const decoder = FrameDecoder.ofAny();
    frames.on('data', (chunk: Buffer) => {
      const decoded = decoder.push(chunk);
      for (const { type, stream } of decoded.ok ? decoded.frames : []) {
        if (type !== 'load' && type !== 'invoke') continue;
        const payload = type === 'load' ? {} : { payload: answer };
        frames.write(encodeFrame({ type: 'end', stream, head: { rss: 1 }, ...payload }));
      }
    });
    return { pid: process.pid };
  }

  async assign({ instanceId, startLine }: Parameters<Launcher['assign']>[0]): Promise<void> {
    const { token } = JSON.parse(startLine) as { token: string };
    const head = { token, protocol: protocolVersion, language: 'node', version: '26.0.0', pid: process.pid, ahead: 1 };
    this.#actors.get(instanceId)?.frames.write(encodeFrame({ type: 'hello', stream: 0, head }));
  }

  async stop(instanceId: string): Promise<void> {
    const actor = this.#actors.get(instanceId);
    if (actor === undefined) return;
    this.#actors.delete(instanceId);
    for (const socket of [actor.log, actor.frames]) socket.destroy();
    const outcome = { code: 0, signal: null, isOutOfMemory: false, peakMemoryKb: 0 };
    this.#onExited({ instanceId, ...outcome });
  }

  async setFrozen(): Promise<void> {}

  async interpreters() {
    return [{ language: 'node', version: '26.0.0', path: '/node', prefix: '/' } as const];
  }

  onExited(listener: (exit: Exit) => void): void {
    this.#onExited = listener;
  }
}

const target = { serviceName: null, functionName: 'rehearsal', qualifier: null };

function functionOf(version: number): Change {
  const { functionName } = target;
  return {
    kind: 'function',
    key: functionName,
    value: {
      key: functionName,
      accountId: '1',
      regionId: 'cn-hangzhou',
      serviceName: null,
      functionName,
      versionId: 'LATEST',
      runtime: 'nodejs20',
      handler: 'index.handler',
      memoryMb: 128,
      timeoutMs: 10_000,
      initializer: null,
      environment: { ROUND: String(version) },
      instanceConcurrency: 1,
      role: null,
      logProject: '',
      logStore: '',
      code: { sha256: '0', checksum: '0', sizeBytes: 1 },
    },
  };
}

const fixed: readonly Change[] = [
  {
    kind: 'group',
    key: host,
    value: {
      groupId: host,
      regionId: 'cn-hangzhou',
      subDomain: `${host}-cn-hangzhou.alicloudapi.com`,
      basePath: '/',
      domains: [],
      isClassic: false,
    },
  },
  {
    kind: 'api',
    key: 'rehearsal/RELEASE',
    value: {
      apiId: 'rehearsal',
      groupId: host,
      stage: 'RELEASE',
      definition: {
        apiName: 'rehearsal',
        ...listDefaults,
        auth: authDefaults,
        request: { ...requestDefaults, method: 'POST', path, bodyFormat: 'FORM' },
        parameters: [{ ...parameterDefaults, name: 'n', location: 'BODY', required: true }],
        serviceParameters: [{ ...serviceDefaults, name: 'n' }],
        mappings: [{ requestName: 'n', serviceName: 'n' }],
        backend: {
          kind: 'function-event',
          target,
          regionId: 'cn-hangzhou',
          roleArn: null,
          timeoutMs: 10_000,
          contentType: { category: 'DEFAULT', value: null },
        },
      },
    },
  },
  { kind: 'app', key: '1', value: { appId: 1, appName: 'rehearsal', keys: [app] } },
  {
    kind: 'grant',
    key: '1/rehearsal/RELEASE',
    value: { appId: 1, apiId: 'rehearsal', stage: 'RELEASE', expiresAt: null },
  },
];
