import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { PublishedApi, PublishedApp, PublishedGrant, PublishedGroup } from '../../src/model/published.ts';
import { requestConfig, serviceConfig, wholeApi } from './control-api-config.ts';
import {
  at,
  cloudApiSdk,
  items,
  type Loose,
  modelsOf,
  type Plane,
  popRpc,
  startPlane,
  textAt,
} from './control-fixture.ts';

type Ask = (action: string, params?: Record<string, unknown>) => Promise<Loose>;

async function fails(code: string, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error: { code?: unknown }) => {
    assert.equal(error.code, code);
    return true;
  });
}

describe('CloudAPI through official clients', () => {
  let plane: Plane;
  let ask: Ask;
  let counter = 0;
  const unique = (name: string) => `${name}_${++counter}`;

  before(async () => {
    plane = await startPlane();
    ask = (action, params = {}) => popRpc(plane, 'POST')(action, params);
  });
  after(() => plane.close());

  async function newGroup(): Promise<string> {
    return textAt(await ask('CreateApiGroup', { GroupName: unique('group') }), 'GroupId');
  }
  async function newApi(groupId: string, extra: object = {}): Promise<string> {
    return textAt(await ask('CreateApi', { GroupId: groupId, ApiName: unique('api'), ...wholeApi, ...extra }), 'ApiId');
  }
  async function newApp(): Promise<number> {
    return Number(at(await ask('CreateApp', { AppName: unique('app') }), 'AppId'));
  }
  async function fact<T>(key: string): Promise<T | undefined> {
    return (await plane.published()).get(key) as T | undefined;
  }

  it('a group is made with its sub-domain and three stages, found, changed, and gone after deletion', async () => {
    const name = unique('group');
    const made = await ask('CreateApiGroup', { GroupName: name, Description: 'd', BasePath: '/v1/' });
    const groupId = textAt(made, 'GroupId');
    assert.match(groupId, /^[0-9a-f]{32}$/);
    assert.equal(at(made, 'SubDomain'), `${groupId}-cn-hangzhou.alicloudapi.com`);
    assert.equal((await fact<PublishedGroup>(`group ${groupId}`))?.basePath, '/v1');

    const shown = await ask('DescribeApiGroup', { GroupId: groupId });
    assert.deepEqual(
      items(shown, 'StageItems.StageInfo')
        .map((stage: Loose) => at(stage, 'StageName'))
        .sort(),
      ['PRE', 'RELEASE', 'TEST'],
    );
    await ask('ModifyApiGroup', { GroupId: groupId, Description: 'changed', BasePath: '/v2' });
    assert.equal((await fact<PublishedGroup>(`group ${groupId}`))?.basePath, '/v2');
    const listed = await ask('DescribeApiGroups', { GroupName: name });
    assert.equal(at(listed, 'TotalCount'), 1);
    assert.equal(at(listed, 'ApiGroupAttributes.ApiGroupAttribute.0.Description'), 'changed');

    await fails('DuplicateGroupName', ask('CreateApiGroup', { GroupName: name }));
    await ask('DeleteApiGroup', { GroupId: groupId });
    await fails('NotFoundApiGroup', ask('DescribeApiGroup', { GroupId: groupId }));
    assert.equal(await fact(`group ${groupId}`), undefined);
    await ask('DeleteApiGroup', { GroupId: groupId });
  });

  it('a group with APIs cannot be deleted, and options without an effect are refused', async () => {
    const groupId = await newGroup();
    await newApi(groupId);
    await fails('DependencyViolationApi', ask('DeleteApiGroup', { GroupId: groupId }));
    await fails('UnsupportedParameter', ask('ModifyApiGroup', { GroupId: groupId, RpcPattern: 'x' }));
    await fails('InvalidPassthroughHeaders', ask('ModifyApiGroup', { GroupId: groupId, PassthroughHeaders: 'te' }));
  });

  it('a new API is a draft: shown, listed, live nowhere', async () => {
    const groupId = await newGroup();
    const apiId = await newApi(groupId);
    const shown = await ask('DescribeApi', { ApiId: apiId, GroupId: groupId });
    assert.equal(at(shown, 'RequestConfig.RequestPath'), '/testadd');
    assert.equal(at(shown, 'ServiceConfig.FunctionComputeConfig.RegionId'), 'cn-hangzhou');
    assert.equal(at(shown, 'ServiceConfig.FunctionComputeConfig.FcRegionId'), 'cn-hangzhou');
    assert.equal(items(shown, 'RequestParameters.RequestParameter').length, 2);
    const stages = items(shown, 'DeployedInfos.DeployedInfo');
    assert.deepEqual(new Set(stages.map((stage) => at(stage, 'DeployedStatus'))), new Set(['NONDEPLOYED']));
    const listed = await ask('DescribeApis', { GroupId: groupId });
    assert.equal(at(listed, 'ApiSummarys.ApiSummary.0.ApiId'), apiId);
    assert.equal(at(await ask('DescribeApis', { GroupId: groupId, StageName: 'RELEASE' }), 'TotalCount'), 0);
    assert.equal(await fact(`api ${apiId}/RELEASE`), undefined);
  });

  it('publishing freezes the draft; a later change shows only when published again', async () => {
    const groupId = await newGroup();
    const apiId = await newApi(groupId);
    await ask('DeployApi', { ApiId: apiId, StageName: 'RELEASE', Description: 'first' });
    const live = await fact<PublishedApi>(`api ${apiId}/RELEASE`);
    assert.deepEqual(live?.definition.backend.kind === 'function-event' ? live.definition.backend.target : null, {
      serviceName: 'demo',
      functionName: 'add',
      qualifier: null,
    });
    assert.deepEqual(live?.definition.mappings[0], { requestName: 'a', serviceName: 'a' });

    const changed = JSON.stringify({ ...requestConfig, RequestPath: '/other' });
    await ask('ModifyApi', { ApiId: apiId, ApiName: unique('api'), ...wholeApi, RequestConfig: changed });
    assert.equal((await fact<PublishedApi>(`api ${apiId}/RELEASE`))?.definition.request.path, '/testadd');
    assert.equal(at(await ask('DescribeApi', { ApiId: apiId }), 'RequestConfig.RequestPath'), '/other');
    const deployed = await ask('DescribeDeployedApi', { ApiId: apiId, StageName: 'RELEASE' });
    assert.equal(at(deployed, 'RequestConfig.RequestPath'), '/testadd');

    await ask('DeployApi', { ApiId: apiId, StageName: 'RELEASE', Description: 'second' });
    assert.equal((await fact<PublishedApi>(`api ${apiId}/RELEASE`))?.definition.request.path, '/other');
    const list = await ask('DescribeDeployedApis', { GroupId: groupId, StageName: 'RELEASE' });
    assert.equal(at(list, 'DeployedApis.DeployedApiItem.0.ApiPath'), '/other');
  });

  it('history keeps each publication, and an older one can be switched to', async () => {
    const groupId = await newGroup();
    const apiId = await newApi(groupId);
    await ask('DeployApi', { ApiId: apiId, StageName: 'TEST', Description: 'first' });
    const changed = JSON.stringify({ ...requestConfig, RequestPath: '/second' });
    await ask('ModifyApi', { ApiId: apiId, ApiName: unique('api'), ...wholeApi, RequestConfig: changed });
    await ask('DeployApi', { ApiId: apiId, StageName: 'TEST', Description: 'second' });
    const histories = await ask('DescribeApiHistories', { GroupId: groupId, ApiId: apiId });
    const versions = items(histories, 'ApiHisItems.ApiHisItem');
    assert.deepEqual(
      versions.map((version) => at(version, 'Status')),
      ['ONLINE', 'OFFLINE'],
    );
    const first = textAt(versions[1], 'HistoryVersion');
    assert.match(first, /^\d{17}$/);
    const old = await ask('DescribeApiHistory', { ApiId: apiId, StageName: 'TEST', HistoryVersion: first });
    assert.equal(at(old, 'RequestConfig.RequestPath'), '/testadd');

    await ask('SwitchApi', { ApiId: apiId, StageName: 'TEST', HistoryVersion: first, Description: 'back' });
    assert.equal((await fact<PublishedApi>(`api ${apiId}/TEST`))?.definition.request.path, '/testadd');
    assert.equal(at(await ask('DescribeApi', { ApiId: apiId }), 'RequestConfig.RequestPath'), '/second');
    await fails(
      'NotFoundStage',
      ask('SwitchApi', { ApiId: apiId, StageName: 'PRE', HistoryVersion: first, Description: 'not live' }),
    );
  });

  it('taking an API offline withdraws it, and succeeds where it never was', async () => {
    const apiId = await newApi(await newGroup());
    await ask('AbolishApi', { ApiId: apiId, StageName: 'PRE' });
    await ask('DeployApi', { ApiId: apiId, StageName: 'PRE', Description: 'd' });
    await fails('DependencyViolationDeployment', ask('DeleteApi', { ApiId: apiId }));
    await ask('AbolishApi', { ApiId: apiId, StageName: 'PRE' });
    assert.equal(await fact(`api ${apiId}/PRE`), undefined);
    await fails('NotFoundStage', ask('DescribeDeployedApi', { ApiId: apiId, StageName: 'PRE' }));
    await ask('DeleteApi', { ApiId: apiId });
    await fails('NotFoundApi', ask('DescribeApi', { ApiId: apiId }));
  });

  it('ModifyApiConfiguration changes only what it names', async () => {
    const apiId = await newApi(await newGroup());
    await ask('ModifyApiConfiguration', {
      ApiId: apiId,
      RequestPath: '/patched',
      ServiceProtocol: 'mock',
      MockConfig: JSON.stringify({ mockResult: 'hi', mockStatusCode: '201' }),
    });
    const shown = await ask('DescribeApi', { ApiId: apiId });
    assert.equal(at(shown, 'RequestConfig.RequestPath'), '/patched');
    assert.equal(at(shown, 'RequestConfig.RequestHttpMethod'), 'POST');
    assert.equal(at(shown, 'Mock'), 'OPEN');
    assert.equal(items(shown, 'RequestParameters.RequestParameter').length, 2);
    await ask('DeployApi', { ApiId: apiId, StageName: 'RELEASE', Description: 'd' });
    const { backend } = (await fact<PublishedApi>(`api ${apiId}/RELEASE`))?.definition ?? {};
    assert.deepEqual(backend, { kind: 'mock', status: 201, headers: [], body: 'hi', timeoutMs: 10_000 });
  });

  it('an app has one key pair that can be read, replaced and is withdrawn with it', async () => {
    const name = unique('app');
    const appId = at(await ask('CreateApp', { AppName: name, Description: 'd' }), 'AppId');
    assert.equal(typeof appId, 'number');
    const security = await ask('DescribeAppSecurity', { AppId: appId });
    assert.match(textAt(security, 'AppSecret'), /^[0-9a-f]{32}$/);
    assert.deepEqual((await fact<PublishedApp>(`app ${appId}`))?.keys, [
      { key: at(security, 'AppKey'), secret: at(security, 'AppSecret') },
    ]);
    await ask('ResetAppSecret', { AppKey: at(security, 'AppKey') });
    const renewed = await ask('DescribeAppSecurity', { AppId: appId });
    assert.equal(at(renewed, 'AppKey'), at(security, 'AppKey'));
    assert.notEqual(at(renewed, 'AppSecret'), at(security, 'AppSecret'));
    assert.equal((await fact<PublishedApp>(`app ${appId}`))?.keys[0]?.secret, at(renewed, 'AppSecret'));

    await ask('ModifyApp', { AppId: appId, Description: 'changed' });
    assert.equal(at(await ask('DescribeApp', { AppId: appId }), 'Description'), 'changed');
    assert.equal(at(await ask('DescribeApps', { AppId: appId }), 'Apps.AppItem.0.AppName'), name);
    assert.equal(at(await ask('DescribeAppAttributes', { AppName: name }), 'Apps.AppAttribute.0.AppId'), appId);
    await fails('MissingAppIdOrAppOwner', ask('DescribeApps'));
    await ask('DeleteApp', { AppId: appId });
    await fails('NotFoundApp', ask('DescribeAppSecurity', { AppId: appId }));
    assert.equal(await fact(`app ${appId}`), undefined);
  });

  it('an app may bring its own key, secret and code', async () => {
    const own = { AppKey: unique('key'), AppSecret: 'own-secret', AppCode: 'own-code' };
    const appId = at(await ask('CreateApp', { AppName: unique('app'), ...own }), 'AppId');
    const kept = await ask('DescribeAppSecurity', { AppId: appId });
    for (const [name, value] of Object.entries(own)) assert.equal(at(kept, name), value);
    await fails('DuplicateAppKey', ask('CreateApp', { AppName: unique('app'), ...own }));
  });

  it('grants are per app, API and stage, and go with either', async () => {
    const groupId = await newGroup();
    const apiId = await newApi(groupId);
    const [one, two] = [await newApp(), await newApp()];
    const params = { ApiId: apiId, StageName: 'RELEASE', AppIds: `${one},${two}` };
    await ask('SetAppsAuthorities', { ...params, AuthValidTime: 'Fri, 05 Oct 2035 16:00:00 GMT' });
    const grant = await fact<PublishedGrant>(`grant ${one}/${apiId}/RELEASE`);
    assert.equal(grant?.expiresAt, Date.UTC(2035, 9, 5, 16));
    const apps = await ask('DescribeAuthorizedApps', { ApiId: apiId, StageName: 'RELEASE' });
    assert.equal(at(apps, 'TotalCount'), 2);
    assert.equal(at(apps, 'AuthorizedApps.AuthorizedApp.0.AuthVaildTime'), '2035-10-05T16:00:00Z');

    await ask('RemoveAppsAuthorities', { ...params, AppIds: String(two) });
    assert.equal(await fact(`grant ${two}/${apiId}/RELEASE`), undefined);
    await fails('NotFoundAuthorization', ask('RemoveAppsAuthorities', { ...params, AppIds: String(two) }));
    await ask('SetApisAuthorities', { AppId: two, ApiIds: apiId, StageName: 'TEST' });
    assert.equal(
      at(await ask('DescribeAuthorizedApis', { AppId: two }), 'AuthorizedApis.AuthorizedApi.0.StageName'),
      'TEST',
    );
    await ask('RemoveApisAuthorities', { AppId: two, ApiIds: apiId, StageName: 'TEST' });
    assert.equal(at(await ask('DescribeAuthorizedApis', { AppId: two }), 'TotalCount'), 0);

    await ask('DeleteApp', { AppId: one });
    assert.equal(await fact(`grant ${one}/${apiId}/RELEASE`), undefined);
  });

  it('a grant that names one unknown app changes nothing', async () => {
    const apiId = await newApi(await newGroup());
    const appId = await newApp();
    await fails('NotFoundApp', ask('SetAppsAuthorities', { ApiId: apiId, StageName: 'RELEASE', AppIds: `${appId},1` }));
    assert.equal(await fact(`grant ${appId}/${apiId}/RELEASE`), undefined);
    assert.equal(at(await ask('DescribeAuthorizedApps', { ApiId: apiId }), 'TotalCount'), 0);
  });

  it('names, and pairs of method and path, are unique inside a group', async () => {
    const groupId = await newGroup();
    const apiId = await newApi(groupId, { ApiName: 'same_name' });
    const elsewhere = JSON.stringify({ ...requestConfig, RequestPath: '/elsewhere' });
    await fails('DuplicateApiName', newApi(groupId, { ApiName: 'same_name', RequestConfig: elsewhere }));
    await fails('RepeatedRequestPath', newApi(groupId));
    await newApi(await newGroup(), { ApiName: 'same_name' });
    await ask('ModifyApi', { ApiId: apiId, ApiName: 'same_name', ...wholeApi });
  });

  it('wrong configurations are refused by the name of the member', async () => {
    const groupId = await newGroup();
    const rows: [string, object][] = [
      ['MissingRequestConfig', { RequestConfig: '' }],
      ['InvalidRequestConfig', { RequestConfig: '{' }],
      ['MissingRequestPath', { RequestConfig: JSON.stringify({ ...requestConfig, RequestPath: '' }) }],
      ['InvalidRequestHttpMethod', { RequestConfig: JSON.stringify({ ...requestConfig, RequestHttpMethod: 'FETCH' }) }],
      ['InvalidRequestPath', { RequestConfig: JSON.stringify({ ...requestConfig, RequestPath: 'testadd' }) }],
      ['InvalidServiceTimeout', { ServiceConfig: JSON.stringify({ ...serviceConfig, ServiceTimeout: 30_001 }) }],
      ['InvalidServiceParametersMap', { ServiceParametersMap: '[]' }],
      ['InvalidVisibility', { Visibility: 'SECRET' }],
      ['InvalidApiName', { ApiName: 'a' }],
      ['InvalidAllowSignatureMethod', { AllowSignatureMethod: 'HmacMD5' }],
    ];
    for (const [code, extra] of rows) await fails(code, newApi(groupId, extra));
    assert.equal(at(await ask('DescribeApis', { GroupId: groupId }), 'TotalCount'), 0);
  });

  it('lists what is always there', async () => {
    assert.equal(at(await ask('DescribeRegions'), 'Regions.Region.0.RegionId'), 'cn-hangzhou');
    const names = items(await ask('DescribeSystemParameters'), 'SystemParams.SystemParamItem');
    assert.ok(names.some((row) => at(row, 'ParamName') === 'CaClientIp'));
  });

  it('pages do not overlap and say the total', async () => {
    const groupId = await newGroup();
    const ids = new Set<string>();
    for (let number = 0; number < 5; number++) {
      const path = JSON.stringify({ ...requestConfig, RequestPath: `/page/${number}` });
      await newApi(groupId, { RequestConfig: path });
    }
    for (const PageNumber of [1, 2, 3]) {
      const page = await ask('DescribeApis', { GroupId: groupId, PageNumber, PageSize: 2 });
      assert.equal(at(page, 'TotalCount'), 5);
      for (const api of items(page, 'ApiSummarys.ApiSummary')) ids.add(textAt(api, 'ApiId'));
    }
    assert.equal(ids.size, 5);
  });

  it('tags given at creation are shown and filter listings', async () => {
    const name = unique('group');
    const tags = { 'Tag.1.Key': 'env', 'Tag.1.Value': 'dev', 'Tag.2.Key': 'team', 'Tag.2.Value': name };
    const made = await ask('CreateApiGroup', { GroupName: name, ...tags });
    assert.equal(at(made, 'TagStatus'), true);
    const found = await ask('DescribeApiGroups', { 'Tag.1.Key': 'team', 'Tag.1.Value': name });
    assert.equal(at(found, 'TotalCount'), 1);
    assert.equal(at(await ask('DescribeApiGroups', { 'Tag.1.Key': 'team', 'Tag.1.Value': 'x' }), 'TotalCount'), 0);
  });

  it('every write is awaited until it is live', async () => {
    const before = plane.awaited.length;
    const groupId = await newGroup();
    assert.equal(plane.awaited.length, before + 1);
    const { version } = await plane.store.changesSince(0, 100_000);
    assert.equal(plane.awaited.at(-1), version);
    await ask('DescribeApiGroup', { GroupId: groupId });
    assert.equal(plane.awaited.length, before + 1);
  });

  for (const [title, extra] of [
    ['V3', {}],
    ['RPC v1', { signatureAlgorithm: 'v2' }],
  ] as const) {
    it(`the current SDK works over ${title}, with the older spellings of the tools`, async () => {
      const sdk = cloudApiSdk(plane, extra);
      const models = modelsOf('@alicloud/cloudapi20160714');
      const call = async (name: string, request: string, map: object): Promise<Loose> => {
        const model = models[request];
        const method = sdk[name];
        if (model === undefined || method === undefined) throw new Error(`the SDK has no ${name}`);
        return at(await method.call(sdk, new model(map)), 'body');
      };
      const groupId = at(
        await call('createApiGroup', 'CreateApiGroupRequest', { groupName: unique('天气group') }),
        'groupId',
      );
      const created = await call('createApi', 'CreateApiRequest', {
        groupId,
        apiName: unique('terraform-api'),
        visibility: 'Private',
        requestConfig: JSON.stringify({
          requestProtocol: 'http',
          requestHttpMethod: 'get',
          requestPath: '/users/[id]',
          requestMode: 'Mapping',
        }),
        serviceConfig: JSON.stringify({
          serviceProtocol: 'FunctionCompute',
          serviceTimeout: '3000',
          serviceVpcEnable: 'FALSE',
          mock: 'FALSE',
          aoneAppName: '',
          functionComputeConfig: {
            fcRegionId: 'cn-hangzhou',
            functionName: 'fn',
            fcVersion: '3.0',
            roleArn: 'r',
            selectServiceName: '',
          },
        }),
        requestParameters: JSON.stringify([
          { apiParameterName: 'id', location: 'Path', parameterType: 'STRING', required: 'REQUIRED' },
          {
            apiParameterName: 'fixed',
            location: 'HEAD',
            parameterType: 'STRING',
            required: 'REQUIRED',
            defaultValue: 'x1',
          },
          { apiParameterName: 'CaClientIp', location: 'HEAD', parameterType: 'STRING', required: 'REQUIRED' },
        ]),
        serviceParameters: JSON.stringify([
          { serviceParameterName: 'userId', location: 'Query', type: 'STRING', parameterCatalog: 'REQUEST' },
          { serviceParameterName: 'X-Fixed', location: 'HEAD', type: 'STRING', parameterCatalog: 'CONSTANT' },
          { serviceParameterName: 'X-Ip', location: 'HEAD', type: 'STRING', parameterCatalog: 'SYSTEM' },
        ]),
        serviceParametersMap: JSON.stringify([
          { serviceParameterName: 'userId', requestParameterName: 'id' },
          { serviceParameterName: 'X-Fixed', requestParameterName: 'fixed' },
          { serviceParameterName: 'X-Ip', requestParameterName: 'CaClientIp' },
        ]),
      });
      const apiId = textAt(created, 'apiId');
      await call('deployApi', 'DeployApiRequest', { apiId, groupId, stageName: 'RELEASE', description: 'd' });
      const definition = (await fact<PublishedApi>(`api ${apiId}/RELEASE`))?.definition;
      assert.equal(definition?.request.method, 'GET');
      assert.deepEqual(
        definition?.parameters.map(({ name }) => name),
        ['id'],
      );
      assert.deepEqual(definition?.constants, [
        { serviceName: 'X-Fixed', value: 'x1', location: 'HEAD', description: '' },
      ]);
      assert.equal(definition?.systems[0]?.name, 'CaClientIp');
      const shown = await call('describeApi', 'DescribeApiRequest', { apiId, groupId });
      assert.equal(at(shown, 'constantParameters.constantParameter.0.constantValue'), 'x1');
      assert.equal(at(shown, 'serviceConfig.functionComputeConfig.fcVersion'), '3.0');
    });
  }

  it('GET calls of pop-core work, with whole definitions in the query', async () => {
    const get = popRpc(plane, 'GET');
    const groupId = await newGroup();
    const ApiId = at(await get('CreateApi', { GroupId: groupId, ApiName: unique('api'), ...wholeApi }), 'ApiId');
    assert.equal(at(await get('DescribeApi', { ApiId }), 'ApiId'), ApiId);
  });

  it('operations that are not served answer the error of an unknown API, never success', async () => {
    await fails(
      'InvalidApi.NotFound',
      ask('CreatePlugin', { PluginName: 'abcd', PluginType: 'cors', PluginData: '{}' }),
    );
    await fails('InvalidApi.NotFound', ask('NoSuchThing'));
    await fails('InvalidAction.NotFound', popRpc(plane, 'POST', '2017-05-25')('SendSms', { PhoneNumbers: '1' }));
    await fails('InvalidVersion', popRpc(plane, 'POST', '1999-01-01')('DescribeApis', {}));
    assert.deepEqual(plane.logged, []);
  });
});
