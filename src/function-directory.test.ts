import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FunctionDirectory } from './function-directory.ts';
import type { AliasRoute } from './model/alias-route.ts';
import { functionKey, publishedFunctionKey, qualifiedKey, versionOwner } from './model/function.ts';
import type { Change, PublishedAlias, PublishedFunction } from './model/published.ts';

function published(serviceName: string | null, functionName: string, versionId = 'LATEST'): Change {
  const key = functionKey(serviceName, functionName);
  const value: PublishedFunction = {
    key,
    accountId: '1',
    regionId: 'cn-hangzhou',
    serviceName,
    functionName,
    versionId,
    runtime: 'python3',
    handler: 'index.handler',
    memoryMb: 128,
    timeoutMs: 3000,
    initializer: null,
    environment: {},
    instanceConcurrency: 1,
    role: null,
    logProject: '',
    logStore: '',
    code: { sha256: `sha-${versionId}`, checksum: '1', sizeBytes: 1 },
  };
  return { kind: 'function', key: publishedFunctionKey(key, versionId), value };
}

function alias(owner: string, aliasName: string, versionId: string, additionalVersionWeight = {}): Change {
  const value: PublishedAlias = { owner, aliasName, versionId, additionalVersionWeight };
  return { kind: 'alias', key: qualifiedKey(owner, aliasName), value };
}

function routed(owner: string, aliasName: string, route: AliasRoute): Change {
  const value = { owner, aliasName, versionId: '1', additionalVersionWeight: { 2: 0.5 }, route };
  return { kind: 'alias', key: qualifiedKey(owner, aliasName), value };
}

function version(owner: string, versionId: string): Change {
  return { kind: 'version', key: qualifiedKey(owner, versionId), value: { owner, versionId } };
}

const service = versionOwner('s', 'f');

/** Service `s` with function `f` in LATEST and versions 1 and 2; random numbers as given, one after the other. */
function open(numbers: number[] = []) {
  const directory = new FunctionDirectory({ codeDirectory: '/data/code', random: () => numbers.shift() ?? 0 });
  const apply = (...changes: Change[]) => directory.apply({ version: 1, changes });
  apply(
    { kind: 'service', key: 's', value: { serviceName: 's' } },
    published('s', 'f'),
    version(service, '1'),
    published('s', 'f', '1'),
    version(service, '2'),
    published('s', 'f', '2'),
  );
  const find = (qualifier: string | null, functionName = 'f') =>
    directory.find({ serviceName: 's', functionName, qualifier });
  const config = (qualifier: string | null) => {
    const found = find(qualifier);
    assert.ok(found.ok, JSON.stringify(found));
    return found.config;
  };
  const refused = (qualifier: string | null, functionName = 'f') => {
    const found = find(qualifier, functionName);
    assert.ok(!found.ok);
    return `${found.code}: ${found.message}`;
  };
  return { directory, apply, config, refused };
}

