// Sets up what the benches call, through the public APIs with the official SDKs: two echo functions, their APIs, one app.
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

export type EchoLanguage = 'python' | 'node';

const functions = {
  python: {
    runtime: 'python3.10',
    file: 'index.py',
    code: [
      'import json',
      '',
      'def handler(event, context):',
      "    n = json.loads(event)['queryParameters']['n']",
      "    return json.dumps({'isBase64Encoded': False, 'statusCode': 200, 'headers': {}, 'body': '{\"n\":\"' + n + '\"}'})",
      '',
    ].join('\n'),
  },
  node: {
    runtime: 'nodejs20',
    file: 'index.js',
    code: [
      'exports.handler = (event, context, callback) => {',
      '  const n = JSON.parse(event).queryParameters.n;',
      '  callback(null, { isBase64Encoded: false, statusCode: 200, headers: {}, body: JSON.stringify({ n }) });',
      '};',
      '',
    ].join('\n'),
  },
} as const satisfies Record<EchoLanguage, object>;

async function zipOf(name: string, text: string): Promise<string> {
  const zip = new yazl.ZipFile();
  zip.addBuffer(Buffer.from(text), name, { mode: 0o644 });
  zip.end();
  return (await buffer(zip.outputStream)).toString('base64');
}

/** Creates everything and gives back where to call each echo, signed. */
export async function setUpEchoes(yunmen: Yunmen): Promise<Record<EchoLanguage, Target>> {
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
  const setUp = async (language: EchoLanguage): Promise<Target> => {
    const { runtime, file, code } = functions[language];
    const zipFile = await zipOf(file, code);
    await fc.createFunction(
      new functionSdk.CreateFunctionRequest({
        body: new functionSdk.CreateFunctionInput({
          functionName: `echo-${language}`,
          runtime,
          handler: 'index.handler',
          memorySize: 128,
          timeout: 10,
          code: new functionSdk.InputCodeLocation({ zipFile }),
        }),
      }),
    );
    const path = `/echo/${language}`;
    const api = await cloudApi.createApi(apiRequest(groupId, language, path, yunmen.region));
    const apiId = api.body?.apiId ?? '';
    const stageName = 'RELEASE';
    await cloudApi.deployApi(new cloudApiSdk.DeployApiRequest({ groupId, apiId, stageName, description: 'bench' }));
    await cloudApi.setAppsAuthorities(
      new cloudApiSdk.SetAppsAuthoritiesRequest({ groupId, apiId, stageName, appIds: String(appId) }),
    );
    const host = `${groupId}.localhost`;
    const { appKey = '', appSecret = '' } = keys.body ?? {};
    return { kind: 'signed', origin: yunmen.gateway, host, path, appKey, appSecret };
  };
  return { python: await setUp('python'), node: await setUp('node') };
}

/** `POST path` with the form field n, which the function gets as a query parameter. */
function apiRequest(groupId: string, language: EchoLanguage, requestPath: string, region: string) {
  return new cloudApiSdk.CreateApiRequest({
    groupId,
    apiName: `echo_${language}`,
    visibility: 'PRIVATE',
    authType: 'APP',
    requestConfig: JSON.stringify({
      RequestProtocol: 'HTTP',
      RequestHttpMethod: 'POST',
      RequestPath: requestPath,
      RequestMode: 'MAPPING',
      BodyFormat: 'FORM',
    }),
    serviceConfig: JSON.stringify({
      ServiceProtocol: 'FunctionCompute',
      ServiceTimeout: 10_000,
      FunctionComputeConfig: { FcVersion: '3.0', FcRegionId: region, FunctionName: `echo-${language}` },
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
