// TLS on the real server: the port of the ready line, the development authority's files, a domain bound while it runs.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { cloudApi } from '../harness/sdk.ts';
import { startServer, temporaryDirectory } from '../harness/server.ts';

type Answer = { readonly status: number; readonly isTrusted: boolean; readonly code: string | null };

/** What the TLS listener answers for a host, and whether a client with this authority trusts it. */
function ask(url: string, host: string, ca: string): Promise<Answer> {
  const { port } = new URL(url);
  return new Promise((resolve, reject) => {
    const headers = { Host: host };
    const options = { host: '127.0.0.1', port, path: '/hello', headers, servername: host, ca, agent: false };
    const call = request({ ...options, rejectUnauthorized: false }, (answer) => {
      const isTrusted = 'authorized' in answer.socket && answer.socket.authorized === true;
      answer.resume();
      const code = answer.headers['x-ca-error-code'];
      resolve({ status: answer.statusCode ?? 0, isTrusted, code: typeof code === 'string' ? code : null });
    });
    call.on('error', reject).end();
  });
}

test('a domain bound while the server runs is served with a certificate of the authority, which a client may trust', async (t) => {
  const dataDir = temporaryDirectory(t);
  const server = await startServer(t, ['start', '--gateway-tls-port', '0'], dataDir);
  const { gatewayTls } = server.ready as unknown as { gatewayTls: string };
  assert.match(gatewayTls, /^https:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(statSync(join(dataDir, 'dev-ca.key')).mode & 0o777, 0o600);
  const authority = () => readFileSync(join(dataDir, 'dev-ca.crt'), 'utf8');
  const before = new X509Certificate(authority());
  assert.equal(before.ca, true);

  const call = cloudApi(server.ready, server.credentials);
  const GroupId = String((await call('CreateApiGroup', { GroupName: 'tls_group' }))['GroupId']);
  const RequestConfig = {
    RequestProtocol: 'HTTPS',
    RequestHttpMethod: 'GET',
    RequestPath: '/hello',
    RequestMode: 'PASSTHROUGH',
  };
  const ServiceConfig = { ServiceProtocol: 'HTTP', ServiceTimeout: 1000, Mock: 'TRUE', MockResult: 'hello' };
  const more = { Visibility: 'PRIVATE', AuthType: 'ANONYMOUS', ResultType: 'JSON', ResultSample: '{}' };
  const ApiId = String(
    (await call('CreateApi', { GroupId, ApiName: 'hello', RequestConfig, ServiceConfig, ...more }))['ApiId'],
  );
  await call('DeployApi', { GroupId, ApiId, StageName: 'RELEASE', Description: 'first' });
  const local = await ask(gatewayTls, `${GroupId}.localhost`, authority());
  assert.deepEqual(local, { status: 200, isTrusted: true, code: null });

  await call('SetDomain', { GroupId, DomainName: 'api.example.com', IsHttpRedirectToHttps: true });
  while (authority() === before.toString()) await new Promise((resolve) => setTimeout(resolve, 10));
  const bound = await ask(gatewayTls, 'api.example.com', authority());
  assert.deepEqual(bound, { status: 200, isTrusted: true, code: null });
  const foreign = await ask(gatewayTls, 'bank.example', authority());
  assert.deepEqual(foreign, { status: 404, isTrusted: false, code: 'I404DO' });

  assert.equal(await server.stop(), 0);
});
