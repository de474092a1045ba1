import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { PublishedAlias, PublishedFunction } from '../../src/model/published.ts';
import {
  at,
  fc2Sdk,
  fc3Sdk,
  fcOpenSdk,
  items,
  type Loose,
  modelsOf,
  type Plane,
  startPlane,
  textAt,
  zipped,
} from './control-fixture.ts';

type Sdk = ReturnType<typeof fc2Sdk>;

const rule = () => ({ type: 'Header', key: 'x', operator: '==', value: '1' });

describe('versions and aliases through official clients', () => {
  let plane: Plane;
  let zips: readonly string[];
  let counter = 0;
  const unique = (name: string) => `${name}${++counter}`;

  before(async () => {
    plane = await startPlane();
    zips = await Promise.all(['one', 'two'].map((text) => zipped({ 'index.py': `answer = '${text}'\n` })));
  });
  after(() => plane.close());

  const fact = async <T>(key: string) => (await plane.published()).get(key) as T | undefined;
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
  const open = (name: string, path: string[], request: string, map: object = {}) =>
    call(fcOpenSdk(plane), name, [...path, model('@alicloud/fc-open20210406', request, map)]);
  const fc3 = (name: string, path: string[], request: string, map: object = {}) =>
    call(fc3Sdk(plane), name, [...path, model('@alicloud/fc20230330', request, map)]);
  const fc3Body = (name: string, path: string[], input: string, map: object) =>
    fc3(name, path, `${name[0]?.toUpperCase()}${name.slice(1)}Request`, {
      body: model('@alicloud/fc20230330', input, map),
    });
  const fails = (code: string, work: Promise<unknown>, message?: RegExp) =>
    assert.rejects(work, (error: { code?: unknown; message?: string }) => {
      assert.equal(error.code, code);
      if (message !== undefined) assert.match(error.message ?? '', message);
      return true;
    });
  const ids = (page: Loose, path: string) => items(page, path).map((row) => textAt(row, 'versionId'));

  async function newService(): Promise<string> {
    const service = unique('svc');
    await fc2('createService', service, { description: 'of the service', role: 'acs:ram::1:role/first' });
    await fc2('createFunction', service, {
      functionName: 'f',
      handler: 'index.one',
      runtime: 'python3',
      environmentVariables: { WHICH: 'one' },
      code: { zipFile: zips[0] },
    });
    return service;
  }
  async function newFunction(): Promise<string> {
    const functionName = unique('three');
    const code = model('@alicloud/fc20230330', 'InputCodeLocation', { zipFile: zips[0] });
    const input = { functionName, handler: 'index.one', runtime: 'python3', code };
    await fc3Body('createFunction', [], 'CreateFunctionInput', input);
    return functionName;
  }

  it('classic: a version freezes the service, the configuration and the code of its functions', async () => {
    const service = await newService();
    const made = await fc2('publishVersion', service, 'the first');
    assert.equal(at(made, 'data.versionId'), '1');
    assert.equal(at(made, 'data.description'), 'the first');
    assert.match(textAt(made, 'headers.etag'), /./);
    const frozen = await fact<PublishedFunction>(`function ${service}/f@1`);
    assert.deepEqual([frozen?.versionId, frozen?.handler], ['1', 'index.one']);
    assert.notEqual(await fact(`version services/${service}@1`), undefined);

    await fc2('updateFunction', service, 'f', {
      handler: 'index.two',
      environmentVariables: { WHICH: 'two' },
      code: { zipFile: zips[1] },
    });
    await fc2('updateService', service, { description: 'changed', role: 'acs:ram::1:role/second' });
    assert.deepEqual(await fact<PublishedFunction>(`function ${service}/f@1`), frozen);
    const head = await fact<PublishedFunction>(`function ${service}/f`);
    assert.notEqual(head?.code.sha256, frozen?.code.sha256);
    assert.deepEqual([head?.role, frozen?.role], ['acs:ram::1:role/second', 'acs:ram::1:role/first']);

    assert.equal(at(await fc2('getFunction', service, 'f', {}, '1'), 'data.handler'), 'index.one');
    assert.equal(at(await fc2('getFunction', service, 'f', {}, 'LATEST'), 'data.handler'), 'index.two');
    assert.equal(at(await fc2('getService', service, {}, '1'), 'data.description'), 'the first');
    assert.equal(at(await fc2('getService', service, {}, '1'), 'data.role'), 'acs:ram::1:role/first');
    assert.equal(at(await fc2('getService', service), 'data.description'), 'changed');
    const listed = await fc2('listFunctions', service, {}, {}, '1');
    assert.equal(at(listed, 'data.functions.0.environmentVariables.WHICH'), 'one');
    const code = await fetch(textAt(await fc2('getFunctionCode', service, 'f', {}, '1'), 'data.url'));
    assert.equal(Buffer.from(await code.arrayBuffer()).toString('base64'), zips[0]);

    await fc2('deleteFunction', service, 'f');
    assert.notEqual(await fact(`function ${service}/f@1`), undefined);
    assert.equal(at(await fc2('getFunction', service, 'f', {}, '1'), 'data.handler'), 'index.one');
    await fails('ServiceNotEmpty', fc2('deleteService', service), /active 'versions'/);
    await fc2('deleteVersion', service, '1');
    assert.equal(await fact(`function ${service}/f@1`), undefined);
    assert.equal(await fact(`version services/${service}@1`), undefined);
    await fails('VersionNotFound', fc2('getFunction', service, 'f', {}, '1'));
    await fails('VersionNotFound', fc2('deleteVersion', service, '1'));
    await fc2('deleteService', service);
  });

  it('classic: nothing to publish is an error; ids are never used again; any change counts', async () => {
    const service = await newService();
    await fc2('publishVersion', service, 'first');
    const message = /can not publish version for service '.*', detail: 'No changes were made since last publish'/;
    await fails('VersionPublishError', fc2('publishVersion', service, 'again'), message);
    await fc2('deleteVersion', service, '1');
    assert.equal(at(await fc2('publishVersion', service, 'again'), 'data.versionId'), '2');
    const changes: [string, ...unknown[]][] = [
      ['updateService', service, { description: 'x' }],
      ['updateFunction', service, 'f', { timeout: 9 }],
      [
        'createFunction',
        service,
        { functionName: 'g', handler: 'index.g', runtime: 'python3', code: { zipFile: zips[1] } },
      ],
      ['deleteFunction', service, 'g'],
    ];
    let next = 3;
    for (const [name, ...args] of changes) {
      await fc2(name, ...args);
      assert.equal(at(await fc2('publishVersion', service, name), 'data.versionId'), String(next++), name);
      await fails('VersionPublishError', fc2('publishVersion', service, name));
    }
    await fc2('updateService', service, { description: 'y' });
    await fails('PreconditionFailed', fc2('publishVersion', service, 'd', { 'if-match': 'other' }));
    const etag = textAt(await fc2('getService', service), 'headers.etag');
    await fc2('publishVersion', service, 'd', { 'if-match': etag });
  });

  it('classic: versions are listed newest first, or oldest first, in pages, from a start', async () => {
    const service = await newService();
    for (let made = 0; made < 11; made += 1) {
      await fc2('updateService', service, { description: String(made) });
      await fc2('publishVersion', service, '');
    }
    const first = await fc2('listVersions', service, { limit: 4 });
    assert.deepEqual(ids(first, 'data.versions'), ['11', '10', '9', '8']);
    assert.equal(at(first, 'data.direction'), 'BACKWARD');
    const second = await fc2('listVersions', service, { limit: 4, nextToken: textAt(first, 'data.nextToken') });
    assert.deepEqual(ids(second, 'data.versions'), ['7', '6', '5', '4']);
    const up = await fc2('listVersions', service, { direction: 'FORWARD', startKey: '9' });
    assert.deepEqual(ids(up, 'data.versions'), ['9', '10', '11']);
    assert.equal(at(up, 'data.direction'), 'FORWARD');
    assert.equal(at(up, 'data.nextToken'), undefined);
    await fails('InvalidArgument', fc2('listVersions', service, { direction: 'SIDEWAYS' }));
    await fails('InvalidArgument', fc2('listVersions', service, { startKey: 'x' }));
    assert.deepEqual(ids(await fc2('listVersions', await newService()), 'data.versions'), []);
  });

  it('classic: an alias leads to its version, and shares calls out by weight', async () => {
    const service = await newService();
    await fails('VersionNotFound', fc2('createAlias', service, 'prod', '1'));
    await fc2('publishVersion', service, 'the first');
    await fc2('updateFunction', service, 'f', { handler: 'index.two' });
    await fc2('publishVersion', service, 'the second');
    const made = await fc2('createAlias', service, 'prod', '1', {
      description: 'd',
      additionalVersionWeight: { 2: 0.3 },
    });
    assert.deepEqual(at(made, 'data.additionalVersionWeight'), { 2: 0.3 });
    const key = `alias services/${service}@prod`;
    assert.deepEqual(await fact<PublishedAlias>(key), {
      owner: `services/${service}`,
      aliasName: 'prod',
      versionId: '1',
      additionalVersionWeight: { 2: 0.3 },
    });
    await fails('AliasAlreadyExists', fc2('createAlias', service, 'prod', '1'), /alias prod of service .* already/);
    assert.equal(at(await fc2('getFunction', service, 'f', {}, 'prod'), 'data.handler'), 'index.one');
    assert.equal(at(await fc2('getService', service, {}, 'prod'), 'data.description'), 'the first');

    const weights = { additionalVersionWeight: { 1: 0.9 } };
    await fails('PreconditionFailed', fc2('updateAlias', service, 'prod', undefined, weights, { 'if-match': 'x' }));
    const etag = { 'if-match': textAt(made, 'headers.etag') };
    const changed = await fc2('updateAlias', service, 'prod', undefined, weights, etag);
    assert.deepEqual([at(changed, 'data.versionId'), at(changed, 'data.description')], ['1', 'd']);
    assert.deepEqual((await fact<PublishedAlias>(key))?.additionalVersionWeight, { 1: 0.9 });
    await fc2('updateAlias', service, 'prod', '2', { description: '', additionalVersionWeight: {} });
    const shown = await fc2('getAlias', service, 'prod');
    assert.deepEqual(
      ['versionId', 'description', 'additionalVersionWeight'].map((name) => at(shown, `data.${name}`)),
      ['2', '', {}],
    );
    assert.equal(at(await fc2('getFunction', service, 'f', {}, 'prod'), 'data.handler'), 'index.two');
    assert.notEqual(at(shown, 'headers.etag'), at(made, 'headers.etag'));

    await fc2('deleteVersion', service, '2');
    await fails('VersionNotFound', fc2('getFunction', service, 'f', {}, 'prod'));
    await fails('PreconditionFailed', fc2('deleteAlias', service, 'prod', etag));
    await fc2('deleteAlias', service, 'prod');
    assert.equal(await fact(key), undefined);
    await fails('AliasNotFound', fc2('getAlias', service, 'prod'));
    await fails('AliasNotFound', fc2('getFunction', service, 'f', {}, 'prod'));
  });

  it('classic: wrong aliases are refused, and aliases are listed in pages with a prefix', async () => {
    const service = await newService();
    await fc2('publishVersion', service, '');
    for (const [name, version, options] of [
      ['LATEST', '1', {}],
      ['1', '1', {}],
      ['a.b', '1', {}],
      ['ok', '', {}],
      ['ok', '1', { additionalVersionWeight: { 1: 1.5 } }],
      ['ok', '1', { additionalVersionWeight: { 1: 0.6, LATEST: 0.6 } }],
      ['ok', '1', { resolvePolicy: 'Guess' }],
      ['ok', '1', { resolvePolicy: 'Content' }],
      ['ok', '1', { resolvePolicy: 'Content', routePolicy: { condition: 'XOR', policyItems: [rule()] } }],
      ...[{ type: 'Body' }, { operator: '~' }, { key: '' }, { operator: 'percent', value: '0' }].map(
        (wrong) =>
          ['ok', '1', { resolvePolicy: 'Content', routePolicy: { policyItems: [{ ...rule(), ...wrong }] } }] as const,
      ),
    ] as const) {
      await fails('InvalidArgument', fc2('createAlias', service, name, version, options));
    }
    await fails('VersionNotFound', fc2('createAlias', service, 'ok', '1', { additionalVersionWeight: { 7: 0.1 } }));
    await fails('ServiceNotFound', fc2('createAlias', 'nowhere', 'ok', '1'));
    for (const name of ['b2', 'a', 'b1', 'b3']) await fc2('createAlias', service, name, '1');
    const names = (page: Loose) => items(page, 'data.aliases').map((row) => at(row, 'aliasName'));
    const first = await fc2('listAliases', service, { prefix: 'b', limit: 2 });
    assert.deepEqual(names(first), ['b1', 'b2']);
    const next = await fc2('listAliases', service, { prefix: 'b', nextToken: textAt(first, 'data.nextToken') });
    assert.deepEqual(names(next), ['b3']);
    assert.deepEqual(names(await fc2('listAliases', service, { startKey: 'b2' })), ['b2', 'b3']);
    await fc2('deleteFunction', service, 'f');
    await fc2('deleteVersion', service, '1');
    await fc2('deleteService', service);
    assert.equal(await fact(`alias services/${service}@a`), undefined);
  });

  it('2021-04-06: the same versions and aliases, by the query; route policies are published', async () => {
    const service = await newService();
    const made = await open('publishServiceVersion', [service], 'PublishServiceVersionRequest', { description: 'v' });
    assert.equal(at(made, 'body.versionId'), '1');
    await fc2('updateFunction', service, 'f', { handler: 'index.two' });
    const routePolicy = {
      condition: 'AND',
      policyItems: [{ type: 'Header', key: 'x-who', operator: '=', value: 'me' }],
    };
    await open('createAlias', [service], 'CreateAliasRequest', {
      aliasName: 'prod',
      versionId: '1',
      resolvePolicy: 'Content',
      routePolicy: model('@alicloud/fc-open20210406', 'RoutePolicy', routePolicy),
    });
    const alias = await call(fcOpenSdk(plane), 'getAlias', [service, 'prod']);
    assert.equal(at(alias, 'body.resolvePolicy'), 'Content');
    assert.equal(at(alias, 'body.routePolicy.policyItems.0.key'), 'x-who');
    const item = { place: 'Header', key: 'x-who', operator: '=', value: 'me' };
    const published = await fact(`alias services/${service}@prod`);
    assert.deepEqual(at(published, 'route'), { condition: 'AND', items: [item] });
    for (const qualifier of ['1', 'prod']) {
      const shown = await open('getFunction', [service, 'f'], 'GetFunctionRequest', { qualifier });
      assert.equal(at(shown, 'body.handler'), 'index.one');
      const found = await open('getService', [service], 'GetServiceRequest', { qualifier });
      assert.equal(at(found, 'body.description'), 'v');
      await open('invokeFunction', [service, 'f'], 'InvokeFunctionRequest', { qualifier, body: Buffer.from('') });
      const { target } = plane.invoked.at(-1) ?? assert.fail();
      assert.equal(target.qualifier, qualifier);
      assert.equal(target.content !== undefined, qualifier === 'prod');
      assert.equal(target.content?.headers['authorization'], undefined);
    }
    const functions = await open('listFunctions', [service], 'ListFunctionsRequest', { qualifier: '1' });
    assert.equal(at(functions, 'body.functions.0.handler'), 'index.one');
    const code = await open('getFunctionCode', [service, 'f'], 'GetFunctionCodeRequest', { qualifier: '1' });
    assert.match(textAt(code, 'body.url'), /^http/);
    const versions = await open('listServiceVersions', [service], 'ListServiceVersionsRequest', {
      direction: 'FORWARD',
    });
    assert.deepEqual(ids(versions, 'body.versions'), ['1']);
    await open('updateAlias', [service, 'prod'], 'UpdateAliasRequest', { description: 'new' });
    const aliases = await open('listAliases', [service], 'ListAliasesRequest');
    assert.equal(at(aliases, 'body.aliases.0.description'), 'new');
    await call(fcOpenSdk(plane), 'deleteAlias', [service, 'prod']);
    assert.equal(await fact(`alias services/${service}@prod`), undefined);
    await call(fcOpenSdk(plane), 'deleteServiceVersion', [service, '1']);
    assert.equal(await fact(`function ${service}/f@1`), undefined);
  });

  it('2023-03-30: a function has versions and aliases of its own, which go with it', async () => {
    const name = await newFunction();
    const made = await fc3Body('publishFunctionVersion', [name], 'PublishVersionInput', { description: 'first' });
    assert.equal(at(made, 'body.versionId'), '1');
    const again = fc3Body('publishFunctionVersion', [name], 'PublishVersionInput', {});
    await fails('VersionPublishError', again, new RegExp(`for function '${name}'`));
    await fc3Body('updateFunction', [name], 'UpdateFunctionInput', { handler: 'index.two' });
    const second = await fc3Body('publishFunctionVersion', [name], 'PublishVersionInput', {});
    assert.equal(at(second, 'body.versionId'), '2');
    const shown = await fc3('getFunction', [name], 'GetFunctionRequest', { qualifier: '1' });
    assert.equal(at(shown, 'body.handler'), 'index.one');
    assert.equal((await fact<PublishedFunction>(`function ${name}@1`))?.handler, 'index.one');
    const versions = await fc3('listFunctionVersions', [name], 'ListFunctionVersionsRequest', { limit: 1 });
    assert.deepEqual(ids(versions, 'body.versions'), ['2']);
    assert.match(textAt(versions, 'body.nextToken'), /./);

    const weights = { additionalVersionWeight: { 2: 0.5 } };
    await fc3Body('createAlias', [name], 'CreateAliasInput', { aliasName: 'prod', versionId: '1', ...weights });
    const alias = await call(fc3Sdk(plane), 'getAlias', [name, 'prod']);
    assert.deepEqual(at(alias, 'body.additionalVersionWeight'), { 2: 0.5 });
    await fc3Body('updateAlias', [name, 'prod'], 'UpdateAliasInput', { versionId: '2', additionalVersionWeight: {} });
    assert.equal((await fact<PublishedAlias>(`alias functions/${name}@prod`))?.versionId, '2');
    const code = await fc3('getFunctionCode', [name], 'GetFunctionCodeRequest', { qualifier: 'prod' });
    assert.match(textAt(code, 'body.url'), /^http/);
    const aliases = await fc3('listAliases', [name], 'ListAliasesRequest', { prefix: 'pr' });
    assert.equal(at(aliases, 'body.aliases.0.aliasName'), 'prod');

    await call(fc3Sdk(plane), 'deleteFunctionVersion', [name, '1']);
    assert.equal(await fact(`function ${name}@1`), undefined);
    await fails('VersionNotFound', fc3('getFunction', [name], 'GetFunctionRequest', { qualifier: '1' }));
    await fails('AliasNotFound', fc3('getFunction', [name], 'GetFunctionRequest', { qualifier: 'none' }));
    await call(fc3Sdk(plane), 'createAlias', [
      name,
      model('@alicloud/fc20230330', 'CreateAliasRequest', {
        body: model('@alicloud/fc20230330', 'CreateAliasInput', { aliasName: 'old', versionId: '2' }),
      }),
    ]);
    await call(fc3Sdk(plane), 'deleteAlias', [name, 'old']);
    assert.equal(await fact(`alias functions/${name}@old`), undefined);
    await call(fc3Sdk(plane), 'deleteFunction', [name]);
    const left = [...(await plane.published()).keys()].filter((key) => key.includes(name));
    assert.deepEqual(left, []);
  });

  it('2023-03-30: a function of a service is read by its double name and qualifier, but published by its service', async () => {
    const service = await newService();
    await fc2('publishVersion', service, 'v');
    await fc2('updateFunction', service, 'f', { handler: 'index.two' });
    const shown = await fc3('getFunction', [`${service}$f`], 'GetFunctionRequest', { qualifier: '1' });
    assert.equal(at(shown, 'body.handler'), 'index.one');
    await fc3('invokeFunction', [`${service}$f`], 'InvokeFunctionRequest', { qualifier: '1' });
    assert.deepEqual(plane.invoked.at(-1)?.target, { serviceName: service, functionName: 'f', qualifier: '1' });
    await fails('FunctionNotFound', fc3Body('publishFunctionVersion', [`${service}$f`], 'PublishVersionInput', {}));
    assert.deepEqual(plane.logged, []);
  });
});
