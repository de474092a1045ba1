// Sets up groups, functions, APIs and apps through the public APIs, as a user's script would.
import type { Answer } from './sdk.ts';
import { cloudApi, functionCompute, zipped } from './sdk.ts';
import type { TestServer } from './server.ts';

export type Runtime = {
  readonly runtime: string;
  readonly files: Readonly<Record<string, string>>;
  readonly handler: string;
};

export type PublishedTestApi = { readonly apiId: string; readonly path: string };

/** Calls the APIs of one server and remembers the group it made. */
export class Project {
  readonly #server: TestServer;
  readonly groupId: string;
  readonly cloudApi: (action: string, params: Record<string, unknown>) => Promise<Answer>;

  private constructor(server: TestServer, groupId: string) {
    this.#server = server;
    this.groupId = groupId;
    this.cloudApi = cloudApi(server.ready, server.credentials);
  }

  static async create(server: TestServer, name: string): Promise<Project> {
    const call = cloudApi(server.ready, server.credentials);
    const group = await call('CreateApiGroup', { GroupName: name, Description: 'made by a test' });
    const project = new Project(server, String(group['GroupId']));
    const fc = functionCompute(server.ready, server.credentials);
    await fc.createService(name, { description: 'made by a test' });
    return project;
  }

  /** A function in the service of the same name as the group. */
  async addFunction(
    service: string,
    name: string,
    { runtime, files, handler }: Runtime,
    more: object = {},
  ): Promise<void> {
    const fc = functionCompute(this.#server.ready, this.#server.credentials);
    await fc.createFunction(service, {
      functionName: name,
      runtime,
      handler,
      memorySize: 128,
      timeout: 10,
      ...more,
      code: { zipFile: await zipped(files) },
    });
  }

  /** `POST path`; form fields a and b become backend query parameters. Published to `stage`. */
  async addApi(options: {
    service: string;
    functionName: string;
    path: string;
    auth: 'APP' | 'ANONYMOUS';
    stage?: string;
    timeoutMs?: number;
  }): Promise<PublishedTestApi> {
    const { service, functionName, path, auth, stage = 'RELEASE', timeoutMs = 10_000 } = options;
    const names = ['a', 'b'];
    const api = await this.cloudApi('CreateApi', {
      GroupId: this.groupId,
      ApiName: `api_${functionName}`,
      Visibility: 'PRIVATE',
      AuthType: auth,
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
        ServiceTimeout: timeoutMs,
        FunctionComputeConfig: {
          FcRegionId: this.#server.ready.region,
          ServiceName: service,
          FunctionName: functionName,
        },
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
    });
    const apiId = String(api['ApiId']);
    await this.cloudApi('DeployApi', { GroupId: this.groupId, ApiId: apiId, StageName: stage, Description: 'first' });
    return { apiId, path };
  }

  /** An app that may call `apiId` in `stage`. */
  async addApp(
    name: string,
    apiId: string,
    stage = 'RELEASE',
  ): Promise<{ appId: number; key: string; secret: string }> {
    const app = await this.cloudApi('CreateApp', { AppName: name });
    const appId = Number(app['AppId']);
    const security = await this.cloudApi('DescribeAppSecurity', { AppId: appId });
    await this.cloudApi('SetAppsAuthorities', {
      GroupId: this.groupId,
      ApiId: apiId,
      StageName: stage,
      AppIds: String(appId),
    });
    return { appId, key: String(security['AppKey']), secret: String(security['AppSecret']) };
  }

  /** The group's address at the gateway by its own host name. */
  get host(): string {
    return `${this.groupId}.localhost`;
  }
}

/** A Python function that returns `expression` (a Python expression over `event`, a dict) as its result's body. */
export function pythonReturning(expression: string): Runtime {
  return {
    runtime: 'python3.10',
    handler: 'index.handler',
    files: {
      'index.py': [
        'import json',
        'def handler(event, context):',
        '    event = json.loads(event)',
        '    print("looked at", event["path"])',
        `    return ${expression}`,
        '',
      ].join('\n'),
    },
  };
}
