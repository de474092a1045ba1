// URLs of HTTP triggers on the real server: signed beforehand by the official SDK, and of versions and aliases that have gone.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { callByHost } from '../harness/host-call.ts';
import { OpenApi } from '../harness/openapi.ts';
import { zipped } from '../harness/sdk.ts';
import { Cleanup, startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';

type Query = Readonly<Record<string, string | readonly string[]>>;
type Signer = (id: string, secret: string, method: string, path: string, headers: object, query: Query) => string;
const { getSignature } = createRequire(import.meta.url)('@alicloud/fc2') as { getSignature: Signer };

const handler = 'exports.handler = async (event) => JSON.parse(event.toString()).queryParameters;\n';
const methods = ['GET', 'POST'];
const minuteMs = 60_000;

describe('URLs of HTTP triggers', () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());
  let server: TestServer;
  let api: OpenApi;

  const fc = async (method: string, path: string, body: object | null = null) => {
    const { status, body: answer } = await api.fc(method, path, body);
    assert.ok(status < 300, `${method} ${path}: ${status} ${JSON.stringify(answer)}`);
    return answer;
  };
  const makeTrigger = async (functionName: string, more: object, authType = 'anonymous') => {
    const triggerConfig = JSON.stringify({ authType, methods });
    const made = { triggerType: 'http', triggerConfig, ...more };
    const { httpTrigger } = await fc('POST', `/functions/${functionName}/triggers`, made);
    return new URL((httpTrigger as { urlInternet: string }).urlInternet);
  };
  const makeFunction = async (functionName: string) => {
    const code = { zipFile: await zipped({ 'index.js': handler }) };
    await fc('POST', '/functions', { functionName, runtime: 'nodejs20', handler: 'index.handler', code });
  };
  /** Status, the error's code, and the body. */
  const call = async (url: string, method = 'GET') => {
    const { status, body } = await callByHost(url, { method });
    return { status, body, code: status < 300 ? null : (JSON.parse(body) as { ErrorCode: string }).ErrorCode };
  };

  before(async () => {
    server = await startServer(cleanup, ['start', '--isolation', 'none'], temporaryDirectory(cleanup));
    api = new OpenApi(server.ready, server.credentials);
    cleanup.after(() => api.close());
  });

  test('a URL that the SDK signed lets in, until its end and as it was signed', async () => {
    await makeFunction('signed');
    const base = await makeTrigger('signed', { triggerName: 'http' }, 'function');
    const { accessKeyId, accessKeySecret } = server.credentials;
    /** What the SDK signs with; `sent` is the query as a client writes it. */
    const sign = (query: Query, { sent = '', secret = accessKeySecret, lifeMs = minuteMs, method = 'GET' } = {}) => {
      const date = String(Math.floor((Date.now() + lifeMs) / 1000));
      const all = { ...query, 'x-fc-access-key-id': accessKeyId, 'x-fc-expires': date };
      const signature = getSignature(accessKeyId, secret, method, '/a b', { date }, all).replace(/^FC .*:/, '');
      const own = new URLSearchParams({ 'x-fc-access-key-id': accessKeyId, 'x-fc-expires': date });
      own.set('x-fc-signature', signature);
      return new URL(`/a%20b?${sent}${sent === '' ? '' : '&'}${own}`, base).href;
    };
    const plain = sign({});
    assert.equal((await call(plain)).status, 200);
    assert.equal((await call(plain)).status, 200, 'and again: a URL may be used many times');
    const full = await call(sign({ x: '1 2', y: ['b', 'a'], empty: '' }, { sent: 'empty=&x=1+2&y=b&y=a' }));
    assert.equal(full.status, 200, full.body);
    const { x, y } = JSON.parse(full.body) as { x: string; y: string };
    assert.deepEqual([x, y], ['1 2', 'b,a']);
    const posted = await call(sign({}, { method: 'POST' }), 'POST');
    assert.equal(posted.status, 200, posted.body);

    const changed: Readonly<Record<string, readonly [string, string?]>> = {
      'one more member': [`${plain}&more=1`],
      'another path': [plain.replace('/a%20b', '/other')],
      'another method': [plain, 'POST'],
      'a later end': [plain.replace(/expires=\d+/, 'expires=4102444800')],
      'another secret': [sign({}, { secret: 'not it' })],
    };
    for (const [name, [url, method]] of Object.entries(changed)) {
      const { status, code } = await call(url, method);
      assert.deepEqual([name, status, code], [name, 403, 'SignatureNotMatch']);
    }
    assert.equal((await call(sign({}, { lifeMs: -minuteMs }))).status, 403);
  });

  test('a trigger outlives the version or alias it belongs to: it answers 404, and can be moved or removed', async () => {
    await makeFunction('aliased');
    await fc('POST', '/functions/aliased/versions', {});
    const alias = { aliasName: 'prod', versionId: '1' };
    await fc('POST', '/functions/aliased/aliases', alias);
    const byAlias = await makeTrigger('aliased', { triggerName: 'by-alias', qualifier: 'prod' });
    const byVersion = await makeTrigger('aliased', { triggerName: 'by-version', qualifier: '1' });
    const codes = async () => {
      const answers = await Promise.all([byAlias, byVersion].map((url) => call(new URL('/', url).href)));
      return answers.map(({ status, code }) => `${status} ${code}`);
    };
    assert.deepEqual(await codes(), ['200 null', '200 null']);

    await fc('DELETE', '/functions/aliased/aliases/prod');
    assert.deepEqual(await codes(), ['404 AliasNotFound', '200 null']);
    const shown = await fc('GET', '/functions/aliased/triggers/by-alias');
    assert.equal(shown['qualifier'], 'prod');
    await fc('PUT', '/functions/aliased/triggers/by-alias', { description: 'no alias now' });
    await fc('POST', '/functions/aliased/aliases', alias);
    assert.deepEqual(await codes(), ['200 null', '200 null'], 'the alias is there again');

    await fc('DELETE', '/functions/aliased/versions/1');
    assert.deepEqual(await codes(), ['404 VersionNotFound', '404 VersionNotFound']);
    await fc('DELETE', '/functions/aliased/aliases/prod');
    await fc('PUT', '/functions/aliased/triggers/by-alias', { qualifier: 'LATEST' });
    assert.deepEqual(await codes(), ['200 null', '404 VersionNotFound']);

    const refused = await api.fc('DELETE', '/functions/aliased');
    assert.match(JSON.stringify(refused.body), /FunctionNotEmpty/);
    for (const name of ['by-alias', 'by-version']) await fc('DELETE', `/functions/aliased/triggers/${name}`);
    assert.deepEqual(await codes(), ['404 DomainNameNotFound', '404 DomainNameNotFound']);
    await fc('DELETE', '/functions/aliased');
  });
});
