import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { type Answer, type Bench, open, request, signedRequest } from '../../src/gateway/testing.ts';
import type { Change } from '../../src/model/published.ts';
import { wholeApi } from './control-api-config.ts';
import {
  at,
  cloudApiSdk,
  items,
  type Loose,
  modelsOf,
  type Plane,
  popRpc,
  startPlane,
  textAt,
} from './control-fixture.ts';

async function fails(code: string, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error: { code?: unknown }) => {
    assert.equal(error.code, code);
    return true;
  });
}

type Published = { readonly groupId: string; readonly apiId: string; readonly path: string };

describe('policies, through official clients and to the gateway', () => {
  let plane: Plane;
  let ask: (action: string, params?: Record<string, unknown>) => Promise<Loose>;
  let counter = 0;

  before(async () => {
    plane = await startPlane();
    ask = (action, params = {}) => popRpc(plane, 'POST')(action, params);
  });
  after(() => plane.close());

  const unique = (name: string) => `${name}_${++counter}`;

  async function publish(auth: 'APP' | 'ANONYMOUS' = 'ANONYMOUS'): Promise<Published> {
    const groupId = textAt(await ask('CreateApiGroup', { GroupName: unique('group') }), 'GroupId');
    const path = `/${unique('path')}`;
    const config = { RequestProtocol: 'HTTP', RequestHttpMethod: 'GET', RequestPath: path, RequestMode: 'PASSTHROUGH' };
    const made = await ask('CreateApi', {
      GroupId: groupId,
      ...wholeApi,
      ApiName: unique('api'),
      AuthType: auth,
      RequestConfig: config,
      RequestParameters: '[]',
      ServiceParameters: '[]',
      ServiceParametersMap: '[]',
    });
    const apiId = textAt(made, 'ApiId');
    await ask('DeployApi', { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE', Description: 'd' });
    return { groupId, apiId, path };
  }

  /** A gateway on what is published now. */
  async function gateway(): Promise<Bench> {
    const { changes } = await plane.store.changesSince(0, 100_000);
    return open(changes as Change[]);
  }
  const call = (bench: Bench, { groupId, path }: Published, peerAddress = '198.51.100.7'): Promise<Answer> =>
    bench.send(request({ target: path, headers: { Host: `${groupId}.localhost` }, peerAddress }));
  const place = ({ groupId, apiId }: Published) => ({ GroupId: groupId, ApiIds: apiId, StageName: 'RELEASE' });

  it('a traffic control throttles the APIs that it is bound to, until it is unbound', async () => {
    const api = await publish();
    const limits = { TrafficControlUnit: 'MINUTE', ApiDefault: 2 };
    const made = await ask('CreateTrafficControl', { TrafficControlName: unique('throttle'), ...limits });
    const TrafficControlId = textAt(made, 'TrafficControlId');
    assert.match(TrafficControlId, /^[0-9a-f]{32}$/);
    await ask('SetTrafficControlApis', { TrafficControlId, ...place(api) });
    let bench = await gateway();
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await call(bench, api)).status);
    assert.deepEqual(statuses, [200, 200, 429]);

    await ask('ModifyTrafficControl', { TrafficControlId, ApiDefault: 1, Description: 'lower' });
    bench = await gateway();
    assert.deepEqual([(await call(bench, api)).status, (await call(bench, api)).status], [200, 429]);

    await fails('DependencyViolationTrafficControl', ask('DeleteTrafficControl', { TrafficControlId }));
    await ask('RemoveTrafficControlApis', { TrafficControlId, ...place(api) });
    bench = await gateway();
    for (let i = 0; i < 3; i++) assert.equal((await call(bench, api)).status, 200);
    await ask('DeleteTrafficControl', { TrafficControlId });
    await fails('NotFoundTrafficControl', ask('DeleteTrafficControl', { TrafficControlId }));
    assert.equal((await plane.published()).get(`trafficControl ${TrafficControlId}`), undefined);
  });

  it('special entries give an app a limit of its own, and are listed by type', async () => {
    const api = await publish('APP');
    const appId = Number(at(await ask('CreateApp', { AppName: unique('app') }), 'AppId'));
    const security = await ask('DescribeAppSecurity', { AppId: appId });
    await ask('SetAppsAuthorities', {
      GroupId: api.groupId,
      ApiId: api.apiId,
      StageName: 'RELEASE',
      AppIds: String(appId),
    });
    const limits = { TrafficControlUnit: 'DAY', ApiDefault: 10, UserDefault: 5, AppDefault: 1 };
    const made = await ask('CreateTrafficControl', { TrafficControlName: unique('throttle'), ...limits });
    const TrafficControlId = textAt(made, 'TrafficControlId');
    await ask('SetTrafficControlApis', { TrafficControlId, ...place(api) });
    const accepted = async () => {
      const bench = await gateway();
      const pair = { appKey: textAt(security, 'AppKey'), appSecret: textAt(security, 'AppSecret') };
      const headers = { Host: `${api.groupId}.localhost` };
      for (let count = 0; ; count++) {
        const timestamp = String(bench.clock.now());
        const signed = signedRequest({
          target: api.path,
          headers: { ...headers, 'X-Ca-Timestamp': timestamp },
          ...pair,
        });
        const host = ['Host', `${api.groupId}.localhost`];
        const rest = signed.rawHeaders.filter((_, i, all) => all[i - (i % 2)]?.toLowerCase() !== 'host');
        const { status } = await bench.send({ ...signed, rawHeaders: [...host, ...rest] });
        if (status !== 200) return status === 429 ? count : `${status}`;
      }
    };
    assert.equal(await accepted(), 1);
    const special = { TrafficControlId, SpecialType: 'APP', SpecialKey: String(appId) };
    await ask('AddTrafficSpecialControl', { ...special, TrafficValue: 2 });
    await ask('AddTrafficSpecialControl', { ...special, TrafficValue: 3 });
    assert.equal(await accepted(), 3);
    const user = { ...special, SpecialType: 'USER', SpecialKey: plane.credentials.accountId };
    await ask('AddTrafficSpecialControl', { ...user, TrafficValue: 2 });
    assert.equal(await accepted(), 2);

    const shown = await ask('DescribeTrafficControls', { TrafficControlId });
    const policies = items(shown, 'TrafficControls.TrafficControl.0.SpecialPolicies.SpecialPolicy');
    assert.deepEqual(JSON.parse(JSON.stringify(policies)), [
      { SpecialType: 'APP', Specials: { Special: [{ SpecialKey: String(appId), TrafficValue: 3 }] } },
      { SpecialType: 'USER', Specials: { Special: [{ SpecialKey: plane.credentials.accountId, TrafficValue: 2 }] } },
    ]);
    await ask('DeleteTrafficSpecialControl', user);
    assert.equal(await accepted(), 3);
    await fails('NotFoundTrafficSpecialControl', ask('DeleteTrafficSpecialControl', user));
    await ask('DeleteAllTrafficSpecialControl', { TrafficControlId });
    assert.equal(await accepted(), 1);
    await fails('InvalidTrafficValue', ask('AddTrafficSpecialControl', { ...special, TrafficValue: 11 }));
    await fails('NotFoundApp', ask('AddTrafficSpecialControl', { ...special, SpecialKey: '1', TrafficValue: 1 }));
  });

  it('limits must nest: app within account within API', async () => {
    const create = (limits: object) =>
      ask('CreateTrafficControl', { TrafficControlName: unique('throttle'), TrafficControlUnit: 'SECOND', ...limits });
    await fails('InvalidUserDefault', create({ ApiDefault: 5, UserDefault: 6 }));
    await fails('InvalidAppDefault', create({ ApiDefault: 5, UserDefault: 3, AppDefault: 4 }));
    await fails('InvalidAppDefault', create({ ApiDefault: 5, AppDefault: 6 }));
    await fails('InvalidApiDefault', create({ ApiDefault: 0 }));
    await fails('InvalidTrafficControlUnit', create({ ApiDefault: 5, TrafficControlUnit: 'YEAR' }));
    await fails('InvalidTrafficControlName', create({ ApiDefault: 5, TrafficControlName: '_name' }));
  });

  it('bindings of traffic controls are found from the policy, the API and the group', async () => {
    const api = await publish();
    const name = unique('throttle');
    const limits = { TrafficControlUnit: 'HOUR', ApiDefault: 7 };
    const made = await ask('CreateTrafficControl', { TrafficControlName: name, Description: 'seven', ...limits });
    const TrafficControlId = textAt(made, 'TrafficControlId');
    await ask('SetTrafficControlApis', { TrafficControlId, ...place(api) });
    const one = { GroupId: api.groupId, ApiId: api.apiId, StageName: 'RELEASE' };
    const byApi = await ask('DescribeTrafficControlsByApi', one);
    assert.equal(at(byApi, 'TrafficControlItems.TrafficControlItem.0.TrafficControlItemId'), TrafficControlId);
    assert.equal(at(byApi, 'TrafficControlItems.TrafficControlItem.0.TrafficControlItemName'), name);
    const byPolicy = await ask('DescribeApisByTrafficControl', { TrafficControlId });
    assert.equal(at(byPolicy, 'ApiInfos.ApiInfo.0.ApiId'), api.apiId);
    assert.equal(at(byPolicy, 'ApiInfos.ApiInfo.0.StageName'), 'RELEASE');
    const ofGroup = await ask('DescribeApiTrafficControls', { GroupId: api.groupId, StageName: 'RELEASE' });
    assert.equal(at(ofGroup, 'ApiTrafficControls.ApiTrafficControlItem.0.TrafficControlName'), name);
    const bound = await ask('DescribeTrafficControls', one);
    assert.equal(at(bound, 'TotalCount'), 1);
    assert.equal(at(bound, 'TrafficControls.TrafficControl.0.ApiDefault'), 7);
    const inTest = await ask('DescribeTrafficControlsByApi', { ...one, StageName: 'TEST' });
    assert.deepEqual(items(inTest, 'TrafficControlItems.TrafficControlItem'), []);
    assert.equal(at(await ask('DescribeTrafficControls', { TrafficControlName: name }), 'TotalCount'), 1);

    await ask('AbolishApi', { ...one });
    await ask('DeleteApi', { GroupId: api.groupId, ApiId: api.apiId });
    assert.equal(at(await ask('DescribeApisByTrafficControl', { TrafficControlId }), 'TotalCount'), 0);
    assert.equal((await plane.published()).get(`policies ${api.apiId}/RELEASE`), undefined);
    await ask('DeleteTrafficControl', { TrafficControlId });
  });

  it('an IP control decides who may call; its items are added, changed and removed', async () => {
    const api = await publish();
    const sdk = cloudApiSdk(plane);
    const { CreateIpControlRequest } = modelsOf('@alicloud/cloudapi20160714');
    assert.ok(CreateIpControlRequest !== undefined && sdk['createIpControl'] !== undefined);
    const made = await sdk['createIpControl'](
      new CreateIpControlRequest({
        ipControlName: unique('gate'),
        ipControlType: 'ALLOW',
        ipControlPolicys: [{ cidrIp: '192.0.2.0/24;2001:db8::/32' }],
      }),
    );
    const IpControlId = textAt(made, 'body.ipControlId');
    await ask('SetIpControlApis', { IpControlId, ...place(api) });
    const status = async (address: string) => (await call(await gateway(), api, address)).status;
    assert.deepEqual(
      [await status('192.0.2.1'), await status('2001:db8::1'), await status('198.51.100.1')],
      [200, 200, 403],
    );

    const added = await ask('AddIpControlPolicyItem', { IpControlId, CidrIp: '198.51.100.1' });
    const PolicyItemId = textAt(added, 'PolicyItemId');
    assert.equal(await status('198.51.100.1'), 200);
    await ask('ModifyIpControlPolicyItem', { IpControlId, PolicyItemId, CidrIp: '198.51.100.2,198.51.100.3' });
    assert.deepEqual([await status('198.51.100.1'), await status('198.51.100.3')], [403, 200]);
    const shown = await ask('DescribeIpControlPolicyItems', { IpControlId, PolicyItemId });
    assert.equal(at(shown, 'IpControlPolicyItems.IpControlPolicyItem.0.CidrIp'), '198.51.100.2;198.51.100.3');
    assert.equal(at(await ask('DescribeIpControlPolicyItems', { IpControlId }), 'TotalCount'), 2);
    await ask('RemoveIpControlPolicyItem', { IpControlId, PolicyItemIds: PolicyItemId });
    assert.equal(await status('198.51.100.3'), 403);

    const name = unique('renamed');
    await ask('ModifyIpControl', { IpControlId, IpControlName: name, Description: 'new' });
    const listed = await ask('DescribeIpControls', { IpControlName: name, IpControlType: 'ALLOW' });
    assert.equal(at(listed, 'IpControlInfos.IpControlInfo.0.IpControlId'), IpControlId);
    assert.equal(at(listed, 'IpControlInfos.IpControlInfo.0.Description'), 'new');
    const apis = await ask('DescribeApisByIpControl', { IpControlId });
    assert.equal(at(apis, 'ApiInfos.ApiInfo.0.ApiId'), api.apiId);
    const ofGroup = await ask('DescribeApiIpControls', {
      GroupId: api.groupId,
      StageName: 'RELEASE',
      ApiIds: api.apiId,
    });
    assert.equal(at(ofGroup, 'ApiIpControls.ApiIpControlItem.0.IpControlName'), name);

    await fails('DependencyViolationIpControl', ask('DeleteIpControl', { IpControlId }));
    await ask('RemoveIpControlApis', { IpControlId, ...place(api) });
    assert.equal(await status('203.0.113.1'), 200);
    await ask('DeleteIpControl', { IpControlId });
    await ask('DeleteIpControl', { IpControlId });
    await fails('NotFoundIpControl', ask('SetIpControlApis', { IpControlId, ...place(api) }));
  });

  it('refuses addresses that are none, too many of them, and items that are not there', async () => {
    const made = await ask('CreateIpControl', { IpControlName: unique('gate'), IpControlType: 'REFUSE' });
    const IpControlId = textAt(made, 'IpControlId');
    const add = (CidrIp: string, extra: object = {}) =>
      ask('AddIpControlPolicyItem', { IpControlId, CidrIp, ...extra });
    await fails('InvalidCidrIp', add('192.0.2.0/33'));
    await fails('InvalidCidrIp', add('example.com'));
    await fails('InvalidCidrIp', add(Array.from({ length: 11 }, (_, i) => `192.0.2.${i}`).join(';')));
    await fails('InvalidAppId', add('192.0.2.0', { AppId: 'x' }));
    await fails('NotFoundIpControlPolicyItem', ask('RemoveIpControlPolicyItem', { IpControlId, PolicyItemIds: 'P0' }));
    await ask('DeleteIpControl', { IpControlId });
  });

  it('a signature key signs what the backends of its APIs get; the key can be changed at once', async () => {
    const api = await publish();
    const SignatureName = unique('key');
    const key = { SignatureKey: 'first_key', SignatureSecret: 'Secret@#!*1' };
    const made = await ask('CreateSignature', { SignatureName, ...key });
    const SignatureId = textAt(made, 'SignatureId');
    assert.equal(at(made, 'SignatureName'), SignatureName);
    await ask('SetSignatureApis', { SignatureId, ...place(api) });
    const sent = async () => {
      const bench = await gateway();
      assert.equal((await call(bench, api)).status, 200);
      return bench.event()['headers'] as Record<string, string>;
    };
    const signature = (secret: string) => createHmac('sha256', secret).update(`GET\n\n${api.path}`).digest('base64');
    const first = await sent();
    assert.equal(first['X-Ca-Proxy-Signature'], signature('Secret@#!*1'));
    assert.equal(first['X-Ca-Proxy-Signature-Secret-Key'], 'first_key');
    await ask('ModifySignature', { SignatureId, SignatureKey: 'second_key', SignatureSecret: 'other_secret' });
    const second = await sent();
    assert.equal(second['X-Ca-Proxy-Signature'], signature('other_secret'));
    assert.equal(second['X-Ca-Proxy-Signature-Secret-Key'], 'second_key');

    const one = { GroupId: api.groupId, ApiId: api.apiId, StageName: 'RELEASE' };
    const byApi = await ask('DescribeSignaturesByApi', one);
    assert.equal(at(byApi, 'Signatures.SignatureItem.0.SignatureName'), SignatureName);
    assert.equal(at(await ask('DescribeApisBySignature', { SignatureId }), 'ApiInfos.ApiInfo.0.ApiId'), api.apiId);
    const ofGroup = await ask('DescribeApiSignatures', { GroupId: api.groupId, StageName: 'RELEASE' });
    assert.equal(at(ofGroup, 'ApiSignatures.ApiSignatureItem.0.SignatureId'), SignatureId);
    const listed = await ask('DescribeSignatures', { SignatureName });
    assert.equal(at(listed, 'SignatureInfos.SignatureInfo.0.SignatureKey'), 'second_key');

    await fails('DependencyViolationSignature', ask('DeleteSignature', { SignatureId }));
    await ask('RemoveSignatureApis', { SignatureId, ...place(api) });
    assert.equal((await sent())['X-Ca-Proxy-Signature'], undefined);
    await ask('DeleteSignature', { SignatureId });
    assert.equal(at(await ask('DescribeSignatures', { SignatureId }), 'TotalCount'), 0);
  });

  it('refuses malformed signature keys without showing the secret', async () => {
    const create = (extra: object) =>
      ask('CreateSignature', {
        SignatureName: unique('key'),
        SignatureKey: 'good_key',
        SignatureSecret: 'good_secret',
        ...extra,
      });
    await fails('InvalidSignatureKey', create({ SignatureKey: '1start' }));
    await assert.rejects(create({ SignatureSecret: 'not allowed' }), (error: { code?: unknown; message: string }) => {
      assert.equal(error.code, 'InvalidSignatureSecret');
      return !error.message.includes('not allowed');
    });
  });
});
