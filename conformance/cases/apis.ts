// APIs from draft to history: what each operation changes for a caller of the gateway.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails } from '../kit/calls.ts';
import { callPlain } from '../kit/gateway.ts';
import { at, column, items, textAt } from '../kit/read.ts';
import { addition, functionApi, mockApi, type World } from '../kit/world.ts';

const api = 'CloudAPI/2016-07-14';

export function apiCases(world: World): void {
  const { ask, log } = world;
  const stage = (apiId: string, StageName: string, more: object = {}) => ({ ApiId: apiId, StageName, ...more });

  describe('APIs', () => {
    log.covers(
      [`${api}/CreateApi`, `${api}/DescribeApi`, `${api}/DescribeApis`],
      'a draft is shown and listed, and no caller reaches it',
      async () => {
        const groupId = await world.newGroup();
        const name = world.unique('draft');
        const apiId = await world.newApi(groupId, { ...mockApi('/draft', 'hi'), ApiName: name });
        const shown = await ask('DescribeApi', { ApiId: apiId, GroupId: groupId });
        assert.equal(at(shown, 'ApiName'), name);
        assert.equal(at(shown, 'RequestConfig.RequestPath'), '/draft');
        const states = column(shown, 'DeployedInfos.DeployedInfo', 'DeployedStatus');
        assert.deepEqual(states, ['NONDEPLOYED', 'NONDEPLOYED', 'NONDEPLOYED']);
        assert.deepEqual(column(await ask('DescribeApis', { GroupId: groupId }), 'ApiSummarys.ApiSummary', 'ApiId'), [
          apiId,
        ]);
        assert.match(await world.get(groupId, '/draft'), /^404 /);
      },
    );

    log.covers([`${api}/CreateApi`], 'form fields become query parameters of a function', async () => {
      const [ServiceName, FunctionName] = await world.newFunction(addition);
      const groupId = await world.newGroup();
      const target = { FcRegionId: world.server.ready.region, ServiceName, FunctionName };
      await world.liveApi(groupId, functionApi('/testadd', target, 'ANONYMOUS'));
      const form = { a: '12323', b: '142' };
      const answer = await callPlain(world.server.ready, groupId, '/testadd', { method: 'POST', form });
      assert.equal(`${answer.status} ${answer.body}`, '200 {"msg":"12465"}');
    });

    log.covers(
      [`${api}/DeployApi`, `${api}/DescribeDeployedApi`, `${api}/DescribeDeployedApis`, `${api}/ModifyApi`],
      'what is live is frozen until it is published again, per stage',
      async () => {
        const groupId = await world.newGroup();
        const name = world.unique('frozen');
        const apiId = await world.newApi(groupId, { ...mockApi('/old', 'old'), ApiName: name });
        await ask('DeployApi', stage(apiId, 'TEST', { GroupId: groupId, Description: 'first' }));
        assert.equal(await world.get(groupId, '/old', 'TEST'), '200 old');
        assert.match(await world.get(groupId, '/old', 'RELEASE'), /^404 /);

        await ask('ModifyApi', { GroupId: groupId, ApiId: apiId, ApiName: name, ...mockApi('/new', 'new') });
        assert.equal(await world.get(groupId, '/old', 'TEST'), '200 old');
        assert.match(await world.get(groupId, '/new', 'TEST'), /^404 /);
        const live = await ask('DescribeDeployedApi', stage(apiId, 'TEST', { GroupId: groupId }));
        assert.equal(at(live, 'RequestConfig.RequestPath'), '/old');

        await ask('DeployApi', stage(apiId, 'TEST', { GroupId: groupId, Description: 'second' }));
        assert.equal(await world.get(groupId, '/new', 'TEST'), '200 new');
        assert.match(await world.get(groupId, '/old', 'TEST'), /^404 /);
        const list = await ask('DescribeDeployedApis', { GroupId: groupId, StageName: 'TEST' });
        assert.deepEqual(column(list, 'DeployedApis.DeployedApiItem', 'ApiId'), [apiId]);
        const none = await ask('DescribeDeployedApis', { GroupId: groupId, StageName: 'PRE' });
        assert.deepEqual(items(none, 'DeployedApis.DeployedApiItem'), []);
      },
    );

    log.covers([`${api}/ModifyApiConfiguration`], 'a patch changes what it names and keeps the rest', async () => {
      const groupId = await world.newGroup();
      const apiId = await world.liveApi(groupId, mockApi('/patched', 'old'));
      const mock = JSON.stringify({ mockResult: 'patched', mockStatusCode: '202' });
      await ask('ModifyApiConfiguration', { ApiId: apiId, ServiceProtocol: 'mock', MockConfig: mock });
      assert.equal(await world.get(groupId, '/patched'), '200 old');
      await ask('DeployApi', stage(apiId, 'RELEASE', { GroupId: groupId, Description: 'patched' }));
      const answer = await callPlain(world.server.ready, groupId, '/patched');
      assert.equal(`${answer.status} ${answer.body}`, '202 patched');
      await fails('NotFoundApi', ask('ModifyApiConfiguration', { ApiId: 'f'.repeat(32), RequestPath: '/x' }));
    });

    log.covers(
      [`${api}/DescribeApiHistories`, `${api}/DescribeApiHistory`, `${api}/SwitchApi`],
      'an older publication is shown and can be made live again',
      async () => {
        const groupId = await world.newGroup();
        const name = world.unique('history');
        const apiId = await world.newApi(groupId, { ...mockApi('/h', 'one'), ApiName: name });
        await ask('DeployApi', stage(apiId, 'RELEASE', { GroupId: groupId, Description: 'one' }));
        await ask('ModifyApi', { GroupId: groupId, ApiId: apiId, ApiName: name, ...mockApi('/h', 'two') });
        await ask('DeployApi', stage(apiId, 'RELEASE', { GroupId: groupId, Description: 'two' }));
        assert.equal(await world.get(groupId, '/h'), '200 two');

        const history = await ask('DescribeApiHistories', { GroupId: groupId, ApiId: apiId });
        assert.deepEqual(column(history, 'ApiHisItems.ApiHisItem', 'Status'), ['ONLINE', 'OFFLINE']);
        const first = textAt(history, 'ApiHisItems.ApiHisItem.1.HistoryVersion');
        assert.match(first, /^\d{17}$/);
        const version = stage(apiId, 'RELEASE', { GroupId: groupId, HistoryVersion: first });
        assert.equal(at(await ask('DescribeApiHistory', version), 'ServiceConfig.MockResult'), 'one');

        await ask('SwitchApi', { ...version, Description: 'back' });
        assert.equal(await world.get(groupId, '/h'), '200 one');
        const after = await ask('DescribeApiHistories', { GroupId: groupId, ApiId: apiId });
        assert.deepEqual(column(after, 'ApiHisItems.ApiHisItem', 'Status'), ['OFFLINE', 'ONLINE']);

        const unknown = { ...version, HistoryVersion: '19990101000000000' };
        await fails('NotFoundHistoryVersion', ask('SwitchApi', { ...unknown, Description: 'd' }));
        await fails('NotFoundHistoryVersion', ask('DescribeApiHistory', unknown));
        await fails('NotFoundStage', ask('SwitchApi', { ...version, StageName: 'PRE', Description: 'd' }));
        await fails('MissingDescription', ask('SwitchApi', version));
      },
    );

    log.covers(
      [`${api}/AbolishApi`],
      'offline means gone for callers, and is no error where nothing is live',
      async () => {
        const groupId = await world.newGroup();
        const apiId = await world.liveApi(groupId, mockApi('/gone', 'hi'));
        await ask('AbolishApi', stage(apiId, 'PRE', { GroupId: groupId }));
        assert.equal(await world.get(groupId, '/gone'), '200 hi');
        await ask('AbolishApi', stage(apiId, 'RELEASE', { GroupId: groupId }));
        assert.match(await world.get(groupId, '/gone'), /^404 /);
        await fails(/^NotFound(Stage|Api|Deployment)$/, ask('DescribeDeployedApi', stage(apiId, 'RELEASE')));
        await fails('NotFoundApi', ask('AbolishApi', stage('f'.repeat(32), 'RELEASE', { GroupId: groupId })));
      },
    );

    log.covers([`${api}/DeleteApi`], 'a live API is not deleted; a deleted one is found nowhere', async () => {
      const groupId = await world.newGroup();
      const apiId = await world.liveApi(groupId, mockApi('/deleted', 'hi'));
      await fails(/^DependencyViolation/, ask('DeleteApi', { GroupId: groupId, ApiId: apiId }));
      assert.equal(await world.get(groupId, '/deleted'), '200 hi');
      await ask('AbolishApi', stage(apiId, 'RELEASE', { GroupId: groupId }));
      await ask('DeleteApi', { GroupId: groupId, ApiId: apiId });
      await fails('NotFoundApi', ask('DescribeApi', { GroupId: groupId, ApiId: apiId }));
      await fails('NotFoundApi', ask('DeleteApi', { GroupId: groupId, ApiId: apiId }));
      assert.deepEqual(items(await ask('DescribeApis', { GroupId: groupId }), 'ApiSummarys.ApiSummary'), []);
    });

    log.covers([`${api}/CreateApi`], 'drafts that conflict or are malformed are refused by name', async () => {
      const groupId = await world.newGroup();
      const name = world.unique('first');
      await world.newApi(groupId, { ...mockApi('/first', 'hi'), ApiName: name });
      const mock = mockApi('/second', 'hi');
      const rows: [string, object][] = [
        ['DuplicateApiName', { ApiName: name }],
        ['RepeatedRequestPath', { RequestConfig: mockApi('/first', '').RequestConfig }],
        ['MissingRequestConfig', { RequestConfig: '' }],
        ['InvalidRequestConfig', { RequestConfig: '{"RequestProtocol":' }],
        ['InvalidRequestPath', { RequestConfig: { ...mock.RequestConfig, RequestPath: 'second' } }],
        ['InvalidRequestHttpMethod', { RequestConfig: { ...mock.RequestConfig, RequestHttpMethod: 'FETCH' } }],
        ['InvalidServiceTimeout', { ServiceConfig: { ...mock.ServiceConfig, ServiceTimeout: 30_001 } }],
        ['InvalidMockStatusCode', { ServiceConfig: { ...mock.ServiceConfig, MockStatusCode: '1' } }],
        ['InvalidMockStatusCode', { ServiceConfig: { ...mock.ServiceConfig, MockStatusCode: '100' } }],
        ['InvalidMockStatusCode', { ServiceConfig: { ...mock.ServiceConfig, MockStatusCode: '600' } }],
        ['InvalidVisibility', { Visibility: 'SECRET' }],
        ['InvalidApiName', { ApiName: 'a' }],
        ['NotFoundApiGroup', { GroupId: 'f'.repeat(32) }],
      ];
      for (const [code, wrong] of rows) await fails(code, world.newApi(groupId, { ...mock, ...wrong }));
      assert.equal(at(await ask('DescribeApis', { GroupId: groupId }), 'TotalCount'), 1);
    });

    log.covers([`${api}/DeployApi`], 'publishing wants a stage, a description and an API that is there', async () => {
      const groupId = await world.newGroup();
      const apiId = await world.newApi(groupId, mockApi('/never', 'hi'));
      const params = { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE', Description: 'd' };
      await fails('InvalidStageName', ask('DeployApi', { ...params, StageName: 'LIVE' }));
      await fails('MissingDescription', ask('DeployApi', { ...params, Description: '' }));
      await fails('NotFoundApi', ask('DeployApi', { ...params, ApiId: 'f'.repeat(32) }));
      assert.match(await world.get(groupId, '/never'), /^404 /);
      await ask('DeployApi', params);
      assert.equal(await world.get(groupId, '/never'), '200 hi');
    });
  });
}
