// The journey with each official SDK of Node, in the pairs people use them: function, API, app, signed call; then all of it undone.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { Cleanup } from '../tests/harness/server.ts';
import { fails } from './kit/calls.ts';
import { type Ask, model, zipped } from './kit/clients.ts';
import { signedCalls } from './kit/gateway.ts';
import { at, textAt } from './kit/read.ts';
import { classic, open, type ServiceFc } from './kit/service-fc.ts';
import { addition, functionApi, World } from './kit/world.ts';

const cleanup = new Cleanup();
after(() => cleanup.run());
const world = await World.start(cleanup);
const { ready } = world.server;

const zipFile = await zipped(addition);
const event = JSON.stringify({ queryParameters: { a: '1', b: '2' } });
const alone = { isBase64Encoded: false, statusCode: 200, headers: {}, body: { msg: '3' } };
const settings = { runtime: 'nodejs20', handler: 'index.handler', memorySize: 128, timeout: 10 };

/** The function's half. `invoke` gives the result as text; `target` is what a FunctionComputeConfig says of it. */
type FunctionHalf = {
  create(): Promise<void>;
  invoke(event: string): Promise<string>;
  readonly target: object;
  remove(): Promise<void>;
};

function inService(fc: ServiceFc): FunctionHalf {
  const [service, name] = [world.unique('demo'), 'testadd'];
  return {
    async create() {
      await fc.createService(service);
      await fc.createFunction(service, { functionName: name, ...settings, code: { zipFile } });
    },
    invoke: async (text) => String((await fc.invoke(service, name, text)).data),
    target: { FcRegionId: ready.region, ServiceName: service, FunctionName: name },
    async remove() {
      await fc.deleteFunction(service, name);
      await fc.deleteService(service);
      await fails('ServiceNotFound', fc.getService(service));
    },
  };
}

function withoutService(): FunctionHalf {
  const name = world.unique('demo');
  const { fc3 } = world;
  return {
    async create() {
      const code = model('3', 'InputCodeLocation', { zipFile });
      const body = model('3', 'CreateFunctionInput', { functionName: name, ...settings, cpu: 0.1, code });
      await fc3('createFunction', model('3', 'CreateFunctionRequest', { body }));
    },
    async invoke(text) {
      const { Readable } = await import('node:stream');
      const request = model('3', 'InvokeFunctionRequest', { body: Readable.from([Buffer.from(text)]) });
      const parts = await (
        at(await fc3('invokeFunction', name, request), 'body') as NodeJS.ReadableStream & {
          toArray(): Promise<Buffer[]>;
        }
      ).toArray();
      return Buffer.concat(parts).toString();
    },
    target: { FcRegionId: ready.region, FcVersion: '3.0', FunctionName: name },
    async remove() {
      await fc3('deleteFunction', name);
      await fails('FunctionNotFound', fc3('getFunction', name, model('3', 'GetFunctionRequest')));
    },
  };
}

function byRoa(version: '2021-04-06' | '2023-03-30'): FunctionHalf {
  const call = world.clients.roa(version);
  const [service, name] = [world.unique('roa'), world.unique('testadd')];
  const base = version === '2023-03-30' ? '/2023-03-30' : `/2021-04-06/services/${service}`;
  const input = { functionName: name, ...settings, code: { zipFile } };
  const where = version === '2023-03-30' ? { FcVersion: '3.0' } : { ServiceName: service };
  return {
    async create() {
      if (version === '2021-04-06')
        await call('CreateService', 'post', '/2021-04-06/services', {}, { serviceName: service });
      await call('CreateFunction', 'post', `${base}/functions`, {}, input);
    },
    async invoke(text) {
      const answer = await call(
        'InvokeFunction',
        'post',
        `${base}/functions/${name}/invocations`,
        {},
        JSON.parse(text),
      );
      return typeof answer === 'string' ? answer : JSON.stringify(answer);
    },
    target: { FcRegionId: ready.region, FunctionName: name, ...where },
    async remove() {
      await call('DeleteFunction', 'delete', `${base}/functions/${name}`);
      await fails('FunctionNotFound', call('GetFunction', 'get', `${base}/functions/${name}`));
      if (version === '2021-04-06') await call('DeleteService', 'delete', base);
    },
  };
}

