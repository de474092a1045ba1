// HTTP triggers on the real server: the path form through the APIs' listener, and URLs with a host of their own.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { SignJWT } from 'jose';
import { callByHost as call } from '../harness/host-call.ts';
import { OpenApi } from '../harness/openapi.ts';
import { Project } from '../harness/project.ts';
import { functionCompute, zipped } from '../harness/sdk.ts';
import { Cleanup, root, startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';

type Fc = Readonly<Record<string, (...args: unknown[]) => Promise<{ headers: Record<string, string>; data: never }>>>;

const anonymous = { authType: 'anonymous', methods: ['GET', 'POST', 'PUT', 'HEAD'] };
const server_py = readFileSync(`${root}fixtures/functions/custom/server.py`, 'utf8');
const eventSource = [
  'exports.handler = async (event) => {',
  '  const call = JSON.parse(event.toString());',
  '  if (call.rawPath === "/throws") throw new Error("oops");',
  '  if (call.rawPath === "/plain") return "just text";',
  '  if (call.rawPath === "/wrong") return { statusCode: "many" };',
  '  return { statusCode: 202, headers: { "X-Own": "yes", "x-fc-own": "no", "Server": "mine" }, body: JSON.stringify(call) };',
  '};',
  '',
].join('\n');

const nodeHandler = [
  'exports.handler = (req, resp, context) => {',
  '  if (req.path === "/throws") throw new Error("oops");',
  '  const parts = [];',
  '  req.on("data", (part) => parts.push(part));',
  '  req.on("end", () => {',
  '    resp.setStatusCode(202);',
  '    resp.setHeader("Set-Cookie", ["a=1", "b=2"]);',
  '    const { method, path, headers } = req;',
  '    const seen = { method, path, body: Buffer.concat(parts).toString(), own: headers["x-a"] };',
  '    resp.send(JSON.stringify({ ...seen, encoding: headers["accept-encoding"] || null }));',
  '  });',
  '};',
  '',
].join('\n');
const wsgiHandler = [
  'import json',
  'def handler(environ, start_response):',
  '    if environ["PATH_INFO"] == "/throws": raise ValueError("oops")',
  '    start_response("202 Accepted", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])',
  '    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()',
  '    return [json.dumps({"method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"], "body": body,',
  '        "own": environ.get("HTTP_X_A"), "encoding": environ.get("HTTP_ACCEPT_ENCODING")}).encode()]',
  '',
].join('\n');

describe('HTTP triggers', () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());
  let server: TestServer;
  let fc: Fc;
  let api: OpenApi;
  let proxy: string;

  const run = (name: string, ...args: unknown[]) => {
    const method = fc[name];
    assert.ok(method !== undefined, `the SDK has no ${name}`);
    return method.apply(fc, args);
  };
  /** A function of FC 3 with a trigger; its URL. */
  const fc3 = async (
    name: string,
    runtime: string,
    files: Record<string, string>,
    triggerConfig: object = anonymous,
  ) => {
    const code = { zipFile: await zipped(files) };
    const made = await api.fc('POST', '/functions', {
      functionName: name,
      runtime,
      handler: 'index.handler',
      memorySize: 256,
      timeout: 10,
      code,
    });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    const trigger = await api.fc('POST', `/functions/${name}/triggers`, {
      triggerName: 'http',
      triggerType: 'http',
      triggerConfig: JSON.stringify(triggerConfig),
    });
    assert.equal(trigger.status, 200, JSON.stringify(trigger.body));
    return (trigger.body['httpTrigger'] as { urlInternet: string }).urlInternet;
  };

  before(async () => {
    server = await startServer(cleanup, ['start', '--isolation', 'none'], temporaryDirectory(cleanup));
    fc = functionCompute(server.ready, server.credentials) as unknown as Fc;
    api = new OpenApi(server.ready, server.credentials);
    cleanup.after(() => api.close());
    proxy = `${server.ready.api}/2016-08-15/proxy/shop`;
    await run('createService', 'shop');
    for (const [name, authType] of [
      ['open', 'anonymous'],
      ['signed', 'function'],
    ]) {
      await run('createFunction', 'shop', {
        functionName: name,
        runtime: 'custom',
        handler: 'any',
        code: { zipFile: await zipped({ bootstrap: server_py }) },
        memorySize: 256,
        timeout: 10,
      });
      const triggerConfig = { authType, methods: ['GET', 'POST', 'PUT', 'HEAD'] };
      await run('createTrigger', 'shop', name, { triggerName: 'http', triggerType: 'http', triggerConfig });
    }
  });

  test('the path form passes a call through, and its answer can never run as the console', async () => {
    const { status, headers, body } = await call(`${proxy}/open/a%20b?x=1`, { method: 'PUT', body: 'raw' });
    assert.equal(status, 201, body);
    assert.equal(headers['content-disposition'], 'attachment');
    assert.equal(headers['content-security-policy'], 'sandbox');
    assert.equal(headers['x-fc-secret'], undefined);
    assert.equal(headers['x-own'], 'one, two');
    assert.match(String(headers['x-fc-request-id']), /^[0-9a-f-]{36}$/);
    assert.ok(Number(headers['x-fc-invocation-duration']) >= 0);
    const seen = JSON.parse(body) as { path: string; body: string; headers: [string, string][] };
    assert.equal(seen.path, '/2016-08-15/proxy/shop/open/a%20b?x=1');
    assert.equal(seen.body, 'raw');
    const sent = new Map(seen.headers.map(([name, value]) => [name.toLowerCase(), value]));
    assert.equal(sent.get('x-fc-base-path'), '/2016-08-15/proxy/shop/open/');
    assert.equal(sent.get('x-forwarded-for'), '127.0.0.1');
    assert.equal(
      [...sent.keys()].some((name) => name.startsWith('x-yunmen')),
      false,
    );
  });

  test('the same function has a URL of its own, on the http listener', async () => {
    const { data } = await run('getTrigger', 'shop', 'open', 'http');
    const url = (data as { urlInternet: string }).urlInternet;
    const { status, headers, body } = await call(`${url}/deep?y=2`);
    assert.equal(status, 201, body);
    assert.equal((JSON.parse(body) as { path: string }).path, '/deep?y=2');
    assert.equal(headers['content-disposition'], undefined);
    const host = `${new URL(url).hostname.split('.')[0]}.cn-hangzhou.fcapp.run`;
    const cloud = await call(`${server.ready.http}/`, { headers: { host } });
    assert.equal(cloud.headers['content-disposition'], 'attachment');
  });

  test('a chunked answer is passed on in chunks', async () => {
    const { data } = await run('getTrigger', 'shop', 'open', 'http');
    const { headers, body, status } = await call(`${(data as { urlInternet: string }).urlInternet}/chunks`);
    assert.equal(status, 200);
    assert.equal(headers['transfer-encoding'], 'chunked');
    assert.equal(body, 'data: 0\n\ndata: 1\n\ndata: 2\n\n');
  });

  test('a method that the trigger does not list is refused; a preflight is answered for the function', async () => {
    const refused = await call(`${proxy}/open/`, { method: 'DELETE' });
    assert.equal(refused.status, 405);
    assert.equal((JSON.parse(refused.body) as { ErrorCode: string }).ErrorCode, 'MethodNotAllowed');
    const preflight = await call(`${proxy}/open/`, {
      method: 'OPTIONS',
      headers: { origin: 'https://a.example', 'access-control-request-method': 'PUT' },
    });
    assert.equal(preflight.status, 200);
    assert.equal(preflight.headers['access-control-allow-origin'], 'https://a.example');
    assert.equal(preflight.headers['access-control-allow-methods'], 'PUT');
  });

  test('a trigger that asks for a signature takes the SDK\u2019s and nobody else\u2019s', async () => {
    const unsigned = await call(`${proxy}/signed/a`);
    assert.equal(unsigned.status, 400);
    assert.equal((JSON.parse(unsigned.body) as { ErrorCode: string }).ErrorCode, 'MissingRequiredHeader');
    const forged = await call(`${proxy}/signed/a`, {
      headers: { date: new Date().toUTCString(), authorization: `FC ${server.credentials.accessKeyId}:bm8=` },
    });
    assert.equal(forged.status, 403);
    const signed = await run('get', '/proxy/shop/signed/a b', { x: '1 2', y: ['a', 'b'] });
    assert.match((signed.data as { path: string }).path, /^\/2016-08-15\/proxy\/shop\/signed\/a%20b\?/);
    const posted = await run('post', '/proxy/shop/signed/', '{"n":1}', { 'content-type': 'application/json' });
    assert.equal((posted.data as { body: string }).body, '{"n":1}');
  });

  test('functions and triggers that are not there are told apart', async () => {
    const codes = [];
    for (const path of ['/none/', '.7/open/', '.nobody/open/']) {
      const { status, body } = await call(`${server.ready.api}/2016-08-15/proxy/shop${path}`);
      codes.push(`${status} ${(JSON.parse(body) as { ErrorCode: string }).ErrorCode}`);
    }
    assert.deepEqual(codes, ['404 FunctionNotFound', '404 VersionNotFound', '404 AliasNotFound']);
    const foreign = await call(`${server.ready.http}/`, { headers: { host: 'nobody.localhost' } });
    assert.match(foreign.body, /DomainNameNotFound/);
    // The path form is the APIs' listener's alone, whatever a caller says of itself.
    const headers = { host: 'nobody.localhost', 'x-yunmen-forwarded': 'x 127.0.0.1' };
    assert.match(
      (await call(`${server.ready.http}/2016-08-15/proxy/shop/open/`, { headers })).body,
      /DomainNameNotFound/,
    );
  });

  test('heads that are too large, and bodies beyond the limit, are refused', async () => {
    const heavy = await call(`${proxy}/open/`, { headers: { 'x-heavy': 'x'.repeat(9000) } });
    assert.equal(heavy.status, 400);
    assert.match(heavy.body, /the headers of \d+ bytes exceed 8192/);
    assert.match((await call(`${proxy}/open/${'a'.repeat(4096)}`)).body, /path and query of \d+ bytes exceed 4096/);
  });

  test('a server that ends in the middle of a call is 502 with the error document', async () => {
    const { data } = await run('getTrigger', 'shop', 'open', 'http');
    const { status, headers, body } = await call(`${(data as { urlInternet: string }).urlInternet}/exits`);
    assert.equal(status, 502);
    assert.equal(headers['x-fc-error-type'], 'UnhandledInvocationError');
    assert.match(body, /^\{"errorMessage":"Process exited unexpectedly before completing request/);
  });

  test('handlers of FC 2 get the request itself: Node (req, resp, context), and Python WSGI', async () => {
    const handlers = {
      node: ['nodejs16', { 'index.js': nodeHandler }],
      wsgi: ['python3.10', { 'index.py': wsgiHandler }],
    } as const;
    for (const [name, [runtime, files]] of Object.entries(handlers)) {
      await run('createFunction', 'shop', {
        functionName: name,
        runtime,
        handler: 'index.handler',
        code: { zipFile: await zipped(files) },
        memorySize: 256,
        timeout: 10,
      });
      await run('createTrigger', 'shop', name, { triggerName: 'http', triggerType: 'http', triggerConfig: anonymous });
      const headers = { 'x-a': 'yes', 'accept-encoding': 'gzip' };
      const answer = await call(`${proxy}/${name}/a%20b?x=1`, { method: 'POST', headers, body: 'raw' });
      assert.equal(answer.status, 202, `${name}: ${answer.body}`);
      assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
      assert.deepEqual(JSON.parse(answer.body), {
        method: 'POST',
        path: '/a b',
        body: 'raw',
        own: 'yes',
        encoding: null,
      });
      const failed = await call(`${proxy}/${name}/throws`);
      assert.equal(failed.status, 502);
      assert.equal((JSON.parse(failed.body) as { ErrorCode?: string }).ErrorCode, undefined);
      assert.match(failed.body, /oops/);
    }
  });

  test('an API of the gateway calls HTTP functions behind their URLs', async () => {
    const project = await Project.create(server, 'behind-gateway');
    const { data } = await run('getTrigger', 'shop', 'open', 'http');
    const bases = {
      own: (data as { urlInternet: string }).urlInternet,
      chunks: (data as { urlInternet: string }).urlInternet,
      handler: `https://${server.credentials.accountId}.cn-hangzhou.fc.aliyuncs.com/2016-08-15/proxy/shop/node`,
    };
    for (const [name, FcBaseUrl] of Object.entries(bases)) {
      const FunctionComputeConfig = {
        FcType: 'HttpTrigger',
        FcVersion: name === 'handler' ? '2.0' : '3.0',
        FcBaseUrl,
        Method: name === 'chunks' ? 'GET' : 'POST',
        Path: name === 'chunks' ? '/chunks' : '/inside',
        FcRegionId: server.ready.region,
      };
      const api = await project.cloudApi('CreateApi', {
        GroupId: project.groupId,
        ApiName: `api_${name}`,
        Visibility: 'PUBLIC',
        AuthType: 'ANONYMOUS',
        RequestConfig: {
          RequestProtocol: 'HTTP',
          RequestHttpMethod: 'POST',
          RequestPath: `/${name}`,
          RequestMode: 'PASSTHROUGH',
        },
        ServiceConfig: { ServiceProtocol: 'FunctionCompute', ServiceTimeout: 10_000, FunctionComputeConfig },
        ResultType: 'JSON',
        ResultSample: '{}',
      });
      const where = { GroupId: project.groupId, ApiId: String(api['ApiId']), StageName: 'RELEASE', Description: 'x' };
      await project.cloudApi('DeployApi', where);
    }
    const host = project.host;
    const own = await call(`${server.ready.gateway}/own`, { method: 'POST', headers: { host }, body: 'through' });
    assert.equal(own.status, 201, own.body);
    const seen = JSON.parse(own.body) as { path: string; body: string };
    assert.deepEqual([seen.path, seen.body], ['/inside', 'through']);
    const chunked = await call(`${server.ready.gateway}/chunks`, { method: 'POST', headers: { host } });
    assert.equal(chunked.body, 'data: 0\n\ndata: 1\n\ndata: 2\n\n');
    assert.equal(chunked.headers['transfer-encoding'], 'chunked');
    const handled = await call(`${server.ready.gateway}/handler`, {
      method: 'POST',
      headers: { host },
      body: 'through',
    });
    assert.equal(handled.status, 202, handled.body);
    assert.equal((JSON.parse(handled.body) as { path: string }).path, '/inside');
  });

  test('an event function of FC 3 gets the call as a document, and its answer says status, headers and body', async () => {
    const url = await fc3('events', 'nodejs20', { 'index.js': eventSource });
    const sent = {
      method: 'POST',
      headers: { 'content-type': 'text/plain', 'x-a': '1', 'x-fc-a': '2' },
      body: 'hello',
    };
    const { status, headers, body } = await call(`${url}/a%20b?x=1&x=2`, sent);
    assert.equal(status, 202, body);
    assert.equal(headers['x-own'], 'yes');
    assert.equal(headers['x-fc-own'], undefined);
    assert.equal(headers['server'], undefined);
    assert.equal(headers['x-fc-invocation-duration'], undefined);
    assert.match(String(headers['x-fc-request-id']), /^1-[0-9a-f]{8}-[0-9a-f]{24}$/);
    const event = JSON.parse(body) as {
      version: string;
      rawPath: string;
      body: string;
      headers: Record<string, string>;
      queryParameters: Record<string, string>;
      requestContext: { requestId: string; http: Record<string, string> };
    };
    assert.equal(event.version, 'v1');
    assert.equal(event.rawPath, '/a%20b');
    assert.equal(event.requestContext.http['path'], '/a b');
    assert.equal(event.requestContext.requestId, headers['x-fc-request-id']);
    assert.equal(event.body, 'hello');
    assert.equal(event.headers['X-A'], '1');
    assert.equal(event.headers['X-Fc-A'], undefined);
    assert.deepEqual(event.queryParameters, { x: '1,2' });
    const plain = await call(`${url}/plain`);
    assert.equal(`${plain.status} ${plain.headers['content-type']} ${plain.body}`, '200 application/json just text');
    assert.equal((await call(`${url}/throws`)).status, 502);
    const wrong = await call(`${url}/wrong`);
    assert.equal(wrong.status, 502);
    assert.match(wrong.body, /"ErrorCode":"BadResponse"/);
  });

  test('a container is created without a code package, and says what would bring its image', async () => {
    const input = {
      functionName: 'contained',
      runtime: 'custom-container',
      handler: 'any',
      memorySize: 256,
      timeout: 10,
      customContainerConfig: { image: 'registry.example/team/site:v1', port: 9000 },
    };
    const made = await api.fc('POST', '/functions', input);
    assert.equal(made.status, 200, JSON.stringify(made.body));
    const invoked = await api.fc('POST', '/functions/contained/invocations');
    assert.equal(invoked.status, 400);
    assert.match(JSON.stringify(invoked.body), /custom-container: .*(--image-dir|a root of its own)/);
    const { customContainerConfig: _image, ...bare } = { ...input, functionName: 'bare' };
    assert.match(
      JSON.stringify((await api.fc('POST', '/functions', bare)).body),
      /CustomContainerConfig.Image is required/,
    );
  });

  test('with the authType jwt a trigger lets in who has a token, and tells the function its claims', async () => {
    const url = await fc3('tokens', 'nodejs20', { 'index.js': eventSource });
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const authConfig = JSON.stringify({
      jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] },
      tokenLookup: 'header:Authorization:Bearer',
      claimPassBy: 'header:sub:X-User,query:sub:user',
      whitelist: ['/login'],
    });
    const triggerConfig = JSON.stringify({ authType: 'jwt', methods: ['GET', 'POST'], authConfig });
    const { status } = await api.fc('PUT', '/functions/tokens/triggers/http', { triggerConfig });
    assert.equal(status, 200);
    const tokenFor = (seconds: number) =>
      new SignJWT({ sub: 'ann' })
        .setProtectedHeader({ alg: 'ES256', kid: 'k' })
        .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
        .sign(privateKey);
    const ask = async (path: string, token: string | null) =>
      call(`${url}${path}`, {
        headers: { 'x-user': 'root', ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
      });
    const known = await ask('/a?user=root&x=1', await tokenFor(60));
    assert.equal(known.status, 202, known.body);
    const event = JSON.parse(known.body) as {
      headers: Record<string, string>;
      queryParameters: Record<string, string>;
    };
    assert.equal(event.headers['X-User'], 'ann');
    assert.deepEqual(event.queryParameters, { x: '1', user: 'ann' });
    for (const token of [null, await tokenFor(-60), 'nonsense']) {
      const refused = await ask('/a', token);
      assert.equal(refused.status, 403);
      assert.match(refused.body, /"Code":"AccessDenied","Message":"invalid or expired jwt"/);
    }
    const open = await ask('/login', null);
    assert.equal(open.status, 202);
    assert.equal((JSON.parse(open.body) as { headers: Record<string, string> }).headers['X-User'], undefined);
  });

  test('a trigger that is changed or deleted is so for the next call', async () => {
    const url = await fc3('changing', 'nodejs20', { 'index.js': eventSource });
    assert.equal((await call(`${url}/`)).status, 202);
    const triggerConfig = JSON.stringify({ authType: 'anonymous', methods: ['POST'] });
    await api.fc('PUT', '/functions/changing/triggers/http', { triggerConfig });
    assert.equal((await call(`${url}/`)).status, 405);
    await api.fc('DELETE', '/functions/changing/triggers/http');
    assert.equal((await call(`${url}/`)).status, 404);
  });
});
