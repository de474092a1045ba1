// Temporary credentials, access keys and roles on a real server: what code of a function can do with what it is given.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { OpenApi } from '../harness/openapi.ts';
import { zipped } from '../harness/sdk.ts';
import { Cleanup, root, startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';

const require = createRequire(import.meta.url);
const knownRole = 'acs:ram::1234567890123456:role/known';

/** Tells what it was given; with `path` in its event it signs a call of the APIs with that, as the classic SDK does. */
const caller = `
import base64, email.utils, hashlib, hmac, json, os, urllib.request, urllib.error
def handler(event, context):
    asked = json.loads(event)
    c = context.credentials
    if "path" not in asked:
        return json.dumps({"id": c.access_key_id, "secret": c.access_key_secret, "token": c.security_token,
            "env": [os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID"), os.environ.get("accessKeyID")]})
    date = email.utils.formatdate(usegmt=True)
    text = "\\n".join([asked["method"], "", "application/json", date, "x-fc-security-token:" + c.security_token, asked["path"]])
    digest = hmac.new(c.access_key_secret.encode(), text.encode(), hashlib.sha256).digest()
    headers = {"Date": date, "Content-Type": "application/json", "x-fc-security-token": c.security_token,
        "Authorization": "FC " + c.access_key_id + ":" + base64.b64encode(digest).decode()}
    call = urllib.request.Request(asked["api"] + asked["path"], b"hello", headers, method=asked["method"])
    try:
        with urllib.request.urlopen(call, timeout=10) as answer:
            return json.dumps({"status": answer.status, "body": answer.read().decode()})
    except urllib.error.HTTPError as error:
        return json.dumps({"status": error.code, "body": error.read().decode()})
`;

type Told = { id: string; secret: string; token: string; env: (string | null)[] };

describe('credentials on a real server', () => {
  const cleanup = new Cleanup();
  let server: TestServer;
  let api: OpenApi;

  before(async () => {
    const flags = ['start', '--runtime-fallback', '--isolation', 'none', '--roles', knownRole];
    server = await startServer(cleanup, flags, temporaryDirectory(cleanup));
    api = new OpenApi(server.ready, server.credentials);
    cleanup.after(() => api.close());
    const code = { zipFile: await zipped({ 'index.py': caller }) };
    const made = { runtime: 'python3.10', handler: 'index.handler', code };
    const plain =
      'import json\ndef handler(event, context):\n    return json.dumps({"statusCode": 200, "body": "echo"})\n';
    for (const body of [
      { functionName: 'caller', ...made, role: 'acs:ram::1:role/function' },
      { functionName: 'roleless', ...made },
      { functionName: 'echo', ...made, code: { zipFile: await zipped({ 'index.py': plain }) } },
    ]) {
      assert.equal((await api.fc('POST', '/functions', { ...body, timeout: 20 })).status, 200);
    }
  });
  after(() => cleanup.run());

  async function invoke(name: string, event: object): Promise<Record<string, unknown>> {
    const { status, body } = await api.fc('POST', `/functions/${name}/invocations`, event);
    assert.equal(status, 200, JSON.stringify(body));
    return { ...body };
  }

  const told = async (name: string) => (await invoke(name, {})) as unknown as Told;

  test('a function invokes another with its own credentials, and gets nothing else done', async () => {
    const call = (method: string, path: string) => invoke('caller', { api: server.ready.api, method, path });
    const invoked = await call('POST', '/2023-03-30/functions/echo/invocations');
    assert.deepEqual(invoked, { status: 200, body: '{"statusCode": 200, "body": "echo"}' });
    for (const [method, path] of [
      ['GET', '/2023-03-30/functions'],
      ['DELETE', '/2023-03-30/functions/echo'],
      ['POST', '/2016-08-15/services'],
      ['GET', '/yunmen/keys'],
    ] as const) {
      const refused = await call(method, path);
      assert.equal(refused['status'], 403, path);
      assert.match(String(refused['body']), /"Code":"AccessDenied"/);
    }
    assert.equal((await api.fc('GET', '/functions/echo')).status, 200);
  });

  test('with a role they are in the environment too; without one only in the context', async () => {
    const withRole = await told('caller');
    assert.match(withRole.id, /^STS\./);
    assert.deepEqual(withRole.env, [withRole.id, null]);
    const without = await told('roleless');
    assert.match(without.id, /^STS\./);
    assert.notEqual(without.id, withRole.id);
    assert.deepEqual(without.env, [null, null]);
  });

  test('the official clients take them as STS credentials', async () => {
    const { id, secret, token } = await told('caller');
    const FC = require('@alicloud/fc2') as new (
      account: string,
      config: object,
    ) => {
      post(path: string, body: string): Promise<{ data: unknown }>;
    };
    const config = { accessKeyID: id, accessKeySecret: secret, securityToken: token, region: server.ready.region };
    const fc = new FC(server.ready.accountId, { ...config, endpoint: server.ready.api });
    await assert.rejects(fc.post('/services', '{"serviceName":"never"}'), /FCAccessDeniedError|AccessDenied/);
    const { RPCClient } = require('@alicloud/pop-core') as {
      RPCClient: new (config: object) => { request(action: string, params: object): Promise<unknown> };
    };
    const rpc = (securityToken: string) =>
      new RPCClient({
        accessKeyId: id,
        accessKeySecret: secret,
        securityToken,
        endpoint: server.ready.api,
        apiVersion: '2016-07-14',
      });
    await assert.rejects(rpc(token).request('DescribeRegions', {}), { code: 'NoPermission' });
    await assert.rejects(rpc('x').request('DescribeRegions', {}), { code: 'InvalidSecurityToken.Malformed' });
  });

  test('nothing of them is in the log', async () => {
    const { secret, token } = await told('caller');
    assert.ok(!server.log().includes(secret) && !server.log().includes(token));
  });

  test('yunmen key makes a key that works until it is disabled', async () => {
    const key = async (...words: string[]) => {
      const child = spawn(join(root, 'bin/yunmen'), ['key', ...words, '--json', '--data-dir', server.dataDir], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      return JSON.parse((await buffer(child.stdout)).toString()) as Record<string, string>;
    };
    const made = await key('create');
    const { accountId } = server.credentials;
    const { accessKeyId = '', accessKeySecret = '' } = made;
    const own = new OpenApi(server.ready, { accountId, accessKeyId, accessKeySecret });
    assert.equal((await own.rpc('DescribeRegions', {})).status, 200);
    assert.equal((await key('disable', accessKeyId))['status'], 'disabled');
    assert.equal((await own.rpc('DescribeRegions', {})).body['Code'], 'InvalidAccessKeyId.Inactive');
    own.close();
    assert.ok(!server.log().includes(accessKeySecret));
  });

  test('an API may name a role that the server knows, and no other', async () => {
    const { body: group } = await api.rpc('CreateApiGroup', { GroupName: 'roles' });
    const GroupId = String(group['GroupId']);
    for (const [path, role, status, code] of [
      ['/known', knownRole, 200, undefined],
      ['/unknown', 'acs:ram::1:role/unknown', 403, 'A403FC'],
    ] as const) {
      const created = await api.rpc('CreateApi', {
        GroupId,
        ApiName: `api_${path.slice(1)}`,
        Visibility: 'PRIVATE',
        AuthType: 'ANONYMOUS',
        RequestConfig: {
          RequestProtocol: 'HTTP',
          RequestHttpMethod: 'GET',
          RequestPath: path,
          RequestMode: 'PASSTHROUGH',
        },
        ServiceConfig: {
          ServiceProtocol: 'FunctionCompute',
          ServiceTimeout: 10_000,
          FunctionComputeConfig: {
            FcVersion: '3.0',
            FcRegionId: server.ready.region,
            FunctionName: 'echo',
            RoleArn: role,
          },
        },
        ResultType: 'JSON',
        ResultSample: '{}',
      });
      const stage = { GroupId, ApiId: String(created.body['ApiId']), StageName: 'RELEASE', Description: 'once' };
      assert.equal((await api.rpc('DeployApi', stage)).status, 200, JSON.stringify(created.body));
      const answer = await get(server, `${GroupId}.localhost`, path);
      assert.deepEqual([answer.status, answer.code], [status, code], path);
    }
  });
});

function get(server: TestServer, host: string, path: string): Promise<{ status: number; code: unknown }> {
  const { hostname, port } = new URL(server.ready.gateway);
  return new Promise((resolve, reject) => {
    request({ host: hostname, port, path, headers: { Host: host }, agent: false }, (answer) => {
      answer.resume().on('end', () => {
        resolve({ status: answer.statusCode ?? 0, code: answer.headers['x-ca-error-code'] });
      });
    })
      .on('error', reject)
      .end();
  });
}
