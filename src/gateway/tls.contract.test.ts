// The gateway over TLS: certificates by name, HTTP/2 and HTTP/1.1 with the same answers, the old versions refused.
import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { connect as connectHttp2, createSecureServer, type IncomingHttpHeaders } from 'node:http2';
import { request as requestHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it, type TestContext } from 'node:test';
import { connect, type PeerCertificate } from 'node:tls';
import { systemClock } from '../base/clock.ts';
import { InternalTimeout } from '../base/internal-timeout.ts';
import { issueAuthority } from '../wire/x509.ts';
import type { GatewayDeps } from './context.ts';
import { createGateway } from './gateway.ts';
import { defaultGatewaySettings } from './settings.ts';
import {
  api,
  app,
  certificate,
  definition,
  FakeClock,
  grant,
  group,
  groupId,
  returned,
  signedRequest,
  theApp,
} from './testing.ts';

const day = 24 * 60 * 60 * 1000;
const now = Date.now();
const subject = 'a test authority';
const ca = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const caPem = issueAuthority({
  subject,
  key: ca.privateKey,
  domains: ['localhost', 'bound.test', 'any.test'],
  from: now - day,
  until: now + 365 * day,
});

const bugs: unknown[] = [];
const gatewayOf = (deps: Partial<GatewayDeps>) =>
  createGateway({
    clock: systemClock,
    claimNonce: () => true,
    count: () => -1,
    report: () => {},
    reportBug: (error) => bugs.push(error),
    settings: defaultGatewaySettings,
    invoke: async () => returned({ statusCode: 200 }),
    ...deps,
  });
const gateway = gatewayOf({
  settings: { ...defaultGatewaySettings, bodyLimitBytes: 100_000 },
  invoke: async (call) =>
    returned({
      statusCode: 200,
      headers: { 'X-Text': '猫', 'X-Many': ['1', '2'] },
      body: JSON.parse(String(call.event)),
    }),
});
const authority = { subject, privateKey: String(ca.privateKey.export({ type: 'pkcs8', format: 'pem' })) };
const server = createSecureServer(gateway.tlsOptions(authority));
gateway.attachTls(server);
let port = 0;

before(async () => {
  await gateway.apply({
    version: 1,
    changes: [
      group({
        domains: [
          { host: 'bound.test', stage: null },
          { host: 'own.test', stage: null },
          { host: '*.any.test', stage: null },
          { host: '*.owned.test', stage: null },
        ],
      }),
      certificate('own.test'),
      certificate('*.owned.test'),
      theApp,
      api('open', definition({ request: { method: 'ANY', path: '/open', mode: 'PASSTHROUGH' } })),
      api('signed', definition({ auth: { type: 'APP' }, request: { method: 'POST', path: '/signed' } })),
      api('plain', definition({ request: { path: '/plain', protocols: ['HTTP'] } })),
      grant('signed'),
    ],
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
after(async () => {
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(bugs, []);
});

/** The certificate that a client with this SNI gets, and whether it trusts it by the test's authority. */
function peer(servername: string, options: object = {}): Promise<{ certificate: PeerCertificate; isTrusted: boolean }> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { port, host: '127.0.0.1', servername, ca: caPem, rejectUnauthorized: false, ...options },
      () => {
        resolve({ certificate: socket.getPeerCertificate(), isTrusted: socket.authorized });
        socket.destroy();
      },
    );
    socket.once('error', reject);
  });
}

