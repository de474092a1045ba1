import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FunctionConfig } from '../../model/function.ts';
import { instanceEnvironment } from './environment.ts';

const config: FunctionConfig = {
  key: 's/f',
  accountId: '1',
  regionId: 'cn-hangzhou',
  serviceName: 's',
  functionName: 'f',
  versionId: '3',
  qualifier: 'prod',
  runtime: 'python3.10',
  handler: 'index.handler',
  memoryMb: 256,
  timeoutMs: 3000,
  initializer: null,
  environment: {},
  instanceConcurrency: 1,
  role: 'acs:ram::1:role/r',
  logProject: '',
  logStore: '',
  code: { checksum: '1', sizeBytes: 1, directory: '/code' },
};
const python = { language: 'python', version: '3.10.1', path: '/opt/py/bin/python3', prefix: '/opt/py' } as const;
const credentials = { accessKeyId: 'id', accessKeySecret: 'secret', securityToken: 'token', expiresAt: 0 };
const here = { codePath: '/code', layersPath: null, temporaryPath: null };
const place = { instanceId: 'c-1', place: here, interpreter: python, credentials };

test('where /tmp is not its own, it is told where to write, and that is its home', () => {
  const seen = instanceEnvironment(config, { ...place, place: { ...here, temporaryPath: '/tmp/yunmen-x/t/c-1' } });
  assert.deepEqual([seen['TMPDIR'], seen['HOME']], ['/tmp/yunmen-x/t/c-1', '/tmp/yunmen-x/t/c-1']);
  const usual = instanceEnvironment(config, place);
  assert.deepEqual([usual['TMPDIR'], usual['HOME']], [undefined, '/tmp']);
});

test('a function of a service sees its service and the legacy credentials too', () => {
  const seen = instanceEnvironment(config, place);
  assert.equal(seen['FC_SERVICE_NAME'], 's');
  assert.equal(seen['FC_QUALIFIER'], 'prod');
  assert.equal(seen['accessKeySecret'], 'secret');
  assert.equal(seen['ALIBABA_CLOUD_SECURITY_TOKEN'], 'token');
  assert.equal(seen['FC_FUNC_CODE_PATH'], '/code/');
  assert.equal(seen['FC_FUNCTION_MEMORY_SIZE'], '256');
});

test('a function without service sees neither, and without role no credentials', () => {
  const seen = instanceEnvironment({ ...config, serviceName: null, role: null }, place);
  const names = Object.keys(seen).filter((name) => /SERVICE|QUALIFIER|ACCESS_KEY|accessKey/.test(name));
  assert.deepEqual(names, []);
});

test("the user's variables come through, but reserved and malformed ones never", () => {
  const environment = {
    MODE: 'x',
    TZ: 'Asia/Shanghai',
    FC_REGION: 'forged',
    topic: 't',
    accessKeyID: 'forged',
    'a=b': 'c',
    '9': 'd',
    Z: 'a\0b',
  };
  const seen = instanceEnvironment({ ...config, serviceName: null, role: null, environment }, place);
  assert.equal(seen['MODE'], 'x');
  assert.equal(seen['TZ'], 'Asia/Shanghai');
  assert.equal(seen['FC_REGION'], 'cn-hangzhou');
  for (const name of ['topic', 'accessKeyID', 'a=b', '9', 'Z']) assert.equal(seen[name], undefined, name);
});

test('the version is told as FC_VER_ID on the older images and FC_FUNCTION_VERSION on the newer', () => {
  assert.equal(instanceEnvironment(config, place)['FC_VER_ID'], '3');
  const seen = instanceEnvironment({ ...config, runtime: 'python3.12' }, place);
  assert.equal(seen['FC_VER_ID'], undefined);
  assert.equal(seen['FC_FUNCTION_VERSION'], '3');
});

test('layers are searched after the code: Python before its own packages, Node, programs and libraries at the end', () => {
  const withLayers = { ...place, place: { ...here, layersPath: '/opt' } };
  const seen = instanceEnvironment({ ...config, environment: { PYTHONPATH: '/code/vendor' } }, withLayers);
  assert.equal(seen['PYTHONPATH'], '/code/vendor:/opt/python/lib/python3.10/site-packages:/opt/python');
  assert.match(seen['PATH'] ?? '', /:\/opt\/bin$/);
  assert.match(seen['LD_LIBRARY_PATH'] ?? '', /^\/code\/:.*:\/opt\/lib$/);
  const node = { language: 'node', version: '20.1.0', path: '/usr/bin/node', prefix: '/usr' } as const;
  const there = { ...withLayers, place: { ...here, layersPath: '/data/layers' }, interpreter: node };
  const path = instanceEnvironment({ ...config, runtime: 'nodejs20' }, there)['NODE_PATH'];
  assert.match(path ?? '', /:\/data\/layers\/nodejs\/node20\/node_modules:\/data\/layers\/nodejs\/node_modules$/);
  assert.equal(instanceEnvironment(config, place)['PYTHONPATH'], undefined);
});

test('Java is told of its code without the slash at the end, as programs of users are', () => {
  const java = { language: 'java', version: '17.0.1', path: '/j/bin/java', prefix: '/j' } as const;
  for (const interpreter of [java, null]) {
    assert.equal(instanceEnvironment(config, { ...place, interpreter })['FC_FUNC_CODE_PATH'], '/code');
  }
});

test('nodejs16 finds the modules of layers that were made for nodejs14', () => {
  const node = { language: 'node', version: '16.1.0', path: '/n/bin/node', prefix: '/n/bin' } as const;
  const seen = (runtime: string) =>
    instanceEnvironment({ ...config, runtime }, { ...place, interpreter: node })['NODE_PATH'];
  const [first, last] = ['/usr/local/lib/node_modules', '/opt/nodejs/node_modules'];
  const of = (major: number) => `/opt/nodejs/node${major}/node_modules`;
  assert.equal(seen('nodejs16'), [first, of(16), of(14), last].join(':'));
  assert.equal(seen('nodejs14'), [first, of(14), last].join(':'));
});

test('libraries that were added for an id are found after the code and the layers, by that id alone', () => {
  const libraries = { 'python3.10': '/lib/py', nodejs12: '/lib/node' };
  const withLibraries = { ...place, interpreter: { ...python, libraries } };
  assert.equal(instanceEnvironment(config, withLibraries)['PYTHONPATH'], '/lib/py');
  const older = instanceEnvironment({ ...config, runtime: 'python3.9' }, withLibraries);
  assert.equal(older['PYTHONPATH'], undefined);
  const node = { language: 'node', version: '12.1.0', path: '/n/bin/node', prefix: '/n/bin', libraries } as const;
  const seen = instanceEnvironment({ ...config, runtime: 'nodejs12' }, { ...place, interpreter: node });
  assert.match(seen['PATH'] ?? '', /^\/lib\/node\/node_modules\/\.bin:/);
  assert.match(seen['NODE_PATH'] ?? '', /^\/lib\/node\/node_modules:\/opt\/nodejs\/node12\/node_modules:/);
});
