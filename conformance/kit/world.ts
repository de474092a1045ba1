// What the cases of one file share: the server, the clients, and short ways to what a case needs but does not test.
import { type Cleanup, startServer, type TestServer, temporaryDirectory } from '../../tests/harness/server.ts';
import { CallLog } from './calls.ts';
import { type Ask, Clients, type Invoke, model, zipped } from './clients.ts';
import { type AppKeys, callPlain, signedCalls } from './gateway.ts';
import { at, textAt } from './read.ts';
import { type Seen, startUpstream, type Upstream } from './upstream.ts';

/** Where the server is told that the upstream is. */
export const vpcPlace = { VpcId: 'vpc-conformance', InstanceId: '192.168.7.7' } as const;

/** An id as the cloud gives them, of 16 digits: more than a JavaScript number tells apart. */
const accountId = '9876543210987653';

/** What CreateApi needs beside GroupId and ApiName for an anonymous `GET path` that answers `result`. */
export function mockApi(path: string, result: string, authType: 'ANONYMOUS' | 'APP' = 'ANONYMOUS') {
  return {
    Visibility: 'PRIVATE',
    AuthType: authType,
    RequestConfig: {
      RequestProtocol: 'HTTP',
      RequestHttpMethod: 'GET',
      RequestPath: path,
      RequestMode: 'PASSTHROUGH',
    },
    ServiceConfig: { ServiceProtocol: 'HTTP', ServiceTimeout: 5000, Mock: 'TRUE', MockResult: result },
    ResultType: 'JSON',
    ResultSample: '{}',
  };
}

/** The same with a backend at `address`, which is called with `servicePath`. */
export function httpApi(path: string, address: string, servicePath = path) {
  const call = { ServiceTimeout: 5000, ServicePath: servicePath, ServiceHttpMethod: 'GET' };
  return { ...mockApi(path, ''), ServiceConfig: { ServiceProtocol: 'HTTP', ServiceAddress: address, ...call } };
}

/** The journey's API: `POST path`, form fields a and b become backend query parameters of a function. */
export function functionApi(path: string, functionComputeConfig: object, authType: 'ANONYMOUS' | 'APP' = 'APP') {
  const names = ['a', 'b'];
  return {
    Visibility: 'PRIVATE',
    AuthType: authType,
    AllowSignatureMethod: 'HmacSHA1,HmacSHA256',
    RequestConfig: {
      RequestProtocol: 'HTTP',
      RequestHttpMethod: 'POST',
      RequestPath: path,
      RequestMode: 'MAPPING',
      BodyFormat: 'FORM',
    },
    ServiceConfig: {
      ServiceProtocol: 'FunctionCompute',
      ServiceTimeout: 10_000,
      FunctionComputeConfig: functionComputeConfig,
    },
    RequestParameters: names.map((name) => ({
      ApiParameterName: name,
      Location: 'BODY',
      ParameterType: 'String',
      Required: 'OPTIONAL',
    })),
    ServiceParameters: names.map((name) => ({
      ServiceParameterName: name,
      Location: 'QUERY',
      ParameterType: 'STRING',
    })),
    ServiceParametersMap: names.map((name) => ({ ServiceParameterName: name, RequestParameterName: name })),
    ResultType: 'JSON',
    ResultSample: '{}',
  };
}

/** A Node module whose handler gives `expression` (over `event`, the raw bytes) as its result. */
export function nodeReturning(expression: string): Readonly<Record<string, string>> {
  return { 'index.js': `exports.handler = (event, context, callback) => callback(null, ${expression});\n` };
}

/** The sum of the query parameters a and b, in the shape that the gateway wants. */
export const addition = nodeReturning(
  `((q) => ({ isBase64Encoded: false, statusCode: 200, headers: {},
    body: { msg: String(Number(q.a) + Number(q.b)) } }))(JSON.parse(event).queryParameters)`,
);

export class World {
  readonly server: TestServer;
  /** What HTTP and VPC backends of the cases lead to. */
  readonly upstream: Upstream;
  readonly log: CallLog;
  readonly clients: Clients;
  /** pop-core, POST: the default for what a case only needs. */
  readonly ask: Ask;
  readonly fc2: Invoke;
  readonly fcOpen: Invoke;
  readonly fc3: Invoke;
  #names = 0;

  private constructor(server: TestServer, log: CallLog, upstream: Upstream) {
    this.server = server;
    this.upstream = upstream;
    this.log = log;
    this.clients = new Clients(server.ready, server.credentials, log);
    this.ask = this.clients.pop('POST');
    this.fc2 = this.clients.fc2();
    this.fcOpen = this.clients.fcOpen();
    this.fc3 = this.clients.fc3();
  }

