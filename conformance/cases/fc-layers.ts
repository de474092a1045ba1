// Layers, the same in the three versions of Function Compute: the same cases with the SDK of each.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { OperationName } from '../kit/calls.ts';
import { fails } from '../kit/calls.ts';
import { model, zipped } from '../kit/clients.ts';
import { at, column, textAt } from '../kit/read.ts';
import type { World } from '../kit/world.ts';

type Members = Readonly<Record<string, unknown>>;

/** One version's layer operations. Answers are the JSON alone. */
type LayerFc = {
  readonly version: '2016-08-15' | '2021-04-06' | '2023-03-30';
  readonly create: string;
  readonly hasByArn: boolean;
  /** Where an answer tells the ARN. */
  readonly arn: string;
  newVersion(layer: string, files: Readonly<Record<string, string>>, members?: Members): Promise<unknown>;
  get(layer: string, version: number): Promise<unknown>;
  byArn(arn: string): Promise<unknown>;
  list(query: Members): Promise<unknown>;
  versions(layer: string, query?: Members): Promise<unknown>;
  remove(layer: string, version: number): Promise<unknown>;
  share(layer: string, isPublic: boolean): Promise<unknown>;
};

function classic(world: World): LayerFc {
  const call = async (name: string, ...args: unknown[]) => at(await world.fc2(name, ...args), 'data');
  return {
    version: '2016-08-15',
    create: 'PublishLayerVersion',
    hasByArn: true,
    arn: 'arn',
    newVersion: async (layer, files, members = {}) =>
      call('publishLayerVersion', layer, { code: { zipFile: await zipped(files) }, ...members }),
    get: (layer, version) => call('getLayerVersion', layer, version),
    byArn: (arn) => call('getLayerVersionByArn', arn),
    list: (query) => call('listLayers', { ...query }),
    versions: (layer, query = {}) => call('listLayerVersions', layer, { ...query }),
    remove: (layer, version) => call('deleteLayerVersion', layer, version),
    share: (layer, isPublic) => call('putLayerACL', layer, { public: isPublic }),
  };
}

function open(world: World): LayerFc {
  const call = async (name: string, ...args: unknown[]) => at(await world.fcOpen(name, ...args), 'body');
  const request = (name: string, members: object) => model('open', `${name}Request`, members);
  return {
    version: '2021-04-06',
    create: 'CreateLayerVersion',
    hasByArn: false,
    arn: 'arn',
    newVersion: async (layer, files, members = {}) => {
      const code = model('open', 'Code', { zipFile: await zipped(files) });
      return call('createLayerVersion', layer, request('CreateLayerVersion', { code, ...members }));
    },
    get: (layer, version) => call('getLayerVersion', layer, String(version)),
    byArn: () => Promise.reject(new Error('the SDK has no such call')),
    list: (query) => call('listLayers', request('ListLayers', query)),
    versions: (layer, query = {}) => call('listLayerVersions', layer, request('ListLayerVersions', query)),
    remove: (layer, version) => call('deleteLayerVersion', layer, String(version)),
    share: (layer, isPublic) => call('putLayerACL', layer, request('PutLayerACL', { public: isPublic })),
  };
}

function third(world: World): LayerFc {
  const call = async (name: string, ...args: unknown[]) => at(await world.fc3(name, ...args), 'body');
  const request = (name: string, members: object) => model('3', `${name}Request`, members);
  return {
    version: '2023-03-30',
    create: 'CreateLayerVersion',
    hasByArn: true,
    arn: 'layerVersionArn',
    newVersion: async (layer, files, members = {}) => {
      const code = model('3', 'InputCodeLocation', { zipFile: await zipped(files) });
      const body = model('3', 'CreateLayerVersionInput', { code, ...members });
      return call('createLayerVersion', layer, request('CreateLayerVersion', { body }));
    },
    get: (layer, version) => call('getLayerVersion', layer, String(version)),
    byArn: (arn) => call('getLayerVersionByArn', arn),
    list: (query) =>
      call('listLayers', request('ListLayers', Object.fromEntries(Object.entries(query).map(asQueryText)))),
    versions: (layer, query = {}) => call('listLayerVersions', layer, request('ListLayerVersions', query)),
    remove: (layer, version) => call('deleteLayerVersion', layer, String(version)),
    share: (layer, isPublic) => call('putLayerACL', layer, request('PutLayerACL', { public: String(isPublic) })),
  };
}