describe('the functions a data process knows', () => {
  test('are found by LATEST, by no qualifier and by version, each with its own code', () => {
    const { config } = open();
    assert.equal(config(null), config('LATEST'));
    assert.equal(config(null).code.directory, '/data/code/sha-LATEST');
    assert.equal(config('1').code.directory, '/data/code/sha-1');
    assert.deepEqual([config('2').versionId, config('2').qualifier], ['2', '2']);
  });

  test('called by an alias show the alias as qualifier, and are one object as long as nothing changes', () => {
    const { directory, apply, config } = open();
    apply(alias(service, 'prod', '1'));
    const found = config('prod');
    assert.deepEqual([found.versionId, found.qualifier, found.code.directory], ['1', 'prod', '/data/code/sha-1']);
    assert.equal(config('prod'), found);
    assert.ok(directory.isPublished(found));
    apply(alias(service, 'prod', '2'));
    assert.equal(config('prod').versionId, '2');
    apply(alias(service, 'prod', 'LATEST'));
    assert.deepEqual([config('prod').versionId, config('prod').qualifier], ['LATEST', 'prod']);
  });

  test('are shared out by the weights of an alias; the rest is for the main version', () => {
    const { apply, config } = open([0, 0.29, 0.3, 0.99, 0.5]);
    apply(alias(service, 'prod', '1', { 2: 0.3 }));
    const versions = [1, 2, 3, 4].map(() => config('prod').versionId);
    assert.deepEqual(versions, ['2', '2', '1', '1']);
    apply(alias(service, 'prod', '1', {}));
    assert.equal(config('prod').versionId, '1');
  });

  test('that changed or went are named with their version, and stop being published', () => {
    const { directory, apply, config } = open();
    apply(alias(service, 'prod', '1'));
    const [head, first, called] = [config(null), config('1'), config('prod')];
    assert.deepEqual(apply(published('s', 'f')), [{ key: 's/f', versionId: 'LATEST' }]);
    assert.ok(!directory.isPublished(head));
    assert.ok(directory.isPublished(first) && directory.isPublished(called));
    assert.deepEqual(apply({ kind: 'function', key: 's/f@1', value: null }), [{ key: 's/f', versionId: '1' }]);
    assert.ok(!directory.isPublished(first) && !directory.isPublished(called));
    assert.deepEqual(apply(published('s', 'new')), []);
  });

  test('are told apart when missing: service, function, version, alias', () => {
    const { directory, apply, refused } = open();
    assert.equal(refused('3'), "VersionNotFound: version '3' of service 's' does not exist");
    assert.equal(refused('prod'), "AliasNotFound: alias 'prod' of service 's' does not exist");
    assert.equal(refused('1', 'g'), "FunctionNotFound: function 'g' does not exist in service 's'");
    assert.equal(refused(null, 'g'), "FunctionNotFound: function 'g' does not exist in service 's'");
    apply(alias(service, 'prod', '3'));
    assert.equal(refused('prod'), "VersionNotFound: version '3' of service 's' does not exist");
    apply({ kind: 'alias', key: qualifiedKey(service, 'prod'), value: null });
    assert.match(refused('prod'), /^AliasNotFound/);
    const nowhere = directory.find({ serviceName: 'none', functionName: 'f', qualifier: '1' });
    assert.equal(nowhere.ok ? '' : nowhere.code, 'ServiceNotFound');
  });

  test('without a service have versions and aliases of their own', () => {
    const { directory, apply } = open();
    const own = versionOwner(null, 'f');
    apply(published(null, 'f'), version(own, '1'), published(null, 'f', '1'), alias(own, 'prod', '1'));
    const find = (functionName: string, qualifier: string) =>
      directory.find({ serviceName: null, functionName, qualifier });
    const found = find('f', 'prod');
    assert.equal(found.ok ? found.config.serviceName : '', null);
    const missing = find('f', '2');
    assert.equal(missing.ok ? '' : missing.message, "version '2' of function 'f' does not exist");
    const none = find('g', '2');
    assert.equal(none.ok ? '' : none.message, "function 'g' does not exist");
  });

  test('an alias that goes by what a call carries sends the calls of its rule to the other version, and no others', () => {
    const { directory, apply } = open();
    const item = { place: 'Header', key: 'X-Uid', operator: '==', value: 'm' } as const;
    apply(routed(service, 'canary', { condition: 'AND', items: [item] }));
    const versionOf = (headers?: Record<string, string>) => {
      const content = headers === undefined ? {} : { content: { headers, query: [] } };
      const found = directory.find({ serviceName: 's', functionName: 'f', qualifier: 'canary', ...content });
      return found.ok ? [found.config.versionId, found.config.qualifier] : found;
    };
    assert.deepEqual(versionOf({ 'x-uid': 'm' }), ['2', 'canary']);
    assert.deepEqual(versionOf({ 'x-uid': 'n' }), ['1', 'canary']);
    assert.deepEqual(versionOf(), ['1', 'canary']);
  });
});
