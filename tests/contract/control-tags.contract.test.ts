import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  at,
  fc2Sdk,
  fc3Sdk,
  fcOpenSdk,
  items,
  type Loose,
  modelsOf,
  type Plane,
  popRoa,
  startPlane,
  textAt,
  zipped,
} from './control-fixture.ts';

type Sdk = ReturnType<typeof fc2Sdk>;

describe('tags and the account through official clients', () => {
  let plane: Plane;
  let zipFile: string;
  before(async () => {
    plane = await startPlane();
    zipFile = await zipped({ 'index.py': '' });
    for (const name of ['a', 'b', 'c']) await fc2('createService', name);
  });
  after(() => plane.close());

  async function call(sdk: Sdk, name: string, args: unknown[]): Promise<Loose> {
    const method = sdk[name];
    assert.ok(method !== undefined, `the SDK has no ${name}`);
    return await method.apply(sdk, args);
  }
  const fc2 = (name: string, ...args: unknown[]) => call(fc2Sdk(plane), name, args);
  function model(module: string, name: string, map: object): object {
    const Model = modelsOf(module)[name];
    assert.ok(Model !== undefined, `${module} has no ${name}`);
    return new Model(map);
  }
  const open = (name: string, request: string, map: object) =>
    call(fcOpenSdk(plane), name, [model('@alicloud/fc-open20210406', request, map)]);
  const fc3 = (name: string, request: string, map: object) =>
    call(fc3Sdk(plane), name, [model('@alicloud/fc20230330', request, map)]);
  const fc3Input = (map: object) => ({ body: model('@alicloud/fc20230330', 'TagResourcesInput', map) });
  const tagModels = (map: Record<string, string>) =>
    Object.entries(map).map(([key, value]) => model('@alicloud/fc20230330', 'Tag', { key, value }));
  const arn = (resource: string) => `acs:fc:cn-hangzhou:${plane.credentials.accountId}:${resource}`;
  const serviceNames = async (query: object) =>
    items(await fc2('listServices', query), 'data.services').map((row) => textAt(row, 'serviceName'));
  const fails = (code: string, work: Promise<unknown>) => assert.rejects(work, { code });

  it('classic: services are tagged, found by their tags, and untagged', async () => {
    await fc2('tagResource', arn('services/a'), { env: 'prod', team: 'x' });
    await fc2('tagResource', 'services/b', { env: 'test' });
    await fc2('tagResource', 'services/b', { env: 'prod' });
    const shown = await fc2('getResourceTags', { resourceArn: 'services/a' });
    assert.deepEqual(at(shown, 'data'), { resourceArn: 'services/a', tags: { env: 'prod', team: 'x' } });
    const byArn = await fc2('getResourceTags', { resourceArn: arn('services/a') });
    assert.equal(at(byArn, 'data.resourceArn'), arn('services/a'));
    assert.deepEqual(await serviceNames({ tags: { env: 'prod' } }), ['a', 'b']);
    assert.deepEqual(await serviceNames({ tags: { env: 'prod', team: '' } }), ['a']);
    assert.deepEqual(await serviceNames({ tags: { env: 'test' } }), []);

    await fc2('untagResource', 'services/a', ['env']);
    const left = await fc2('getResourceTags', { resourceArn: 'services/a' });
    assert.deepEqual(at(left, 'data.tags'), { team: 'x' });
    await fc2('untagResource', 'services/a', [], true);
    assert.deepEqual(at(await fc2('getResourceTags', { resourceArn: 'services/a' }), 'data.tags'), {});
  });

  it('classic: only what is there, is ours and can be tagged is tagged', async () => {
    const tag = (resourceArn: string, tags: object) => fc2('tagResource', resourceArn, tags);
    await fails('ServiceNotFound', tag('services/none', { a: 'b' }));
    await fails('InvalidArgument', tag('services/a/functions/f', { a: 'b' }));
    await fails('InvalidArgument', tag('services/a', {}));
    await fails('CrossAccountAccessDenied', tag('acs:fc:cn-hangzhou:1:services/a', { a: 'b' }));
    const many = Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`k${at}`, 'v']));
    await fails('LimitExceededError', tag('services/a', many));
    assert.deepEqual(at(await fc2('getResourceTags', { resourceArn: 'services/a' }), 'data.tags'), {});
  });

  it('2021-04-06: tags by POST and PUT, and the list of all that is tagged, in pages', async () => {
    for (const name of ['a', 'b', 'c']) {
      await open('tagResource', 'TagResourceRequest', { resourceArn: `services/${name}`, tags: { n: name } });
    }
    const first = await open('listTaggedResources', 'ListTaggedResourcesRequest', { limit: 2 });
    assert.equal(at(first, 'body.resources.0.resourceArn'), arn('services/a'));
    assert.deepEqual(at(first, 'body.resources.0.tags'), { n: 'a' });
    const next = { nextToken: textAt(first, 'body.nextToken') };
    const second = await open('listTaggedResources', 'ListTaggedResourcesRequest', next);
    assert.deepEqual(items(second, 'body.resources').length, 1);
    await open('untagResource', 'UntagResourceRequest', { resourceArn: 'services/c', tagKeys: ['n'] });
    const shown = await open('getResourceTags', 'GetResourceTagsRequest', { resourceArn: 'services/c' });
    assert.deepEqual(at(shown, 'body.tags'), {});
  });

  it('2023-03-30: functions are tagged by name or ARN, listed by resource and by tag, and untagged', async () => {
    for (const functionName of ['f1', 'f2', 'f3']) {
      const code = model('@alicloud/fc20230330', 'InputCodeLocation', { zipFile });
      const tags = tagModels({ born: functionName });
      const input = { functionName, handler: 'index.h', runtime: 'python3', code, tags };
      const body = model('@alicloud/fc20230330', 'CreateFunctionInput', input);
      const made = await fc3('createFunction', 'CreateFunctionRequest', { body });
      assert.deepEqual(at(made, 'body.tags.0.value'), functionName);
    }
    const both = { resourceType: 'FUNCTION', resourceId: [arn('functions/f1'), 'f2'], tag: tagModels({ env: 'prod' }) };
    await fc3('tagResources', 'TagResourcesRequest', fc3Input(both));
    const entries = (page: Loose) =>
      items(page, 'body.tagResources').map((row) => [at(row, 'resourceId'), at(row, 'tagKey'), at(row, 'tagValue')]);
    const list = (map: object) =>
      fc3('listTagResources', 'ListTagResourcesRequest', { resourceType: 'function', ...map });
    assert.deepEqual(entries(await list({ resourceId: ['f2'] })), [
      ['f2', 'born', 'f2'],
      ['f2', 'env', 'prod'],
    ]);
    const tag = [model('@alicloud/fc20230330', 'ListTagResourcesRequestTag', { key: 'env', value: 'prod' })];
    assert.deepEqual(entries(await list({ tag })), [
      [arn('functions/f1'), 'env', 'prod'],
      [arn('functions/f2'), 'env', 'prod'],
    ]);
    const all: unknown[][] = [];
    let nextToken: string | undefined;
    do {
      const page: Loose = await list({ limit: 2, ...(nextToken === undefined ? {} : { nextToken }) });
      assert.ok(entries(page).length <= 2);
      all.push(...entries(page));
      nextToken = textAt(page, 'body.nextToken') || undefined;
    } while (nextToken !== undefined);
    assert.deepEqual(
      all.map(([, key, value]) => `${key}=${value}`),
      ['born=f1', 'env=prod', 'born=f2', 'env=prod', 'born=f3'],
    );
    const named = await fc3('listFunctions', 'ListFunctionsRequest', { tags: tagModels({ env: 'prod' }) });
    assert.deepEqual(
      items(named, 'body.functions').map((row) => at(row, 'functionName')),
      ['f1', 'f2'],
    );
    const untag = { resourceType: 'function', resourceId: ['f1', arn('functions/f2')], tagKey: ['env'] };
    await fc3('untagResources', 'UntagResourcesRequest', untag);
    assert.deepEqual(entries(await list({ tag })), []);
    await fc3('untagResources', 'UntagResourcesRequest', { resourceType: 'function', resourceId: ['f3'], all: true });
    assert.deepEqual(entries(await list({ resourceId: ['f3'] })), []);
  });

  it('2023-03-30: tagging several is done for all or for none', async () => {
    const resourceId = ['f1', 'nowhere'];
    const input = { resourceType: 'function', resourceId, tag: tagModels({ half: 'done' }) };
    await fails('FunctionNotFound', fc3('tagResources', 'TagResourcesRequest', fc3Input(input)));
    const shown = await fc3('listTagResources', 'ListTagResourcesRequest', {
      resourceType: 'function',
      resourceId: ['f1'],
    });
    assert.deepEqual(
      items(shown, 'body.tagResources').map((row) => at(row, 'tagKey')),
      ['born'],
    );
    const layer = { ...input, resourceType: 'layer' };
    await fails('InvalidArgument', fc3('tagResources', 'TagResourcesRequest', fc3Input(layer)));
  });

  it('the account: its settings, its limits, no reserved capacity, its one region', async () => {
    assert.equal(at(await fc2('get', '/account-settings'), 'data.availableAZs.0'), 'cn-hangzhou-a');
    assert.deepEqual(at(await fc2('getAccountConfigs', { config: ['CodeSizeLimit', 'Other'] }), 'data'), {
      CodeSizeLimit: '104857600',
    });
    assert.deepEqual(at(await fc2('getAccountConfigs', { config: ['Code'] }), 'data'), {});
    assert.deepEqual(at(await fc2('listReservedCapacities'), 'data'), { reservedCapacities: [] });
    const reserved = await open('listReservedCapacities', 'ListReservedCapacitiesRequest', {});
    assert.deepEqual(at(reserved, 'body.reservedCapacities'), []);
    const regions = await fc3('describeRegions', 'DescribeRegionsRequest', {});
    assert.equal(at(regions, 'body.regions.region.0.regionId'), 'cn-hangzhou');
    const roa = popRoa(plane, '2021-04-06');
    const older = await call(roa, 'get', ['/2021-04-06/regions']);
    assert.equal(at(older, 'Regions.Region.0.RegionId'), 'cn-hangzhou');
    assert.deepEqual(plane.logged, []);
  });
});
