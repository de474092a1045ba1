// Groups: what CreateApiGroup, ModifyApiGroup and DeleteApiGroup change for callers and in listings.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails } from '../kit/calls.ts';
import { callPlain } from '../kit/gateway.ts';
import { at, column, textAt } from '../kit/read.ts';
import { functionApi, mockApi, nodeReturning, type World } from '../kit/world.ts';

const api = 'CloudAPI/2016-07-14';

export function groupCases(world: World): void {
  const { ask, log } = world;
  describe('groups', () => {
    log.covers(
      [`${api}/CreateApiGroup`, `${api}/DescribeApiGroup`],
      'a new group has its sub-domain, three stages, and answers at its own Host',
      async () => {
        const name = world.unique('new');
        const made = await ask('CreateApiGroup', { GroupName: name, Description: '天气 a*b~c' });
        const groupId = textAt(made, 'GroupId');
        assert.match(groupId, /^[0-9a-f]{32}$/);
        assert.equal(at(made, 'SubDomain'), `${groupId}-${world.server.ready.region}.alicloudapi.com`);
        const shown = await ask('DescribeApiGroup', { GroupId: groupId });
        assert.equal(at(shown, 'GroupName'), name);
        assert.equal(at(shown, 'Description'), '天气 a*b~c');
        assert.deepEqual(column(shown, 'StageItems.StageInfo', 'StageName').sort(), ['PRE', 'RELEASE', 'TEST']);
        const other = await world.newGroup();
        await world.liveApi(groupId, mockApi('/here', 'hi'));
        assert.equal(await world.get(groupId, '/here'), '200 hi');
        assert.match(await world.get(other, '/here'), /^404 /);
      },
    );

    log.covers([`${api}/DescribeApiGroups`], 'listings hold what was made, by name, tag and page', async () => {
      const prefix = world.unique('listed');
      const ids = [];
      for (const letter of ['a', 'b', 'c']) {
        ids.push(
          await world.newGroup({
            GroupName: `${prefix}_${letter}`,
            Tag: [{ Key: 'letter', Value: `${prefix}${letter}` }],
          }),
        );
      }
      const found = await ask('DescribeApiGroups', { GroupName: prefix });
      assert.equal(at(found, 'TotalCount'), 3);
      const pages = [];
      for (const PageNumber of [1, 2, 3, 4]) {
        const page = await ask('DescribeApiGroups', { GroupName: prefix, PageNumber, PageSize: 1 });
        pages.push(...column(page, 'ApiGroupAttributes.ApiGroupAttribute', 'GroupId'));
      }
      assert.deepEqual(pages.sort(), ids.sort());
      const tagged = await ask('DescribeApiGroups', { Tag: [{ Key: 'letter', Value: `${prefix}b` }] });
      assert.deepEqual(column(tagged, 'ApiGroupAttributes.ApiGroupAttribute', 'GroupName'), [`${prefix}_b`]);
    });

    log.covers([`${api}/ModifyApiGroup`], 'a changed base path moves the live APIs of the group', async () => {
      const groupId = await world.newGroup({ BasePath: '/v1' });
      await world.liveApi(groupId, mockApi('/moved', 'hi'));
      assert.equal(await world.get(groupId, '/v1/moved'), '200 hi');
      const name = world.unique('renamed');
      await ask('ModifyApiGroup', { GroupId: groupId, GroupName: name, Description: 'changed', BasePath: '/v2' });
      assert.equal(await world.get(groupId, '/v2/moved'), '200 hi');
      assert.match(await world.get(groupId, '/v1/moved'), /^404 /);
      const shown = await ask('DescribeApiGroup', { GroupId: groupId });
      assert.deepEqual([at(shown, 'GroupName'), at(shown, 'Description')], [name, 'changed']);
    });

    log.covers([`${api}/ModifyApiGroup`, `${api}/DescribeApiGroup`], 'a group names a place for AppCodes', async () => {
      const groupId = await world.newGroup();
      const CustomAppCodeConfig = '{"location":"HEADER","name":"X-Code"}';
      await ask('ModifyApiGroup', { GroupId: groupId, CustomAppCodeConfig });
      assert.equal(at(await ask('DescribeApiGroup', { GroupId: groupId }), 'CustomAppCodeConfig'), CustomAppCodeConfig);
      for (const wrong of ['header', '[]', '{"location":"COOKIE","name":"x"}', '{"location":"HEADER","name":"a b"}']) {
        const asked = ask('ModifyApiGroup', { GroupId: groupId, CustomAppCodeConfig: wrong });
        await fails('InvalidCustomAppCodeConfig', asked);
      }
    });

    log.covers(
      [`${api}/ModifyApiGroup`, `${api}/QueryRequestLogs`],
      'options of a group are in force at once: a header passed on, a limit of calls, a log of query, headers and bodies',
      async () => {
        const groupId = await world.newGroup();
        const returning = '({ statusCode: 200, body: JSON.parse(event).headers })';
        const [ServiceName, FunctionName] = await world.newFunction(nodeReturning(returning));
        const target = { FcRegionId: world.server.ready.region, ServiceName, FunctionName };
        await world.liveApi(groupId, functionApi('/seen', target, 'ANONYMOUS'));
        const call = (path: string) =>
          callPlain(world.server.ready, groupId, path, { method: 'POST', headers: { 'X-Seen': 'yes' }, form: {} });
        assert.doesNotMatch((await call('/seen')).body, /yes/);
        const UserLogConfig = '{"queryString":"*","requestHeaders":"x-seen","responseBody":true}';
        await ask('ModifyApiGroup', { GroupId: groupId, PassthroughHeaders: 'X-Seen', UserLogConfig });
        const answer = await call('/seen?q=1&token=t');
        assert.match(answer.body, /"X-Seen":"yes"/);
        const RequestLogId = answer.headers['x-ca-request-id'];
        const entries = 'RequestLogs.RequestLog';
        const shown = await ask('QueryRequestLogs', { RequestLogId });
        assert.deepEqual(
          ['RequestQueryString', 'RequestHeaders', 'ResponseBody'].map((member) => column(shown, entries, member)),
          [['q=1&token=(hidden)'], ['{"x-seen":"yes"}'], [answer.body]],
        );
        await ask('ModifyApiGroup', { GroupId: groupId, RpsLimitForServerless: '1' });
        const codes = await Promise.all(Array.from({ length: 8 }, async () => (await call('/seen')).status));
        assert.ok(codes.includes(429) && codes.includes(200), String(codes));
      },
    );

    log.covers([`${api}/DeleteApiGroup`], 'a deleted group is gone; unknown ones delete in silence', async () => {
      const groupId = await world.newGroup();
      const apiId = await world.newApi(groupId, mockApi('/kept', 'hi'));
      await fails('DependencyViolationApi', ask('DeleteApiGroup', { GroupId: groupId }));
      await ask('DeleteApi', { GroupId: groupId, ApiId: apiId });
      await ask('DeleteApiGroup', { GroupId: groupId });
      await fails('NotFoundApiGroup', ask('DescribeApiGroup', { GroupId: groupId }));
      assert.match(await world.get(groupId, '/kept'), /^404 /);
      await ask('DeleteApiGroup', { GroupId: groupId });
    });

    log.covers([`${api}/CreateApiGroup`], 'names are checked and taken once', async () => {
      const name = world.unique('taken');
      await world.newGroup({ GroupName: name });
      await fails('DuplicateGroupName', ask('CreateApiGroup', { GroupName: name }));
      await fails('MissingGroupName', ask('CreateApiGroup', {}));
      await fails('InvalidGroupName', ask('CreateApiGroup', { GroupName: '_x' }));
      await fails('InvalidGroupName', ask('CreateApiGroup', { GroupName: 'x'.repeat(51) }));
      await fails('NotFoundApiGroup', ask('ModifyApiGroup', { GroupId: 'f'.repeat(32), Description: 'd' }));
      const other = await world.newGroup();
      await fails('DuplicateGroupName', ask('ModifyApiGroup', { GroupId: other, GroupName: name }));
    });

    log.covers(
      [`${api}/DescribeRegions`, `${api}/DescribeSystemParameters`],
      'the region is the one of new groups, and a listed system parameter reaches a function',
      async () => {
        const { region } = world.server.ready;
        assert.deepEqual(column(await ask('DescribeRegions'), 'Regions.Region', 'RegionId'), [region]);
        const groupId = await world.newGroup();
        assert.equal(at(await ask('DescribeApiGroup', { GroupId: groupId }), 'RegionId'), region);
        const names = column(await ask('DescribeSystemParameters'), 'SystemParams.SystemParamItem', 'ParamName');
        assert.ok(names.includes('CaStage') && names.includes('CaClientIp'), String(names));
        const seen = "({ statusCode: 200, body: JSON.parse(event).headers['X-Stage'] })";
        const [ServiceName, FunctionName] = await world.newFunction(nodeReturning(seen));
        const definition = functionApi('/seen', { FcRegionId: region, ServiceName, FunctionName }, 'ANONYMOUS');
        const SystemParameters = [{ ParameterName: 'CaStage', ServiceParameterName: 'X-Stage', Location: 'HEAD' }];
        await world.liveApi(groupId, { ...definition, SystemParameters }, 'PRE');
        const headers = { 'x-ca-stage': 'PRE' };
        const answer = await callPlain(world.server.ready, groupId, '/seen', { method: 'POST', headers, form: {} });
        assert.equal(`${answer.status} ${answer.body}`, '200 PRE');
      },
    );
  });
}
