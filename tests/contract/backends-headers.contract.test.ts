// Header lines of HTTP backends, over real sockets: what a client repeats, what the gateway writes itself, and what it signs by.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { app, constantHeader, grant, group, parameter } from '../../src/gateway/testing.ts';
import {
  answering,
  head,
  httpBackend,
  ok,
  proxyTo,
  rawExchange,
  startGateway,
  startRawBackend,
} from './backends-fixture.ts';

describe('an HTTP backend gets', () => {
  it('every line of a header that the client repeats, and those of X-Forwarded-For as one list', async (t) => {
    const backend = await startRawBackend(t, answering(ok('')));
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) });
    const sent = ['X-Own: 1', 'Cookie: a=1', 'x-own: 2', 'Cookie: b=2', 'X-Forwarded-For: 198.51.100.9'];
    const never = ['TE: a', 'TE: b', 'X-Ca-Signature: a', 'X-Ca-Signature: b', 'X-Real-IP: 1', 'X-Real-IP: 2'];
    const own = ['X-Ca-Request-Id: a', 'X-Ca-Request-Id: b', 'X-Hop: a', 'X-Hop: b', 'X-Forwarded-For: 198.51.100.8'];
    await rawExchange(
      running.port,
      head('GET', '/x', [...sent, ...never, ...own]).replace('Connection: close', 'Connection: close, X-Hop'),
    );
    const [got = ''] = backend.received;
    const lines = got.split('\r\n').filter((line) => /^(x-own|cookie|te|x-ca-signature|x-hop):/i.test(line));
    assert.deepEqual(lines, ['X-Own: 1', 'Cookie: a=1', 'x-own: 2', 'Cookie: b=2']);
    assert.match(got, /\r\nX-Forwarded-For: 198\.51\.100\.9, 198\.51\.100\.8, 127\.0\.0\.1\r\n/);
    for (const name of ['X-Real-IP', 'X-Ca-Request-Id', 'X-Forwarded-For']) {
      assert.equal(got.match(new RegExp(`^${name}: `, 'gim'))?.length, 1, name);
    }
  });

  it('no second line of what the gateway signs by, or keeps from it', async (t) => {
    const backend = await startRawBackend(t, answering(ok('')));
    const running = await startGateway(t, {
      a: proxyTo(httpBackend(backend.address), { auth: { type: 'APP', appCode: 'HEADER' } }),
    });
    const code = 'c0dec0dec0dec0dec0dec0dec0dec0de';
    const { appId, appName } = app;
    const bound = { trafficControlId: null, ipControlId: null, signatureId: 's' };
    await running.publish([
      group({ stripsAppCode: true }),
      { kind: 'app', key: String(appId), value: { appId, appName, keys: [], codes: [code] } },
      grant('a'),
      { kind: 'signatureKey', key: 's', value: { signatureId: 's', key: 'k', secret: 'secret' } },
      { kind: 'policies', key: 'a/RELEASE', value: { apiId: 'a', stage: 'RELEASE', ...bound } },
    ]);
    const md5 = 'mZFLkyvTelC5g8XnyQrpOw==';
    const signature = ['', '-Headers', '-Secret-Key'].map((end) => `X-Ca-Proxy-Signature${end}`);
    const forged = [...signature, 'x-ca-proxy-signature', 'Content-MD5'].map((name) => `${name}: forged`);
    const sent = ['Content-Length: 2', `Content-MD5: ${md5}`, `Authorization: APPCODE ${code}`, ...forged, ...forged];
    await rawExchange(running.port, `${head('POST', '/x', [...sent, `authorization: APPCODE ${code}`])}{}`);
    const [got = ''] = backend.received;
    assert.doesNotMatch(got, /forged|authorization|c0de/i);
    for (const name of [...signature, 'Content-MD5']) {
      assert.equal(got.match(new RegExp(`^${name}: `, 'gim'))?.length, 1, name);
    }
  });

  it('each of its own headers once, also where the API maps to one in another spelling', async (t) => {
    const backend = await startRawBackend(t, answering(ok('')));
    const names = ['content-type', 'X-FORWARDED-FOR', 'x-real-ip'];
    const rest = {
      parameters: names.slice(0, 2).map((name) => parameter({ name, location: 'HEAD' })),
      serviceParameters: names.map((name) => {
        return { name, location: 'HEAD', type: 'STRING', catalog: 'REQUEST' } as const;
      }),
      mappings: names.slice(0, 2).map((name) => ({ requestName: name, serviceName: name })),
      constants: [constantHeader('x-real-ip', 'fixed')],
    };
    for (const mode of ['MAPPING', 'MAPPING_PASSTHROUGH'] as const) {
      const request = { method: 'POST', path: '/h', mode, bodyFormat: 'STREAM' } as const;
      const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address), { request, rest }) });
      const headers = ['Content-Type: application/json', 'X-Forwarded-For: 198.51.100.9', 'Content-Length: 2'];
      await rawExchange(running.port, `${head('POST', '/h', headers)}{}`);
      const own = (backend.received.at(-1) ?? '').split('\r\n').filter((line) => {
        return /^(content-type|x-forwarded-for|x-real-ip):/i.test(line);
      });
      const wanted = ['X-FORWARDED-FOR: 198.51.100.9', 'content-type: application/json', 'x-real-ip: fixed'];
      assert.deepEqual(own.toSorted(), wanted, mode);
    }
  });
});
