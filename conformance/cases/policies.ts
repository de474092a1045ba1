// Policies that are bound to an API in a stage: throttling, IP control, backend signatures. In force at once, without publishing.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails, type OperationName } from '../kit/calls.ts';
import { at, column, items, textAt } from '../kit/read.ts';
import { httpApi, mockApi, type World } from '../kit/world.ts';

const api = 'CloudAPI/2016-07-14';
const unknown = 'f'.repeat(32);

/** The names by which one kind of policy is bound and shown. */
type Kind = {
  readonly thing: 'TrafficControl' | 'IpControl' | 'Signature';
  /** List and item names of Describe{listing}. */
  readonly ofGroup: { readonly operation: string; readonly path: string };
  readonly byApi: { readonly operation: string; readonly path: string; readonly id: string } | null;
};

const kinds = {
  traffic: {
    thing: 'TrafficControl',
    ofGroup: { operation: 'DescribeApiTrafficControls', path: 'ApiTrafficControls.ApiTrafficControlItem' },
    byApi: {
      operation: 'DescribeTrafficControlsByApi',
      path: 'TrafficControlItems.TrafficControlItem',
      id: 'TrafficControlItemId',
    },
  },
  ip: {
    thing: 'IpControl',
    ofGroup: { operation: 'DescribeApiIpControls', path: 'ApiIpControls.ApiIpControlItem' },
    byApi: null,
  },
  signature: {
    thing: 'Signature',
    ofGroup: { operation: 'DescribeApiSignatures', path: 'ApiSignatures.ApiSignatureItem' },
    byApi: { operation: 'DescribeSignaturesByApi', path: 'Signatures.SignatureItem', id: 'SignatureId' },
  },
} as const satisfies Record<string, Kind>;

function bindingOperations({ thing, ofGroup, byApi }: Kind): OperationName[] {
  const names = [`Set${thing}Apis`, `Remove${thing}Apis`, `DescribeApisBy${thing}`, ofGroup.operation];
  return [...names, ...(byApi === null ? [] : [byApi.operation]), `Delete${thing}`].map(
    (name) => `${api}/${name}` as OperationName,
  );
}

