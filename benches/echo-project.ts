// Sets up what the benches call, through the public APIs with the official SDKs: functions, their APIs, one app.
import { createRequire } from 'node:module';
import { buffer } from 'node:stream/consumers';
import yazl from 'yazl';
import type { Target } from './load-job.ts';
import type { Yunmen } from './processes.ts';

// The SDKs are CommonJS and export their client as `default`.
const require = createRequire(import.meta.url);
const cloudApiSdk = require('@alicloud/cloudapi20160714') as typeof import('@alicloud/cloudapi20160714');
const functionSdk = require('@alicloud/fc20230330') as typeof import('@alicloud/fc20230330');
const { Config } = require('@alicloud/openapi-client') as typeof import('@alicloud/openapi-client');

export type SignedTarget = Extract<Target, { kind: 'signed' }>;
export type EchoLanguage = 'python' | 'node';

/** They answer the query parameter n. */
export const echoFunctions = {
  python: {
    runtime: 'python3.10',
    files: {
      'index.py': [
        'import json',
        '',
        'def handler(event, context):',
        "    n = json.loads(event)['queryParameters']['n']",
        "    return json.dumps({'isBase64Encoded': False, 'statusCode': 200, 'headers': {}, 'body': '{\"n\":\"' + n + '\"}'})",
        '',
      ].join('\n'),
    },
  },
  node: {
    runtime: 'nodejs20',
    files: {
      'index.js': [
        'exports.handler = (event, context, callback) => {',
        '  const n = JSON.parse(event).queryParameters.n;',
        '  callback(null, { isBase64Encoded: false, statusCode: 200, headers: {}, body: JSON.stringify({ n }) });',
        '};',
        '',
      ].join('\n'),
    },
  },
} as const satisfies Record<EchoLanguage, EchoFunction>;

/** A file that begins as a script or a program does may be executed. */
const startsOfPrograms = ['#!', '\u007fE'];

async function zipOf(files: EchoFunction['files']): Promise<string> {
  const zip = new yazl.ZipFile();
  for (const [name, content] of Object.entries(files)) {
    const bytes = Buffer.from(content);
    zip.addBuffer(bytes, name, { mode: startsOfPrograms.includes(bytes.toString('latin1', 0, 2)) ? 0o755 : 0o644 });
  }
  zip.end();
  return (await buffer(zip.outputStream)).toString('base64');
}

export type EchoFunction = {
  readonly runtime: string;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  /** Without it `index.handler`. */
  readonly handler?: string;
  readonly memorySize?: number;
};

export type EchoProject = {
  /** Deploys a function and its API and gives back where to call it, signed. */
  deploy(name: string, made: EchoFunction): Promise<SignedTarget>;
};

/** A group, and an app that may call what is deployed in it. */
export async function openEchoProject(yunmen: Yunmen): Promise<EchoProject> {
  const { accessKeyId, accessKeySecret } = yunmen.credentials;
  const config = () =>
    new Config({
      accessKeyId,
      accessKeySecret,
      endpoint: new URL(yunmen.api).host,
      protocol: 'http',
      regionId: yunmen.region,
    });
  const cloudApi = new cloudApiSdk.default(config());
  const fc = new functionSdk.default(config());
  const group = await cloudApi.createApiGroup(
    new cloudApiSdk.CreateApiGroupRequest({ groupName: 'bench', description: '' }),
  );
  const groupId = group.body?.groupId ?? '';
  const app = await cloudApi.createApp(new cloudApiSdk.CreateAppRequest({ appName: 'bench_app' }));
  const appId = app.body?.appId ?? 0;
  const keys = await cloudApi.describeAppSecurity(new cloudApiSdk.DescribeAppSecurityRequest({ appId }));
  return {
    async deploy(name, { runtime, files, handler = 'index.handler', memorySize = 128 }) {
      const functionName = `echo-${name}`;
      const zipFile = await zipOf(files);
      await fc.createFunction(
        new functionSdk.CreateFunctionRequest({
          body: new functionSdk.CreateFunctionInput({
            functionName,
            runtime,
            handler,
            memorySize,
            timeout: 10,
            code: new functionSdk.InputCodeLocation({ zipFile }),
          }),
        }),
      );
      const path = `/echo/${name}`;
      const api = await cloudApi.createApi(apiRequest({ groupId, functionName, path, region: yunmen.region }));
      const apiId = api.body?.apiId ?? '';
      const stageName = 'RELEASE';
      await cloudApi.deployApi(new cloudApiSdk.DeployApiRequest({ groupId, apiId, stageName, description: 'bench' }));
      await cloudApi.setAppsAuthorities(
        new cloudApiSdk.SetAppsAuthoritiesRequest({ groupId, apiId, stageName, appIds: String(appId) }),
      );
      const host = `${groupId}.localhost`;
      const { appKey = '', appSecret = '' } = keys.body ?? {};
      return { kind: 'signed', origin: yunmen.gateway, host, path, appKey, appSecret };
    },
  };
}

/** Creates both echoes and gives back where to call each, signed. */
export async function setUpEchoes(yunmen: Yunmen): Promise<Record<EchoLanguage, Target>> {
  const project = await openEchoProject(yunmen);
  return {
    python: await project.deploy('python', echoFunctions.python),
    node: await project.deploy('node', echoFunctions.node),
  };
}

/** `POST path` with the form field n, which the function gets as a query parameter. */
function apiRequest(of: {
  readonly groupId: string;
  readonly functionName: string;
  readonly path: string;
  readonly region: string;
}) {
  return new cloudApiSdk.CreateApiRequest({
    groupId: of.groupId,
    apiName: of.functionName.replaceAll('-', '_'),
    visibility: 'PRIVATE',
    authType: 'APP',
    requestConfig: JSON.stringify({
      RequestProtocol: 'HTTP',
      RequestHttpMethod: 'POST',
      RequestPath: of.path,
      RequestMode: 'MAPPING',
      BodyFormat: 'FORM',
    }),
    serviceConfig: JSON.stringify({
      ServiceProtocol: 'FunctionCompute',
      ServiceTimeout: 10_000,
      FunctionComputeConfig: { FcVersion: '3.0', FcRegionId: of.region, FunctionName: of.functionName },
    }),
    requestParameters: JSON.stringify([
      { ApiParameterName: 'n', Location: 'BODY', ParameterType: 'String', Required: 'REQUIRED' },
    ]),
    serviceParameters: JSON.stringify([{ ServiceParameterName: 'n', Location: 'QUERY', ParameterType: 'STRING' }]),
    serviceParametersMap: JSON.stringify([{ ServiceParameterName: 'n', RequestParameterName: 'n' }]),
    resultType: 'JSON',
    resultSample: '{}',
  });
}
