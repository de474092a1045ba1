import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FunctionConfig } from '../../model/function.ts';
import type { Interpreter } from '../choose-interpreter.ts';
import { spareShape } from './shape.ts';

const python: Interpreter = { language: 'python', version: '3.11.2', path: '/usr/bin/python3.11', prefix: '/usr' };
const config: FunctionConfig = {
  key: 'f',
  accountId: '1',
  regionId: 'cn-hangzhou',
  serviceName: null,
  functionName: 'f',
  versionId: 'LATEST',
  qualifier: 'LATEST',
  runtime: 'python3.10',
  handler: 'index.handler',
  memoryMb: 128,
  timeoutMs: 3_000,
  initializer: null,
  environment: {},
  instanceConcurrency: 1,
  role: null,
  logProject: '',
  logStore: '',
  code: { checksum: '0', sizeBytes: 0, directory: '/code' },
};
const shapeOf = (changes: Partial<FunctionConfig>, interpreter: Interpreter | null = python) =>
  spareShape({ ...config, ...changes }, { ok: true, interpreter, note: null, program: 'server', shows: [] } as never);

test('functions of one interpreter share the processes that wait, whatever else they are', () => {
  const one = shapeOf({ memoryMb: 3_072, environment: { NAME: 'value' }, role: 'acs:ram::1:role/x' });
  assert.equal(one?.key, shapeOf({})?.key);
  assert.notEqual(one?.key, shapeOf({}, { ...python, path: '/usr/bin/python3.12' })?.key);
});

test('what is read before our code runs makes a process of its own', () => {
  for (const name of [
    'LD_PRELOAD',
    'LD_LIBRARY_PATH',
    'LD_AUDIT',
    'PYTHONPATH',
    'PYTHONHASHSEED',
    'PYTHONSTARTUP',
    'NODE_OPTIONS',
    'NODE_EXTRA_CA_CERTS',
    'MALLOC_ARENA_MAX',
    'GLIBC_TUNABLES',
    'LANG',
    'LC_ALL',
    'TZ',
    'PATH',
    'OPENSSL_CONF',
    'SSL_CERT_FILE',
    'UV_THREADPOOL_SIZE',
    'PHPRC',
    'PHP_INI_SCAN_DIR',
    'USE_ZEND_ALLOC',
    'JAVA_TOOL_OPTIONS',
    'JDK_JAVA_OPTIONS',
  ]) {
    assert.equal(shapeOf({ environment: { [name]: 'x' } }), null, name);
  }
  assert.notEqual(shapeOf({ environment: { OLD_PATH: 'x', MY_LANG: 'x', XLD_PRELOAD: 'x' } }), null);
});

test('added libraries of a runtime are those of its own processes only', () => {
  const added = { ...python, libraries: { 'python3.10': '/added/python3.10' } };
  assert.equal(shapeOf({}, added)?.runtime, 'python3.10');
  assert.equal(shapeOf({ runtime: 'python3.9' }, added)?.runtime, '');
  assert.notEqual(shapeOf({}, added)?.key, shapeOf({ runtime: 'python3.9' }, added)?.key);
});

test('Java processes are shared by functions of one size only, and are those of Javas that take our library in silence', () => {
  const java: Interpreter = { language: 'java', version: '17.0.15', path: '/usr/bin/java', prefix: '/usr' };
  assert.deepEqual([shapeOf({}, java)?.limitMb, shapeOf({ memoryMb: 512 }, java)?.limitMb], [128, 512]);
  assert.notEqual(shapeOf({}, java)?.key, shapeOf({ memoryMb: 512 }, java)?.key);
  assert.equal(shapeOf({}, { ...java, version: '25.0.1' }), null);
});

test('programs of the user share what waits by the port that they listen on, whatever is in their environment', () => {
  const server = { command: ['./run'], args: ['-x'], port: 9000, healthCheck: null, image: null };
  const one = shapeOf({ runtime: 'custom' }, null);
  assert.deepEqual([one?.port, one?.runtime], [9000, 'custom']);
  const other = { runtime: 'custom.debian12', server, environment: { LD_PRELOAD: '/code/x.so', TZ: 'UTC' } };
  assert.equal(shapeOf(other, null)?.key, one?.key);
  assert.notEqual(shapeOf({ server: { ...server, port: 8080 } }, null)?.key, one?.key);
  assert.equal(shapeOf({ server: { ...server, args: ['x'.repeat(9 * 1024)] } }, null), null);
  assert.equal(shapeOf({ layersDirectory: '/layers/x' }, null), null);
  assert.equal(shapeOf({ environment: { LARGE: 'x'.repeat(6 * 1024) } }, null), null);
  const choice = { ok: true, interpreter: null, program: 'polling', shows: [], note: null } as const;
  assert.equal(spareShape(config, choice)?.port, null);
  assert.equal(spareShape(config, { ...choice, image: {} as never }), null);
});

test('layers, Python 2, other languages and large environments wait for nobody', () => {
  assert.equal(shapeOf({ layersDirectory: '/layers/x' }), null);
  assert.equal(shapeOf({}, { ...python, version: '2.7.18' }), null);
  assert.equal(shapeOf({ environment: { LARGE: 'x'.repeat(6 * 1024) } }), null);
});
