// Layers, URLs and programs of functions on the command line, against a stand-in for a server.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc64 } from '../../src/wire/crc64.ts';
import type { FakeAnswer, SeenRequest } from './cli-fake-server.ts';
import { withPlace } from './cli-run.ts';

const json = (value: unknown, status = 200): FakeAnswer => ({ status, body: JSON.stringify(value) });
const bodyOf = (request: SeenRequest | undefined) => JSON.parse(request?.body.toString() ?? '{}');

test('layer publish packs the folder, and tells the ARN; list and delete name versions', async () => {
  await withPlace(async ({ fake, folder, run }) => {
    await mkdir(join(folder, 'layer'));
    await writeFile(join(folder, 'layer', 'a.py'), 'x');
    const layer = { layerName: 'common', version: 3, codeSize: 120, arn: 'acs:fc:r:1:layers/common/versions/3' };
    fake.handler = ({ action }) =>
      action === 'CreateLayerVersion' ? json(layer) : action === 'ListLayers' ? json({ layers: [layer] }) : null;
    const made = await run([
      'layer',
      'publish',
      'common',
      '--code',
      'layer',
      '--runtime',
      'python3',
      '--runtime',
      'go1',
    ]);
    assert.equal(made.exitCode, 0, made.stderr);
    assert.match(made.stdout, /^published acs:fc:r:1:layers\/common\/versions\/3/);
    const sent = fake.seen.at(-1);
    assert.equal(`${sent?.method} ${sent?.path}`, 'POST /2021-04-06/layers/common/versions');
    const { Code, ...rest } = bodyOf(sent);
    assert.equal(Buffer.from(Code.zipFile, 'base64').toString('latin1', 0, 2), 'PK');
    assert.deepEqual(rest, { compatibleRuntime: ['python3', 'go1'], description: '' });
    const listed = await run(['layer', 'list', '--json']);
    assert.deepEqual(JSON.parse(listed.stdout), { layers: [layer] });
    fake.handler = () => ({ status: 204, body: '' });
    assert.equal((await run(['layer', 'delete', 'common', '3'])).exitCode, 0);
    assert.equal(fake.seen.at(-1)?.path, '/2021-04-06/layers/common/versions/3');
    assert.equal((await run(['layer', 'publish', 'common'])).exitCode, 2);
  });
});

test('function create takes layers, a program with its port, and requests at a time, in the spelling of either generation', async () => {
  await withPlace(async ({ fake, folder, run }) => {
    await writeFile(join(folder, 'code.zip'), 'zip');
    const flags = ['--code', 'code.zip', '--runtime', 'custom', '--handler', 'x', '--command', 'node  server.js'];
    const more = ['--port', '8001', '--concurrency', '9', '--layer', 'acs:one', '--layer', 'acs:two'];
    assert.equal((await run(['function', 'create', 'three', ...flags, ...more])).exitCode, 0);
    const three = bodyOf(fake.seen.at(-1));
    assert.deepEqual(three.customRuntimeConfig, { command: ['node'], args: ['server.js'], port: 8001 });
    assert.deepEqual([three.layers, three.instanceConcurrency], [['acs:one', 'acs:two'], 9]);
    assert.equal((await run(['function', 'create', 'shop/two', ...flags, ...more])).exitCode, 0);
    const two = bodyOf(fake.seen.at(-1));
    assert.deepEqual([two.customRuntimeConfig, two.caPort], [{ command: ['node'], args: ['server.js'] }, 8001]);
    assert.equal((await run(['function', 'update', 'three', '--port', 'high'])).exitCode, 2);
  });
});

test('function url makes a trigger or changes it, and shows the URL', async () => {
  await withPlace(async ({ fake, run }) => {
    let isThere = false;
    fake.handler = ({ action }) => {
      if (action === 'GetTrigger') return isThere ? json({}) : json({ Code: 'TriggerNotFound', Message: 'no' }, 404);
      isThere = true;
      return json({ httpTrigger: { urlInternet: 'http://f.localhost:8082' } });
    };
    const made = await run(['function', 'url', 'f', '--methods', 'get,post']);
    assert.equal(made.stdout, 'http://f.localhost:8082\n');
    const { triggerConfig, ...rest } = bodyOf(fake.seen.at(-1));
    assert.deepEqual(rest, { triggerName: 'url', triggerType: 'http' });
    assert.deepEqual(JSON.parse(triggerConfig), { authType: 'anonymous', methods: ['GET', 'POST'] });
    await run(['function', 'url', 'f', '--auth', 'function', '--json']);
    assert.equal(`${fake.seen.at(-1)?.method} ${fake.seen.at(-1)?.path}`, 'PUT /2023-03-30/functions/f/triggers/url');
  });
});

test('a project publishes a layer of its own once, and again when it has changed', async () => {
  const { ensureLayer } = await import('../../src/cli/client/layers.ts');
  await withPlace(async ({ fake }) => {
    const zip = Buffer.from('a zip');
    let checksum = '0';
    fake.handler = ({ action }) =>
      action === 'ListLayers'
        ? json({ layers: [{ layerName: 'common', codeChecksum: checksum, arn: 'arn:old' }] })
        : json({ arn: 'arn:new' });
    const target = { endpoint: fake.url, accessKeyId: 'testid', accessKeySecret: 'testsecret', hint: '' };
    assert.equal(await ensureLayer(target, 'common', zip), 'arn:new');
    checksum = crc64(zip);
    assert.equal(await ensureLayer(target, 'common', zip), 'arn:old');
  });
});
