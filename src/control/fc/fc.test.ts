import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { type FcCatalogue, fcVersions, loadFcCatalogue } from '../catalogue.ts';
import { collectPage } from './pages.ts';
import { compileFcRoutes, type FcRouter, findFcRoute } from './routes.ts';
import { readFcBody, shapeFcAnswer } from './types.ts';

describe('Function Compute paths', () => {
  const routers = new Map<string, FcRouter>();
  before(async () => {
    for (const version of fcVersions) routers.set(version, compileFcRoutes(await loadFcCatalogue(version)));
  });

  const rows: [string, string, string | null, Record<string, string>][] = [
    ['GET', '/2016-08-15/services', 'ListServices', {}],
    ['GET', '/2016-08-15/services/', 'ListServices', {}],
    ['GET', '/2016-08-15/services/S.Q', 'GetService', { serviceName: 'S', qualifier: 'Q' }],
    [
      'GET',
      '/2016-08-15/services/S./functions/F',
      'GetFunction',
      { serviceName: 'S', qualifier: '', functionName: 'F' },
    ],
    [
      'POST',
      '/2016-08-15/services/S/functions/F/invocations',
      'InvokeFunction',
      { serviceName: 'S', functionName: 'F' },
    ],
    [
      'POST',
      '/2021-04-06/services/S.Q/functions/F/invocations',
      'InvokeFunction',
      { serviceName: 'S', qualifier: 'Q', functionName: 'F' },
    ],
    ['GET', '/2023-03-30/functions/a%20b', 'GetFunction', { functionName: 'a b' }],
    ['GET', '/2023-03-30/layerarn/acs%3Afc%3Acn%2Fx', 'GetLayerVersionByArn', { arn: 'acs:fc:cn/x' }],
    ['PATCH', '/2023-03-30/functions', null, {}],
    ['GET', '/2023-03-30/functions//code', null, {}],
    ['GET', '/2023-03-30/nowhere', null, {}],
    ['GET', '/2023-03-30', null, {}],
  ];
  for (const [method, path, name, members] of rows) {
    it(`${method} ${path} is ${name ?? 'nothing'}`, () => {
      const router = routers.get(path.slice(1, 11));
      assert.ok(router !== undefined);
      const route = findFcRoute(router, method, path);
      assert.equal(route?.name ?? null, name);
      if (name === 'GetLayerVersionByArn')
        assert.deepEqual(Object.values(route?.members ?? {}), Object.values(members));
      else assert.deepEqual(route?.members ?? {}, members);
    });
  }
});

describe('Function Compute bodies', () => {
  let catalogue: FcCatalogue;
  before(async () => {
    catalogue = await loadFcCatalogue('2016-08-15');
  });
  const read = (operation: string, body: unknown) =>
    readFcBody(catalogue, catalogue.operations[operation]?.body ?? 'any', body);

  it('match keys in any case at every depth, and ignore unknown ones and nulls', () => {
    const body = {
      nasConfig: { UserId: 1, GroupId: -1, MountPoints: [{ ServerAddr: 's', mountDir: '/mnt', Foo: 1 }] },
      Nothing: 1,
      role: null,
    };
    assert.deepEqual(read('UpdateService', body), {
      nasConfig: { userId: 1, groupId: -1, mountPoints: [{ serverAddr: 's', mountDir: '/mnt' }] },
    });
  });

  it('keep the keys of maps as they are', () => {
    assert.deepEqual(
      read('UpdateFunction', { EnvironmentVariables: { A_b: 'x', ['__proto__']: 'y' }, InstanceConcurrency: 3 }),
      {
        environmentVariables: { A_b: 'x', ['__proto__']: 'y' },
        instanceConcurrency: 3,
      },
    );
  });

  it('refuse wrong types by name', () => {
    assert.throws(() => read('CreateFunction', { memorySize: '128' }), {
      code: 'InvalidArgument',
      message: /memorySize/,
    });
    assert.throws(() => read('CreateFunction', { code: { zipFile: 1 } }), { message: /code\.zipFile/ });
    assert.throws(() => read('CreateFunction', []), { message: /the request body/ });
  });

  it('answers hold the members of the schema only', () => {
    const shape = catalogue.operations['ListFunctions']?.response ?? 'any';
    const answer = { functions: [{ functionName: 'f', code: 'secret', layers: [] }], nextToken: undefined };
    assert.deepEqual(shapeFcAnswer(catalogue, shape, answer), { functions: [{ functionName: 'f', layers: [] }] });
  });
});

describe('Function Compute pages', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const fetch = async (startKey: string | null, limit: number) =>
    names.filter((name) => startKey === null || name >= startKey).slice(0, limit);

  it('pass over what is not wanted, and end without a token', async () => {
    const options = { fetch, keyOf: (name: string) => name, keep: (name: string) => name !== 'b' && name !== 'c' };
    const first = await collectPage({ limit: 2, prefix: '', startKey: null }, options);
    assert.deepEqual(first.rows, ['a', 'd']);
    assert.equal(Buffer.from(first.nextToken ?? '', 'base64url').toString(), 'e');
    const rest = await collectPage({ limit: 3, prefix: '', startKey: 'e' }, options);
    assert.deepEqual(rest, { rows: ['e', 'f', 'g'] });
  });
});