async function journey(functions: FunctionHalf, ask: Ask): Promise<void> {
  await functions.create();
  assert.deepEqual(JSON.parse(await functions.invoke(event)), alone);

  const groupId = textAt(
    await ask('CreateApiGroup', { GroupName: world.unique('journey'), Description: '天气 a*b~c' }),
    'GroupId',
  );
  const definition = functionApi('/testadd', functions.target);
  const apiId = textAt(
    await ask('CreateApi', { GroupId: groupId, ApiName: world.unique('add'), ...definition }),
    'ApiId',
  );
  const stage = { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE' };
  await ask('DeployApi', { ...stage, Description: 'first' });
  const appId = Number(at(await ask('CreateApp', { AppName: world.unique('caller') }), 'AppId'));
  await ask('SetAppsAuthorities', { ...stage, AppIds: String(appId) });
  const security = await ask('DescribeAppSecurity', { AppId: appId });
  const keys = { key: textAt(security, 'AppKey'), secret: textAt(security, 'AppSecret') };

  const calls = signedCalls(ready, groupId, keys);
  const form = { a: '12323', b: '142' };
  assert.deepEqual(await calls.postForm('/testadd', form), { msg: '12465' });
  const inPre = signedCalls(ready, groupId, keys, 'PRE');
  await assert.rejects(inPre.postForm('/testadd', form), { code: 404 });
  const forged = signedCalls(ready, groupId, { ...keys, secret: 'wrong' });
  await assert.rejects(forged.postForm('/testadd', form), /Invalid Signature/);

  const history = await ask('DescribeApiHistories', { GroupId: groupId, ApiId: apiId });
  assert.equal(at(history, 'ApiHisItems.ApiHisItem.0.Status'), 'ONLINE');
  await ask('RemoveAppsAuthorities', { ...stage, AppIds: String(appId) });
  await assert.rejects(calls.postForm('/testadd', form), { code: 403 });
  await ask('AbolishApi', stage);
  await assert.rejects(calls.postForm('/testadd', form), { code: 404 });
  await ask('DeleteApi', { GroupId: groupId, ApiId: apiId });
  await ask('DeleteApp', { AppId: appId });
  await ask('DeleteApiGroup', { GroupId: groupId });
  await fails('NotFoundApiGroup', ask('DescribeApiGroup', { GroupId: groupId }));
  await functions.remove();
}

describe('the journey', () => {
  const { clients } = world;
  it('@alicloud/fc2 and @alicloud/pop-core by POST', () => journey(inService(classic(world)), clients.pop('POST')));
  it('@alicloud/fc-open20210406 and @alicloud/cloudapi20160714 by V3', () =>
    journey(inService(open(world)), clients.current('v3')));
  it('@alicloud/fc20230330 and @alicloud/cloudapi20160714 by RPC v1', () =>
    journey(withoutService(), clients.current('v2')));
  it('@alicloud/pop-core: ROA of 2021-04-06, and RPC by GET', () => journey(byRoa('2021-04-06'), clients.pop('GET')));
  it('@alicloud/pop-core: ROA of 2023-03-30, and @alicloud/cloudapi', () =>
    journey(byRoa('2023-03-30'), clients.older()));
});

describe('aliyun-api-gateway', () => {
  it('signs queries, forms, JSON and streams so that the gateway and the function read the same', async () => {
    const groupId = await world.newGroup();
    const seen = `((e) => ({ statusCode: 200, headers: { 'content-type': 'application/json' },
      body: [e.httpMethod, e.queryParameters, e.body, e.isBase64Encoded] }))(JSON.parse(event))`;
    const [ServiceName, FunctionName] = await world.newFunction({
      'index.js': `exports.handler = (event, context, callback) => callback(null, ${seen});\n`,
    });
    const definition = functionApi('/seen', { FcRegionId: ready.region, ServiceName, FunctionName });
    const RequestConfig = { ...definition.RequestConfig, RequestHttpMethod: 'ANY', RequestMode: 'PASSTHROUGH' };
    const { Visibility, AuthType, ServiceConfig, ResultType, ResultSample } = definition;
    const passing = { Visibility, AuthType, ServiceConfig, ResultType, ResultSample, RequestConfig };
    const apiId = await world.liveApi(groupId, passing);
    const app = await world.newApp();
    const stage = { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE' };
    await world.ask('SetAppsAuthorities', { ...stage, AppIds: String(app.appId) });
    const calls = signedCalls(ready, groupId, app);
    // Whatever is passed through arrives in Base64, even nothing.
    const [method, query, ...rest] = (await calls.get('/seen?b=2&a=1&empty=')) as [string, object, string, boolean];
    assert.deepEqual([method, query, rest], ['GET', { a: '1', b: '2', empty: '' }, ['', true]]);
    const bodyOf = (answer: unknown) => Buffer.from(textAt(answer, '2'), 'base64').toString();
    const form = await calls.postForm('/seen?q=1', { name: '天气', blank: 'a b' });
    assert.deepEqual(at(form, '1'), { q: '1' });
    assert.deepEqual(
      [...new URLSearchParams(bodyOf(form))],
      [
        ['name', '天气'],
        ['blank', 'a b'],
      ],
    );
    assert.equal(bodyOf(await calls.postStream('/seen', '\u0000raw')), '\u0000raw');
    assert.equal(bodyOf(await calls.postJson('/seen', { a: '天气' })), '{"a":"天气"}');
  });
});
