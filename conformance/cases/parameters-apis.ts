// Every parameter of the actions on APIs: what callers and backends see of it, what is shown of it, or which rows of a listing it picks.
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { describe } from 'node:test';
import { fails, type OperationName } from '../kit/calls.ts';
import { callPlain } from '../kit/gateway.ts';
import { at, column, items, textAt } from '../kit/read.ts';
import { httpApi, mockApi, vpcPlace, type World } from '../kit/world.ts';

const api = 'CloudAPI/2016-07-14';
type Filter = Readonly<Record<string, unknown>>;
const named = (...operations: string[]) => operations.map((name): OperationName => `${api}/${name}`);
const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

export function apiParameterCases(world: World): void {
  const { log } = world;
  const ask = world.clients.current('v3');
  const address = `http://127.0.0.1:${world.upstream.port}`;
  const make = async (GroupId: string, definition: Filter, stage: string | null = 'RELEASE') => {
    const made = await ask('CreateApi', { GroupId, ApiName: world.unique('api'), ...definition });
    const ApiId = textAt(made, 'ApiId');
    if (stage !== null) await ask('DeployApi', { GroupId, ApiId, StageName: stage, Description: 'd' });
    return ApiId;
  };

  /** `id` in the path, `count` in the query, `x-who` in a header, mapped to other names; a constant and a system parameter. */
  const mapping = (path: string) => {
    const rows = [
      ['id', 'PATH', 'String', 'REQUIRED', 'petId', 'PATH'],
      ['count', 'QUERY', 'Int', 'OPTIONAL', 'Count', 'QUERY'],
      ['x-who', 'HEAD', 'String', 'OPTIONAL', 'X-Caller', 'HEAD'],
    ] as const;
    const definition = httpApi(`${path}/[id]`, address, '/pets/[petId]');
    return {
      ...definition,
      RequestConfig: { ...definition.RequestConfig, RequestMode: 'MAPPING', RequestHttpMethod: 'GET' },
      RequestParameters: rows.map(([ApiParameterName, Location, ParameterType, Required]) => ({
        ...{ ApiParameterName, Location, ParameterType, Required },
        ...(ParameterType === 'Int' ? { MinValue: 1, MaxValue: 9, DefaultValue: '5' } : {}),
      })),
      ServiceParameters: rows.map(([, , , , ServiceParameterName, Location]) => ({
        ...{ ServiceParameterName, Location, ParameterType: 'STRING' },
      })),
      ServiceParametersMap: rows.map(([RequestParameterName, , , , ServiceParameterName]) => ({
        ...{ RequestParameterName, ServiceParameterName },
      })),
      ConstantParameters: [{ ServiceParameterName: 'X-Fixed', ConstantValue: 'fixed', Location: 'HEAD' }],
      SystemParameters: [{ ParameterName: 'CaStage', ServiceParameterName: 'X-Stage', Location: 'HEAD' }],
    };
  };
  const documents = {
    ...{ Description: 'documented', ResultType: 'TEXT', ResultSample: 'sample', FailResultSample: 'no sample' },
    ErrorCodeSamples: [{ Code: 'E1', Message: 'bad', Description: 'very bad' }],
    ResultDescriptions: [{ Id: '1', Pid: '0', Key: 'k', Name: 'n', Type: 'String', Mandatory: true, HasChild: false }],
    ResultBodyModel: 'https://apigateway.aliyun.com/models/a/b',
  };
  const checkShown = async (ApiId: string, texts: Filter) => {
    const shown = await ask('DescribeApi', { ApiId });
    for (const [name, value] of Object.entries(texts)) {
      if (typeof value !== 'object') assert.equal(at(shown, name), value, name);
    }
    return shown;
  };

  describe('parameters of APIs', () => {
    log.covers(
      named('CreateApi', 'ModifyApi', 'DescribeApi'),
      'mapped, constant and system parameters reach the backend; what documents the API is shown as it was given',
      async () => {
        const GroupId = await world.newGroup();
        const Tag = [{ Key: 'api', Value: world.unique('tag') }];
        const given = { ...mapping('/first'), ...documents, Visibility: 'PUBLIC', WebSocketApiType: 'COMMON' };
        const ApiId = await make(GroupId, { ...given, Tag });
        const call = (path: string) =>
          callPlain(world.server.ready, GroupId, path, { headers: { 'x-who': 'me', 'x-stray': 'x' } });
        const seen = JSON.parse((await call('/first/7?count=3&stray=1')).body) as { url: string; headers: Filter };
        assert.equal(seen.url, '/pets/7?Count=3');
        assert.deepEqual(
          ['x-caller', 'x-fixed', 'x-stage', 'x-stray'].map((name) => seen.headers[name]),
          ['me', 'fixed', 'RELEASE', undefined],
        );
        assert.match((await call('/first/7')).body, /"url":"\/pets\/7\?Count=5"/, 'the default');
        assert.equal((await call('/first/7?count=10')).headers['x-ca-error-code'], 'I400IP');
        const shown = await checkShown(ApiId, { ...documents, Visibility: 'PUBLIC', WebSocketApiType: 'COMMON' });
        assert.equal(at(shown, 'ErrorCodeSamples.ErrorCodeSample.0.Code'), 'E1');
        const live = await ask('DescribeDeployedApi', { GroupId, ApiId, StageName: 'RELEASE' });
        assert.equal(at(live, 'ResultDescriptions.ResultDescription.0.Key'), 'k');
        assert.equal(at(shown, 'TagList.Tag.0.TagValue'), Tag[0]?.Value);
        assert.equal(at(shown, 'ConstantParameters.ConstantParameter.0.ConstantValue'), 'fixed');

        const changed = { ...mapping('/second'), ...documents, Description: 'changed', FailResultSample: 'other' };
        await ask('ModifyApi', {
          GroupId,
          ApiId,
          ApiName: world.unique('api'),
          ...changed,
          WebSocketApiType: 'COMMON',
        });
        assert.equal((await call('/second/8')).status, 404, 'a draft is not live');
        await ask('DeployApi', { GroupId, ApiId, StageName: 'RELEASE', Description: 'd' });
        assert.match((await call('/second/8')).body, /"url":"\/pets\/8\?Count=5"/);
        await checkShown(ApiId, { Description: 'changed', FailResultSample: 'other', Visibility: 'PRIVATE' });
        for (const ResultType of ['JSON', 'TEXT', 'BINARY', 'XML', 'HTML', 'PASSTHROUGH']) {
          await ask('ModifyApi', { GroupId, ApiId, ApiName: world.unique('api'), ...changed, ResultType });
          await checkShown(ApiId, { ResultType });
        }
      },
    );

    log.covers(
      named('CreateApi', 'ModifyApi'),
      'an API says which signatures it takes, whether a nonce must be there, and who may call from where',
      async () => {
        const GroupId = await world.newGroup();
        const app = await world.newApp();
        const security = { AuthType: 'APP', AppCodeAuthType: 'DISABLE', DisableInternet: true };
        const definition = { ...mockApi('/secured', '"in"', 'APP'), ...security };
        const ApiId = await make(GroupId, { ...definition, ForceNonceCheck: true, AllowSignatureMethod: 'HmacSHA256' });
        await ask('SetAppsAuthorities', { GroupId, ApiId, StageName: 'RELEASE', AppIds: String(app.appId) });
        // The official client sends a nonce and signs with HmacSHA256; this machine is in the intranet.
        assert.equal(await world.getSigned(GroupId, '/secured', app), '200 in');
        const weak = { 'x-ca-key': app.key, 'x-ca-signature': 'x', 'x-ca-signature-method': 'HmacSHA1' };
        const codeOf = async (headers: Record<string, string>) =>
          (await callPlain(world.server.ready, GroupId, '/secured', { headers })).headers['x-ca-error-code'];
        assert.equal(await codeOf(weak), 'I400HD');
        const both = { AllowSignatureMethod: 'HmacSHA1,HmacSHA256', ForceNonceCheck: false };
        await ask('ModifyApi', { GroupId, ApiId, ApiName: world.unique('api'), ...definition, ...both });
        await ask('DeployApi', { GroupId, ApiId, StageName: 'RELEASE', Description: 'd' });
        assert.equal(await codeOf(weak), 'A403IS', 'now it is the signature that is wrong');
        await checkShown(ApiId, { ...security, ...both });
        await fails('InvalidAllowSignatureMethod', make(GroupId, { ...definition, AllowSignatureMethod: 'MD5' }));
      },
    );

    log.covers(
      named('CreateApi', 'ModifyApi'),
      'OPENID and APPOPENID take the tokens that are signed with the key of an IDTOKEN API',
      async () => {
        const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
        const kid = world.unique('kid');
        const PublicKey = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
        const GroupId = await world.newGroup();
        const issuer = { OpenIdApiType: 'IDTOKEN', IdTokenParamName: '', PublicKeyId: kid, PublicKey };
        const issuing = { ...mockApi('/login', 'token'), AuthType: 'OPENID', OpenIdConnectConfig: issuer };
        await make(GroupId, issuing);
        const OpenIdConnectConfig = { OpenIdApiType: 'BUSINESS', IdTokenParamName: 'token' };
        await make(GroupId, { ...mockApi('/business', 'in'), AuthType: 'OPENID', OpenIdConnectConfig });
        const app = await world.newApp();
        const definition = { ...mockApi('/both', '"in"'), AuthType: 'APPOPENID', OpenIdConnectConfig };
        const ApiId = await make(GroupId, {
          ...definition,
          OpenIdConnectConfig: { ...OpenIdConnectConfig, IdTokenParamName: 'other' },
        });
        await ask('ModifyApi', { GroupId, ApiId, ApiName: world.unique('api'), ...definition });
        await ask('DeployApi', { GroupId, ApiId, StageName: 'RELEASE', Description: 'd' });
        await ask('SetAppsAuthorities', { GroupId, ApiId, StageName: 'RELEASE', AppIds: String(app.appId) });

        const tokenOf = (claims: object) => {
          const text = `${base64({ alg: 'RS256', kid })}.${base64(claims)}`;
          return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`;
        };
        const now = Math.floor(Date.now() / 1000);
        const answer = async (path: string) => {
          const got = await callPlain(world.server.ready, GroupId, path);
          return got.headers['x-ca-error-code'] ?? got.body;
        };
        const good = tokenOf({ exp: now + 600 });
        assert.equal(await answer('/login'), 'token');
        assert.equal(await answer('/business'), 'I400JR');
        assert.equal(await answer(`/business?token=${good}`), 'in');
        assert.equal(await answer(`/business?token=${tokenOf({ exp: now - 600 })}`), 'A403JE');
        assert.equal(await answer(`/business?token=${good.slice(0, -4)}AAAA`), 'A403JT');
        assert.equal(await answer(`/both?token=${good}`), 'A400MA');
        assert.equal(await world.getSigned(GroupId, `/both?token=${good}`, app), '200 in');
        assert.equal(await world.getSigned(GroupId, '/both', app), '400');
      },
    );

    log.covers(
      named('ModifyApi', 'ModifyApiConfiguration'),
      'an API is led to a backend definition and back by either action',
      async () => {
        const GroupId = await world.newGroup();
        const BackendName = world.unique('backend');
        const BackendId = textAt(await ask('CreateBackend', { BackendName, BackendType: 'HTTP' }), 'BackendId');
        const model = { BackendId, BackendType: 'HTTP', StageName: 'RELEASE' };
        await ask('CreateBackendModel', { ...model, BackendModelData: { ServiceAddress: `${address}/shared` } });
        const ApiId = await make(GroupId, httpApi('/led', address), null);
        const seen = async () => {
          await ask('DeployApi', { GroupId, ApiId, StageName: 'RELEASE', Description: 'd' });
          return (await world.seenBy(GroupId, '/led')).url;
        };
        assert.equal(await seen(), '/led');
        const shared = { BackendEnable: true, BackendId };
        await ask('ModifyApi', {
          GroupId,
          ApiId,
          ApiName: world.unique('api'),
          ...httpApi('/led', address),
          ...shared,
        });
        assert.equal(await seen(), '/shared/led');
        await ask('ModifyApiConfiguration', { ApiId, UseBackendService: false });
        assert.equal(await seen(), '/led');
        await ask('ModifyApiConfiguration', { ApiId, UseBackendService: true, BackendName });
        assert.equal(await seen(), '/shared/led');
        await fails(
          'NotFoundBackend',
          ask('ModifyApiConfiguration', { ApiId, UseBackendService: true, BackendName: 'none' }),
        );
      },
    );
  });

  describe('parameters of ModifyApiConfiguration', () => {
    log.covers(named('ModifyApiConfiguration'), 'each changes its part of the draft and leaves the rest', async () => {
      const GroupId = await world.newGroup();
      const ApiId = await make(GroupId, mockApi('/before', 'in'), null);
      const change = (parameters: Filter) => ask('ModifyApiConfiguration', { ApiId, ...parameters });
      const { RequestParameters, ServiceParameters, ServiceParametersMap } = mapping('/after');
      const HttpConfig = { ServiceAddress: address, ServicePath: '/pets/[petId]', ServiceHttpMethod: 'POST' };
      await change({
        ...{
          RequestPath: '/after/[id]',
          RequestHttpMethod: 'POST',
          RequestMode: 'MAPPING',
          RequestProtocol: 'HTTP,HTTPS',
        },
        ...{ RequestParameters, ServiceParameters, ServiceParametersMap },
        ...{ BodyFormat: 'STREAM', PostBodyDescription: 'a pet', ServiceProtocol: 'Http', HttpConfig },
        ...{ ContentTypeCategory: 'CUSTOM', ContentTypeValue: 'text/pet', ServiceTimeout: 4000 },
      });
      const scalars = {
        ...{ ApiName: world.unique('renamed'), Description: 'changed', Visibility: 'PUBLIC', AuthType: 'ANONYMOUS' },
        ...{ ResultType: 'XML', ResultSample: '<a/>', FailResultSample: '<b/>', AppCodeAuthType: 'HEADER' },
        ...{ AllowSignatureMethod: 'HmacSHA1,HmacSHA256', ForceNonceCheck: true, DisableInternet: true },
      };
      await change({ ...scalars, ErrorCodeSamples: documents.ErrorCodeSamples });
      const shown = await checkShown(ApiId, scalars);
      assert.equal(at(shown, 'ErrorCodeSamples.ErrorCodeSample.0.Code'), 'E1');
      assert.equal(at(shown, 'RequestConfig.PostBodyDescription'), 'a pet');
      assert.equal(at(shown, 'ServiceConfig.ServiceTimeout'), 4000);
      await ask('DeployApi', { GroupId, ApiId, StageName: 'RELEASE', Description: 'd' });
      const answer = await callPlain(world.server.ready, GroupId, '/after/7?count=2', {
        method: 'POST',
        form: { a: '1' },
      });
      const seen = JSON.parse(answer.body) as { method: string; url: string; headers: Filter; body: string };
      assert.deepEqual([seen.method, seen.url, seen.body], ['POST', '/pets/7?Count=2', 'a=1']);
      assert.equal(seen.headers['content-type'], 'text/pet');
      await fails('UnsupportedParameter', change({ ModelName: 'Pet' }));
      for (const [word, method] of [
        ['HEADER', 'HEAD'],
        ['GET', 'GET'],
      ] as const) {
        await change({ RequestHttpMethod: word });
        await ask('DeployApi', { GroupId, ApiId, StageName: 'RELEASE', Description: word });
        for (const asked of ['HEAD', 'GET']) {
          const got = await callPlain(world.server.ready, GroupId, '/after/7', { method: asked });
          assert.equal(got.status, asked === method ? 200 : 404, `${asked} of an API for ${word}`);
        }
      }
    });

    log.covers(
      named('ModifyApiConfiguration'),
      'the backend becomes any of the kinds there are; a model is put to the body',
      async () => {
        const GroupId = await world.newGroup();
        const ApiId = await make(GroupId, mockApi('/kind', 'first'), null);
        const answer = async (parameters: Filter, options: Parameters<typeof callPlain>[3] = {}) => {
          await ask('ModifyApiConfiguration', { ApiId, ...parameters });
          await ask('DeployApi', { GroupId, ApiId, StageName: 'RELEASE', Description: 'd' });
          const got = await callPlain(world.server.ready, GroupId, '/kind', options);
          return String(got.headers['x-ca-error-code'] ?? got.body);
        };
        const MockConfig = { MockResult: 'second', MockStatusCode: '200', MockHeaders: [] };
        assert.equal(await answer({ ServiceProtocol: 'Mock', MockConfig }), 'second');
        const VpcConfig = { ...vpcPlace, Port: world.upstream.port, ServicePath: '/in-vpc', ServiceHttpMethod: 'GET' };
        assert.match(await answer({ ServiceProtocol: 'Vpc', VpcConfig }), /"url":"\/in-vpc"/);
        const result = {
          'index.js': "exports.handler = (e, c, done) => done(null, { statusCode: 200, body: 'ran' });\n",
        };
        const FunctionName = await world.newFunction3(result);
        const FunctionComputeConfig = { FcVersion: '3.0', FcRegionId: world.server.ready.region, FunctionName };
        assert.equal(await answer({ ServiceProtocol: 'FC', FunctionComputeConfig }), 'ran');
        const model = { GroupId, ModelName: 'Kind', Schema: '{"type":"object","required":["age"]}' };
        const BodyModel = textAt(await ask('CreateModel', model), 'ModelRef');
        const mode = { RequestMode: 'MAPPING', BodyFormat: 'STREAM', RequestHttpMethod: 'POST' };
        assert.equal(await answer({ ...mode, BodyModel }, { method: 'POST', form: { age: '1' } }), 'I400BD');
        const OssConfig = { OssRegionId: 'cn-hangzhou', BucketName: 'b', Key: 'k', Action: 'GetObject' };
        await ask('ModifyApiConfiguration', { ApiId, ServiceProtocol: 'OSS', OssConfig });
        assert.equal(at(await ask('DescribeApi', { ApiId }), 'ServiceConfig.ServiceProtocol'), 'OSS');
      },
    );
  });

  describe('parameters of listings of APIs', () => {
    log.covers(
      named(
        'DescribeApis',
        'DescribeDeployedApis',
        'DescribeApiHistories',
        'DescribeApiHistory',
        'DescribeDeployedApi',
      ),
      'APIs are found by id, name, method, path, stage, tag, visibility and page, and their versions by stage',
      async () => {
        const GroupId = await world.newGroup();
        const tag = (name: string) => [{ Key: 'listed', Value: `${GroupId}${name}` }];
        const one = await make(GroupId, { ...mockApi('/one', 'one'), ApiName: 'listed_one', Tag: tag('one') }, 'PRE');
        const posting = mockApi('/two', 'two');
        const RequestConfig = { ...posting.RequestConfig, RequestHttpMethod: 'POST' };
        const two = await make(
          GroupId,
          { ...posting, RequestConfig, ApiName: 'listed_two', Tag: tag('two'), Visibility: 'PUBLIC' },
          'TEST',
        );
        const three = await make(GroupId, { ...mockApi('/three', 'three'), ApiName: 'draft_three' }, null);
        const place = { GroupId, EnableTagAuth: false };
        const drafts = async (filter: Filter) =>
          column(await ask('DescribeApis', { ...place, ...filter }), 'ApiSummarys.ApiSummary', 'ApiId');
        const live = async (filter: Filter) =>
          column(await ask('DescribeDeployedApis', { ...place, ...filter }), 'DeployedApis.DeployedApiItem', 'ApiId');
        const filters = {
          ApiId: two,
          ApiName: 'listed_two',
          ApiMethod: 'POST',
          ApiPath: '/two',
          StageName: 'TEST',
          Tag: tag('two'),
        };
        for (const [name, value] of Object.entries(filters)) {
          assert.deepEqual(await drafts({ [name]: value }), [two], `DescribeApis by ${name}`);
          assert.deepEqual(await live({ [name]: value }), [two], `DescribeDeployedApis by ${name}`);
        }
        assert.deepEqual(await live({ StageName: 'RELEASE' }), []);
        assert.deepEqual(await drafts({ Visibility: 'PUBLIC' }), [two]);
        assert.deepEqual(await drafts({ UnDeployed: true }), [three]);
        await fails('UnsupportedParameter', ask('DescribeApis', { GroupId, CatalogId: 'c' }));
        const pages = [1, 2, 3, 4].map((PageNumber) => drafts({ PageNumber, PageSize: 1 }));
        assert.deepEqual((await Promise.all(pages)).flat().sort(), [one, two, three].sort());
        const livePages = [1, 2, 3].map((PageNumber) => live({ PageNumber, PageSize: 1 }));
        assert.deepEqual((await Promise.all(livePages)).flat().sort(), [one, two].sort());

        for (const StageName of ['PRE', 'RELEASE']) {
          await ask('DeployApi', { GroupId, ApiId: one, StageName, Description: StageName });
        }
        const versions = async (filter: Filter) =>
          items(await ask('DescribeApiHistories', { GroupId, ...filter }), 'ApiHisItems.ApiHisItem');
        assert.equal((await versions({ ApiName: 'listed_one' })).length, 3);
        assert.equal((await versions({ ApiId: one, StageName: 'RELEASE' })).length, 1);
        assert.equal((await versions({ PageNumber: 2, PageSize: 3 })).length, 1, 'of four in all');
        for (const version of await versions({ ApiId: one })) {
          const StageName = textAt(version, 'StageName');
          const of = { GroupId, ApiId: one, StageName, HistoryVersion: textAt(version, 'HistoryVersion') };
          assert.equal(at(await ask('DescribeApiHistory', of), 'ServiceConfig.MockResult'), 'one');
          const shown = await ask('DescribeDeployedApi', { GroupId, ApiId: one, StageName });
          assert.equal(at(shown, 'StageName'), StageName);
        }
        await ask('AbolishApi', { GroupId, ApiId: two, StageName: 'TEST' });
        assert.deepEqual((await live({})).toSorted(), [one, one]);
      },
    );
  });
}
