// Every parameter of the actions on apps and grants, one by one: what it sets, or which rows of a listing it picks. The typed SDK sends them.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails } from '../kit/calls.ts';
import { callPlain } from '../kit/gateway.ts';
import { at, column, items, textAt } from '../kit/read.ts';
import { mockApi, type World } from '../kit/world.ts';

const api = 'CloudAPI/2016-07-14';

export function appParameterCases(world: World): void {
  const { log } = world;
  const ask = world.clients.current('v3');
  const { accountId } = world.server.ready;

  describe('parameters of apps', () => {
    log.covers(
      [`${api}/CreateApp`, `${api}/DescribeAppAttributes`, `${api}/DescribeApps`, `${api}/ModifyApp`],
      'an app is made with all that it can have, found by each of it, and changed',
      async () => {
        const word = world.unique('params').replace('_', '');
        const tags = (value: string) => [{ Key: 'team', Value: `${word}-${value}` }];
        const make = async (name: string) => {
          const AppName = `${word}_${name}`;
          const security = {
            AppKey: `${word}-${name}-key`,
            AppSecret: `${word}-secret`,
            AppCode: `${word}${name}code`,
          };
          const kept = { Description: `the ${name}`, Extend: `${word}-${name}-extend`, Tag: tags(name) };
          const made = await ask('CreateApp', { AppName, ...security, ...kept });
          assert.equal(at(made, 'TagStatus'), true);
          return { AppId: Number(at(made, 'AppId')), AppName, ...security, ...kept };
        };
        const [one, two] = [await make('one'), await make('two')];
        const shown = await ask('DescribeAppSecurity', { AppId: one.AppId, Tag: tags('one') });
        assert.deepEqual(
          [at(shown, 'AppKey'), at(shown, 'AppSecret'), at(shown, 'AppCode')],
          [one.AppKey, one.AppSecret, one.AppCode],
        );
        await fails('DuplicateAppCode', ask('CreateApp', { AppName: `${word}_three`, AppCode: one.AppCode }));

        const found = async (filter: Readonly<Record<string, unknown>>) => {
          const listed = await ask('DescribeAppAttributes', { ...filter, EnableTagAuth: false });
          return column(listed, 'Apps.AppAttribute', 'AppId');
        };
        for (const name of ['AppId', 'AppName', 'AppKey', 'AppCode', 'Extend', 'Tag'] as const) {
          assert.deepEqual(await found({ [name]: two[name] }), [two.AppId], name);
        }
        const sorted = (Sort: string) => found({ AppName: word, Sort });
        assert.deepEqual((await sorted('asc')).toReversed(), await sorted('desc'));
        const pages = [1, 2, 3].map((PageNumber) => found({ AppName: word, PageNumber, PageSize: 1 }));
        assert.deepEqual((await Promise.all(pages)).flat().sort(), [one.AppId, two.AppId].sort());

        const AppId = String(two.AppId);
        await ask('CreateAppKey', { AppId, AppKey: `${word}-more-key`, AppSecret: 'more' });
        await ask('CreateAppCode', { AppId, AppCode: `${word}morecode` });
        assert.deepEqual(await found({ AppKey: `${word}-more-key` }), [two.AppId], 'by a key that is not its first');
        assert.deepEqual(await found({ AppCode: `${word}morecode` }), [two.AppId], 'by a code that is not its first');

        const owned = async (filter: Readonly<Record<string, unknown>>) =>
          column(await ask('DescribeApps', filter), 'Apps.AppItem', 'AppId');
        assert.deepEqual(await owned({ AppId: one.AppId, AppOwner: accountId }), [one.AppId]);
        assert.deepEqual(await owned({ AppId: one.AppId, AppOwner: 7 }), []);
        assert.equal((await owned({ AppOwner: accountId, PageNumber: 1, PageSize: 2 })).length, 2);

        const changed = { AppName: `${word}_last`, Description: 'changed', Extend: `${word}-new`, Tag: tags('new') };
        await ask('ModifyApp', { AppId: two.AppId, Disabled: false, ...changed });
        const [row] = items(await ask('DescribeAppAttributes', { Extend: changed.Extend }), 'Apps.AppAttribute');
        assert.deepEqual(
          [at(row, 'AppName'), at(row, 'Description'), at(row, 'Tags.TagInfo.0.Value'), at(row, 'Disabled')],
          [changed.AppName, 'changed', `${word}-new`, false],
        );
        await fails('UnsupportedParameter', ask('ModifyApp', { AppId: two.AppId, Disabled: true }));
        await ask('DeleteApp', { AppId: two.AppId, Tag: tags('new') });
        assert.deepEqual(await found({ AppName: word }), [one.AppId]);
      },
    );

    log.covers([`${api}/ResetAppSecret`], 'an app gets a key and a secret that its owner chose', async () => {
      const app = await world.newApp();
      const groupId = await world.newGroup();
      const apiId = await world.liveApi(groupId, mockApi('/reset', '"in"', 'APP'));
      const place = { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE' };
      await ask('SetAppsAuthorities', { ...place, AppIds: String(app.appId) });
      const chosen = { key: world.unique('chosen-key'), secret: 'chosen-secret' };
      await ask('ResetAppSecret', { AppKey: app.key, NewAppKey: chosen.key, NewAppSecret: chosen.secret });
      assert.equal(await world.getSigned(groupId, '/reset', chosen), '200 in');
      assert.equal(await world.getSigned(groupId, '/reset', app), '400');
      await fails('NotFoundAppKey', ask('ResetAppSecret', { AppKey: app.key }));
    });
  });

  describe('parameters of grants', () => {
    log.covers(
      [
        ...['SetAppsAuthorities', 'SetApisAuthorities', 'DescribeAuthorizedApps', 'DescribeAuthorizedApis'].map(
          (name) => `${api}/${name}` as const,
        ),
        `${api}/RemoveApisAuthorities`,
      ],
      'a grant has its stage, its end and its description, and is found by app, name, owner and page',
      async () => {
        const groupId = await world.newGroup();
        const apiId = await world.liveApi(groupId, mockApi('/granted', '"in"', 'APP'), 'PRE');
        const names = [world.unique('first'), world.unique('other')];
        const apps = await Promise.all(names.map((AppName) => world.newApp({ AppName })));
        const [first, other] = apps;
        assert.ok(first !== undefined && other !== undefined);
        const place = { GroupId: groupId, ApiId: apiId };
        const AuthValidTime = 'Fri, 05 Oct 2068 16:00:00 GMT';
        const AppIds = apps.map(({ appId }) => appId).join(',');
        const given = { StageName: 'PRE', Description: 'for the shop', AuthValidTime };
        await ask('SetAppsAuthorities', { ...place, AppIds, ...given });
        assert.equal(await world.getSigned(groupId, '/granted', first, 'PRE'), '200 in');

        const found = async (filter: object) =>
          items(await ask('DescribeAuthorizedApps', { ...place, ...filter }), 'AuthorizedApps.AuthorizedApp');
        const idsOf = (rows: readonly unknown[]) => rows.map((row) => at(row, 'AppId'));
        const [row] = await found({ AppId: first.appId, StageName: 'PRE' });
        assert.deepEqual(
          [at(row, 'StageName'), at(row, 'Description'), at(row, 'AuthVaildTime'), at(row, 'Operator')],
          ['PRE', 'for the shop', '2068-10-05T16:00:00Z', 'PROVIDER'],
        );
        assert.deepEqual(await found({ StageName: 'TEST' }), []);
        assert.deepEqual(idsOf(await found({ AppName: names[1] })), [other.appId]);
        assert.equal((await found({ AppOwnerId: accountId })).length, 2);
        assert.equal((await found({ AppOwnerId: 7 })).length, 0);
        const pages = [1, 2, 3].map((PageNumber) => found({ PageNumber, PageSize: 1 }));
        assert.deepEqual(idsOf((await Promise.all(pages)).flat()).sort(), [first.appId, other.appId].sort());

        const second = await world.liveApi(groupId, mockApi('/second', '"in"', 'APP'), 'TEST');
        const ended = { AuthValidTime: '2018-10-05T16:00:00Z', Description: 'over' };
        const both = { GroupId: groupId, AppId: first.appId, StageName: 'TEST' };
        await ask('SetApisAuthorities', { ...both, ApiIds: second, ...ended });
        assert.equal(await world.getSigned(groupId, '/second', first, 'TEST'), '403');
        await ask('SetApisAuthorities', { ...both, ApiIds: second, AuthValidTime, Description: 'again' });
        assert.equal(await world.getSigned(groupId, '/second', first, 'TEST'), '200 in');
        const apis = [1, 2, 3].map(async (PageNumber) =>
          column(
            await ask('DescribeAuthorizedApis', { AppId: first.appId, PageNumber, PageSize: 1 }),
            'AuthorizedApis.AuthorizedApi',
            'ApiId',
          ),
        );
        assert.deepEqual((await Promise.all(apis)).flat().sort(), [apiId, second].sort());
        await ask('RemoveApisAuthorities', { ...both, ApiIds: second, Description: 'no longer' });
        assert.equal(await world.getSigned(groupId, '/second', first, 'TEST'), '403');
        assert.equal(
          await world.getSigned(groupId, '/granted', first, 'PRE'),
          '200 in',
          'another stage keeps its grant',
        );
      },
    );
  });

  describe('AppCodes', () => {
    log.covers([`${api}/CreateApi`], 'are taken where AppCodeAuthType says so, and nowhere else', async () => {
      const groupId = await world.newGroup();
      const app = await world.newApp();
      const code = textAt(await ask('DescribeAppSecurity', { AppId: app.appId }), 'AppCode');
      const statuses = async (AppCodeAuthType: string) => {
        const path = `/${AppCodeAuthType.toLowerCase()}`;
        const apiId = await world.liveApi(groupId, { ...mockApi(path, 'in', 'APP'), AppCodeAuthType });
        const place = { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE' };
        await ask('SetAppsAuthorities', { ...place, AppIds: String(app.appId) });
        const headers = { authorization: `APPCODE ${code}` };
        const answers = [
          await callPlain(world.server.ready, groupId, path, { headers }),
          await callPlain(world.server.ready, groupId, `${path}?AppCode=${code}`),
        ];
        return answers.map((answer) => answer.headers['x-ca-error-code'] ?? answer.status);
      };
      assert.deepEqual(await statuses('DEFAULT'), ['A400MA', 'A400MA']);
      assert.deepEqual(await statuses('DISABLE'), ['A400MA', 'A400MA']);
      assert.deepEqual(await statuses('HEADER'), [200, 'A400MA']);
      assert.deepEqual(await statuses('HEADER_QUERY'), [200, 200]);
    });
  });
}
