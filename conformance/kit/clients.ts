// The official SDKs, unmodified from npm, pointed at one server. Every successful call is noted in the log by its operation.
import { createRequire } from 'node:module';
import { buffer } from 'node:stream/consumers';
import yazl from 'yazl';
import { longTimeoutMs } from '../../tests/harness/sdk.ts';
import type { Credentials, Ready } from '../../tests/harness/server.ts';
import type { CallLog, OperationName } from './calls.ts';
import { at } from './read.ts';

const require = createRequire(import.meta.url);

export type FcVersion = '2016-08-15' | '2021-04-06' | '2023-03-30';
/** What the client of a session takes, and what is typed once it is open. */
export type ExecOptions = {
  readonly command: string | readonly string[];
  readonly tty?: boolean;
  readonly stdin?: boolean;
  readonly stderr?: boolean;
  readonly idleTimeout?: number;
  readonly input?: string;
};
/** `closed`: code and reason. `error`: of a call that was refused. */
export type ExecResult = {
  readonly stdout: string;
  readonly stderr: string;
  readonly closed: readonly [code: number, reason: string];
  readonly error: string | null;
};
export type Exec = (names: readonly string[], instanceId: string, options: ExecOptions) => Promise<ExecResult>;
type Fc2Exec = {
  version: string;
  websocket(path: string, query: object): unknown;
  instanceExec(...args: readonly unknown[]): Promise<{
    readonly websocket: { once(event: string, listener: (...of: never[]) => void): void };
    sendMessage(bytes: Uint8Array): void;
  }>;
};

/** An operation by its own name, method and whole path; `body` is sent as JSON. */
export type Roa = (
  operation: string,
  method: 'get' | 'post' | 'put' | 'delete',
  path: string,
  query?: object,
  body?: object,
) => Promise<unknown>;

type Method = (...args: unknown[]) => Promise<unknown>;
type Sdk = Readonly<Record<string, Method>>;
type SdkClass = new (...args: unknown[]) => Sdk;
type Model = new (members: object) => object;

/** An RPC action with wire names; objects are sent as JSON text, as every caller of these products does. */
export type Ask = (action: string, params?: Readonly<Record<string, unknown>>) => Promise<unknown>;
/** A method of an FC SDK with its own arguments. */
export type Invoke = (method: string, ...args: unknown[]) => Promise<unknown>;

function load(name: string, member?: string): unknown {
  const module = require(name) as Record<string, unknown>;
  return member === undefined ? module : module[member];
}

function callMethod(sdk: Sdk, name: string, args: readonly unknown[]): Promise<unknown> {
  const method = sdk[name];
  if (method === undefined) throw new Error(`the SDK has no ${name}()`);
  return method.apply(sdk, [...args]);
}

const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);
const upperFirst = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** Names of parameters; of a list that is written out, `Tag.1.Key`, the list's. Not those that have no value. */
function topNames(params: Readonly<Record<string, unknown>>): string[] {
  const given = Object.entries(params).filter(([, value]) => value !== undefined && value !== '');
  return given.map(([name]) => name.replace(/\..*$/, ''));
}

function jsonTexts(params: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(params).map(([name, value]) => {
    const isPlainObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    const isListOfObjects = Array.isArray(value) && typeof value[0] === 'object' && name !== 'Tag' && name !== 'Api';
    return [name, isPlainObject || isListOfObjects ? JSON.stringify(value) : value] as const;
  });
  return Object.fromEntries(entries);
}

const lowerNames = (members: object) =>
  Object.fromEntries(Object.entries(members).map(([name, value]) => [lowerFirst(name), value]));

/** The lists whose items have a model of their own in the typed SDK, which writes them out: Tag.1.Key. */
function listsOfModels(models: Readonly<Record<string, Model>>, action: string, params: object): object {
  const lists = Object.entries(params).flatMap(([name, value]) => {
    const ItemClass = models[`${action}Request${name}`];
    if (ItemClass === undefined || !Array.isArray(value)) return [];
    return [[name, value.map((item: object) => new ItemClass(lowerNames(item)))] as const];
  });
  return Object.fromEntries(lists);
}

const longTimeouts = { readTimeout: longTimeoutMs, connectTimeout: longTimeoutMs };

/** Makes the clients of one server; each gets `credentials`, the server's own unless others are given. */
export class Clients {
  readonly #ready: Ready;
  readonly #log: CallLog;
  readonly #credentials: Credentials;

  constructor(ready: Ready, credentials: Credentials, log: CallLog) {
    this.#ready = ready;
    this.#credentials = credentials;
    this.#log = log;
  }

