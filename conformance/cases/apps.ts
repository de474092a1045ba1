// Apps and grants: which keys open which API in which stage.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails } from '../kit/calls.ts';
import { at, column, items, textAt } from '../kit/read.ts';
import { mockApi, type World } from '../kit/world.ts';

const api = 'CloudAPI/2016-07-14';

export function appCases(world: World): void {
  const { ask, log } = world;

  async function guardedApi(path: string): Promise<{ groupId: string; apiId: string }> {
    const groupId = await world.newGroup();
    return { groupId, apiId: await world.liveApi(groupId, mockApi(path, '"in"', 'APP')) };
  }

  describe('apps and grants', () => {
    log.covers(
      [`${api}/CreateApp`, `${api}/DescribeAppSecurity`, `${api}/SetAppsAuthorities`],
      'a new app signs with the keys it was given, and is let in once it is granted the API',
      async () => {
        const { groupId, apiId } = await guardedApi('/app');
        const app = await world.newApp();
        assert.equal(await world.getSigned(groupId, '/app', app), '403');
        const params = { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE', AppIds: String(app.appId) };
        await ask('SetAppsAuthorities', params);
        assert.equal(await world.getSigned(groupId, '/app', app), '200 in');
        assert.notEqual(await world.getSigned(groupId, '/app', { key: app.key, secret: 'wrong' }), '200 in');
        await ask('SetAppsAuthorities', params);
        assert.equal(await world.getSigned(groupId, '/app', app), '200 in');
      },
    );

    log.covers([`${api}/RemoveAppsAuthorities`], 'a grant that is taken back lets nobody in', async () => {
      const { groupId, apiId } = await guardedApi('/revoked');
      const app = await world.newApp();
      const params = { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE', AppIds: String(app.appId) };
      await ask('SetAppsAuthorities', params);
      assert.equal(await world.getSigned(groupId, '/revoked', app), '200 in');
      await ask('RemoveAppsAuthorities', params);
      assert.equal(await world.getSigned(groupId, '/revoked', app), '403');
      await fails('NotFoundAuthorization', ask('RemoveAppsAuthorities', params));
    });

    log.covers(
      [
        `${api}/SetApisAuthorities`,
        `${api}/RemoveApisAuthorities`,
        `${api}/DescribeAuthorizedApis`,
        `${api}/DescribeAuthorizedApps`,
      ],
      'an app is granted several APIs of a stage at once, seen from both sides, and loses one',
      async () => {
        const { groupId, apiId } = await guardedApi('/one');
        const second = await world.liveApi(groupId, mockApi('/two', '"in"', 'APP'));
        const app = await world.newApp();
        const params = { GroupId: groupId, AppId: app.appId, StageName: 'RELEASE' };
        await ask('SetApisAuthorities', { ...params, ApiIds: `${apiId},${second}`, Description: 'both' });
        assert.equal(await world.getSigned(groupId, '/one', app), '200 in');
        assert.equal(await world.getSigned(groupId, '/two', app), '200 in');
        const apis = await ask('DescribeAuthorizedApis', { AppId: app.appId });
        assert.deepEqual(column(apis, 'AuthorizedApis.AuthorizedApi', 'ApiId').sort(), [apiId, second].sort());
        const apps = await ask('DescribeAuthorizedApps', { GroupId: groupId, ApiId: second, StageName: 'RELEASE' });
        assert.deepEqual(column(apps, 'AuthorizedApps.AuthorizedApp', 'AppId'), [app.appId]);

        await ask('RemoveApisAuthorities', { ...params, ApiIds: second });
        assert.equal(await world.getSigned(groupId, '/one', app), '200 in');
        assert.equal(await world.getSigned(groupId, '/two', app), '403');
        const left = await ask('DescribeAuthorizedApps', { GroupId: groupId, ApiId: second, StageName: 'RELEASE' });
        assert.deepEqual(items(left, 'AuthorizedApps.AuthorizedApp'), []);
        await fails('NotFoundAuthorization', ask('RemoveApisAuthorities', { ...params, ApiIds: second }));
        await fails('NotFoundApi', ask('SetApisAuthorities', { ...params, ApiIds: 'f'.repeat(32) }));
      },
    );

    log.covers([`${api}/SetAppsAuthorities`], 'a grant counts for its stage and until its end', async () => {
      const { groupId, apiId } = await guardedApi('/staged');
      await ask('DeployApi', { GroupId: groupId, ApiId: apiId, StageName: 'TEST', Description: 'd' });
      const app = await world.newApp();
      const params = { GroupId: groupId, ApiId: apiId, AppIds: String(app.appId) };
      await ask('SetAppsAuthorities', { ...params, StageName: 'TEST' });
      assert.equal(await world.getSigned(groupId, '/staged', app, 'TEST'), '200 in');
      assert.equal(await world.getSigned(groupId, '/staged', app, 'RELEASE'), '403');
      const ended = 'Fri, 05 Oct 2018 16:00:00 GMT';
      await ask('SetAppsAuthorities', { ...params, StageName: 'TEST', AuthValidTime: ended });
      assert.equal(await world.getSigned(groupId, '/staged', app, 'TEST'), '403');
      const wrong = { ...params, StageName: 'TEST', AuthValidTime: 'tomorrow' };
      await fails('InvalidAuthValidTime', ask('SetAppsAuthorities', wrong));
      await fails('NotFoundApp', ask('SetAppsAuthorities', { ...params, StageName: 'RELEASE', AppIds: '1' }));
    });

    log.covers([`${api}/ResetAppSecret`], 'a reset secret signs, the former one does not', async () => {
      const { groupId, apiId } = await guardedApi('/reset');
      const app = await world.newApp();
      const params = { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE', AppIds: String(app.appId) };
      await ask('SetAppsAuthorities', params);
      await ask('ResetAppSecret', { AppKey: app.key });
      const secret = textAt(await ask('DescribeAppSecurity', { AppId: app.appId }), 'AppSecret');
      assert.notEqual(secret, app.secret);
      assert.equal(await world.getSigned(groupId, '/reset', { ...app, secret }), '200 in');
      assert.notEqual(await world.getSigned(groupId, '/reset', app), '200 in');
      await fails(/^NotFoundApp/, ask('ResetAppSecret', { AppKey: 'nobody' }));
    });

    log.covers(
      [`${api}/ModifyApp`, `${api}/DescribeApp`, `${api}/DescribeApps`, `${api}/DescribeAppAttributes`],
      'an app is found by id and name, with what was changed last',
      async () => {
        const { appId, key } = await world.newApp();
        const name = world.unique('named');
        await ask('ModifyApp', { AppId: appId, AppName: name, Description: 'changed' });
        const shown = await ask('DescribeApp', { AppId: appId });
        assert.deepEqual([at(shown, 'AppName'), at(shown, 'Description')], [name, 'changed']);
        assert.deepEqual(column(await ask('DescribeApps', { AppId: appId }), 'Apps.AppItem', 'AppName'), [name]);
        const byName = await ask('DescribeAppAttributes', { AppName: name });
        assert.deepEqual(column(byName, 'Apps.AppAttribute', 'AppId'), [appId]);
        assert.deepEqual(column(await ask('DescribeAppAttributes', { AppKey: key }), 'Apps.AppAttribute', 'AppId'), [
          appId,
        ]);
        assert.equal(at(await ask('DescribeAppAttributes', { AppName: 'nobody_has_this' }), 'TotalCount'), 0);
        await ask('ModifyApp', { AppId: appId });
        await fails('MissingAppIdOrAppOwner', ask('DescribeApps'));
        await fails('NotFoundApp', ask('ModifyApp', { AppId: 1, AppName: name }));
      },
    );

    log.covers([`${api}/DeleteApp`], 'a deleted app opens nothing and has no grants', async () => {
      const { groupId, apiId } = await guardedApi('/left');
      const app = await world.newApp();
      const params = { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE' };
      await ask('SetAppsAuthorities', { ...params, AppIds: String(app.appId) });
      assert.equal(await world.getSigned(groupId, '/left', app), '200 in');
      await ask('DeleteApp', { AppId: app.appId });
      assert.notEqual(await world.getSigned(groupId, '/left', app), '200 in');
      assert.deepEqual(items(await ask('DescribeAuthorizedApps', params), 'AuthorizedApps.AuthorizedApp'), []);
      await fails('NotFoundApp', ask('DescribeAppSecurity', { AppId: app.appId }));
      await fails('NotFoundApp', ask('DeleteApp', { AppId: app.appId }));
    });

    log.covers([`${api}/CreateApp`], 'an app may bring its keys; names and keys are taken once', async () => {
      const { groupId, apiId } = await guardedApi('/own');
      const own = { AppKey: world.unique('own-key'), AppSecret: 'own-secret' };
      const name = world.unique('own');
      const app = await world.newApp({ ...own, AppName: name });
      const params = { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE', AppIds: String(app.appId) };
      await ask('SetAppsAuthorities', params);
      assert.equal(await world.getSigned(groupId, '/own', { key: own.AppKey, secret: own.AppSecret }), '200 in');
      await fails('DuplicateAppKey', ask('CreateApp', { ...own, AppName: world.unique('second') }));
      await fails('DuplicateAppName', ask('CreateApp', { AppName: name }));
      await fails('MissingAppName', ask('CreateApp', {}));
      await fails('InvalidAppName', ask('CreateApp', { AppName: 'x' }));
    });
  });
}
