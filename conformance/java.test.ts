// The signing SDK of API Gateway for Java, and CloudAPI by the classic Java core, from Maven Central (java/pom.xml), kept under .cache/.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, test } from 'node:test';
import { Cleanup, root } from '../tests/harness/server.ts';
import { at } from './kit/read.ts';
import { type Installed, installOnce, run } from './kit/toolchain.ts';
import { functionApi, World } from './kit/world.ts';

const pom = join(root, 'conformance/java/pom.xml');
const installLimitMs = 150_000;

async function installJars(): Promise<Installed> {
  const compiler = await run('javac', ['-version']);
  if (compiler.code !== 0) return { ok: false, why: 'javac was not found' };
  return installOnce('java', readFileSync(pom, 'utf8'), (folder) => {
    const args = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${folder}`];
    return run('mvn', args, { limitMs: installLimitMs });
  });
}

const installed = await installJars();

test('the Java SDKs are there, or it is said why the cases with them are not', (t) => {
  if (installed.ok) return;
  t.diagnostic(`no cases with Java SDKs: ${installed.why}`);
  assert.notEqual(process.env['CI'], 'true', installed.why);
});

type Line = { readonly status: string; readonly body: string };

async function callByJava(world: World, jars: string): Promise<ReadonlyMap<string, Line>> {
  const { ready, credentials, ask } = { ...world.server, ask: world.ask };
  const groupId = await world.newGroup();
  const seen = `((e) => ({ statusCode: 200, headers: { 'content-type': 'application/json' },
    body: { method: e.httpMethod, query: e.queryParameters, body: e.body } }))(JSON.parse(event))`;
  const [ServiceName, FunctionName] = await world.newFunction({
    'index.js': `exports.handler = (event, context, callback) => callback(null, ${seen});\n`,
  });
  const definition = functionApi('/seen', { FcRegionId: ready.region, ServiceName, FunctionName });
  const RequestConfig = { ...definition.RequestConfig, RequestHttpMethod: 'ANY', RequestMode: 'PASSTHROUGH' };
  const { Visibility, AuthType, ServiceConfig, ResultType, ResultSample } = definition;
  const passing = { Visibility, AuthType, ServiceConfig, ResultType, ResultSample, RequestConfig };
  const apiId = await world.liveApi(groupId, passing);
  const app = await world.newApp();
  await ask('SetAppsAuthorities', { GroupId: groupId, ApiId: apiId, StageName: 'RELEASE', AppIds: String(app.appId) });

  // The SDK sends the address as Host: it reaches the only group.
  const addresses = [new URL(ready.gateway).host, new URL(ready.api).host, ready.region];
  const env = {
    APP_KEY: app.key,
    APP_SECRET: app.secret,
    ACCESS_KEY_ID: credentials.accessKeyId,
    ACCESS_KEY_SECRET: credentials.accessKeySecret,
  };
  const args = ['-Dfile.encoding=UTF-8', '-cp', join(jars, '*'), 'conformance/java/Calls.java', ...addresses];
  const { code, stdout, stderr } = await run('java', args, { env });
  assert.equal(code, 0, stderr);
  const lines = stdout.trim().split('\n');
  return new Map(
    lines.map((line) => {
      const [name = '', status = '', body = ''] = line.split(' ');
      return [name, { status, body: Buffer.from(body, 'base64').toString() }];
    }),
  );
}

if (installed.ok) {
  const cleanup = new Cleanup();
  after(() => cleanup.run());
  const jars = installed.path;

  describe('Java SDKs', () => {
    let lines: ReadonlyMap<string, Line> = new Map();
    before(async () => {
      lines = await callByJava(await World.start(cleanup), jars);
    });

    /** What the function saw of a call; its body is Base64, as everything that is passed through. */
    const seenOf = (name: string): { method: unknown; query: unknown; body: string } => {
      const line = lines.get(name);
      assert.equal(line?.status, '200', `${name}: ${line?.body}`);
      const seen: unknown = JSON.parse(line.body);
      const body = Buffer.from(String(at(seen, 'body')), 'base64').toString();
      return { method: at(seen, 'method'), query: at(seen, 'query'), body };
    };

    it('sdk-core-java signs a GET with a query', () => {
      assert.deepEqual(seenOf('get'), { method: 'GET', query: { a: '1', b: '天气 a*b~c' }, body: '' });
    });
    it('sdk-core-java signs a form', () => {
      const { query, body } = seenOf('form');
      assert.deepEqual([query, [...new URLSearchParams(body)]], [{ q: '1' }, [['name', '天气 a+b']]]);
    });
    it('sdk-core-java signs a stream', () => assert.equal(seenOf('stream').body, 'raw 天气'));
    it('sdk-core-java with a wrong secret is refused', () =>
      assert.match(lines.get('forged')?.status ?? '', /^40[03]$/));
    it('aliyun-java-sdk-cloudapi makes a group, reads it, and is told of a taken name', () => {
      assert.equal(lines.get('described')?.body, '天气 a*b~c');
      assert.equal(lines.get('duplicate')?.status, 'DuplicateGroupName');
    });
  });
}
