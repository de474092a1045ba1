// Every parameter of the actions on groups, domains, stage variables, VPC access grants and models: what it sets, or which rows it picks.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails, type OperationName } from '../kit/calls.ts';
import { certificate } from '../kit/certificate.ts';
import { callPlain } from '../kit/gateway.ts';
import { at, column, items, textAt } from '../kit/read.ts';
import { httpApi, mockApi, vpcPlace, type World } from '../kit/world.ts';

const api = 'CloudAPI/2016-07-14';
type Filter = Readonly<Record<string, unknown>>;
const named = (...operations: string[]) => operations.map((name): OperationName => `${api}/${name}`);

export function groupParameterCases(world: World): void {
  const { log } = world;
  const ask = world.clients.current('v3');
  const { ready } = world.server;
  const upstream = `http://127.0.0.1:${world.upstream.port}`;

  describe('parameters of groups', () => {
    log.covers(
      named('CreateApiGroup', 'DescribeApiGroups', 'DeleteApiGroup'),
      'a group is made on the one instance there is, and found by id, base path, instance, age and page',
      async () => {
        const word = world.unique('groups');
        const make = async (name: string, more: Filter = {}) =>
          textAt(await ask('CreateApiGroup', { GroupName: `${word}_${name}`, ...more }), 'GroupId');
        const one = await make('one', { BasePath: `/${word}` });
        const Tag = [{ Key: 'for', Value: 'permissions' }];
        const InstanceId = textAt(await ask('DescribeApiGroup', { GroupId: one, Tag }), 'InstanceId');
        const two = await make('two', { InstanceId });
        await fails('NotFoundInstance', make('three', { InstanceId: 'api-elsewhere' }));
        const found = async (filter: Filter) => {
          const listed = await ask('DescribeApiGroups', { EnableTagAuth: false, ...filter });
          return column(listed, 'ApiGroupAttributes.ApiGroupAttribute', 'GroupId');
        };
        assert.deepEqual(await found({ GroupId: two }), [two]);
        assert.deepEqual(await found({ BasePath: `/${word}` }), [one]);
        assert.deepEqual((await found({ GroupName: word, InstanceId })).length, 2);
        assert.deepEqual(await found({ GroupName: word, InstanceId: 'api-elsewhere' }), []);
        const [oldest, newest] = [
          await found({ GroupName: word, Sort: 'asc' }),
          await found({ GroupName: word, Sort: 'desc' }),
        ];
        assert.deepEqual(oldest.toReversed(), newest);
        const pages = [1, 2, 3].map((PageNumber) => found({ GroupName: word, PageNumber, PageSize: 1 }));
        assert.deepEqual((await Promise.all(pages)).flat().sort(), [one, two].sort());
        await ask('DeleteApiGroup', { GroupId: two, Tag });
        assert.deepEqual(await found({ GroupName: word }), [one]);
        const regions = await ask('DescribeRegions', { Language: 'zh' });
        assert.deepEqual(column(regions, 'Regions.Region', 'RegionId'), [ready.region]);
      },
    );

    log.covers(
      named('ModifyApiGroup', 'DescribeApiGroup', 'QueryRequestLogs'),
      'options of a group change what callers and backends see, at once, and are shown',
      async () => {
        const GroupId = await world.newGroup();
        const app = await world.newApp();
        const code = textAt(await ask('DescribeAppSecurity', { AppId: app.appId }), 'AppCode');
        const definition = { ...httpApi('/options', upstream), AuthType: 'APP', AppCodeAuthType: 'HEADER_QUERY' };
        const ApiId = await world.liveApi(GroupId, definition);
        await ask('SetAppsAuthorities', { GroupId, ApiId, StageName: 'RELEASE', AppIds: String(app.appId) });
        const call = async (path: string, headers: Record<string, string> = { authorization: `APPCODE ${code}` }) =>
          callPlain(ready, GroupId, path, { headers });
        const seenBy = async (path: string) =>
          JSON.parse((await call(path)).body) as { headers: Record<string, string> };
        assert.equal((await seenBy('/options')).headers['authorization'], `APPCODE ${code}`);
        await ask('ModifyApiGroup', { GroupId, FilterAppCodeForBackend: 'true' });
        assert.equal((await seenBy('/options')).headers['authorization'], undefined);

        assert.equal((await call('/options')).headers['server'], 'Yunmen');
        await ask('ModifyApiGroup', { GroupId, CustomerConfigs: 'removeResponseServerHeader' });
        assert.equal((await call('/options')).headers['server'], undefined);

        await ask('ModifyApiGroup', { GroupId, CompatibleFlags: 'classic' });
        const classic = await call('/options', {});
        assert.equal(classic.headers['x-ca-error-code'], undefined);
        assert.notEqual(classic.headers['x-ca-error-message'], undefined);
        await ask('ModifyApiGroup', { GroupId, CompatibleFlags: 'none' });
        assert.equal((await call('/options', {})).headers['x-ca-error-code'], 'A400MA');

        const CustomTraceConfig = '{"parameterLocation":"HEADER","parameterName":"x-trace"}';
        const DomainName = `${world.unique('named').replace('_', '-')}.example.com`;
        await ask('SetDomain', { GroupId, DomainName });
        const Tag = [{ Key: 'team', Value: 'shop' }];
        await ask('ModifyApiGroup', { GroupId, CustomTraceConfig, SupportSSE: 'true', DefaultDomain: DomainName, Tag });
        const traced = await call('/options', { authorization: `APPCODE ${code}`, 'x-trace': 'trace-1' });
        const RequestLogId = String(traced.headers['x-ca-request-id']);
        const logged = await ask('QueryRequestLogs', { RequestLogId });
        assert.equal(at(logged, 'RequestLogs.RequestLog.0.CustomTraceId'), 'trace-1');
        const shown = await ask('DescribeApiGroup', { GroupId });
        assert.deepEqual([at(shown, 'CustomTraceConfig'), at(shown, 'DefaultDomain')], [CustomTraceConfig, DomainName]);
        const listed = await ask('DescribeApiGroups', { GroupId, Tag });
        assert.deepEqual(column(listed, 'ApiGroupAttributes.ApiGroupAttribute', 'GroupId'), [GroupId]);
        await fails('InvalidDefaultDomain', ask('ModifyApiGroup', { GroupId, DefaultDomain: 'not.bound.example' }));
        await fails('UnsupportedParameter', ask('ModifyApiGroup', { GroupId, CompatibleFlags: 'modern' }));
        await fails('InvalidFilterAppCodeForBackend', ask('ModifyApiGroup', { GroupId, FilterAppCodeForBackend: '1' }));
      },
    );
  });

  describe('parameters of the network policy of a group', () => {
    log.covers(
      named('ModifyApiGroupNetworkPolicy'),
      'its intranet domain is opened and closed, and what the cloud alone has is refused by name',
      async () => {
        const GroupId = await world.newGroup();
        await world.liveApi(GroupId, mockApi('/net', 'net'));
        const at = async (host: string) => (await callPlain(ready, GroupId, '/net', { headers: { host } })).status;
        const domain = `${GroupId}-${ready.region}-vpc.alicloudapi.com`;
        assert.equal(await at(domain), 200);
        await ask('ModifyApiGroupNetworkPolicy', { GroupId, VpcIntranetEnable: false });
        assert.equal(await at(domain), 404);
        await ask('ModifyApiGroupNetworkPolicy', { GroupId, VpcIntranetEnable: true, InternetEnable: false });
        assert.equal(await at(domain), 200);
        assert.equal(await at(`${GroupId}.localhost`), 200, 'this machine is in the intranet');
        for (const name of ['InternetIPV6Enable', 'VpcSlbIntranetEnable']) {
          await fails('UnsupportedParameter', ask('ModifyApiGroupNetworkPolicy', { GroupId, [name]: true }));
        }
      },
    );
  });

  describe('parameters of domains', () => {
    log.covers(
      named('SetDomain'),
      'a domain leads to its one stage, sends callers to HTTPS, or is for the intranet only',
      async () => {
        const GroupId = await world.newGroup();
        const ApiId = await world.liveApi(GroupId, mockApi('/bound', 'of release'));
        await ask('ModifyApi', { GroupId, ApiId, ApiName: world.unique('bound'), ...mockApi('/bound', 'of test') });
        await ask('DeployApi', { GroupId, ApiId, StageName: 'TEST', Description: 'd' });
        const DomainName = `${world.unique('bind').replace('_', '-')}.example.com`;
        const answer = async (headers: Record<string, string> = {}) =>
          callPlain(ready, GroupId, '/bound', { headers: { host: DomainName, ...headers } });
        await ask('SetDomain', { GroupId, DomainName, BindStageName: 'TEST' });
        assert.equal((await answer()).body, 'of test');
        assert.equal((await answer({ 'x-ca-stage': 'RELEASE' })).body, 'of test', 'the domain goes before the header');
        await ask('SetDomain', { GroupId, DomainName, BindStageName: 'RELEASE' });
        assert.equal((await answer({ 'x-ca-stage': 'TEST' })).body, 'of release');
        await ask('SetDomain', { GroupId, DomainName, IsHttpRedirectToHttps: true });
        const moved = await answer();
        assert.equal(moved.status, 301);
        assert.match(String(moved.headers['location']), new RegExp(`^https://${DomainName}(:\\d+)?/bound$`));
        await ask('SetDomain', { GroupId, DomainName, CustomDomainType: 'INTRANET' });
        const shown = await ask('DescribeApiGroup', { GroupId });
        assert.deepEqual(column(shown, 'CustomDomains.DomainItem', 'CustomDomainType'), ['INTRANET']);
        assert.equal((await answer()).body, 'of release', 'this machine is in the intranet');
      },
    );

    log.covers(
      named('SetDomainCertificate'),
      'what a certificate cannot have here is refused by name, not passed over',
      async () => {
        const GroupId = await world.newGroup();
        const domain = { GroupId, DomainName: certificate.domainName };
        await ask('SetDomain', { ...domain, IsForce: true });
        const pair = {
          CertificateName: 'params',
          CertificateBody: certificate.body,
          CertificatePrivateKey: certificate.privateKey,
        };
        for (const more of [
          { CaCertificateBody: certificate.body },
          { SslVerifyDepth: '2' },
          { ClientCertSDnPassThrough: true },
          { SslOcspEnable: true },
          { SslOcspCacheEnable: true },
        ]) {
          await fails('UnsupportedParameter', ask('SetDomainCertificate', { ...domain, ...pair, ...more }));
        }
        const off = { ClientCertSDnPassThrough: false, SslOcspEnable: false, SslOcspCacheEnable: false };
        await ask('SetDomainCertificate', { ...domain, ...pair, ...off });
        assert.equal(at(await ask('DescribeDomain', domain), 'CertificateName'), 'params');
        await ask('DeleteDomain', domain);
      },
    );
  });

  describe('parameters of stage variables', () => {
    log.covers(
      named('CreateApiStageVariable', 'DescribeApiStage'),
      'a variable with a route is chosen by a parameter of the request, else by its own value',
      async () => {
        const GroupId = await world.newGroup();
        await world.liveApi(GroupId, httpApi('/routed', upstream, '/#place#'));
        const group = await ask('DescribeApiGroup', { GroupId });
        const stage = items(group, 'StageItems.StageInfo').find((row) => at(row, 'StageName') === 'RELEASE');
        const variable = { GroupId, StageId: textAt(stage, 'StageId'), VariableName: 'place' };
        const model = {
          ...{ Location: 'QUERY', ServiceParameterName: 'where', ParameterCatalog: 'REQUEST' },
          RouteRules: [
            { ConditionValue: 'eu', ResultValue: 'europe' },
            { MinValue: 1, MaxValue: 5, ResultValue: 'few' },
          ],
        };
        const StageRouteModel = JSON.stringify(model);
        await world.ask('CreateApiStageVariable', {
          ...variable,
          VariableValue: 'rest',
          SupportRoute: true,
          StageRouteModel,
        });
        const urls = ['eu', '3', '9'].map(async (where) => (await world.seenBy(GroupId, `/routed?where=${where}`)).url);
        assert.deepEqual(await Promise.all(urls), ['/europe?where=eu', '/few?where=3', '/rest?where=9']);
        const shown = await world.ask('DescribeApiStage', { GroupId, StageId: variable.StageId });
        assert.equal(at(shown, 'Variables.VariableItem.0.SupportRoute'), true);
        const wrong = { ...variable, SupportRoute: true };
        for (const text of ['no JSON', '{}', JSON.stringify({ ...model, Location: 'BODY' })]) {
          await fails(
            'InvalidStageRouteModel',
            world.ask('CreateApiStageVariable', { ...wrong, StageRouteModel: text }),
          );
        }
      },
    );
  });

  describe('parameters of VPC access grants', () => {
    log.covers(
      named('SetVpcAccess', 'DescribeVpcAccesses', 'DescribeApisByVpcAccess'),
      'a grant has a Host of its own and tags, and is found by each of its members',
      async () => {
        const word = world.unique('grants');
        const grant = async (name: string, Port: number, more: Filter = {}) => {
          const given = {
            Name: `${word}-${name}`,
            ...vpcPlace,
            Port,
            Tag: [{ Key: 'grant', Value: `${word}${name}` }],
            ...more,
          };
          return { ...given, VpcAccessId: textAt(await ask('SetVpcAccess', given), 'VpcAccessId') };
        };
        const one = await grant('one', world.upstream.port, { VpcTargetHostName: 'shop.internal', Description: 'd' });
        const two = await grant('one-more', 1, { InstanceId: 'elsewhere' });
        const groupId = await world.newGroup();
        const definition = httpApi('/vpc', upstream);
        const call = {
          ServiceHttpMethod: 'GET',
          ServiceTimeout: 5000,
          ServiceVpcEnable: 'TRUE',
          ServiceProtocol: 'HTTP',
        };
        const apiIds: string[] = [];
        for (const path of ['/vpc', '/vpc2']) {
          const RequestConfig = { ...definition.RequestConfig, RequestPath: path };
          const ServiceConfig = { ...call, ServicePath: path, VpcConfig: { Name: one.Name } };
          apiIds.push(await world.liveApi(groupId, { ...definition, RequestConfig, ServiceConfig }));
        }
        assert.equal((await world.seenBy(groupId, '/vpc')).headers['host'], 'shop.internal');

        const found = async (filter: Filter) =>
          column(await ask('DescribeVpcAccesses', filter), 'VpcAccessAttributes.VpcAccessAttribute', 'Name');
        assert.deepEqual((await found({ Name: one.Name })).toSorted(), [one.Name, two.Name]);
        assert.deepEqual(await found({ Name: one.Name, AccurateQuery: true }), [one.Name]);
        for (const name of ['VpcAccessId', 'InstanceId', 'Tag'] as const) {
          assert.deepEqual(await found({ [name]: two[name] }), [two.Name], name);
        }
        assert.deepEqual(await found({ Port: String(two.Port), VpcId: two.VpcId }), [two.Name]);
        assert.deepEqual(await found({ Name: word, VpcId: 'vpc-other' }), []);
        const pages = [1, 2, 3].map((PageNumber) => found({ Name: word, PageNumber, PageSize: 1 }));
        assert.deepEqual((await Promise.all(pages)).flat().sort(), [one.Name, two.Name]);
        const users = [1, 2, 3].map(async (PageNumber) =>
          column(
            await ask('DescribeApisByVpcAccess', { VpcName: one.Name, PageNumber, PageSize: 1 }),
            'ApiVpcAccessInfos.ApiVpcAccessInfo',
            'ApiId',
          ),
        );
        assert.deepEqual((await Promise.all(users)).flat().sort(), apiIds.toSorted());
        for (const { VpcId, InstanceId, Port } of [one, two]) await ask('RemoveVpcAccess', { VpcId, InstanceId, Port });
      },
    );
  });

  describe('parameters of models', () => {
    log.covers(
      named('CreateModel', 'DescribeModels', 'ModifyModel'),
      'a model has a description and tags, and is found by id, name, tag and page',
      async () => {
        const GroupId = await world.newGroup();
        const Schema = '{"type":"object"}';
        const make = async (ModelName: string) => {
          const Tag = [{ Key: 'model', Value: ModelName }];
          const made = await ask('CreateModel', { GroupId, ModelName, Schema, Description: `the ${ModelName}`, Tag });
          return textAt(made, 'ModelId');
        };
        const [one, two] = [await make('ModelOne'), await make('ModelTwo')];
        const found = async (filter: Filter) =>
          column(await ask('DescribeModels', { GroupId, ...filter }), 'ModelDetails.ModelDetail', 'ModelId');
        assert.deepEqual(await found({ ModelId: two }), [two]);
        assert.deepEqual(await found({ ModelName: 'ModelTwo' }), [two]);
        assert.deepEqual(await found({ Tag: [{ Key: 'model', Value: 'ModelTwo' }] }), [two]);
        const pages = [1, 2, 3].map((PageNumber) => found({ PageNumber, PageSize: 1 }));
        assert.deepEqual((await Promise.all(pages)).flat().sort(), [one, two].sort());
        await ask('ModifyModel', { GroupId, ModelName: 'ModelTwo', Schema, Description: 'changed' });
        const shown = await ask('DescribeModels', { GroupId, ModelId: two });
        assert.deepEqual(column(shown, 'ModelDetails.ModelDetail', 'Description'), ['changed']);
      },
    );
  });
}
