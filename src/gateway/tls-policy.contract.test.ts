// Which versions of TLS and of HTTP a name is served with: its group's policy, at the same port as those of others.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, describe, it } from 'node:test';
import { connect } from 'node:tls';
import { systemClock } from '../base/clock.ts';
import type { HttpsPolicy } from '../model/https-policy.ts';
import { createGateway } from './gateway.ts';
import { defaultGatewaySettings } from './settings.ts';
import { api, certificate, definition, group, returned } from './testing.ts';

const subject = 'a test authority';
const ca = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const privateKey = String(ca.privateKey.export({ type: 'pkcs8', format: 'pem' }));
const bugs: unknown[] = [];
after(() => assert.deepEqual(bugs, []));

type Opened = { readonly gateway: ReturnType<typeof createGateway>; readonly port: number };

async function open(t: { after(run: () => unknown): void }, httpsPolicy: HttpsPolicy): Promise<Opened> {
  const gateway = createGateway({
    clock: systemClock,
    claimNonce: () => true,
    count: () => -1,
    report: () => {},
    reportBug: (error) => bugs.push(error),
    settings: { ...defaultGatewaySettings, httpsPolicy },
    invoke: async () => returned({ statusCode: 200, body: 'served' }),
  });
  const server = createSecureServer(gateway.tlsOptions({ subject, privateKey }));
  gateway.attachTls(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  return { gateway, port: (server.address() as AddressInfo).port };
}

const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
type Version = (typeof versions)[number];
type Wanted = { readonly version?: Version; readonly protocols?: readonly string[]; readonly session?: Buffer };

const place = ({ port }: Opened, servername: string | null) => ({
  ...{ port, host: '127.0.0.1', rejectUnauthorized: false, ciphers: 'DEFAULT@SECLEVEL=0' },
  ...(servername === null ? {} : { servername }),
});
const bounds = ({ version, protocols, session }: Wanted) => ({
  ...(version === undefined ? {} : { minVersion: version, maxVersion: version }),
  ...(protocols === undefined ? {} : { ALPNProtocols: [...protocols] }),
  ...(session === undefined ? {} : { session }),
});

/** The first line of the answer to a request of HTTP/1.1, or the protocol of ALPN where that is another; `refused` where there is none. */
function answerAt(opened: Opened, servername: string | null, wanted: Wanted): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ ...place(opened, servername), ...bounds(wanted) });
    let got = '';
    socket.once('secureConnect', () => {
      if (socket.alpnProtocol === 'h2') resolve('h2');
      else socket.write(`GET /open HTTP/1.1\r\nHost: ${servername ?? 'nobody'}\r\nConnection: close\r\n\r\n`);
      if (socket.alpnProtocol === 'h2') socket.destroy();
    });
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1');
    });
    socket.once('error', () => resolve('refused'));
    socket.once('close', () => resolve(got === '' ? 'refused' : (got.split('\r\n')[0] ?? '')));
  });
}

const ok = 'HTTP/1.1 200 OK';

async function versionsAt(opened: Opened, servername: string | null): Promise<Version[]> {
  const answers = await Promise.all(versions.map((version) => answerAt(opened, servername, { version })));
  return versions.filter((_, index) => answers[index] !== 'refused');
}

const groupAt = (host: string, groupId: string, httpsPolicy?: HttpsPolicy) =>
  group({
    groupId,
    subDomain: `${groupId}-cn-hangzhou.alicloudapi.com`,
    domains: [{ host, stage: null }],
    ...(httpsPolicy === undefined ? {} : { httpsPolicy }),
  });
const served = definition({ request: { method: 'GET', path: '/open', mode: 'PASSTHROUGH' } });

describe('the policy of the gateway', () => {
  const rows: readonly (readonly [HttpsPolicy, readonly Version[]])[] = [
    ['HTTPS1_1_TLS1_0', versions],
    ['HTTPS2_TLS1_0', versions],
    ['HTTPS2_TLS1_2', ['TLSv1.2', 'TLSv1.3']],
    ['HTTPS2_TLS1_3', ['TLSv1.2', 'TLSv1.3']],
  ];
  for (const [policy, taken] of rows) {
    it(`${policy} takes ${taken[0]} and later, and no client that names no host`, async (t) => {
      const opened = await open(t, policy);
      assert.deepEqual(await versionsAt(opened, 'localhost'), taken);
      assert.deepEqual(await versionsAt(opened, null), []);
    });
  }

  it('offers HTTP/2 unless it is the one of HTTP/1.1', async (t) => {
    const protocols = ['h2', 'http/1.1'];
    assert.equal(await answerAt(await open(t, 'HTTPS2_TLS1_0'), 'localhost', { protocols }), 'h2');
    const old = await open(t, 'HTTPS1_1_TLS1_0');
    assert.match(await answerAt(old, 'localhost', { protocols }), /^HTTP\/1\.1 /);
    assert.equal(await answerAt(old, 'localhost', { protocols: ['h2'] }), 'refused');
  });
});

