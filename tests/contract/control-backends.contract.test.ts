// Stage variables, backend definitions and VPC access grants through the official SDKs, against what is published to the gateway.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { PublishedApi, PublishedBackend, PublishedStage, PublishedVpcAccess } from '../../src/model/published.ts';
import { requestConfig } from './control-api-config.ts';
import {
  at,
  cloudApiSdk,
  items,
  type Loose,
  type Models,
  modelsOf,
  type Plane,
  popRpc,
  startPlane,
  textAt,
} from './control-fixture.ts';

const sdkName = '@alicloud/cloudapi20160714';

describe('backends in the control plane', () => {
  let plane: Plane;
  let models: Models;
  let counter = 0;
  const unique = (name: string) => `${name}_${++counter}`;

  before(async () => {
    plane = await startPlane();
    models = modelsOf(sdkName);
  });
  after(() => plane.close());

  /** One call of the vendor's SDK, by the action's name. */
  async function sdk(action: string, params: object): Promise<Loose> {
    const Request = models[`${action}Request`];
    const method = cloudApiSdk(plane)[`${action[0]?.toLowerCase()}${action.slice(1)}`];
    if (Request === undefined || method === undefined) throw new Error(`the SDK does not know ${action}`);
    return at(await method.call(cloudApiSdk(plane), new Request(params)), 'body');
  }
  const rpc = (action: string, params: Record<string, unknown>) => popRpc(plane, 'POST')(action, params);
  async function fact<T>(key: string): Promise<T | undefined> {
    return (await plane.published()).get(key) as T | undefined;
  }
  async function fails(code: string, work: Promise<unknown>): Promise<void> {
    await assert.rejects(work, (error: { code?: unknown }) => {
      assert.equal(error.code, code);
      return true;
    });
  }
  async function newGroup(): Promise<{ groupId: string; stageIds: Map<string, string> }> {
    const groupId = textAt(await rpc('CreateApiGroup', { GroupName: unique('group') }), 'GroupId');
    const shown = await rpc('DescribeApiGroup', { GroupId: groupId });
    const stages = items(shown, 'StageItems.StageInfo');
    return { groupId, stageIds: new Map(stages.map((row) => [textAt(row, 'StageName'), textAt(row, 'StageId')])) };
  }
  async function newApi(groupId: string, serviceConfig: object, extra: object = {}): Promise<string> {
    const params = {
      GroupId: groupId,
      ApiName: unique('api'),
      Visibility: 'PRIVATE',
      AuthType: 'ANONYMOUS',
      RequestConfig: JSON.stringify({
        ...requestConfig,
        RequestMode: 'PASSTHROUGH',
        RequestPath: `/${unique('path')}`,
      }),
      ServiceConfig: JSON.stringify({ ServiceTimeout: 3000, ...serviceConfig }),
      ...extra,
    };
    return textAt(await rpc('CreateApi', params), 'ApiId');
  }
  async function backendOf(apiId: string) {
    await rpc('DeployApi', { ApiId: apiId, StageName: 'RELEASE', Description: 'd' });
    return (await fact<PublishedApi>(`api ${apiId}/RELEASE`))?.definition.backend;
  }

  it('stage variables are published by stage, shown, replaced and withdrawn', async () => {
    const { groupId, stageIds } = await newGroup();
    const stageId = stageIds.get('PRE') ?? '';
    const variable = { groupId, stageId, variableName: 'Host', variableValue: 'pre.example.com' };
    await sdk('CreateApiStageVariable', variable);
    const key = `stage ${groupId}/PRE`;
    assert.deepEqual((await fact<PublishedStage>(key))?.variables, [
      { name: 'Host', value: 'pre.example.com', route: null },
    ]);
    await sdk('CreateApiStageVariable', { ...variable, variableValue: 'other' });
    const StageRouteModel = {
      Location: 'HEAD',
      ServiceParameterName: 'x-size',
      RouteRules: [
        { ConditionValue: 's', ResultValue: 'small' },
        { MinValue: '9007199254740993', ResultValue: 'big' },
      ],
    };
    await sdk('CreateApiStageVariable', {
      groupId,
      stageId,
      variableName: 'size',
      supportRoute: true,
      stageRouteModel: JSON.stringify(StageRouteModel),
    });
    assert.deepEqual((await fact<PublishedStage>(key))?.variables[1]?.route?.rules[1], {
      equals: null,
      min: '9007199254740993',
      max: null,
      value: 'big',
    });
    // Only older SDKs have this one; pop-core calls any action.
    const shown = await rpc('DescribeApiStage', { GroupId: groupId, StageId: stageId });
    assert.equal(at(shown, 'StageName'), 'PRE');
    assert.equal(at(shown, 'Variables.VariableItem.0.VariableValue'), 'other');
    assert.equal(at(shown, 'Variables.VariableItem.1.StageRouteModel.RouteRules.RouteRuleItem.0.ResultValue'), 'small');
    assert.equal(await fact(`stage ${groupId}/RELEASE`), undefined);
    for (const variableName of ['Host', 'size'])
      await sdk('DeleteApiStageVariable', { groupId, stageId, variableName });
    assert.equal(await fact(key), undefined);
    await fails('NotFoundStageVariable', sdk('DeleteApiStageVariable', { groupId, stageId, variableName: 'Host' }));
    await fails('NotFoundStage', sdk('CreateApiStageVariable', { ...variable, stageId: 'nowhere' }));
    await fails('MissingVariableValue', sdk('CreateApiStageVariable', { groupId, stageId, variableName: 'x' }));
    const above = { ...StageRouteModel, RouteRules: [{ MinValue: 2, MaxValue: 1, ResultValue: 'none' }] };
    const stageRouteModel = JSON.stringify(above);
    await fails(
      'InvalidStageRouteModel',
      sdk('CreateApiStageVariable', { ...variable, supportRoute: true, stageRouteModel }),
    );
    await fails('InvalidVariableName', sdk('CreateApiStageVariable', { ...variable, variableName: 'a#b' }));
    await sdk('CreateApiStageVariable', variable);
    await rpc('DeleteApiGroup', { GroupId: groupId });
    assert.equal(await fact(key), undefined);
  });

  it('a backend definition has one model a stage, in force as soon as it is changed', async () => {
    const backendName = unique('backend');
    const backendId = textAt(await sdk('CreateBackend', { backendName, backendType: 'HTTP' }), 'backendId');
    await fails('DuplicateBackendName', sdk('CreateBackend', { backendName, backendType: 'HTTP' }));
    const modelData = (host: string) => JSON.stringify({ ServiceAddress: `http://${host}` });
    const model = { backendId, stageName: 'RELEASE', backendType: 'HTTP', backendModelData: modelData('one') };
    const backendModelId = textAt(await sdk('CreateBackendModel', model), 'backendModelId');
    await fails('RepeatedBackendModel', sdk('CreateBackendModel', model));
    const key = `backend ${backendId}/RELEASE`;
    const address = async () => {
      const backend = (await fact<PublishedBackend>(key))?.backend;
      return backend?.kind === 'http' ? backend.address : backend?.kind;
    };
    assert.equal(await address(), 'http://one');
    await sdk('ModifyBackendModel', { ...model, backendModelId, backendModelData: modelData('two') });
    assert.equal(await address(), 'http://two');

    const { groupId, stageIds } = await newGroup();
    const use = { BackendEnable: true, BackendId: backendId };
    const service = { ServiceProtocol: 'HTTP', ServicePath: '/own', ServiceHttpMethod: 'GET' };
    const apiId = await newApi(groupId, service, use);
    await fails('NotFoundBackend', newApi(groupId, service, { ...use, BackendId: 'nowhere' }));
    const backend = await backendOf(apiId);
    assert.equal(
      backend?.kind === 'shared' ? `${backend.backendId} ${backend.method} ${backend.path}` : '',
      `${backendId} GET /own`,
    );
    assert.equal(at(await rpc('DescribeApi', { ApiId: apiId }), 'BackendConfig.BackendName'), backendName);
    assert.equal(at(await sdk('DescribeApisByBackend', { backendId }), 'apiInfoList.apiInfo.0.apiId'), apiId);
    assert.equal(at(await sdk('DescribeApisByBackend', { backendId, stageName: 'TEST' }), 'totalCount'), 0);

    const changed = await sdk('ModifyBackendModel', { ...model, backendModelId, backendModelData: modelData('two') });
    const task = await sdk('DescribeUpdateBackendTask', { operationUid: textAt(changed, 'operationId') });
    const results = items(task, 'apiUpdateBackendResults.apiUpdateBackendResult');
    assert.deepEqual(
      results.map((row) => ['apiUid', 'backendId', 'groupId', 'stageId', 'stageName'].map((name) => at(row, name))),
      [[apiId, backendId, groupId, stageIds.get('RELEASE'), 'RELEASE']],
    );
    assert.deepEqual([at(results[0], 'updateStatus'), at(results[0], 'errorMsg')], ['OVER', 'Success']);
    await fails('NotFoundOperation', sdk('DescribeUpdateBackendTask', { operationUid: 'nothing' }));

    const info = await sdk('DescribeBackendInfo', { backendId });
    assert.equal(at(info, 'backendInfo.backendModels.0.backendConfig.serviceAddress'), 'http://two');
    assert.equal(at(await sdk('DescribeBackendList', { backendName }), 'backendInfoList.0.backendId'), backendId);
    await fails('DependencyViolationApi', sdk('DeleteBackend', { backendId }));
    await fails('DependencyViolationApi', sdk('DeleteBackendModel', { backendId, backendModelId }));
    await fails('InvalidBackendType', sdk('ModifyBackend', { backendId, backendName, backendType: 'MOCK' }));
    await rpc('AbolishApi', { ApiId: apiId, StageName: 'RELEASE' });
    await rpc('DeleteApi', { ApiId: apiId });
    const renamed = unique('backend');
    await sdk('ModifyBackend', { backendId, backendName: renamed, backendType: 'HTTP' });
    assert.equal(at(await sdk('DescribeBackendInfo', { backendId }), 'backendInfo.backendName'), renamed);
    await sdk('DeleteBackendModel', { backendId, backendModelId });
    assert.equal(await fact(key), undefined);
    await sdk('DeleteBackend', { backendId });
    await fails('NotFoundBackend', sdk('DescribeBackendInfo', { backendId }));
  });

  it('models of every type are read', async () => {
    const fc = { FcRegionId: 'cn-hangzhou', FunctionName: 'f', ServiceName: 's' };
    for (const [type, data, kind] of [
      ['VPC', { VpcConfig: { Name: 'grant' } }, 'vpc'],
      ['VPC', { VpcId: 'v', InstanceId: 'i', Port: 80 }, 'vpc'],
      ['MOCK', { MockConfig: { MockResult: 'r', MockStatusCode: '201' } }, 'mock'],
      ['FC_EVENT', { FunctionComputeConfig: fc }, 'function-event'],
      ['FC_EVENT_V3', { FunctionComputeConfig: fc }, 'function-event'],
      ['FC_HTTP_V3', { FunctionComputeConfig: { FcBaseUrl: 'https://f-x.cn-hangzhou.fcapp.run' } }, 'function-http'],
      ['OSS', { OssConfig: { BucketName: 'b' } }, 'unserved'],
    ] as const) {
      const made = await sdk('CreateBackend', { backendName: unique('backend'), backendType: type });
      const backendId = textAt(made, 'backendId');
      await sdk('CreateBackendModel', { backendId, stageName: 'TEST', backendModelData: JSON.stringify(data) });
      assert.equal((await fact<PublishedBackend>(`backend ${backendId}/TEST`))?.backend.kind, kind, type);
    }
  });

  it('a VPC access grant is published by name, found, told apart and withdrawn', async () => {
    const name = unique('grant');
    const place = { vpcId: 'vpc-1', instanceId: 'i-1', port: 8080 };
    const made = await sdk('SetVpcAccess', { ...place, name, vpcTargetHostName: 'shop.internal' });
    assert.match(textAt(made, 'vpcAccessId'), /./);
    assert.deepEqual(await fact<PublishedVpcAccess>(`vpcAccess ${name}`), {
      name,
      ...place,
      hostHeader: 'shop.internal',
    });
    await fails('DuplicateVpcAccessName', sdk('SetVpcAccess', { ...place, name, port: 81 }));
    await fails('RepeatedVpcAccess', sdk('SetVpcAccess', { ...place, name: unique('grant') }));
    await fails('InvalidPort', sdk('SetVpcAccess', { ...place, name: unique('grant'), port: 70_000 }));
    const listed = await sdk('DescribeVpcAccesses', { name });
    assert.equal(at(listed, 'vpcAccessAttributes.vpcAccessAttribute.0.port'), 8080);

    const { groupId, stageIds } = await newGroup();
    const vpc = { ServiceProtocol: 'HTTP', ServiceVpcEnable: 'TRUE', VpcConfig: { Name: name, VpcScheme: 'HTTPS' } };
    const apiId = await newApi(groupId, vpc);
    const backend = await backendOf(apiId);
    assert.equal(backend?.kind === 'vpc' ? `${backend.vpc.accessName} ${backend.vpc.scheme}` : '', `${name} https`);
    const users = await sdk('DescribeApisByVpcAccess', { vpcName: name });
    assert.equal(at(users, 'apiVpcAccessInfos.apiVpcAccessInfo.0.apiId'), apiId);
    assert.deepEqual(at(await sdk('DescribeApisByVpcAccess', {}), 'apiVpcAccessInfos'), at(users, 'apiVpcAccessInfos'));
    const removed = await sdk('RemoveVpcAccess', place);
    assert.equal(at(removed, 'apis.api.0.apiId'), apiId);
    assert.equal(at(removed, 'apis.api.0.stageId'), stageIds.get('RELEASE'));
    assert.equal(await fact(`vpcAccess ${name}`), undefined);
    await fails('NotFoundVpcAccess', sdk('RemoveVpcAccess', place));

    const isLive = async () => (await fact(`api ${apiId}/RELEASE`)) !== undefined;
    assert.equal(await isLive(), true);
    await sdk('SetVpcAccess', { ...place, name });
    const batch = await sdk('RemoveVpcAccess', { ...place, needBatchWork: true });
    assert.deepEqual([at(batch, 'apis.api.0.apiId'), await isLive()], [apiId, false]);
  });

  it('HTTP backends and HTTP functions are published as the gateway calls them; bad ones are refused', async () => {
    const { groupId } = await newGroup();
    const http = {
      ServiceProtocol: 'HTTP',
      ServiceAddress: 'http://example.com:8080',
      ServicePath: '/x',
      ServiceHttpMethod: 'HEADER',
    };
    assert.deepEqual(await backendOf(await newApi(groupId, http)), {
      kind: 'http',
      address: 'http://example.com:8080',
      hostHeader: null,
      path: '/x',
      method: 'HEAD',
      timeoutMs: 3000,
      contentType: { category: 'DEFAULT', value: null },
    });
    await fails('InvalidServiceAddress', newApi(groupId, { ...http, ServiceAddress: 'example.com' }));
    await fails('InvalidServicePath', newApi(groupId, { ...http, ServicePath: 'x' }));
    await fails('InvalidServiceHttpMethod', newApi(groupId, { ...http, ServiceHttpMethod: 'FETCH' }));
    for (const [FcBaseUrl, target, version] of [
      [
        'https://1.cn-hangzhou.fc.aliyuncs.com/2016-08-15/proxy/svc.prod/fn/',
        { serviceName: 'svc', functionName: 'fn', qualifier: 'prod' },
        '2.0',
      ],
      [
        'https://my-shop-abcdefghij.cn-hangzhou.fcapp.run',
        { serviceName: null, functionName: 'my-shop', qualifier: null },
        '3.0',
      ],
      ['https://elsewhere.example.com', null, '3.0'],
    ] as const) {
      const FunctionComputeConfig = { FcType: 'HttpTrigger', FcBaseUrl, Method: 'GET', Path: '/p' };
      const found = await backendOf(
        await newApi(groupId, { ServiceProtocol: 'FunctionCompute', FunctionComputeConfig }),
      );
      if (found?.kind !== 'function-http') assert.fail(`it is ${found?.kind}`);
      assert.deepEqual(found.target, target);
      assert.deepEqual([found.version, found.method, found.path], [version, 'GET', '/p']);
    }
  });
});
