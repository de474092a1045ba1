// The several key pairs and codes of an app, and models: JSON Schemas of bodies.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails } from '../kit/calls.ts';
import { callPlain } from '../kit/gateway.ts';
import { column, items, textAt } from '../kit/read.ts';
import { mockApi, type World } from '../kit/world.ts';

const api = 'CloudAPI/2016-07-14';

export function credentialCases(world: World): void {
  const { ask, log } = world;

  /** An API that `app` may call, by signature or AppCode. */
  async function guarded(path: string, appId: number): Promise<string> {
    const groupId = await world.newGroup();
    const definition = { ...mockApi(path, '"in"', 'APP'), AppCodeAuthType: 'HEADER' };
    const apiId = await world.liveApi(groupId, definition);
    const stage = { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE' };
    await ask('SetAppsAuthorities', { ...stage, AppIds: String(appId) });
    return groupId;
  }

  describe('credentials of apps', () => {
    log.covers(
      [`${api}/CreateAppKey`, `${api}/DeleteAppKey`, `${api}/DescribeAppSecurities`],
      'a second key pair signs beside the first, until it is deleted',
      async () => {
        const app = await world.newApp();
        const groupId = await guarded('/keys', app.appId);
        const second = { key: world.unique('second-key'), secret: 'second-secret' };
        const AppId = String(app.appId);
        await ask('CreateAppKey', { AppId, AppKey: second.key, AppSecret: second.secret });
        assert.equal(await world.getSigned(groupId, '/keys', second), '200 in');
        assert.equal(await world.getSigned(groupId, '/keys', app), '200 in');
        const shown = await ask('DescribeAppSecurities', { AppId: app.appId });
        assert.deepEqual(column(shown, 'AppSecuritys.AppSecurity', 'AppKey'), [app.key, second.key]);
        await fails('DuplicateAppKey', ask('CreateAppKey', { AppId, AppKey: second.key }));
        await ask('DeleteAppKey', { AppId, AppKey: second.key });
        assert.notEqual(await world.getSigned(groupId, '/keys', second), '200 in');
        assert.equal(await world.getSigned(groupId, '/keys', app), '200 in');
        await fails('NotFoundAppKey', ask('DeleteAppKey', { AppId, AppKey: second.key }));
        await fails('InvalidAppKey', ask('DeleteAppKey', { AppId, AppKey: app.key }));
        await fails('NotFoundApp', ask('CreateAppKey', { AppId: '1' }));
      },
    );

    log.covers(
      [`${api}/CreateAppCode`, `${api}/ResetAppCode`, `${api}/DeleteAppCode`],
      'a code opens the API, then its successor does, then none',
      async () => {
        const app = await world.newApp();
        const groupId = await guarded('/codes', app.appId);
        const statusWith = async (code: string) => {
          const headers = { authorization: `APPCODE ${code}` };
          return (await callPlain(world.server.ready, groupId, '/codes', { headers })).status;
        };
        const AppId = String(app.appId);
        const [first, second] = [world.unique('code').replace('_', ''), world.unique('code').replace('_', '')];
        assert.notEqual(await statusWith(first), 200);
        await ask('CreateAppCode', { AppId, AppCode: first });
        assert.equal(await statusWith(first), 200);
        await fails('DuplicateAppCode', ask('CreateAppCode', { AppId, AppCode: first }));
        await ask('ResetAppCode', { AppCode: first, NewAppCode: second });
        assert.notEqual(await statusWith(first), 200);
        assert.equal(await statusWith(second), 200);
        await ask('DeleteAppCode', { AppId, AppCode: second });
        assert.notEqual(await statusWith(second), 200);
        await fails('NotFoundAppCode', ask('DeleteAppCode', { AppId, AppCode: second }));
        await fails('NotFoundAppCode', ask('ResetAppCode', { AppCode: second }));
      },
    );
  });

  describe('models', () => {
    const schemaOf = (name: string) =>
      JSON.stringify({ type: 'object', properties: { [name]: { type: 'string' } }, required: [name] });

    log.covers(
      [`${api}/CreateModel`, `${api}/DescribeModels`, `${api}/ModifyModel`, `${api}/DeleteModel`],
      'a model is kept with its schema, changed, and gone',
      async () => {
        const groupId = await world.newGroup();
        const model = { GroupId: groupId, ModelName: world.unique('Model') };
        const made = await ask('CreateModel', { ...model, Schema: schemaOf('a') });
        const id = textAt(made, 'ModelId');
        assert.equal(textAt(made, 'ModelRef'), `https://apigateway.aliyun.com/models/${groupId}/${id}`);
        await fails('DuplicateModelName', ask('CreateModel', { ...model, Schema: schemaOf('a') }));
        const array = ask('CreateModel', { ...model, ModelName: world.unique('Model'), Schema: '{"type":"array"}' });
        await fails('InvalidSchema', array);
        const NewModelName = world.unique('Model');
        await ask('ModifyModel', { ...model, NewModelName, Schema: schemaOf('b') });
        const shown = await ask('DescribeModels', { GroupId: groupId });
        assert.deepEqual(column(shown, 'ModelDetails.ModelDetail', 'ModelName'), [NewModelName]);
        assert.deepEqual(column(shown, 'ModelDetails.ModelDetail', 'Schema'), [schemaOf('b')]);
        await fails('NotFoundModel', ask('ModifyModel', { ...model, Schema: schemaOf('c') }));
        await ask('DeleteModel', { GroupId: groupId, ModelName: NewModelName });
        assert.deepEqual(items(await ask('DescribeModels', { GroupId: groupId }), 'ModelDetails.ModelDetail'), []);
        await fails('NotFoundModel', ask('DeleteModel', { GroupId: groupId, ModelName: NewModelName }));
      },
    );
  });
}
