// A control plane on a free loopback port with a real store in a temporary directory, and the official SDKs pointed at it.
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import yazl from 'yazl';
import { systemClock } from '../../src/base/clock.ts';
import {
  type ControlOptions,
  type ControlSettings,
  createControl,
  ensureAccount,
  type RootCredentials,
} from '../../src/control/index.ts';
import type { InvocationOutcome, InvokeRequest } from '../../src/model/invocation.ts';
import { latencyBucketsMs } from '../../src/model/metrics.ts';
import type { RequestQuery, RequestRecord } from '../../src/model/record.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { longTimeoutMs } from '../harness/sdk.ts';

const require = createRequire(import.meta.url);

export type Plane = {
  readonly url: URL;
  readonly credentials: RootCredentials;
  readonly store: Store;
  readonly dataDir: string;
  /** What the fake data process was asked to run. */
  readonly invoked: InvokeRequest[];
  /** What the next invocations answer. */
  outcome: InvocationOutcome;
  readonly records: Map<string, RequestRecord>;
  /** What was searched for among them. */
  readonly searched: RequestQuery[];
  /** Versions that were awaited, in order. */
  readonly awaited: number[];
  readonly logged: string[];
  /** The published facts by `kind key`. */
  published(): Promise<ReadonlyMap<string, unknown>>;
  close(): Promise<void>;
};

export const success: Extract<InvocationOutcome, { kind: 'success' }> = {
  kind: 'success',
  body: Buffer.from('{"hello":"world"}'),
  instanceId: 'c-1',
  durationMs: 3.4,
  maxMemoryMb: 9.21,
  codeChecksum: '123',
  versionId: 'LATEST',
  logTail: Buffer.from('FC Invoke Start\nhi\n'),
  coldStart: null,
  runtimeNote: null,
};

/** `wrap` may put something between the control plane and its store. */
const histogram = { counts: latencyBucketsMs.map(() => 0).concat(3), sumMs: 99_000 };
const processMetrics = { rssBytes: 1024, cpuSeconds: 2.5, loopDelay: { p50Ms: 1, p99Ms: 2, maxMs: 3 } };

const printed = { at: 1, instanceId: 'c-1', text: 'printed' };

/** What the fake processes have counted. */
const metrics = {
  requests: [
    {
      apiId: 'api "1"',
      stage: 'RELEASE',
      groupId: 'g',
      functionName: null,
      qualifier: null,
      statuses: { 200: 2, 502: 1 },
      total: histogram,
      backend: histogram,
      requestBytes: 5,
      responseBytes: 6,
    },
  ],
  triggers: [],
  functions: { instances: { idle: 4, busy: 1 }, inFlight: 1, waiting: 7, pools: 2, spares: 0 },
  log: { dropped: 0, sampledOut: 8 },
  processes: { data: processMetrics, control: processMetrics },
};