describe('the policy of a group', () => {
  const [oldId, newId] = ['a'.repeat(32), 'b'.repeat(32)];
  const published = async (t: Parameters<typeof open>[0]) => {
    const opened = await open(t, 'HTTPS2_TLS1_2');
    await opened.gateway.apply({
      version: 1,
      changes: [
        groupAt('old.test', oldId, 'HTTPS1_1_TLS1_0'),
        api('old', served, 'RELEASE', oldId),
        groupAt('new.test', newId),
        api('new', served, 'RELEASE', newId),
      ],
    });
    return opened;
  };

  it('holds for its names alone: the same port refuses TLS 1.0 to the names of others', async (t) => {
    const opened = await published(t);
    for (const name of ['old.test', `${oldId}.localhost`]) {
      assert.equal(await answerAt(opened, name, { version: 'TLSv1' }), ok);
      assert.deepEqual(await versionsAt(opened, name), versions);
    }
    for (const name of ['new.test', `${newId}.localhost`, 'nobody.test']) {
      assert.deepEqual(await versionsAt(opened, name), ['TLSv1.2', 'TLSv1.3'], name);
    }
    const protocols = ['h2', 'http/1.1'];
    assert.equal(await answerAt(opened, 'old.test', { protocols }), ok);
    assert.equal(await answerAt(opened, 'new.test', { protocols }), 'h2');
  });

  it('holds for the domain’s own certificate, and is left off at once when it changes', async (t) => {
    const opened = await published(t);
    await opened.gateway.apply({ version: 2, changes: [certificate('old.test')] });
    assert.deepEqual(await versionsAt(opened, 'old.test'), versions);
    await opened.gateway.apply({ version: 3, changes: [groupAt('old.test', oldId)] });
    assert.deepEqual(await versionsAt(opened, 'old.test'), ['TLSv1.2', 'TLSv1.3']);
    await opened.gateway.apply({ version: 4, changes: [groupAt('old.test', oldId, 'HTTPS2_TLS1_0')] });
    assert.deepEqual(await versionsAt(opened, 'old.test'), versions);
    await opened.gateway.apply({ version: 5, changes: [{ kind: 'group', key: oldId, value: null }] });
    assert.deepEqual(await versionsAt(opened, 'old.test'), ['TLSv1.2', 'TLSv1.3']);
  });

  it('holds for a client that would go on with a session of before', async (t) => {
    const opened = await published(t);
    const old = { version: 'TLSv1' } as const;
    const session = await new Promise<Buffer>((resolve, reject) => {
      const socket = connect({ ...place(opened, 'old.test'), ...bounds(old) });
      socket.once('error', reject);
      socket.once('session', (bytes) => {
        resolve(bytes);
        socket.destroy();
      });
    });
    assert.equal(await answerAt(opened, 'old.test', { ...old, session }), ok);
    assert.equal(await answerAt(opened, 'new.test', { ...old, session }), 'refused');
    assert.equal(await answerAt(opened, 'old.test', { session, protocols: ['h2', 'http/1.1'] }), ok);
  });

  it('is what another program meets too: a client of TLS 1.0 by OpenSSL', async (t) => {
    const opened = await published(t);
    const program = async (name: string): Promise<string> => {
      const target = ['-connect', `127.0.0.1:${opened.port}`, '-servername', name];
      const child = spawn('openssl', ['s_client', ...target, '-tls1', '-cipher', 'DEFAULT@SECLEVEL=0', '-quiet'], {
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      child.stdin.on('error', () => {}); // it has gone before it read: its output tells
      child.stdin.write(`GET /open HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
      const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
      return `${out}${errors}`;
    };
    const has = await new Promise<boolean>((resolve) => {
      const child = spawn('openssl', ['version'], { stdio: 'ignore' });
      child.once('error', () => resolve(false)).once('exit', () => resolve(true));
    });
    if (!has) return t.skip('no openssl on the PATH');
    assert.match(await program('old.test'), /HTTP\/1\.1 200 OK/);
    assert.match(await program('new.test'), /alert handshake failure/);
  });
});
