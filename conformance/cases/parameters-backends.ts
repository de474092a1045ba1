// Backend definitions of every kind, and every parameter of the actions on them.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails, type OperationName } from '../kit/calls.ts';
import { callPlain } from '../kit/gateway.ts';
import { at, column, textAt } from '../kit/read.ts';
import { httpApi, nodeReturning, vpcPlace, type World } from '../kit/world.ts';

const api = 'CloudAPI/2016-07-14';
type Filter = Readonly<Record<string, unknown>>;
const named = (...operations: string[]) => operations.map((name): OperationName => `${api}/${name}`);

export function backendParameterCases(world: World): void {
  const { log } = world;
  const ask = world.clients.current('v3');
  const address = `http://127.0.0.1:${world.upstream.port}`;
  const unused = { CreateSlr: false, CreateEventBridgeServiceLinkedRole: false };
  const newBackend = async (BackendType: string, more: Filter = {}) => {
    const given = { BackendName: world.unique('backend'), BackendType, ...unused, ...more };
    return textAt(await ask('CreateBackend', given), 'BackendId');
  };

  /** An API that goes where the definition's model says. */
  const liveWith = (groupId: string, path: string, BackendId: string, stage = 'RELEASE') =>
    world.liveApi(groupId, { ...httpApi(path, address), BackendEnable: true, BackendId }, stage);

  describe('backend definitions of each kind', () => {
    const answers = `({ isBase64Encoded: false, statusCode: 200, headers: {}, body: 'event of ' + JSON.parse(event).httpMethod })`;
    type Kind = { readonly type: string; readonly data: () => Promise<Filter>; readonly answer: RegExp };
    const kinds: readonly Kind[] = [
      {
        type: 'VPC',
        data: async () => ({ VpcConfig: { ...vpcPlace, Port: world.upstream.port } }),
        answer: /"url":"\/VPC"/,
      },
      {
        type: 'MOCK',
        data: async () => ({ MockConfig: { MockResult: 'of the mock', MockStatusCode: '200', MockHeaders: [] } }),
        answer: /^of the mock$/,
      },
      {
        type: 'FC_EVENT',
        data: async () => {
          const [ServiceName, FunctionName] = await world.newFunction(nodeReturning(answers));
          return { FunctionComputeConfig: { FcRegionId: world.server.ready.region, ServiceName, FunctionName } };
        },
        answer: /^event of GET$/,
      },
      {
        type: 'FC_EVENT_V3',
        data: async () => {
          const FunctionName = await world.newFunction3(nodeReturning(answers));
          return { FunctionComputeConfig: { FcRegionId: world.server.ready.region, FunctionName } };
        },
        answer: /^event of GET$/,
      },
      {
        type: 'FC_HTTP',
        data: async () => {
          const code = "exports.handler = (req, resp) => resp.send('request of ' + req.method + ' ' + req.path);\n";
          const [service, name] = await world.newFunction({ 'index.js': code });
          const triggerConfig = { authType: 'anonymous', methods: ['GET'] };
          await world.fc2('createTrigger', service, name, { triggerName: 'http', triggerType: 'http', triggerConfig });
          const FcBaseUrl = `https://1.${world.server.ready.region}.fc.aliyuncs.com/2016-08-15/proxy/${service}/${name}/`;
          return { FunctionComputeConfig: { FcRegionId: world.server.ready.region, FcBaseUrl } };
        },
        answer: /^request of GET \/FC_HTTP$/,
      },
      {
        type: 'FC_HTTP_V3',
        data: async () => {
          const result = "({ statusCode: 200, body: 'document of ' + JSON.parse(event).rawPath })";
          const FunctionName = await world.newFunction3(nodeReturning(result));
          const config = { FcRegionId: world.server.ready.region, FunctionName, TriggerName: 'http' };
          return { FunctionComputeConfig: config };
        },
        answer: /^document of \/FC_HTTP_V3$/,
      },
    ];
    for (const { type, data, answer } of kinds) {
      log.covers(named('CreateBackend', 'CreateBackendModel', 'ModifyBackendModel'), `${type} is called`, async () => {
        const BackendId = await newBackend(type);
        const model = { BackendId, BackendType: type, StageName: 'RELEASE', BackendModelData: await data() };
        const BackendModelId = textAt(
          await ask('CreateBackendModel', { ...model, Description: 'd' }),
          'BackendModelId',
        );
        const groupId = await world.newGroup();
        await liveWith(groupId, `/${type}`, BackendId);
        const got = await callPlain(world.server.ready, groupId, `/${type}`);
        assert.match(got.body, answer, `${got.status} ${String(got.headers['x-ca-error-message'])}`);
        await ask('ModifyBackendModel', { ...model, BackendModelId, Description: 'changed' });
        const info = await ask('DescribeBackendInfo', { BackendId });
        assert.deepEqual(column(info, 'BackendInfo.BackendModels', 'Description'), ['changed']);
        assert.equal(at(info, 'BackendInfo.BackendModels.0.BackendConfig.Type'), type);
      });
    }
  });

  describe('parameters of backend definitions', () => {
    log.covers(
      named('CreateBackend', 'ModifyBackend', 'DescribeBackendList', 'DescribeApisByBackend', 'DeleteBackendModel'),
      'a definition has a description and tags, is found by type, tag and page, and loses the model that is named',
      async () => {
        const word = world.unique('listed');
        const Tag = [{ Key: 'backend', Value: word }];
        const one = await newBackend('HTTP', { BackendName: `${word}_one`, Description: 'first' });
        const two = await newBackend('MOCK', { BackendName: `${word}_two`, Tag });
        const found = async (filter: Filter) =>
          column(await ask('DescribeBackendList', filter), 'BackendInfoList', 'BackendId');
        assert.deepEqual(await found({ BackendName: word, BackendType: 'HTTP' }), [one]);
        assert.deepEqual(await found({ Tag }), [two]);
        const pages = [1, 2, 3].map((PageNumber) => found({ BackendName: word, PageNumber, PageSize: 1 }));
        assert.deepEqual((await Promise.all(pages)).flat().sort(), [one, two].sort());
        const renamed = { BackendId: two, BackendName: `${word}_last`, Description: 'changed' };
        for (const BackendType of ['VPC', 'FC_EVENT', 'FC_HTTP_V3', 'MOCK'])
          await ask('ModifyBackend', { ...renamed, BackendType });
        const info = await ask('DescribeBackendInfo', { BackendId: two });
        assert.deepEqual(
          [at(info, 'BackendInfo.BackendName'), at(info, 'BackendInfo.Description')],
          [`${word}_last`, 'changed'],
        );

        const model = async (StageName: string) => {
          const given = {
            BackendId: one,
            BackendType: 'HTTP',
            StageName,
            BackendModelData: { ServiceAddress: address },
          };
          return textAt(await ask('CreateBackendModel', given), 'BackendModelId');
        };
        const [test, pre] = [await model('TEST'), await model('PRE')];
        await fails('InvalidBackendType', ask('ModifyBackend', { ...renamed, BackendId: one, BackendType: 'MOCK' }));
        const groupId = await world.newGroup();
        const apiIds: string[] = [];
        for (const path of ['/one', '/two']) apiIds.push(await liveWith(groupId, path, one, 'TEST'));
        const users = async (filter: Filter) =>
          column(await ask('DescribeApisByBackend', { BackendId: one, ...filter }), 'ApiInfoList.ApiInfo', 'ApiId');
        assert.deepEqual((await users({ StageName: 'TEST' })).toSorted(), apiIds.toSorted());
        assert.deepEqual(await users({ StageName: 'PRE' }), []);
        const some = [1, 2, 3].map((PageNumber) => users({ PageNumber, PageSize: 1 }));
        assert.deepEqual((await Promise.all(some)).flat().sort(), apiIds.toSorted());

        const gone = { BackendId: one, BackendModelId: pre };
        await fails('NotFoundBackendModel', ask('DeleteBackendModel', { ...gone, StageName: 'TEST' }));
        await ask('DeleteBackendModel', { ...gone, StageName: 'PRE' });
        const left = await ask('DescribeBackendInfo', { BackendId: one });
        assert.deepEqual(column(left, 'BackendInfo.BackendModels', 'BackendModelId'), [test]);
      },
    );
  });
}