describe('the certificate', () => {
  const rows: readonly (readonly [what: string, name: string, subjects: string, isTrusted: boolean])[] = [
    ['of a bound domain is signed by the authority', 'bound.test', 'DNS:bound.test', true],
    ['of a name below a wildcard domain too', 'x.any.test', 'DNS:x.any.test', true],
    ['of a group below .localhost too', `${groupId}.localhost`, `DNS:${groupId}.localhost`, true],
    ['of a domain is its owner’s where there is one', 'own.test', 'DNS:own.test', false],
    ['of a wildcard domain is its owner’s where there is one', 'x.owned.test', 'DNS:*.owned.test', false],
    ['of any other name is that of localhost', 'bank.example', 'DNS:localhost', false],
  ];
  for (const [what, name, subjects, isTrusted] of rows) {
    it(what, async () => {
      const got = await peer(name);
      assert.deepEqual([got.certificate.subjectaltname, got.isTrusted], [subjects, isTrusted]);
    });
  }

  it('of the authority lasts at most 90 days', async () => {
    const { certificate } = await peer('bound.test');
    const parsed = new X509Certificate(certificate.raw);
    assert.ok(Date.parse(parsed.validTo) - Date.parse(parsed.validFrom) <= 90 * day);
  });

  it('changes with what is published', async () => {
    await gateway.apply({ version: 2, changes: [{ kind: 'certificate', key: 'own.test', value: null }] });
    const fallen = await peer('own.test');
    assert.equal(fallen.certificate.issuer.CN, subject);
    await gateway.apply({ version: 3, changes: [certificate('own.test')] });
    assert.equal((await peer('own.test')).certificate.issuer.CN, 'own');
  });

  it('is not shown to clients that only speak TLS 1.1', async () => {
    await assert.rejects(
      peer('localhost', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    );
    await peer('localhost', { maxVersion: 'TLSv1.2' });
  });
});

type Answer = { status: number; headers: IncomingHttpHeaders; body: string };

function http1(path: string, method: string, headers: Record<string, string>, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = requestHttps(
      { port, host: '127.0.0.1', path, method, headers, ca: caPem, servername: 'localhost', agent: false },
      (answer) => {
        buffer(answer).then(
          (bytes) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: String(bytes) }),
          reject,
        );
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

function http2(path: string, method: string, headers: Record<string, string>, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`https://localhost:${port}`, { ca: caPem });
    session.on('error', reject);
    const { Host: authority = `localhost:${port}`, ...others } = headers;
    const stream = session.request(
      { ...others, ':path': path, ':method': method, ':authority': authority },
      { endStream: body === undefined },
    );
    let got: IncomingHttpHeaders = {};
    let status = 0;
    stream.on('response', (answered) => {
      got = answered;
      status = Number(answered[':status']);
    });
    stream.on('error', reject);
    buffer(stream).then((bytes) => {
      session.close();
      resolve({ status, headers: got, body: String(bytes) });
    }, reject);
    if (body !== undefined) stream.end(body);
  });
}

for (const [name, send] of Object.entries({ 'HTTP/1.1': http1, 'HTTP/2': http2 })) {
  describe(`${name} over TLS`, () => {
    it('passes a request and its answer through', async () => {
      const got = await send(
        '/open?a=1',
        'POST',
        { cookie: 'a=1', 'x-own': 'v', Host: 'bound.test' },
        Buffer.from('body'),
      );
      const event = JSON.parse(got.body) as { headers: Record<string, string>; body: string; queryParameters: unknown };
      assert.equal(got.status, 200);
      assert.deepEqual(event.queryParameters, { a: '1' });
      assert.equal(Buffer.from(event.body, 'base64').toString(), 'body');
      assert.equal(event.headers['X-Forwarded-Proto'], 'https');
      assert.equal(event.headers['CA-Host'], 'bound.test');
      assert.equal(event.headers['x-own'], 'v');
      assert.equal(event.headers['cookie'], 'a=1');
      assert.equal(Buffer.from(String(got.headers['x-text']), 'latin1').toString('utf8'), '猫');
      assert.deepEqual(String(got.headers['x-many']).split(/, ?/), ['1', '2']);
      assert.match(String(got.headers['x-ca-request-id']), /^[0-9A-F-]{36}$/);
    });

    it('accepts a signature over the whole', async () => {
      const { rawHeaders } = signedRequest({
        method: 'POST',
        target: '/signed',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        text: 'a=1',
      });
      const headers: Record<string, string> = {};
      for (let i = 0; i < rawHeaders.length; i += 2) {
        if (rawHeaders[i] !== 'Host') headers[(rawHeaders[i] ?? '').toLowerCase()] = rawHeaders[i + 1] ?? '';
      }
      assert.equal((await send('/signed', 'POST', headers, Buffer.from('a=1'))).status, 200);
      const wrong = await send('/signed', 'POST', headers, Buffer.from('a=2'));
      assert.deepEqual([wrong.status, wrong.headers['x-ca-error-code'], wrong.body], [403, 'A403IS', '']);
      assert.equal(headers['x-ca-key'], app.key);
    });

    it('answers with the gateway’s own codes', async () => {
      const codeOf = async (path: string, method: string, headers: Record<string, string>, body?: Buffer) =>
        (await send(path, method, headers, body)).headers['x-ca-error-code'];
      assert.equal(await codeOf('/none', 'GET', {}), 'I404NF');
      assert.equal(await codeOf('/plain', 'GET', {}), 'I403PT');
      assert.equal(await codeOf('/open', 'GET', { Host: 'nobody.test' }), 'I404DO');
      assert.equal(await codeOf('/open', 'PROPFIND', {}), 'I405UM');
      assert.equal(await codeOf('/open', 'POST', {}, Buffer.alloc(100_001)), 'I413RL');
    });
  });
}

