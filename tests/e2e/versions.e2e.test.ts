// Versions and aliases on the real server: by InvokeFunction and by the gateway, from the acknowledgement on.
import assert from 'node:assert/strict';
import { cpSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Project } from '../harness/project.ts';
import { functionCompute, longTimeoutMs, zipped } from '../harness/sdk.ts';
import { Cleanup, startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';

const require = createRequire(import.meta.url);

type Answer = { readonly headers: Record<string, string>; readonly data: Record<string, unknown> };
type Fc = Readonly<Record<string, (...args: unknown[]) => Promise<Answer>>>;

/** Returns what it is (`text`) and how it sees itself. */
const source = (text: string) =>
  [
    'import json, os',
    'def handler(event, context):',
    '    service = context.service',
    `    body = {"is": "${text}", "qualifier": service.qualifier, "version": service.version_id,`,
    '            "env": os.environ.get("FC_QUALIFIER"), "which": os.environ.get("WHICH")}',
    '    return json.dumps({"isBase64Encoded": False, "statusCode": 200, "headers": {}, "body": body})',
    '',
  ].join('\n');

describe('versions and aliases', () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());
  let server: TestServer;
  let project: Project;
  let fc: Fc;
  const service = 'shop';

  const clientOf = ({ ready, credentials }: TestServer) => functionCompute(ready, credentials) as unknown as Fc;
  const call = (name: string, ...args: unknown[]) => {
    const method = fc[name];
    assert.ok(method !== undefined, `the SDK has no ${name}`);
    return method.apply(fc, args);
  };
  const update = async (text: string, more: object = {}) =>
    call('updateFunction', service, 'f', { code: { zipFile: await zipped({ 'index.py': source(text) }) }, ...more });
  /** What the function says of itself, and the version that the answer names. */
  async function invoke(
    qualifier: string,
    sent: object = {},
  ): Promise<{ body: Record<string, unknown>; version: string | undefined }> {
    const { headers, data } = await call('invokeFunction', service, 'f', '{}', sent, qualifier);
    const result = (typeof data === 'string' ? JSON.parse(data) : data) as { body: Record<string, unknown> };
    return { body: result.body, version: headers['x-fc-invocation-service-version'] };
  }
  const says = async (qualifier: string) => (await invoke(qualifier)).body['is'];

  before(async () => {
    server = await startServer(cleanup, ['start', '--isolation', 'none'], temporaryDirectory(cleanup));
    project = await Project.create(server, service);
    fc = clientOf(server);
    const files = { 'index.py': source('first') };
    const runtime = { runtime: 'python3.10', files, handler: 'index.handler' };
    await project.addFunction(service, 'f', runtime, { environmentVariables: { WHICH: 'first' } });
    await call('publishVersion', service, 'one');
    await call('createAlias', service, 'prod', '1');
    await update('second', { environmentVariables: { WHICH: 'second' } });
  });

  test('a version keeps code and configuration; the code sees the qualifier as called and the version it is', async () => {
    assert.deepEqual(await invoke('1'), {
      body: { is: 'first', qualifier: '1', version: '1', env: '1', which: 'first' },
      version: '1',
    });
    assert.deepEqual(await invoke('prod'), {
      body: { is: 'first', qualifier: 'prod', version: '1', env: 'prod', which: 'first' },
      version: '1',
    });
    assert.deepEqual(await invoke('LATEST'), {
      body: { is: 'second', qualifier: 'LATEST', version: 'LATEST', env: 'LATEST', which: 'second' },
      version: 'LATEST',
    });
    await assert.rejects(invoke('7'), { code: 'VersionNotFound' });
    await assert.rejects(invoke('none'), { code: 'AliasNotFound' });
  });

  test('the first call after an acknowledgement sees it, whatever was warm before', async () => {
    for (let round = 0; round < 5; round += 1) {
      await update(`round ${round}`);
      assert.equal(await says('LATEST'), `round ${round}`);
      const { data } = await call('publishVersion', service, '');
      await call('updateAlias', service, 'prod', data['versionId']);
      assert.equal(await says('prod'), `round ${round}`);
      assert.equal(await says('1'), 'first');
    }
    await call('updateAlias', service, 'prod', '1');
    assert.equal(await says('prod'), 'first');
  });

  test('an alias with shares sends calls to both versions, and after they are taken away to one', async () => {
    await call('updateAlias', service, 'prod', '1', { additionalVersionWeight: { 2: 0.5 } });
    const seen = new Set<string | undefined>();
    for (let tries = 0; tries < 200 && seen.size < 2; tries += 1) seen.add((await invoke('prod')).version);
    assert.deepEqual([...seen].sort(), ['1', '2']);
    await call('updateAlias', service, 'prod', '2', { additionalVersionWeight: {} });
    for (let tries = 0; tries < 5; tries += 1) assert.equal((await invoke('prod')).version, '2');
  });

  test('an alias with a rule sends the calls of it to the other version, all others to its own', async () => {
    const policyItems = [{ type: 'Header', key: 'X-Uid', operator: 'in', value: 'ann,bob' }];
    const rule = { resolvePolicy: 'Content', routePolicy: { condition: 'AND', policyItems } };
    await call('updateAlias', service, 'prod', '1', { additionalVersionWeight: { 2: 0.5 }, ...rule });
    for (const [uid, version] of [
      ['bob', '2'],
      ['eve', '1'],
    ] as const) {
      for (let tries = 0; tries < 5; tries += 1) {
        assert.equal((await invoke('prod', { 'x-uid': uid })).version, version, uid);
      }
    }
    assert.equal((await invoke('prod')).version, '1');
    await call('updateAlias', service, 'prod', '2', { additionalVersionWeight: {}, resolvePolicy: 'Random' });
    assert.equal((await invoke('prod', { 'x-uid': 'eve' })).version, '2');
  });

  test('a backend of the gateway with a Qualifier follows its alias', async () => {
    const api = (name: string, Qualifier: string) => ({
      GroupId: project.groupId,
      ApiName: `api_${name}`,
      Visibility: 'PRIVATE',
      AuthType: 'ANONYMOUS',
      RequestConfig: {
        RequestProtocol: 'HTTP',
        RequestHttpMethod: 'GET',
        RequestPath: `/${name}`,
        RequestMode: 'MAPPING',
      },
      ServiceConfig: {
        ServiceProtocol: 'FunctionCompute',
        ServiceTimeout: 10_000,
        FunctionComputeConfig: {
          FcRegionId: server.ready.region,
          ServiceName: service,
          FunctionName: 'f',
          Qualifier,
        },
      },
      ResultType: 'JSON',
      ResultSample: '{}',
    });
    for (const [name, qualifier] of [
      ['stable', 'prod'],
      ['fixed', '1'],
      ['broken', 'nobody'],
    ] as const) {
      const { ApiId } = await project.cloudApi('CreateApi', api(name, qualifier));
      const deploy = { GroupId: project.groupId, ApiId, StageName: 'RELEASE', Description: 'd' };
      await project.cloudApi('DeployApi', deploy);
    }
    const get = async (name: string) => {
      const answer = await fetch(`${server.ready.gateway}/${name}`, { headers: { host: project.host } });
      return { status: answer.status, text: await answer.text() };
    };
    await call('updateAlias', service, 'prod', '1');
    const one = JSON.parse((await get('stable')).text) as Record<string, unknown>;
    assert.deepEqual([one['is'], one['qualifier'], one['version']], ['first', 'prod', '1']);
    await call('updateAlias', service, 'prod', '2');
    const two = JSON.parse((await get('stable')).text) as Record<string, unknown>;
    assert.deepEqual([two['is'], two['version']], ['round 0', '2']);
    assert.equal((JSON.parse((await get('fixed')).text) as Record<string, unknown>)['is'], 'first');
    assert.ok((await get('broken')).status >= 500);
    await call('deleteVersion', service, '1');
    assert.ok((await get('fixed')).status >= 500);
  });

  test('a function without a service has versions and aliases of its own', async () => {
    const { accessKeyId, accessKeySecret } = server.credentials;
    const { ROAClient } = require('@alicloud/pop-core') as {
      ROAClient: new (
        config: object,
      ) => {
        request(
          method: string,
          path: string,
          query: object,
          body: string,
          headers: object,
        ): Promise<Record<string, unknown>>;
      };
    };
    const opts = { timeout: longTimeoutMs };
    const { api: endpoint } = server.ready;
    const roa = new ROAClient({ accessKeyId, accessKeySecret, endpoint, apiVersion: '2023-03-30', opts });
    const send = (method: string, path: string, body: object | string = '', query: object = {}) =>
      roa.request(
        method,
        `/2023-03-30/functions${path}`,
        query,
        typeof body === 'string' ? body : JSON.stringify(body),
        {
          'content-type': 'application/json',
        },
      );
    const code = async (text: string) => ({ zipFile: await zipped({ 'index.py': source(text) }) });
    const input = { functionName: 'own', runtime: 'python3.10', handler: 'index.handler' };
    await send('POST', '', { ...input, code: await code('one') });
    await send('POST', '/own/versions', { description: 'v' });
    await send('PUT', '/own', { code: await code('two') });
    await send('POST', '/own/aliases', { aliasName: 'prod', versionId: '1' });
    const ask = async (qualifier: string) => {
      const answer = await send('POST', '/own/invocations', '{}', { qualifier });
      const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
      return (JSON.parse(text) as { body: Record<string, unknown> }).body['is'];
    };
    assert.deepEqual([await ask('prod'), await ask('1'), await ask('LATEST')], ['one', 'one', 'two']);
  });

  test('a data directory that was moved serves the same versions', async () => {
    assert.equal(await server.stop(), 0);
    const moved = join(temporaryDirectory(cleanup), 'elsewhere');
    cpSync(server.dataDir, moved, { recursive: true });
    const other = await startServer(cleanup, ['start', '--isolation', 'none'], moved);
    fc = clientOf(other);
    assert.equal(await says('2'), 'round 0');
    assert.equal(await says('LATEST'), 'round 4');
    assert.ok(readFileSync(join(moved, 'server.json'), 'utf8').length > 0);
  });
});