export async function startPlane(
  wrap: (store: Store) => Store = (store) => store,
  settings: Partial<ControlSettings> = {},
  openExec?: ControlOptions['openExec'],
): Promise<Plane> {
  const dataDir = mkdtempSync(join(tmpdir(), 'yunmen-control-'));
  const store = await openStore({ dataDir, clock: systemClock });
  const credentials = await ensureAccount(store, { accountId: null, accessKeyId: null, accessKeySecret: null });
  const invoked: InvokeRequest[] = [];
  const awaited: number[] = [];
  const logged: string[] = [];
  const records = new Map<string, RequestRecord>();
  const searched: RequestQuery[] = [];
  const known = ['python3', 'python3.10', 'nodejs6', 'nodejs20', 'custom-container'];
  const write = (message: string, fields?: object) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const control = createControl({
    store: wrap(store),
    account: { accountId: credentials.accountId, regionId: 'cn-hangzhou' },
    clock: systemClock,
    settings,
    log: { debug: write, info: write, warn: write, error: write },
    runtimes: { isKnown: (id) => known.includes(id), all: known },
    awaitLive: async (version) => void awaited.push(version),
    invoke: async (asked) => {
      invoked.push(asked);
      return plane.outcome;
    },
    instancesNow: async () => ({ instances: [], target: 0, problem: '' }),
    requests: {
      find: async (requestId) => records.get(requestId) ?? null,
      search: async (query) => {
        searched.push(query);
        return [...records.values()];
      },
    },
    output: {
      search: async ({ requestId, functionName, limit }) =>
        [{ ...printed, requestId, functionName: functionName ?? 'f' }].slice(0, limit),
    },
    health: () => ({ isolation: 'strong', network: 'open', carrier: 'pasta', launcher: 'sandd' }),
    readMetrics: async () => metrics,
    loopDelay: async () => null,
    ...(openExec === undefined ? {} : { openExec }),
  });
  const plane: Plane = {
    url: new URL(await control.listen({ host: '127.0.0.1', port: 0 })),
    credentials,
    store,
    dataDir,
    invoked,
    outcome: success,
    records,
    searched,
    awaited,
    logged,
    async published() {
      const { changes } = await store.changesSince(0, 100_000);
      const facts = changes.filter(({ value }) => value !== null);
      return new Map(facts.map(({ kind, key, value }) => [`${kind} ${key}`, value]));
    },
    async close() {
      await control.close();
      await store.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  return plane;
}

/** An answer of an SDK; its members are read with at(), textAt() and items(). */
export type Loose = unknown;

/** The member at a path like `Apis.Api.0.ApiId`; undefined when it is not there. */
export function at(value: Loose, path: string): unknown {
  let here: unknown = value;
  for (const name of path.split('.')) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = (here as Record<string, unknown>)[name];
  }
  return here;
}

/** The same as text; `` when it is none. */
export function textAt(value: Loose, path: string): string {
  const found = at(value, path);
  return typeof found === 'string' ? found : '';
}

/** The list at a path; empty when it is none. */
export function items(value: Loose, path: string): readonly unknown[] {
  const found = at(value, path);
  return Array.isArray(found) ? found : [];
}

type Call = (...args: unknown[]) => Promise<Loose>;
type Client = Readonly<Record<string, Call>>;
type ClientClass = new (...args: unknown[]) => Client;

function classOf(name: string, member: string): ClientClass {
  const module = require(name) as Record<string, unknown>;
  return (module[member] ?? module) as ClientClass;
}

export type Models = Readonly<Record<string, new (map: object) => object>>;

export function modelsOf(name: string): Models {
  return require(name) as Models;
}

const longTimeouts = { readTimeout: longTimeoutMs, connectTimeout: longTimeoutMs };

function configOf(plane: Plane, extra: object = {}): object {
  const { Config } = require('@alicloud/openapi-core/dist/utils.js') as { Config: new (map: object) => object };
  const { accessKeyId, accessKeySecret } = plane.credentials;
  return new Config({
    accessKeyId,
    accessKeySecret,
    endpoint: plane.url.host,
    protocol: 'http',
    ...longTimeouts,
    ...extra,
  });
}

/** `@alicloud/cloudapi20160714`: V3, or RPC v1 with `signatureAlgorithm: 'v2'`. */
export function cloudApiSdk(plane: Plane, extra: object = {}): Client {
  return new (classOf('@alicloud/cloudapi20160714', 'default'))(configOf(plane, extra));
}

/** `@alicloud/fc20230330`. */
export function fc3Sdk(plane: Plane): Client {
  return new (classOf('@alicloud/fc20230330', 'default'))(configOf(plane));
}

/** `@alicloud/fc-open20210406`. */
export function fcOpenSdk(plane: Plane): Client {
  const { Config } = require('@alicloud/openapi-client') as { Config: new (map: object) => object };
  const { accessKeyId, accessKeySecret } = plane.credentials;
  const config = new Config({
    accessKeyId,
    accessKeySecret,
    endpoint: plane.url.host,
    protocol: 'http',
    ...longTimeouts,
  });
  return new (classOf('@alicloud/fc-open20210406', 'default'))(config);
}

/** `@alicloud/fc2`. */
export function fc2Sdk(plane: Plane): Client {
  const { accountId, accessKeyId, accessKeySecret } = plane.credentials;
  const config = {
    accessKeyID: accessKeyId,
    accessKeySecret,
    region: 'cn-hangzhou',
    endpoint: plane.url.origin,
    timeout: longTimeoutMs,
  };
  return new (classOf('@alicloud/fc2', 'FC2'))(accountId, config);
}

/** `@alicloud/pop-core`, RPC. */
export function popRpc(plane: Plane, method: 'GET' | 'POST', apiVersion = '2016-07-14') {
  const { accessKeyId, accessKeySecret } = plane.credentials;
  const client = new (classOf('@alicloud/pop-core', 'RPCClient'))({
    accessKeyId,
    accessKeySecret,
    endpoint: plane.url.origin,
    apiVersion,
    opts: { timeout: longTimeoutMs },
  });
  return async (action: string, params: Record<string, unknown>): Promise<Loose> => {
    const flat = Object.entries(params).map(([name, value]) => {
      return [name, typeof value === 'object' && !Array.isArray(value) ? JSON.stringify(value) : value];
    });
    const call = client['request'];
    if (call === undefined) throw new Error('pop-core has no request()');
    return await call.call(client, action, Object.fromEntries(flat), { method });
  };
}

/** `@alicloud/pop-core`, ROA. */
export function popRoa(plane: Plane, apiVersion: string): Client {
  const { accessKeyId, accessKeySecret } = plane.credentials;
  const opts = { timeout: longTimeoutMs };
  const config = { accessKeyId, accessKeySecret, endpoint: plane.url.origin, apiVersion, opts };
  return new (classOf('@alicloud/pop-core', 'ROAClient'))(config);
}

export type RawAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly json: Loose;
};

/** One HTTP call without any SDK. */
export function rawCall(
  plane: Plane,
  method: string,
  target: string,
  options: { headers?: Record<string, string>; body?: string } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const call = request(
      { host: plane.url.hostname, port: plane.url.port, method, path: target, headers: options.headers, agent: false },
      (answer) => {
        buffer(answer).then((bytes) => {
          const text = bytes.toString();
          const json = (text.startsWith('{') ? JSON.parse(text) : {}) as Loose;
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, json });
        }, reject);
      },
    );
    call.on('error', reject);
    call.end(options.body);
  });
}

/** A zip of text files, base64 as the APIs take it. */
export async function zipped(files: Readonly<Record<string, string>>): Promise<string> {
  const zip = new yazl.ZipFile();
  for (const [name, text] of Object.entries(files)) zip.addBuffer(Buffer.from(text), name, { mode: 0o644 });
  zip.end();
  return (await buffer(zip.outputStream)).toString('base64');
}
