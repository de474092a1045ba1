// Where APIs send their requests: HTTP addresses, stage variables, VPC access grants, backend definitions with a model for each stage.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails } from '../kit/calls.ts';
import { at, column, items, textAt } from '../kit/read.ts';
import { httpApi, vpcPlace, type World } from '../kit/world.ts';

const api = 'CloudAPI/2016-07-14';
const unknown = 'f'.repeat(32);

export function backendCases(world: World): void {
  const { ask, log } = world;
  const address = `http://127.0.0.1:${world.upstream.port}`;

  describe('backends', () => {
    log.covers([`${api}/CreateApi`], 'an HTTP backend is called with the path and the query of the API', async () => {
      const groupId = await world.newGroup();
      await world.liveApi(groupId, httpApi('/front', address, '/behind'));
      const seen = await world.seenBy(groupId, '/front?q=1');
      assert.deepEqual([seen.method, seen.url], ['GET', '/behind?q=1']);
    });

    log.covers(
      [`${api}/CreateApiStageVariable`, `${api}/DescribeApiStage`, `${api}/DeleteApiStageVariable`],
      'a stage variable is filled in at the call, per stage',
      async () => {
        const groupId = await world.newGroup();
        const apiId = await world.liveApi(groupId, httpApi('/variable', address, '/#where#'));
        await ask('DeployApi', { GroupId: groupId, ApiId: apiId, StageName: 'TEST', Description: 'd' });
        const group = await ask('DescribeApiGroup', { GroupId: groupId });
        const stageId = (name: string) => {
          const stage = items(group, 'StageItems.StageInfo').find((row) => at(row, 'StageName') === name);
          return textAt(stage, 'StageId');
        };
        const [release, test] = [stageId('RELEASE'), stageId('TEST')];
        const set = (StageId: string, VariableValue: string) =>
          ask('CreateApiStageVariable', { GroupId: groupId, StageId, VariableName: 'where', VariableValue });
        await set(release, 'first');
        await set(test, 'second');
        assert.equal((await world.seenBy(groupId, '/variable')).url, '/first');
        assert.equal((await world.seenBy(groupId, '/variable', 'TEST')).url, '/second');
        await set(release, 'third');
        assert.equal((await world.seenBy(groupId, '/variable')).url, '/third');
        const shown = await ask('DescribeApiStage', { GroupId: groupId, StageId: release });
        assert.deepEqual(column(shown, 'Variables.VariableItem', 'VariableValue'), ['third']);
        const variable = { GroupId: groupId, StageId: release, VariableName: 'where' };
        await ask('DeleteApiStageVariable', variable);
        assert.doesNotMatch(await world.get(groupId, '/variable'), /third/);
        await fails('NotFoundStageVariable', ask('DeleteApiStageVariable', variable));
        await fails('NotFoundStage', ask('DescribeApiStage', { GroupId: groupId, StageId: unknown }));
        await fails('MissingVariableValue', ask('CreateApiStageVariable', variable));
      },
    );

    log.covers(
      [`${api}/SetVpcAccess`, `${api}/DescribeVpcAccesses`, `${api}/DescribeApisByVpcAccess`, `${api}/RemoveVpcAccess`],
      'a VPC access grant leads to its place until it is removed',
      async () => {
        const groupId = await world.newGroup();
        const Name = world.unique('vpc');
        const place = { ...vpcPlace, Port: world.upstream.port };
        await ask('SetVpcAccess', { Name, ...place, Description: 'd' });
        const definition = httpApi('/vpc', address);
        const ServiceConfig = {
          ...{ ServiceProtocol: 'HTTP', ServiceVpcEnable: 'TRUE', VpcConfig: { Name } },
          ...{ ServicePath: '/inside', ServiceHttpMethod: 'GET', ServiceTimeout: 5000 },
        };
        const apiId = await world.liveApi(groupId, { ...definition, ServiceConfig });
        assert.equal((await world.seenBy(groupId, '/vpc')).url, '/inside');
        const shown = await ask('DescribeVpcAccesses', { Name });
        assert.deepEqual(column(shown, 'VpcAccessAttributes.VpcAccessAttribute', 'Port'), [place.Port]);
        const users = await ask('DescribeApisByVpcAccess', { VpcName: Name });
        assert.deepEqual(column(users, 'ApiVpcAccessInfos.ApiVpcAccessInfo', 'ApiId'), [apiId]);
        await fails('DuplicateVpcAccessName', ask('SetVpcAccess', { Name, ...place, Port: 1 }));
        await fails('RepeatedVpcAccess', ask('SetVpcAccess', { Name: world.unique('vpc'), ...place }));
        await fails('InvalidPort', ask('SetVpcAccess', { Name: world.unique('vpc'), ...place, Port: 70_000 }));
        assert.deepEqual(column(await ask('RemoveVpcAccess', place), 'Apis.Api', 'ApiId'), [apiId]);
        assert.doesNotMatch(await world.get(groupId, '/vpc'), /^200 /);
        await fails('NotFoundVpcAccess', ask('RemoveVpcAccess', place));
        await fails('NotFoundVpcAccess', ask('DescribeApisByVpcAccess', { VpcName: Name }));
        await ask('SetVpcAccess', { Name, ...place });
        const batch = await ask('RemoveVpcAccess', { ...place, NeedBatchWork: true });
        assert.deepEqual(column(batch, 'Apis.Api', 'ApiId'), [apiId]);
        assert.match(await world.get(groupId, '/vpc'), /^404 /, 'the API is offline');
      },
    );

    log.covers(
      [
        `${api}/CreateBackend`,
        `${api}/CreateBackendModel`,
        `${api}/ModifyBackendModel`,
        `${api}/DescribeUpdateBackendTask`,
        `${api}/DescribeBackendInfo`,
        `${api}/DescribeApisByBackend`,
        `${api}/DeleteBackendModel`,
        `${api}/DeleteBackend`,
      ],
      'an API with a backend definition goes where the model of its stage says, without publishing',
      async () => {
        const BackendName = world.unique('backend');
        const made = await ask('CreateBackend', { BackendName, BackendType: 'HTTP' });
        const BackendId = textAt(made, 'BackendId');
        const modelOf = (StageName: string, path: string) => {
          const ServiceAddress = `${address}${path}`;
          return { BackendId, BackendType: 'HTTP', StageName, BackendModelData: { ServiceAddress } };
        };
        const model = await ask('CreateBackendModel', modelOf('RELEASE', ''));
        const BackendModelId = textAt(model, 'BackendModelId');
        await fails('RepeatedBackendModel', ask('CreateBackendModel', modelOf('RELEASE', '')));

        const groupId = await world.newGroup();
        const shared = { ...httpApi('/shared', address, '/behind'), BackendEnable: true, BackendId };
        const apiId = await world.liveApi(groupId, shared);
        assert.equal((await world.seenBy(groupId, '/shared')).url, '/behind');
        const users = await ask('DescribeApisByBackend', { BackendId });
        assert.deepEqual(column(users, 'ApiInfoList.ApiInfo', 'ApiId'), [apiId]);

        const nowhere = {
          ...modelOf('RELEASE', ''),
          BackendModelId,
          BackendModelData: { ServiceAddress: 'http://127.0.0.1:1' },
        };
        await ask('ModifyBackendModel', nowhere);
        assert.doesNotMatch(await world.get(groupId, '/shared'), /^200 /);
        const changed = await ask('ModifyBackendModel', { ...modelOf('RELEASE', ''), BackendModelId });
        const OperationUid = textAt(changed, 'OperationId');
        const task = await ask('DescribeUpdateBackendTask', { OperationUid });
        const results = 'ApiUpdateBackendResults.ApiUpdateBackendResult';
        assert.deepEqual([column(task, results, 'ApiUid'), column(task, results, 'UpdateStatus')], [[apiId], ['OVER']]);
        assert.equal((await world.seenBy(groupId, '/shared')).url, '/behind');
        const info = await ask('DescribeBackendInfo', { BackendId });
        assert.deepEqual(column(info, 'BackendInfo.BackendModels', 'BackendModelId'), [BackendModelId]);

        await fails('DependencyViolationApi', ask('DeleteBackendModel', { BackendId, BackendModelId }));
        await fails('DependencyViolationApi', ask('DeleteBackend', { BackendId }));
        await ask('AbolishApi', { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE' });
        await ask('DeleteBackendModel', { BackendId, BackendModelId });
        await fails('NotFoundBackendModel', ask('DeleteBackendModel', { BackendId, BackendModelId }));
        await ask('DeleteApi', { GroupId: groupId, ApiId: apiId });
        await ask('DeleteBackend', { BackendId });
        await fails('NotFoundBackend', ask('DescribeBackendInfo', { BackendId }));
      },
    );

    log.covers(
      [`${api}/ModifyBackend`, `${api}/DescribeBackendList`],
      'backend definitions are listed with what was changed last; names are taken once',
      async () => {
        const name = world.unique('backend');
        const BackendId = textAt(await ask('CreateBackend', { BackendName: name, BackendType: 'MOCK' }), 'BackendId');
        await ask('ModifyBackend', {
          BackendId,
          BackendName: `${name}_2`,
          BackendType: 'HTTP',
          Description: 'changed',
        });
        const listed = await ask('DescribeBackendList', { BackendName: name });
        const rows = items(listed, 'BackendInfoList');
        assert.deepEqual(
          rows.map((row) => [at(row, 'BackendName'), at(row, 'BackendType'), at(row, 'Description')]),
          [[`${name}_2`, 'HTTP', 'changed']],
        );
        const taken = ask('CreateBackend', { BackendName: `${name}_2`, BackendType: 'HTTP' });
        await fails('DuplicateBackendName', taken);
        await fails('InvalidBackendType', ask('CreateBackend', { BackendName: world.unique('b'), BackendType: 'FAX' }));
        await fails(
          'NotFoundBackend',
          ask('ModifyBackend', { BackendId: unknown, BackendName: name, BackendType: 'HTTP' }),
        );
        const draft = { ...httpApi('/nobackend', address), BackendEnable: true, BackendId: unknown };
        const groupId = await world.newGroup();
        await fails('NotFoundBackend', world.newApi(groupId, draft));
      },
    );
  });
}