export function policyCases(world: World): void {
  const { ask, log } = world;

  type Place = { readonly groupId: string; readonly apiId: string };
  async function liveMock(path: string): Promise<Place> {
    const groupId = await world.newGroup();
    return { groupId, apiId: await world.liveApi(groupId, mockApi(path, 'in')) };
  }
  const bind = ({ thing }: Kind, { groupId, apiId }: Place, id: string) =>
    ask(`Set${thing}Apis`, { GroupId: groupId, ApiIds: apiId, StageName: 'RELEASE', [`${thing}Id`]: id });
  const unbind = ({ thing }: Kind, { groupId, apiId }: Place, id: string) =>
    ask(`Remove${thing}Apis`, { GroupId: groupId, ApiIds: apiId, StageName: 'RELEASE', [`${thing}Id`]: id });

  /** Binds, checks every listing and that nothing bound is deleted, unbinds, deletes. `inForce` tells whether callers feel it. */
  async function checkBinding(kind: Kind, place: Place, id: string, inForce: () => Promise<boolean>): Promise<void> {
    const { thing, ofGroup, byApi } = kind;
    const stage = { GroupId: place.groupId, StageName: 'RELEASE' };
    assert.equal(await inForce(), false, 'before it is bound');
    await bind(kind, place, id);
    assert.equal(await inForce(), true, 'once it is bound');
    const users = await ask(`DescribeApisBy${thing}`, { [`${thing}Id`]: id });
    assert.deepEqual(column(users, 'ApiInfos.ApiInfo', 'ApiId'), [place.apiId]);
    assert.deepEqual(column(await ask(ofGroup.operation, stage), ofGroup.path, `${thing}Id`), [id]);
    if (byApi !== null) {
      const bound = await ask(byApi.operation, { ...stage, ApiId: place.apiId });
      assert.deepEqual(column(bound, byApi.path, byApi.id), [id]);
    }
    await fails(`DependencyViolation${thing}`, ask(`Delete${thing}`, { [`${thing}Id`]: id }));
    await fails('NotFoundApi', bind(kind, { ...place, apiId: unknown }, id));
    await fails(`NotFound${thing}`, bind(kind, place, unknown));
    await unbind(kind, place, id);
    assert.equal(await inForce(), false, 'once it is unbound');
    assert.deepEqual(items(await ask(ofGroup.operation, stage), ofGroup.path), []);
    await ask(`Delete${thing}`, { [`${thing}Id`]: id });
    await fails(`NotFound${thing}`, ask(`DescribeApisBy${thing}`, { [`${thing}Id`]: id }));
  }

  async function newTraffic(limit: number): Promise<string> {
    // A day, so that no window ends while the case counts.
    const params = { TrafficControlName: world.unique('traffic'), TrafficControlUnit: 'DAY', ApiDefault: limit };
    return textAt(await ask('CreateTrafficControl', params), 'TrafficControlId');
  }

  describe('policies', () => {
    log.covers(
      [`${api}/CreateTrafficControl`, ...bindingOperations(kinds.traffic)],
      'a traffic control lets as many calls in as it says',
      async () => {
        const place = await liveMock('/throttled');
        const id = await newTraffic(1);
        // The first call after binding is the one that is let in.
        let isFirst = true;
        await checkBinding(kinds.traffic, place, id, async () => {
          const first = await world.get(place.groupId, '/throttled');
          const second = await world.get(place.groupId, '/throttled');
          if (isFirst) assert.equal(first, '200 in');
          isFirst = false;
          return second.startsWith('429 ');
        });
      },
    );

    log.covers(
      [
        `${api}/ModifyTrafficControl`,
        `${api}/DescribeTrafficControls`,
        `${api}/AddTrafficSpecialControl`,
        `${api}/DeleteTrafficSpecialControl`,
        `${api}/DeleteAllTrafficSpecialControl`,
      ],
      'a changed limit counts at once; special limits are kept, overwritten and deleted',
      async () => {
        const place = await liveMock('/more');
        const id = await newTraffic(1);
        await bind(kinds.traffic, place, id);
        assert.equal(await world.get(place.groupId, '/more'), '200 in');
        assert.match(await world.get(place.groupId, '/more'), /^429 /);
        const name = world.unique('renamed');
        await ask('ModifyTrafficControl', { TrafficControlId: id, TrafficControlName: name, ApiDefault: 1000 });
        assert.equal(await world.get(place.groupId, '/more'), '200 in');

        const { appId } = await world.newApp();
        const special = { TrafficControlId: id, SpecialType: 'APP', SpecialKey: String(appId) };
        const specials = async () => {
          const shown = await ask('DescribeTrafficControls', { TrafficControlId: id });
          assert.equal(at(shown, 'TrafficControls.TrafficControl.0.TrafficControlName'), name);
          const policies = items(shown, 'TrafficControls.TrafficControl.0.SpecialPolicies.SpecialPolicy');
          return policies.flatMap((policy) => column(policy, 'Specials.Special', 'TrafficValue'));
        };
        await ask('AddTrafficSpecialControl', { ...special, TrafficValue: 5 });
        await ask('AddTrafficSpecialControl', { ...special, TrafficValue: 7 });
        assert.deepEqual(await specials(), [7]);
        await ask('DeleteTrafficSpecialControl', special);
        assert.deepEqual(await specials(), []);
        await ask('AddTrafficSpecialControl', { ...special, TrafficValue: 5 });
        await ask('DeleteAllTrafficSpecialControl', { TrafficControlId: id });
        assert.deepEqual(await specials(), []);
        await fails(/^NotFound/, ask('DeleteTrafficSpecialControl', special));
        await fails('InvalidTrafficValue', ask('AddTrafficSpecialControl', { ...special, TrafficValue: 1001 }));
        await fails(
          'NotFoundTrafficControl',
          ask('ModifyTrafficControl', { TrafficControlId: unknown, ApiDefault: 1 }),
        );
        await fails('InvalidApiDefault', newTraffic(0));
      },
    );

    log.covers(
      [`${api}/AddTrafficSpecialControl`],
      'a special limit of an app goes before the default of apps',
      async () => {
        const groupId = await world.newGroup();
        const apiId = await world.liveApi(groupId, mockApi('/special', '"in"', 'APP'));
        const [plain, special] = [await world.newApp(), await world.newApp()];
        const stage = { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE' };
        await ask('SetAppsAuthorities', { ...stage, AppIds: `${plain.appId},${special.appId}` });
        const made = await ask('CreateTrafficControl', {
          ...{ TrafficControlName: world.unique('apps'), TrafficControlUnit: 'DAY' },
          ...{ ApiDefault: 1000, UserDefault: 1000, AppDefault: 1 },
        });
        const id = textAt(made, 'TrafficControlId');
        const row = { TrafficControlId: id, SpecialType: 'APP', SpecialKey: String(special.appId), TrafficValue: 2 };
        await ask('AddTrafficSpecialControl', row);
        await bind(kinds.traffic, { groupId, apiId }, id);
        const answers = async (app: typeof plain) => {
          const all = [];
          for (let call = 0; call < 3; call++) all.push(await world.getSigned(groupId, '/special', app));
          return all;
        };
        assert.deepEqual(await answers(plain), ['200 in', '429', '429']);
        assert.deepEqual(await answers(special), ['200 in', '200 in', '429']);
      },
    );

    log.covers(
      [`${api}/CreateIpControl`, ...bindingOperations(kinds.ip)],
      'an IP control that refuses the caller lets it not in',
      async () => {
        const place = await liveMock('/refused');
        const policies = [{ CidrIp: '127.0.0.0/8' }];
        const params = { IpControlName: world.unique('ip'), IpControlType: 'REFUSE' };
        const flat = Object.fromEntries(
          policies.map(({ CidrIp }, index) => [`IpControlPolicys.${index + 1}.CidrIp`, CidrIp]),
        );
        const id = textAt(await ask('CreateIpControl', { ...params, ...flat }), 'IpControlId');
        await checkBinding(kinds.ip, place, id, async () => /^403 /.test(await world.get(place.groupId, '/refused')));
        await ask('DeleteIpControl', { IpControlId: id });
      },
    );

    log.covers(
      [
        `${api}/AddIpControlPolicyItem`,
        `${api}/ModifyIpControlPolicyItem`,
        `${api}/RemoveIpControlPolicyItem`,
        `${api}/DescribeIpControlPolicyItems`,
        `${api}/ModifyIpControl`,
        `${api}/DescribeIpControls`,
      ],
      'items of an IP control act as they are added, changed and removed',
      async () => {
        const place = await liveMock('/items');
        const name = world.unique('items');
        const made = await ask('CreateIpControl', { IpControlName: name, IpControlType: 'REFUSE' });
        const id = textAt(made, 'IpControlId');
        await bind(kinds.ip, place, id);
        const isIn = async () => (await world.get(place.groupId, '/items')) === '200 in';
        assert.equal(await isIn(), true, 'without items it has no effect');
        const added = await ask('AddIpControlPolicyItem', { IpControlId: id, CidrIp: '127.0.0.1' });
        const PolicyItemId = textAt(added, 'PolicyItemId');
        assert.equal(await isIn(), false);
        await ask('ModifyIpControlPolicyItem', { IpControlId: id, PolicyItemId, CidrIp: '10.0.0.0/8' });
        assert.equal(await isIn(), true);
        const shown = await ask('DescribeIpControlPolicyItems', { IpControlId: id });
        assert.deepEqual(column(shown, 'IpControlPolicyItems.IpControlPolicyItem', 'CidrIp'), ['10.0.0.0/8']);
        await ask('ModifyIpControlPolicyItem', { IpControlId: id, PolicyItemId, CidrIp: '127.0.0.1' });
        assert.equal(await isIn(), false);
        await ask('RemoveIpControlPolicyItem', { IpControlId: id, PolicyItemIds: PolicyItemId });
        assert.equal(await isIn(), true);

        await ask('ModifyIpControl', { IpControlId: id, IpControlName: `${name}_2`, Description: 'changed' });
        const listed = await ask('DescribeIpControls', { IpControlName: `${name}_2` });
        assert.deepEqual(column(listed, 'IpControlInfos.IpControlInfo', 'Description'), ['changed']);
        await fails('InvalidCidrIp', ask('AddIpControlPolicyItem', { IpControlId: id, CidrIp: '300.0.0.1' }));
        await fails('NotFoundIpControl', ask('AddIpControlPolicyItem', { IpControlId: unknown, CidrIp: '10.0.0.1' }));
        const gone = { IpControlId: id, PolicyItemIds: PolicyItemId };
        await fails('NotFoundIpControlPolicyItem', ask('RemoveIpControlPolicyItem', gone));
      },
    );

    const signed = async (groupId: string, path: string) =>
      (await world.seenBy(groupId, path)).headers['x-ca-proxy-signature-secret-key'];

    log.covers(
      [`${api}/CreateSignature`, ...bindingOperations(kinds.signature)],
      'with a signature key the backend is told who signed',
      async () => {
        const groupId = await world.newGroup();
        const address = `http://127.0.0.1:${world.upstream.port}`;
        const apiId = await world.liveApi(groupId, httpApi('/signed', address));
        const made = await ask('CreateSignature', {
          ...{ SignatureName: world.unique('sign'), SignatureKey: 'backendkey', SignatureSecret: 'backendsecret' },
        });
        await checkBinding(kinds.signature, { groupId, apiId }, textAt(made, 'SignatureId'), async () => {
          const key = await signed(groupId, '/signed');
          assert.ok(key === undefined || key === 'backendkey', String(key));
          return key !== undefined;
        });
      },
    );

    log.covers(
      [`${api}/ModifySignature`, `${api}/DescribeSignatures`],
      'a changed signature key signs at once',
      async () => {
        const groupId = await world.newGroup();
        const apiId = await world.liveApi(groupId, httpApi('/resigned', `http://127.0.0.1:${world.upstream.port}`));
        const name = world.unique('sign');
        const made = await ask('CreateSignature', {
          SignatureName: name,
          SignatureKey: 'firstkey',
          SignatureSecret: 'secret1',
        });
        const SignatureId = textAt(made, 'SignatureId');
        await bind(kinds.signature, { groupId, apiId }, SignatureId);
        assert.equal(await signed(groupId, '/resigned'), 'firstkey');
        await ask('ModifySignature', {
          SignatureId,
          SignatureName: name,
          SignatureKey: 'secondkey',
          SignatureSecret: 'secret2',
        });
        assert.equal(await signed(groupId, '/resigned'), 'secondkey');
        const shown = await ask('DescribeSignatures', { SignatureId });
        assert.deepEqual(column(shown, 'SignatureInfos.SignatureInfo', 'SignatureKey'), ['secondkey']);
        const wrong = { SignatureName: world.unique('sign'), SignatureKey: 'k', SignatureSecret: 'secret1' };
        await fails('InvalidSignatureKey', ask('CreateSignature', wrong));
        await fails('NotFoundSignature', ask('DeleteSignature', { SignatureId: unknown }));
      },
    );
  });
}