/** FC 3 takes truth values as text. */
function asQueryText([name, value]: [string, unknown]): [string, unknown] {
  return [name, typeof value === 'boolean' ? String(value) : value];
}

/** A Node function that reads from its layers and answers what it found. */
async function reading(expression: string, layers: readonly string[]) {
  const source = `exports.handler = (event, context, callback) => callback(null, ${expression});\n`;
  return {
    runtime: 'nodejs20',
    handler: 'index.handler',
    memorySize: 128,
    timeout: 10,
    layers,
    code: { zipFile: await zipped({ 'index.js': source }) },
  };
}

export function layerCases(world: World): void {
  for (const fc of [classic(world), open(world), third(world)]) layerCasesOf(world, fc);
}

function layerCasesOf(world: World, fc: LayerFc): void {
  const { log } = world;
  const operation = (name: string): OperationName => `FC/${fc.version}/${name}`;
  const greeting = (text: string) => ({ 'nodejs/node_modules/greeting/index.js': `module.exports = '${text}';\n` });
  /** What a function of 2016-08-15 with these layers answers. */
  const said = async (layers: readonly string[], expression = "require('greeting')") => {
    const service = world.unique('service');
    await world.fc2('createService', service);
    await world.fc2('createFunction', service, { functionName: 'f', ...(await reading(expression, layers)) });
    return Buffer.from(
      at(await world.fc2('invokeFunction', service, 'f', 'e', {}, undefined, { rawBuf: true }), 'data') as Uint8Array,
    ).toString();
  };

  describe(`layers of ${fc.version}`, () => {
    log.covers(
      [operation(fc.create), operation('GetLayerVersion'), operation('DeleteLayerVersion')],
      'a version is made, used by functions also when it is deleted, and its number is not given again',
      async () => {
        const layer = world.unique('layer');
        const members = { description: 'greets', compatibleRuntime: ['nodejs18', 'nodejs20'] };
        const made = await fc.newVersion(layer, greeting('hello'), members);
        assert.deepEqual([at(made, 'version'), at(made, 'layerName'), at(made, 'description')], [1, layer, 'greets']);
        const shown = await fc.get(layer, 1);
        assert.deepEqual(at(shown, 'compatibleRuntime'), ['nodejs18', 'nodejs20']);
        assert.ok(Number(at(shown, 'codeSize')) > 100);
        assert.match(textAt(shown, 'codeChecksum'), /^\d+$/);
        const { ready } = world.server;
        const arn = `acs:fc:${ready.region}:${ready.accountId}:layers/${layer}/versions/1`;
        assert.equal(at(shown, fc.arn), arn);
        const downloaded = await fetch(textAt(shown, 'code.location'));
        assert.equal((await downloaded.arrayBuffer()).byteLength, at(shown, 'codeSize'));
        assert.equal(await said([arn]), 'hello');
        const [service, name] = await world.newFunction(
          { 'index.js': "exports.handler = (e, c, callback) => callback(null, require('greeting'));\n" },
          { layers: [arn] },
        );
        await fc.remove(layer, 1);
        await fails('LayerVersionNotFound', fc.get(layer, 1));
        await fails('LayerVersionNotFound', fc.remove(layer, 1));
        await fails('LayerVersionNotFound', said([arn]));
        const kept = await world.fc2('invokeFunction', service, name, 'e');
        assert.equal(String(at(kept, 'data')), 'hello');
        assert.equal(at(await fc.newVersion(layer, greeting('again')), 'version'), 2);
        await fails('LayerNotFound', fc.get(`${layer}x`, 1));
        await fails('InvalidArgument', fc.newVersion('1bad', greeting('x')));
        await fails('InvalidArgument', fc.newVersion(layer, greeting('x'), { compatibleRuntime: ['cobol'] }));
      },
    );

    log.covers(
      [operation('ListLayers'), operation('ListLayerVersions')],
      'layers and versions are listed',
      async () => {
        const prefix = world.unique('listed');
        for (const letter of ['a', 'b', 'c']) await fc.newVersion(`${prefix}-${letter}`, greeting(letter));
        for (const text of ['two', 'three']) await fc.newVersion(`${prefix}-a`, greeting(text));
        const first = await fc.list({ prefix, limit: 2 });
        assert.deepEqual(column(first, 'layers', 'layerName'), [`${prefix}-a`, `${prefix}-b`]);
        assert.deepEqual(column(first, 'layers', 'version'), [3, 1], 'each by its newest version');
        const rest = await fc.list({ prefix, limit: 2, nextToken: textAt(first, 'nextToken') });
        assert.deepEqual(column(rest, 'layers', 'layerName'), [`${prefix}-c`]);
        await fc.remove(`${prefix}-b`, 1);
        assert.deepEqual(column(await fc.list({ prefix }), 'layers', 'layerName'), [`${prefix}-a`, `${prefix}-c`]);
        assert.deepEqual(column(await fc.list({ prefix, official: true }), 'layers', 'layerName'), []);
        const page = await fc.versions(`${prefix}-a`, { limit: 2 });
        assert.deepEqual([column(page, 'layers', 'version'), at(page, 'nextVersion')], [[1, 2], 3]);
        const next = await fc.versions(`${prefix}-a`, { limit: 2, startVersion: at(page, 'nextVersion') });
        assert.deepEqual([column(next, 'layers', 'version'), at(next, 'nextVersion')], [[3], undefined]);
        await fails('LayerNotFound', fc.versions(`${prefix}-x`));
      },
    );

    log.covers([operation('PutLayerACL'), operation('ListLayers')], 'a layer is made public', async () => {
      const layer = world.unique('shared');
      await fc.newVersion(layer, greeting('x'));
      const listed = async () => column(await fc.list({ prefix: layer, public: true }), 'layers', 'layerName');
      assert.deepEqual(await listed(), []);
      await fc.share(layer, true);
      assert.deepEqual(await listed(), [layer]);
      assert.equal(Number(at(await fc.get(layer, 1), 'acl')), 1);
      await fc.share(layer, false);
      assert.deepEqual(await listed(), []);
      await fails('LayerNotFound', fc.share(`${layer}x`, true));
    });

    if (fc.hasByArn) {
      log.covers([operation('GetLayerVersionByArn')], 'a version is found by its ARN', async () => {
        const layer = world.unique('named');
        const arn = textAt(await fc.newVersion(layer, greeting('x')), fc.arn);
        assert.equal(at(await fc.byArn(arn), 'layerName'), layer);
        await fails('LayerVersionNotFound', fc.byArn(arn.replace(/1$/, '2')));
        await fails('LayerVersionNotFound', fc.byArn('acs:fc:elsewhere:1:layers/x/versions/1'));
      });
    }

    log.covers([operation(fc.create)], 'later layers lie over earlier ones, and wrong lists are refused', async () => {
      const name = world.unique('over');
      const version = async (text: string, files: Readonly<Record<string, string>>, members = {}) =>
        textAt(await fc.newVersion(`${name}-${text}`, files, members), fc.arn);
      const low = await version('low', {
        ...greeting('low'),
        'nodejs/node_modules/low.js': "module.exports = 'kept';",
      });
      const high = await version('high', greeting('high'));
      const both = "[require('greeting'), require('low')].join()";
      assert.equal(await said([low, high], both), 'high,kept');
      assert.equal(await said([high, low], both), 'low,kept');
      const forPython = await version('python', greeting('x'), { compatibleRuntime: ['python3'] });
      await fails('InvalidArgument', said([forPython]));
      await fails('InvalidArgument', said([low, low]));
      await fails('LayerVersionNotFound', said([low.replace(/1$/, '7')]));
      const many = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => version(`many${n}`, greeting(String(n)))));
      await fails('InvalidArgument', said(many));
    });
  });
}
