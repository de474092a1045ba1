// How many of a thing there may be: each limit is refused by its own code, and nothing is kept of what was refused.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ApiRow, AppRow, GroupRow } from '../../src/store/rows.ts';
import { requestConfig, wholeApi } from './control-api-config.ts';
import { at, type Plane, popRpc, startPlane, textAt } from './control-fixture.ts';

let counter = 0;
const unique = (name: string) => `${name}_${++counter}`;
const askOf = (plane: Plane) => popRpc(plane, 'POST');

/** Copies of a row under other keys until the table has `count`. */
async function fill(
  plane: Plane,
  count: number,
  insert: (tx: Parameters<Parameters<Plane['store']['write']>[0]>[0], number: number) => Promise<void>,
): Promise<void> {
  for (let from = 1; from < count; from += 100) {
    await plane.store.write(async (tx) => {
      for (let number = from; number < Math.min(count, from + 100); number++) await insert(tx, number);
    });
  }
}

describe('there may be at most', () => {
  let plane: Plane;
  before(async () => {
    plane = await startPlane();
  });
  after(() => plane.close());

  it('1,000 APIs in a group', async () => {
    const ask = askOf(plane);
    const GroupId = textAt(await ask('CreateApiGroup', { GroupName: unique('group') }), 'GroupId');
    const create = (path: string) =>
      ask('CreateApi', {
        GroupId,
        ApiName: unique('api'),
        ...wholeApi,
        RequestConfig: JSON.stringify({ ...requestConfig, RequestPath: path }),
      });
    const ApiId = textAt(await create('/first'), 'ApiId');
    const row = (await plane.store.read((tx) => tx.rows.apis.get(ApiId))) as ApiRow;
    const { definition } = row;
    await fill(plane, 1000, (tx, number) => {
      const apiName = `copy_${number}`;
      const request = { ...definition.request, path: `/copy/${number}` };
      return tx.rows.apis.insert({
        ...row,
        apiId: String(number).padStart(32, '0'),
        definition: { ...definition, apiName, request },
      });
    });
    await assert.rejects(create('/last'), { code: 'ExceedLimitApi' });
    await ask('DeleteApi', { GroupId, ApiId });
    await create('/last');
  });

  it('1,000 apps', async () => {
    const ask = askOf(plane);
    const AppId = Number(at(await ask('CreateApp', { AppName: unique('app') }), 'AppId'));
    const row = (await plane.store.read((tx) => tx.rows.apps.get(String(AppId)))) as AppRow;
    await fill(plane, 1000, (tx, number) =>
      tx.rows.apps.insert({ ...row, appId: 10_000 + number, appName: `copy_${number}`, appKey: `copy${number}` }),
    );
    await assert.rejects(ask('CreateApp', { AppName: unique('app') }), { code: 'ExceedLimitApp' });
  });

  it('200 groups', async () => {
    const ask = askOf(plane);
    const GroupId = textAt(await ask('CreateApiGroup', { GroupName: unique('group') }), 'GroupId');
    const row = (await plane.store.read((tx) => tx.rows.groups.get(GroupId))) as GroupRow;
    const { length } = await plane.store.read((tx) => tx.rows.groups.list({ limit: 1000 }));
    await fill(plane, 201 - length, (tx, number) =>
      tx.rows.groups.insert({ ...row, groupId: String(number).padStart(32, '0'), groupName: `copy_${number}` }),
    );
    await assert.rejects(ask('CreateApiGroup', { GroupName: unique('group') }), { code: 'ExceedLimitApiGroup' });
  });
});

describe('groups without a domain of their own', () => {
  it('are as few as in the cloud where the server says so: 5, or 20 once one has one', async (t) => {
    const plane = await startPlane(undefined, { limitsUnboundGroups: true });
    t.after(() => plane.close());
    const ask = askOf(plane);
    const create = async () => textAt(await ask('CreateApiGroup', { GroupName: unique('group') }), 'GroupId');
    const GroupId = await create();
    for (let number = 1; number < 5; number++) await create();
    await assert.rejects(create(), { code: 'ExceedLimitApiGroup' });
    await ask('SetDomain', { GroupId, DomainName: 'quota.example.com' });
    for (let number = 4; number < 20; number++) await create();
    await assert.rejects(create(), { code: 'ExceedLimitApiGroup' });
  });
});

describe('an instance', () => {
  it('tells its TLS policy and its limit of calls, and lets APIs wait for as long as it may', async (t) => {
    const plane = await startPlane(undefined, {
      httpsPolicy: 'HTTPS2_TLS1_3',
      groupLimitPerSecond: 70,
      apiTimeoutMaxMs: 60_000,
    });
    t.after(() => plane.close());
    const ask = askOf(plane);
    const GroupId = textAt(await ask('CreateApiGroup', { GroupName: unique('group') }), 'GroupId');
    const shown = await ask('DescribeApiGroup', { GroupId });
    assert.deepEqual([at(shown, 'HttpsPolicy'), at(shown, 'TrafficLimit')], ['HTTPS2_TLS1_3', 70]);
    const create = (ServiceTimeout: number) => {
      const ServiceConfig = JSON.stringify({ ...JSON.parse(wholeApi.ServiceConfig), ServiceTimeout });
      return ask('CreateApi', { GroupId, ApiName: unique('api'), ...wholeApi, ServiceConfig });
    };
    await assert.rejects(create(60_001), { code: 'InvalidServiceTimeout' });
    await create(60_000);
  });
});
