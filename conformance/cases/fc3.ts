// Function Compute 3 (2023-03-30): functions without services, their versions, aliases and tags.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe } from 'node:test';
import { fails } from '../kit/calls.ts';
import { model, zipped } from '../kit/clients.ts';
import { at, column, items, textAt } from '../kit/read.ts';
import { nodeReturning, type World } from '../kit/world.ts';

const api = 'FC/2023-03-30';

export function fc3Cases(world: World): void {
  const { fc3, log } = world;
  const request = (name: string, members: object = {}) => model('3', `${name}Request`, members);
  const input = (operation: string, kind: string, members: object) =>
    request(operation, { body: model('3', kind, members) });

  async function codeOf(text: string): Promise<object> {
    return model('3', 'InputCodeLocation', { zipFile: await zipped(nodeReturning(JSON.stringify(text))) });
  }
  async function create(functionName: string, text: string, more: object = {}): Promise<unknown> {
    const settings = {
      functionName,
      runtime: 'nodejs20',
      handler: 'index.handler',
      memorySize: 128,
      cpu: 0.1,
      timeout: 10,
    };
    const members = { ...settings, code: await codeOf(text), ...more };
    return await fc3('createFunction', input('CreateFunction', 'CreateFunctionInput', members));
  }
  async function newFunction(text: string): Promise<string> {
    const name = world.unique('three');
    await create(name, text);
    return name;
  }
  const update = (name: string, members: object) =>
    fc3('updateFunction', name, input('UpdateFunction', 'UpdateFunctionInput', members));
  async function said(name: string, qualifier?: string): Promise<string> {
    const members = { body: Readable.from([Buffer.from('e')]), ...(qualifier === undefined ? {} : { qualifier }) };
    const body = at(await fc3('invokeFunction', name, request('InvokeFunction', members)), 'body');
    return Buffer.from(
      await Readable.from(body as Readable)
        .toArray()
        .then(Buffer.concat),
    ).toString();
  }
  const arnOf = (name: string) =>
    `acs:fc:${world.server.ready.region}:${world.server.ready.accountId}:functions/${name}`;

  describe('functions of 2023-03-30', () => {
    log.covers(
      [`${api}/CreateFunction`, `${api}/InvokeFunction`, `${api}/GetFunction`, `${api}/UpdateFunction`],
      'a function answers with its code, then with its new code and environment',
      async () => {
        const name = world.unique('three');
        const made = await create(name, 'old');
        assert.deepEqual([at(made, 'body.functionArn'), at(made, 'body.state')], [arnOf(name), 'Active']);
        assert.equal(await said(name), 'old');
        await update(name, { code: await codeOf('new'), environmentVariables: { A: 'b' }, description: 'changed' });
        assert.equal(await said(name), 'new');
        const shown = await fc3('getFunction', name, request('GetFunction'));
        assert.deepEqual([at(shown, 'body.description'), at(shown, 'body.environmentVariables.A')], ['changed', 'b']);
        await fails('FunctionNotFound', said(`${name}x`));
        await fails('FunctionNotFound', update(`${name}x`, { description: 'x' }));
        await fails('FunctionAlreadyExists', create(name, 'again'));
        await fails('InvalidArgument', create(world.unique('three'), 'x', { runtime: 'cobol' }));
        await fails('InvalidArgument', create('1bad', 'x'));
      },
    );

    log.covers([`${api}/GetFunctionCode`], 'the code that was uploaded can be downloaded without a key', async () => {
      const name = await newFunction('kept');
      const code = await fc3('getFunctionCode', name, request('GetFunctionCode'));
      const answer = await fetch(textAt(code, 'body.url'));
      const sent = await zipped(nodeReturning('"kept"'));
      assert.equal(Buffer.from(await answer.arrayBuffer()).toString('base64'), sent);
      const shown = await fc3('getFunction', name, request('GetFunction'));
      assert.equal(at(code, 'body.checksum'), at(shown, 'body.codeChecksum'));
    });

    log.covers(
      [`${api}/ListFunctions`, `${api}/DeleteFunction`],
      'functions are listed by prefix and page; a deleted one is gone',
      async () => {
        const prefix = world.unique('list');
        for (const letter of ['a', 'b', 'c']) await create(`${prefix}-${letter}`, letter);
        const list = async (more: object) => fc3('listFunctions', request('ListFunctions', { prefix, ...more }));
        const first = await list({ limit: 2 });
        assert.deepEqual(column(first, 'body.functions', 'functionName'), [`${prefix}-a`, `${prefix}-b`]);
        const rest = await list({ limit: 2, nextToken: textAt(first, 'body.nextToken') });
        assert.deepEqual(column(rest, 'body.functions', 'functionName'), [`${prefix}-c`]);
        await fc3('deleteFunction', `${prefix}-b`);
        assert.deepEqual(column(await list({}), 'body.functions', 'functionName'), [`${prefix}-a`, `${prefix}-c`]);
        await fails('FunctionNotFound', said(`${prefix}-b`));
        await fails('FunctionNotFound', fc3('deleteFunction', `${prefix}-b`));
      },
    );

    log.covers(
      [`${api}/ListFunctions`],
      "functions of services are listed under their double name, unless only version 3's are asked for",
      async () => {
        const [service, name] = await world.newFunction(nodeReturning('"two"'));
        const list = async (more: object) =>
          column(
            await fc3('listFunctions', request('ListFunctions', { prefix: service, ...more })),
            'body.functions',
            'functionName',
          );
        assert.deepEqual(await list({}), [`${service}$${name}`]);
        assert.deepEqual(await list({ fcVersion: 'v3' }), []);
      },
    );
  });

  describe('versions, aliases and tags of 2023-03-30', () => {
    log.covers(
      [`${api}/PublishFunctionVersion`, `${api}/ListFunctionVersions`, `${api}/DeleteFunctionVersion`],
      'a version keeps answering with the code it was published with, until it is deleted',
      async () => {
        const name = await newFunction('old');
        const publish = (description: string) =>
          fc3('publishFunctionVersion', name, input('PublishFunctionVersion', 'PublishVersionInput', { description }));
        assert.equal(at(await publish('first'), 'body.versionId'), '1');
        await fails('VersionPublishError', publish('again'));
        await update(name, { code: await codeOf('new') });
        assert.deepEqual([await said(name, '1'), await said(name)], ['old', 'new']);
        await publish('second');
        const listed = await fc3('listFunctionVersions', name, request('ListFunctionVersions'));
        assert.deepEqual(column(listed, 'body.versions', 'versionId'), ['2', '1']);
        await fc3('deleteFunctionVersion', name, '1');
        await fails('VersionNotFound', said(name, '1'));
        await fails('VersionNotFound', fc3('deleteFunctionVersion', name, '1'));
      },
    );

    log.covers(
      [`${api}/CreateAlias`, `${api}/GetAlias`, `${api}/UpdateAlias`, `${api}/ListAliases`, `${api}/DeleteAlias`],
      'an alias leads callers to its version, then to another, then nowhere',
      async () => {
        const name = await newFunction('old');
        const publish = () =>
          fc3('publishFunctionVersion', name, input('PublishFunctionVersion', 'PublishVersionInput', {}));
        await publish();
        await update(name, { code: await codeOf('new') });
        await publish();
        const createAlias = (members: object) =>
          fc3('createAlias', name, input('CreateAlias', 'CreateAliasInput', members));
        await createAlias({ aliasName: 'prod', versionId: '1' });
        assert.equal(await said(name, 'prod'), 'old');
        await fails('AliasAlreadyExists', createAlias({ aliasName: 'prod', versionId: '2' }));
        await fails('VersionNotFound', createAlias({ aliasName: 'none', versionId: '9' }));
        await fc3('updateAlias', name, 'prod', input('UpdateAlias', 'UpdateAliasInput', { versionId: '2' }));
        assert.equal(await said(name, 'prod'), 'new');
        assert.equal(at(await fc3('getAlias', name, 'prod'), 'body.versionId'), '2');
        const listed = await fc3('listAliases', name, request('ListAliases'));
        assert.deepEqual(column(listed, 'body.aliases', 'aliasName'), ['prod']);
        await fc3('deleteAlias', name, 'prod');
        await fails('AliasNotFound', said(name, 'prod'));
        await fails('AliasNotFound', fc3('getAlias', name, 'prod'));
      },
    );

    log.covers(
      [`${api}/TagResources`, `${api}/ListTagResources`, `${api}/UntagResources`, `${api}/ListFunctions`],
      'tags are put on functions, find them, and are taken off',
      async () => {
        const [one, two] = [await newFunction('one'), await newFunction('two')];
        const team = world.unique('team');
        const tag = (resourceId: string[], value: string) => {
          const members = { resourceType: 'FUNCTION', resourceId, tag: [model('3', 'Tag', { key: 'team', value })] };
          return fc3('tagResources', input('TagResources', 'TagResourcesInput', members));
        };
        const rows = async () => {
          const asked = { resourceType: 'function', resourceId: [arnOf(one), arnOf(two)] };
          const listed = await fc3('listTagResources', request('ListTagResources', asked));
          return items(listed, 'body.tagResources').map((row) => [at(row, 'resourceId'), at(row, 'tagValue')]);
        };
        await tag([arnOf(one), two], team);
        assert.deepEqual(
          (await rows()).map(([, value]) => value),
          [team, team],
        );
        const tags = [model('3', 'Tag', { key: 'team', value: team })];
        const found = await fc3('listFunctions', request('ListFunctions', { tags }));
        assert.deepEqual(column(found, 'body.functions', 'functionName'), [one, two].sort());
        const off = { resourceType: 'function', resourceId: [arnOf(two)], tagKey: ['team'] };
        await fc3('untagResources', request('UntagResources', off));
        assert.deepEqual(await rows(), [[arnOf(one), team]]);
        await fails('FunctionNotFound', tag([`${one}x`], team));
      },
    );

    log.covers([`${api}/DescribeRegions`], 'the region of the server is listed', async () => {
      const regions = await fc3('describeRegions', request('DescribeRegions'));
      assert.deepEqual(column(regions, 'body.regions.region', 'regionId'), [world.server.ready.region]);
    });
  });
}