it('many requests share one connection of HTTP/2', async () => {
  const session = connectHttp2(`https://localhost:${port}`, { ca: caPem });
  const statuses = await Promise.all(
    Array.from({ length: 50 }, (_, n) => {
      const stream = session.request({ ':path': `/open?n=${n}` });
      return new Promise<number>((resolve, reject) => {
        stream.on('response', (headers) => resolve(Number(headers[':status'])));
        stream.on('error', reject);
        stream.resume();
      });
    }),
  );
  assert.deepEqual([...new Set(statuses)], [200]);
  session.close();
});

/** A gateway of its own on a port of its own. */
async function openAnother(t: TestContext, deps: Partial<GatewayDeps>) {
  const another = gatewayOf(deps);
  const anotherServer = createSecureServer(another.tlsOptions(authority));
  another.attachTls(anotherServer);
  await new Promise<void>((resolve) => anotherServer.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => anotherServer.close(resolve)));
  return { gateway: another, port: (anotherServer.address() as AddressInfo).port };
}

it('a leaf of the authority is made anew before it ends, and kept until then', async (t) => {
  const clock = new FakeClock();
  const { port } = await openAnother(t, { clock });
  const leaf = async () => new X509Certificate((await peer('localhost', { port })).certificate.raw);
  const first = await leaf();
  const serials = new Set([first.serialNumber]);
  for (let days = 1; days <= 50; days++) {
    clock.advance(day);
    const { validFrom, validTo, serialNumber } = await leaf();
    const [from, until] = [Date.parse(validFrom), Date.parse(validTo)];
    assert.ok(from <= clock.now() && until - clock.now() >= 6 * day, `on day ${days} it ends on ${validTo}`);
    serials.add(serialNumber);
  }
  assert.equal(serials.size, 3, 'one every 23 days');
});

describe('a handshake that has no leave yet', () => {
  const domain = group({ domains: [{ host: 'own.test', stage: null }] });
  const leave = () => {
    const given = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    let times = 0;
    const enter = () => {
      asked.resolve();
      return times++ > 0 ? null : given.promise;
    };
    return { enter, asked: asked.promise, ...given };
  };

  it('waits for it, and goes by what is published then', async (t) => {
    const { enter, asked, resolve } = leave();
    const { gateway: behind, port } = await openAnother(t, { enter });
    await behind.apply({ version: 1, changes: [domain, certificate('own.test')] });
    const waiting = peer('own.test', {
      port,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    await asked;
    const changed = group({ domains: [{ host: 'own.test', stage: null }], httpsPolicy: 'HTTPS2_TLS1_0' });
    await behind.apply({ version: 2, changes: [changed, { kind: 'certificate', key: 'own.test', value: null }] });
    resolve();
    assert.equal((await waiting).certificate.issuer.CN, subject);
  });

  it('goes on where nobody answered in time: the request behind it is refused with its code', async (t) => {
    const { enter, asked, reject } = leave();
    const { port } = await openAnother(t, { enter });
    const waiting = peer('localhost', { port });
    await asked;
    reject(new InternalTimeout('control'));
    assert.equal((await waiting).certificate.subjectaltname, 'DNS:localhost');
  });

  it('ends where the process does', async (t) => {
    const { enter, asked, reject } = leave();
    const { port } = await openAnother(t, { enter });
    const waiting = peer('localhost', { port });
    await asked;
    reject(new Error('control has gone'));
    await assert.rejects(waiting);
  });
});