  /** A fresh server; ends with `cleanup`. */
  static async start(cleanup: Cleanup, log = new CallLog()): Promise<World> {
    const upstream = await startUpstream();
    cleanup.after(() => upstream.close());
    const server = await startServer(
      cleanup,
      [
        ...['start', '--isolation', 'none', '--runtime-fallback', '--gateway-tls-port', '0'],
        ...['--account-id', accountId],
        ...['--allow-backend', '127.0.0.1/32', '--vpc-target', `${vpcPlace.VpcId}/${vpcPlace.InstanceId}=127.0.0.1`],
      ],
      temporaryDirectory(cleanup),
    );
    return new World(server, log, upstream);
  }

  /** A name that nothing else of this server has. */
  unique(name: string): string {
    this.#names += 1;
    return `${name}_${this.#names}`;
  }

  async newGroup(more: object = {}): Promise<string> {
    return textAt(await this.ask('CreateApiGroup', { GroupName: this.unique('group'), ...more }), 'GroupId');
  }

  /** A draft. */
  async newApi(groupId: string, definition: object): Promise<string> {
    const made = await this.ask('CreateApi', { GroupId: groupId, ApiName: this.unique('api'), ...definition });
    return textAt(made, 'ApiId');
  }

  /** A draft that is live at once in `stage`. */
  async liveApi(groupId: string, definition: object, stage = 'RELEASE'): Promise<string> {
    const apiId = await this.newApi(groupId, definition);
    await this.ask('DeployApi', { GroupId: groupId, ApiId: apiId, StageName: stage, Description: 'made by a case' });
    return apiId;
  }

  async newApp(more: object = {}): Promise<AppKeys & { readonly appId: number }> {
    const made = await this.ask('CreateApp', { AppName: this.unique('app'), ...more });
    const appId = Number(at(made, 'AppId'));
    const security = await this.ask('DescribeAppSecurity', { AppId: appId });
    return { appId, key: textAt(security, 'AppKey'), secret: textAt(security, 'AppSecret') };
  }

  /** What an unsigned GET gets: `200 body`, or `status code` of the gateway's error. */
  async get(groupId: string, path: string, stage = 'RELEASE'): Promise<string> {
    const answer = await callPlain(this.server.ready, groupId, path, { headers: { 'x-ca-stage': stage } });
    return `${answer.status} ${answer.status === 200 ? answer.body : String(answer.headers['x-ca-error-code'])}`;
  }

  /** What the upstream saw of an unsigned GET of an API with an HTTP or VPC backend. Errors: throws when the answer is no 200. */
  async seenBy(groupId: string, path: string, stage = 'RELEASE'): Promise<Seen> {
    const answer = await this.get(groupId, path, stage);
    if (!answer.startsWith('200 ')) throw new Error(`the gateway answered ${answer}`);
    return JSON.parse(answer.slice(4)) as Seen;
  }

  /** The same by the official client with an app's key: `200 body` (which has to be JSON) or `status`. */
  async getSigned(groupId: string, path: string, keys: AppKeys, stage = 'RELEASE'): Promise<string> {
    try {
      const body = await signedCalls(this.server.ready, groupId, keys, stage).get(path);
      return `200 ${typeof body === 'string' ? body : JSON.stringify(body)}`;
    } catch (error) {
      if (typeof at(error, 'code') !== 'number') throw error;
      return String(at(error, 'code'));
    }
  }

  /** A Node function of this code without a service; 2023-03-30. */
  async newFunction3(files: Readonly<Record<string, string>>, more: object = {}): Promise<string> {
    const functionName = this.unique('three');
    const code = model('3', 'InputCodeLocation', { zipFile: await zipped(files) });
    const settings = {
      functionName,
      runtime: 'nodejs20',
      handler: 'index.handler',
      memorySize: 128,
      cpu: 0.1,
      timeout: 10,
    };
    const body = model('3', 'CreateFunctionInput', { ...settings, code, ...more });
    await this.fc3('createFunction', model('3', 'CreateFunctionRequest', { body }));
    return functionName;
  }

  /** A service with one Node function of this code; 2016-08-15. */
  async newFunction(
    files: Readonly<Record<string, string>>,
    more: object = {},
  ): Promise<[service: string, name: string]> {
    const [service, name] = [this.unique('service'), this.unique('function')];
    await this.fc2('createService', service);
    const base = { functionName: name, runtime: 'nodejs20', handler: 'index.handler', memorySize: 128, timeout: 10 };
    await this.fc2('createFunction', service, { ...base, code: { zipFile: await zipped(files) }, ...more });
    return [service, name];
  }
}
