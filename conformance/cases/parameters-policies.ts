// Every parameter of the actions on traffic controls, IP controls and signature keys: what it sets for callers, or which rows it picks.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails, type OperationName } from '../kit/calls.ts';
import { at, column, items, textAt } from '../kit/read.ts';
import { mockApi, type World } from '../kit/world.ts';

const api = 'CloudAPI/2016-07-14';
type Filter = Readonly<Record<string, unknown>>;
const named = (...operations: string[]) => operations.map((name): OperationName => `${api}/${name}`);

export function policyParameterCases(world: World): void {
  const { log } = world;
  const ask = world.clients.current('v3');
  const { accountId } = world.server.ready;

  /** The ids that a listing gives for a filter. */
  const idsOf = (action: string, path: string, member: string) => async (filter: Filter) =>
    column(await ask(action, filter), path, member);

  /** Two rows of a listing, one on each of two pages; none on a third. */
  async function checkPages(ids: (filter: Filter) => Promise<unknown[]>, filter: Filter, expected: readonly string[]) {
    const pages = await Promise.all([1, 2, 3].map((PageNumber) => ids({ ...filter, PageNumber, PageSize: 1 })));
    assert.deepEqual(
      pages.map((page) => page.length),
      [1, 1, 0],
    );
    assert.deepEqual(pages.flat().sort(), expected.toSorted());
  }

  /** Two APIs of one group, live in a stage and bound to one policy there; what each listing of the bindings tells. */
  async function checkListings(
    thing: 'TrafficControl' | 'IpControl' | 'Signature',
    policyId: string,
    listPath: string,
  ) {
    const groupId = await world.newGroup();
    const apiIds = [];
    for (const path of ['/one', '/two']) apiIds.push(await world.liveApi(groupId, mockApi(path, 'in'), 'PRE'));
    const place = { GroupId: groupId, StageName: 'PRE', ApiIds: apiIds.join(','), [`${thing}Id`]: policyId };
    await ask(`Set${thing}Apis`, place);
    const byPolicy = idsOf(`DescribeApisBy${thing}`, 'ApiInfos.ApiInfo', 'ApiId');
    await checkPages(byPolicy, { [`${thing}Id`]: policyId }, apiIds);
    const ofGroup = idsOf(`DescribeApi${thing}s`, listPath, 'ApiId');
    await checkPages(ofGroup, { GroupId: groupId, StageName: 'PRE' }, apiIds);
    assert.deepEqual(await ofGroup({ GroupId: groupId, StageName: 'PRE', ApiIds: apiIds[1] }), [apiIds[1]]);
    assert.deepEqual(await ofGroup({ GroupId: groupId, StageName: 'TEST' }), [], 'nothing is bound in another stage');
    return { groupId, apiIds, place };
  }

  describe('parameters of traffic controls', () => {
    log.covers(
      named('CreateTrafficControl', 'ModifyTrafficControl', 'DescribeTrafficControls', 'DescribeTrafficControlsByApi'),
      'a policy has a unit, three limits and a description, and is found by id, name, API and page',
      async () => {
        const word = world.unique('traffic');
        const make = async (name: string, more: Filter) => {
          const given = { TrafficControlName: `${word}_${name}`, Description: name, ApiDefault: 100, ...more };
          return textAt(await ask('CreateTrafficControl', given), 'TrafficControlId');
        };
        const one = await make('one', { TrafficControlUnit: 'HOUR', UserDefault: 50, AppDefault: 25 });
        const two = await make('two', { TrafficControlUnit: 'SECOND' });
        const list = 'TrafficControls.TrafficControl';
        const ids = idsOf('DescribeTrafficControls', list, 'TrafficControlId');
        assert.deepEqual(await ids({ TrafficControlName: `${word}_two` }), [two]);
        await checkPages(ids, { TrafficControlName: word }, [one, two]);
        const shown = async (TrafficControlId: string) =>
          items(await ask('DescribeTrafficControls', { TrafficControlId }), list).map((row) =>
            ['TrafficControlUnit', 'ApiDefault', 'UserDefault', 'AppDefault', 'Description'].map((name) =>
              at(row, name),
            ),
          );
        assert.deepEqual(await shown(one), [['HOUR', 100, 50, 25, 'one']]);
        const changed = { TrafficControlUnit: 'MINUTE', ApiDefault: 90, UserDefault: 40, AppDefault: 20 };
        await ask('ModifyTrafficControl', { TrafficControlId: one, ...changed, Description: 'changed' });
        assert.deepEqual(await shown(one), [['MINUTE', 90, 40, 20, 'changed']]);
        await fails('InvalidUserDefault', ask('ModifyTrafficControl', { TrafficControlId: one, UserDefault: 91 }));
        await fails('InvalidAppDefault', ask('ModifyTrafficControl', { TrafficControlId: one, AppDefault: 41 }));
        await fails(
          'InvalidTrafficControlUnit',
          ask('ModifyTrafficControl', { TrafficControlId: one, TrafficControlUnit: 'WEEK' }),
        );

        const bound = await checkListings('TrafficControl', one, 'ApiTrafficControls.ApiTrafficControlItem');
        const of = { GroupId: bound.groupId, ApiId: bound.apiIds[0] };
        assert.deepEqual(await ids({ ...of, StageName: 'PRE' }), [one]);
        assert.deepEqual(await ids({ ...of, StageName: 'RELEASE' }), []);
        const byApi = await ask('DescribeTrafficControlsByApi', { ...of, StageName: 'PRE' });
        assert.deepEqual(column(byApi, 'TrafficControlItems.TrafficControlItem', 'TrafficControlItemId'), [one]);
        await fails('DependencyViolationTrafficControl', ask('DeleteTrafficControl', { TrafficControlId: one }));
      },
    );

    log.covers(
      named('AddTrafficSpecialControl', 'DeleteTrafficSpecialControl', 'SetTrafficControlApis'),
      'limits of each kind refuse what is over them, in every unit; that of an account stands in for that of its apps',
      async () => {
        const groupId = await world.newGroup();
        const apiId = await world.liveApi(groupId, mockApi('/limited', '"in"', 'APP'));
        const place = { GroupId: groupId, StageName: 'RELEASE' };
        const app = await world.newApp();
        await ask('SetAppsAuthorities', { ...place, ApiId: apiId, AppIds: String(app.appId) });
        const accepted = async (calls: number) => {
          let count = 0;
          for (let call = 0; call < calls; call++) {
            if ((await world.getSigned(groupId, '/limited', app)) === '200 in') count++;
          }
          return count;
        };
        const bindNew = async (limits: Filter) => {
          const given = {
            TrafficControlName: world.unique('limits'),
            TrafficControlUnit: 'DAY',
            ApiDefault: 100,
            ...limits,
          };
          const TrafficControlId = textAt(await ask('CreateTrafficControl', given), 'TrafficControlId');
          await ask('SetTrafficControlApis', { ...place, ApiIds: apiId, TrafficControlId });
          return TrafficControlId;
        };
        /** Of three calls in one unit of time; again where it ended meanwhile. */
        const ofThree = async (unitMs: number, limits: Filter): Promise<number> => {
          await bindNew(limits);
          const unit = Math.floor(Date.now() / unitMs);
          const count = await accepted(3);
          return Math.floor(Date.now() / unitMs) === unit ? count : ofThree(unitMs, limits);
        };
        assert.equal(await ofThree(3_600_000, { TrafficControlUnit: 'HOUR', UserDefault: 2 }), 2);
        assert.equal(await ofThree(60_000, { TrafficControlUnit: 'MINUTE', AppDefault: 1, UserDefault: 5 }), 1);
        const id = await bindNew({ AppDefault: 1 });
        const ofAccount = { TrafficControlId: id, SpecialType: 'USER', SpecialKey: accountId };
        await ask('AddTrafficSpecialControl', { ...ofAccount, TrafficValue: 3 });
        assert.equal(await accepted(5), 3);
        await ask('DeleteTrafficSpecialControl', ofAccount);
        assert.equal(await accepted(3), 1, 'the default of apps again, which its calls did not count against');
      },
    );
  });

  describe('parameters of IP controls', () => {
    log.covers(
      named('CreateIpControl', 'DescribeIpControls', 'DescribeIpControlPolicyItems', 'AddIpControlPolicyItem'),
      'a control that allows lets in whom it names, an app where an item is for one; it is found by id, type and page',
      async () => {
        const word = world.unique('ip');
        const make = async (IpControlType: string, more: Filter = {}) => {
          const given = { IpControlName: `${word}_${IpControlType}`, IpControlType, Description: IpControlType };
          return textAt(await ask('CreateIpControl', { ...given, ...more }), 'IpControlId');
        };
        const allowing = await make('ALLOW', { IpControlPolicys: [{ CidrIp: '203.0.113.0/24;198.51.100.1' }] });
        const refusing = await make('REFUSE');
        const list = 'IpControlInfos.IpControlInfo';
        const ids = idsOf('DescribeIpControls', list, 'IpControlId');
        assert.deepEqual(await ids({ IpControlName: word, IpControlType: 'REFUSE' }), [refusing]);
        await checkPages(ids, { IpControlName: word }, [allowing, refusing]);
        const [row] = items(await ask('DescribeIpControls', { IpControlId: allowing }), list);
        assert.deepEqual([at(row, 'IpControlType'), at(row, 'Description')], ['ALLOW', 'ALLOW']);

        const groupId = await world.newGroup();
        const apiId = await world.liveApi(groupId, mockApi('/inside', '"in"', 'APP'));
        const place = { GroupId: groupId, StageName: 'RELEASE' };
        const [own, other] = [await world.newApp(), await world.newApp()];
        await ask('SetAppsAuthorities', { ...place, ApiId: apiId, AppIds: `${own.appId},${other.appId}` });
        await ask('SetIpControlApis', { ...place, ApiIds: apiId, IpControlId: allowing });
        const answers = async () => [
          await world.getSigned(groupId, '/inside', own),
          await world.getSigned(groupId, '/inside', other),
        ];
        assert.deepEqual(await answers(), ['403', '403']);
        const item = { IpControlId: allowing, CidrIp: '127.0.0.1', AppId: String(own.appId) };
        const PolicyItemId = textAt(await ask('AddIpControlPolicyItem', item), 'PolicyItemId');
        assert.deepEqual(await answers(), ['200 in', '403']);
        await ask('ModifyIpControlPolicyItem', { ...item, PolicyItemId, AppId: String(other.appId) });
        assert.deepEqual(await answers(), ['403', '200 in']);

        const itemIds = idsOf(
          'DescribeIpControlPolicyItems',
          'IpControlPolicyItems.IpControlPolicyItem',
          'PolicyItemId',
        );
        assert.deepEqual(await itemIds({ IpControlId: allowing, PolicyItemId }), [PolicyItemId]);
        const all = (await itemIds({ IpControlId: allowing })).map(String);
        await checkPages(itemIds, { IpControlId: allowing }, all);
        await checkListings('IpControl', refusing, 'ApiIpControls.ApiIpControlItem');
      },
    );
  });

  describe('parameters of signature keys', () => {
    log.covers(
      named('CreateSignature', 'DescribeSignatures', 'DescribeApisBySignature', 'DescribeApiSignatures'),
      'a key is found by id, name and page, and so are the APIs that it is bound to',
      async () => {
        const word = world.unique('sign');
        const make = async (name: string) => {
          const given = { SignatureName: `${word}_${name}`, SignatureKey: `key_${name}`, SignatureSecret: 'secret_#1' };
          return textAt(await ask('CreateSignature', given), 'SignatureId');
        };
        const [one, two] = [await make('one'), await make('two')];
        const ids = idsOf('DescribeSignatures', 'SignatureInfos.SignatureInfo', 'SignatureId');
        assert.deepEqual(await ids({ SignatureName: `${word}_two` }), [two]);
        assert.deepEqual(await ids({ SignatureId: one }), [one]);
        await checkPages(ids, { SignatureName: word }, [one, two]);
        const { groupId, apiIds, place } = await checkListings('Signature', one, 'ApiSignatures.ApiSignatureItem');
        const of = { GroupId: groupId, ApiId: apiIds[0] };
        const byApi = idsOf('DescribeSignaturesByApi', 'Signatures.SignatureItem', 'SignatureId');
        assert.deepEqual(await byApi({ ...of, StageName: 'PRE' }), [one]);
        assert.deepEqual(await byApi({ ...of, StageName: 'TEST' }), []);
        await ask('RemoveSignatureApis', { ...place, ApiIds: apiIds[0] });
        assert.deepEqual(await byApi({ ...of, StageName: 'PRE' }), []);
        await fails('DependencyViolationSignature', ask('DeleteSignature', { SignatureId: one }));
      },
    );
  });
}