  #logged(
    prefix: string,
    name: string,
    args: readonly unknown[],
    sdk: Sdk,
    operation: string,
    parameters: readonly string[] = [],
  ): Promise<unknown> {
    const full = `${prefix}/${operation}` as OperationName;
    return callMethod(sdk, name, args).then(
      (answer) => {
        this.#log.succeeded(full, parameters);
        return answer;
      },
      (error: unknown) => {
        this.#log.refused(full, String(at(error, 'code')));
        throw error;
      },
    );
  }

  #rpcConfig(apiVersion: string): object {
    const { accessKeyId, accessKeySecret } = this.#credentials;
    const opts = { timeout: longTimeoutMs };
    return { accessKeyId, accessKeySecret, endpoint: this.#ready.api, apiVersion, opts };
  }

  /** `@alicloud/pop-core`, RPC. */
  pop(method: 'GET' | 'POST', version = '2016-07-14', product = 'CloudAPI'): Ask {
    const sdk = new (load('@alicloud/pop-core', 'RPCClient') as SdkClass)(this.#rpcConfig(version));
    return (action, params = {}) =>
      this.#logged(
        `${product}/${version}`,
        'request',
        [action, jsonTexts(params), { method }],
        sdk,
        action,
        topNames(params),
      );
  }

  /** `@alicloud/cloudapi` 1.x, over pop-core. */
  older(): Ask {
    const sdk = new (load('@alicloud/cloudapi') as SdkClass)(this.#rpcConfig('2016-07-14'));
    return (action, params = {}) => {
      const args = [jsonTexts(params), { method: 'POST' }];
      return this.#logged('CloudAPI/2016-07-14', lowerFirst(action), args, sdk, action);
    };
  }

  /** `@alicloud/cloudapi20160714` 4.x: V3, or RPC v1 as `v2`. Wire names go in and come out, over the SDK's models. */
  current(signature: 'v3' | 'v2'): Ask {
    const { Config } = load('@alicloud/openapi-core/dist/utils.js') as { Config: Model };
    const { accessKeyId, accessKeySecret } = this.#credentials;
    const config = new Config({
      accessKeyId,
      accessKeySecret,
      endpoint: new URL(this.#ready.api).host,
      protocol: 'http',
      ...longTimeouts,
      ...(signature === 'v2' ? { signatureAlgorithm: 'v2' } : {}),
    });
    const sdk = new (load('@alicloud/cloudapi20160714', 'default') as SdkClass)(config);
    const models = load('@alicloud/cloudapi20160714') as Record<string, Model & { names(): Record<string, string> }>;
    return async (action, params = {}) => {
      const ModelClass = models[`${action}Request`];
      if (ModelClass === undefined) throw new Error(`the SDK has no ${action}Request`);
      const known: ReadonlySet<string> = new Set(Object.values(ModelClass.names()));
      const unknown = Object.keys(params).find((name) => !known.has(name));
      // The SDK would leave it out in silence.
      if (unknown !== undefined) throw new Error(`the SDK's ${action}Request has no ${unknown}`);
      const args = [new ModelClass(lowerNames({ ...jsonTexts(params), ...listsOfModels(models, action, params) }))];
      const called = this.#logged('CloudAPI/2016-07-14', lowerFirst(action), args, sdk, action, topNames(params));
      const answer = (await called) as { body: { toMap(): Record<string, unknown> } };
      return answer.body.toMap();
    };
  }

  /** `@alicloud/fc2`: 2016-08-15, classic signature. Answers `{headers, data}`. */
  fc2(): Invoke {
    const { accountId, accessKeyId, accessKeySecret } = this.#credentials;
    const config = {
      accessKeyID: accessKeyId,
      accessKeySecret,
      region: this.#ready.region,
      endpoint: this.#ready.api,
      timeout: longTimeoutMs,
    };
    const sdk = new (load('@alicloud/fc2') as SdkClass)(accountId, config);
    return (method, ...args) => this.#logged('FC/2016-08-15', method, args, sdk, upperFirst(method));
  }

  /**
   * The WebSocket of `@alicloud/fc2`, for which the SDKs of the newer versions have nothing: it signs and calls the same path of each.
   * Resolves when it is closed. `names`: service and function, or function.
   */
  exec(version: FcVersion): Exec {
    const { accountId, accessKeyId, accessKeySecret } = this.#credentials;
    const config = { accessKeyID: accessKeyId, accessKeySecret, endpoint: this.#ready.api, region: this.#ready.region };
    const sdk = new (load('@alicloud/fc2') as SdkClass)(accountId, config) as unknown as Fc2Exec;
    sdk.version = version;
    const websocket = sdk.websocket.bind(sdk);
    sdk.websocket = (path, query) =>
      websocket(version === '2023-03-30' ? path.replace(/^.*(?=\/functions)/, '') : path, query);
    return async (names, instanceId, { input = '', ...options }) => {
      const [service = '', name = service] = names;
      const result = { stdout: '', stderr: '', closed: [0, ''] as [number, string], error: null as string | null };
      const closed = Promise.withResolvers<void>();
      const hooks = {
        onStdout: (bytes: Buffer) => (result.stdout += bytes.toString()),
        onStderr: (bytes: Buffer) => (result.stderr += bytes.toString()),
        onError: (error: Error) => (result.error ??= error.message),
      };
      const session = await sdk.instanceExec(service, name, '', instanceId, options, hooks);
      session.websocket.once('open', () => {
        this.#log.succeeded(`FC/${version}/InstanceExec`);
        if (input !== '') session.sendMessage(Buffer.from(input));
      });
      session.websocket.once('close', (code: number, reason: Buffer) => {
        result.closed = [code, reason.toString()];
        closed.resolve();
      });
      await closed.promise;
      return result;
    };
  }

  /** `@alicloud/fc-open20210406`: V3. Answers `{headers, body}`. Requests are made with model(). */
  fcOpen(): Invoke {
    const { Config } = load('@alicloud/openapi-client') as { Config: Model };
    const { accessKeyId, accessKeySecret } = this.#credentials;
    const endpoint = new URL(this.#ready.api).host;
    const config = new Config({ accessKeyId, accessKeySecret, endpoint, protocol: 'http', ...longTimeouts });
    const sdk = new (load('@alicloud/fc-open20210406', 'default') as SdkClass)(config);
    return (method, ...args) => this.#logged('FC/2021-04-06', method, args, sdk, upperFirst(method));
  }

  /** `@alicloud/fc20230330`: V3. Answers `{headers, body}`. */
  fc3(): Invoke {
    const { Config } = load('@alicloud/openapi-core/dist/utils.js') as { Config: Model };
    const { accessKeyId, accessKeySecret } = this.#credentials;
    const endpoint = new URL(this.#ready.api).host;
    const config = new Config({ accessKeyId, accessKeySecret, endpoint, protocol: 'http', ...longTimeouts });
    const sdk = new (load('@alicloud/fc20230330', 'default') as SdkClass)(config);
    return (method, ...args) => this.#logged('FC/2023-03-30', method, args, sdk, upperFirst(method));
  }

  /** `@alicloud/pop-core`, ROA: `call(operation, method, path, query, body)`, for what its version's SDK does not have too. */
  roa(apiVersion: string): Roa {
    const sdk = new (load('@alicloud/pop-core', 'ROAClient') as SdkClass)(this.#rpcConfig(apiVersion));
    return (operation, method, path, query = {}, body = undefined) => {
      const hasBody = method === 'post' || method === 'put';
      const json = body === undefined ? '' : JSON.stringify(body);
      const headers = { 'content-type': 'application/json' };
      const args = hasBody ? [path, query, json, headers] : [path, query, headers];
      return this.#logged(`FC/${apiVersion}`, method, args, sdk, operation);
    };
  }
}

/** A model of `@alicloud/fc-open20210406` or `@alicloud/fc20230330` with its members in the SDK's spelling. */
export function model(version: 'open' | '3', name: string, members: object = {}): object {
  const models = load(version === 'open' ? '@alicloud/fc-open20210406' : '@alicloud/fc20230330');
  const ModelClass = (models as Record<string, Model>)[name];
  if (ModelClass === undefined) throw new Error(`the SDK has no ${name}`);
  return new ModelClass(members);
}

/** A zip of text files, base64 as the APIs take it: the same files give the same bytes. */
export async function zipped(files: Readonly<Record<string, string>>): Promise<string> {
  const zip = new yazl.ZipFile();
  const mtime = new Date(2026, 0, 1);
  for (const [name, text] of Object.entries(files)) {
    zip.addBuffer(Buffer.from(text), name, { mode: name === 'bootstrap' ? 0o755 : 0o644, mtime });
  }
  zip.end();
  return (await buffer(zip.outputStream)).toString('base64');
}

/** Where and with what a temporary bucket's token lets an object be put. */
export type Upload = { readonly token: unknown; readonly objectName: string; readonly content: Buffer };

/** Puts an object with `ali-oss`, as the deploy tools do. The server's API address stands for the object store. */
export async function putObject(ready: Ready, { token, objectName, content }: Upload): Promise<void> {
  const { credentials, ossBucket, ossRegion } = token as {
    credentials: { AccessKeyId: string; AccessKeySecret: string; SecurityToken: string };
    ossBucket: string;
    ossRegion: string;
  };
  const sdk = new (load('ali-oss') as SdkClass)({
    endpoint: ready.api,
    region: ossRegion,
    bucket: ossBucket,
    accessKeyId: credentials.AccessKeyId,
    accessKeySecret: credentials.AccessKeySecret,
    stsToken: credentials.SecurityToken,
  });
  await callMethod(sdk, 'put', [objectName, content]);
}
