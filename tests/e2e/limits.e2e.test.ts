// Limits that the operator sets, on the real server: each is refused with its own code, and what is below it is served.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { callByHost } from '../harness/host-call.ts';
import { mockApi } from '../harness/mock-api.ts';
import { cloudApi } from '../harness/sdk.ts';
import { startServer, temporaryDirectory } from '../harness/server.ts';

/** The version of TLS and the protocol that a client of this version and no other gets at a name. */
function spokenAt(url: string, servername: string, version: 'TLSv1' | 'TLSv1.3'): Promise<string> {
  return new Promise((resolve) => {
    const versions = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' };
    const port = Number(new URL(url).port);
    const where = { port, host: '127.0.0.1', servername, rejectUnauthorized: false };
    const socket = connect({ ...where, ...versions, ALPNProtocols: ['h2', 'http/1.1'] });
    socket.once('secureConnect', () => {
      resolve(`${socket.getProtocol()} ${socket.alpnProtocol}`);
      socket.destroy();
    });
    socket.once('error', () => resolve('refused'));
  });
}

test('limits of bodies, targets, headers, time-outs, groups, calls of a test domain and versions of TLS', async (t) => {
  const flags = ['--body-limit', '1', '--uri-limit', '2', '--header-limit', '2', '--own-domain-limit', '2'];
  const more = ['--api-timeout-limit', '40', '--limit-unbound-groups', '--https-policy', 'HTTPS1_1_TLS1_0'];
  const server = await startServer(t, ['start', '--gateway-tls-port', '0', ...flags, ...more], temporaryDirectory(t));
  const call = cloudApi(server.ready, server.credentials);
  const GroupId = String((await call('CreateApiGroup', { GroupName: 'limited' }))['GroupId']);
  const api = mockApi(GroupId, '/limited', 'ANONYMOUS', 'ok');
  const ServiceConfig = { ...api.ServiceConfig, ServiceTimeout: 40_000 };
  const ApiId = String((await call('CreateApi', { ...api, ServiceConfig }))['ApiId']);
  await assert.rejects(
    call('ModifyApi', { ...api, ApiId, ServiceConfig: { ...ServiceConfig, ServiceTimeout: 40_001 } }),
    {
      code: 'InvalidServiceTimeout',
    },
  );
  await call('DeployApi', { GroupId, ApiId, StageName: 'RELEASE', Description: 'first' });

  const ask = async (path: string, sent: Parameters<typeof callByHost>[1] = {}) => {
    const headers = { host: `${GroupId}.localhost`, ...sent?.headers };
    const answer = await callByHost(`${server.ready.gateway}${path}`, { ...sent, headers });
    return answer.headers['x-ca-error-code'] ?? answer.status;
  };
  assert.equal(await ask('/limited'), 200);
  assert.equal(await ask(`/limited?${'q'.repeat(1900)}`), 200);
  assert.equal(await ask(`/limited?${'q'.repeat(2100)}`), 'I413UL');
  assert.equal(await ask('/limited', { headers: { 'x-long': 'h'.repeat(1800) } }), 200);
  assert.equal(await ask('/limited', { headers: { 'x-long': 'h'.repeat(2100) } }), 'I400HD');
  assert.equal(await ask('/limited', { method: 'POST', body: 'b'.repeat(1024 * 1024 + 1) }), 'I413RL');

  const own = { headers: { host: `${GroupId}-${server.ready.region}.alicloudapi.com` } };
  assert.deepEqual(
    [await ask('/limited', own), await ask('/limited', own), await ask('/limited', own)],
    [200, 200, 'T429ID'],
  );

  for (let number = 1; number < 5; number++) await call('CreateApiGroup', { GroupName: `limited_${number}` });
  await assert.rejects(call('CreateApiGroup', { GroupName: 'one_more' }), { code: 'ExceedLimitApiGroup' });

  const { gatewayTls } = server.ready as unknown as { gatewayTls: string };
  const host = `${GroupId}.localhost`;
  assert.equal(await spokenAt(gatewayTls, host, 'TLSv1'), 'TLSv1 http/1.1');
  assert.equal(await spokenAt(gatewayTls, host, 'TLSv1.3'), 'TLSv1.3 http/1.1');
  await call('ModifyApiGroupNetworkPolicy', { GroupId, HttpsPolicy: 'HTTPS2_TLS1_2' });
  assert.equal(await spokenAt(gatewayTls, host, 'TLSv1'), 'refused');
  assert.equal(await spokenAt(gatewayTls, host, 'TLSv1.3'), 'TLSv1.3 h2');
  assert.equal(await server.stop(), 0);
});
