// The development authority: its files, and that what it signs for a name that is nobody's here is trusted by no client that knows it.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { connect, createServer } from 'node:tls';
import { temporaryDirectory } from '../tests/harness/server.ts';
import { systemClock } from './base/clock.ts';
import { openDevelopmentCa } from './development-ca.ts';
import { openStore } from './store/index.ts';
import { issueLeaf } from './wire/x509.ts';

const dayMs = 24 * 60 * 60 * 1000;

async function open(t: TestContext, dataDir = temporaryDirectory(t)) {
  const store = await openStore({ dataDir, clock: systemClock });
  t.after(() => store.close());
  const ca = await openDevelopmentCa(dataDir, store, (error) => assert.fail(String(error)));
  t.after(() => ca.close());
  return { dataDir, ca, certificate: readFileSync(ca.certificateFile, 'utf8') };
}

const leafKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function leafOf(issuer: string, issuerKey: KeyObject, host: string): string {
  const now = Date.now();
  return issueLeaf({
    hosts: [host],
    key: leafKeys.publicKey,
    issuer,
    issuerKey,
    from: now - dayMs,
    until: now + dayMs,
  });
}

/** `trusted`, or what a client that knows the authority says of a server with this leaf. */
async function clientSays(authority: string, leaf: string, servername: string): Promise<string> {
  const key = leafKeys.privateKey.export({ type: 'pkcs8', format: 'pem' });
  const server = createServer({ cert: leaf, key });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return await new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', servername, ca: authority, rejectUnauthorized: false }, () => {
      resolve(socket.authorized ? 'trusted' : String(socket.authorizationError));
      socket.destroy();
      server.close();
    });
    socket.once('error', reject);
  });
}

const openssl = spawnSync('openssl', ['version']).status === 0;

describe('the development authority', () => {
  it('has a key that nobody else reads, the same after a restart, and refuses one that others can', async (t) => {
    const { dataDir, certificate } = await open(t);
    const keyFile = join(dataDir, 'dev-ca.key');
    assert.equal(statSync(keyFile).mode & 0o777, 0o600);
    const { publicKey } = new X509Certificate(certificate);
    const again = await open(t, dataDir);
    assert.ok(new X509Certificate(again.certificate).publicKey.equals(publicKey));
    chmodSync(keyFile, 0o640);
    await assert.rejects(open(t, dataDir), /others can reach it; run: chmod 600/);
  });

  it('signs for its own names alone, whatever its key signs', async (t) => {
    const { ca, certificate } = await open(t);
    const { subject, privateKey } = ca.authority;
    const signed = (host: string) => leafOf(subject, createPrivateKey(privateKey), host);
    assert.equal(await clientSays(certificate, signed('a.localhost'), 'a.localhost'), 'trusted');
    assert.equal(await clientSays(certificate, signed('localhost'), 'localhost'), 'trusted');
    for (const host of ['bank.example', 'notlocalhost', 'localhost.example']) {
      assert.notEqual(await clientSays(certificate, signed(host), host), 'trusted', host);
    }
  });

  it('is held to that by OpenSSL too, and to sign no address and no further authority', {
    skip: !openssl && 'no openssl on the PATH',
  }, async (t) => {
    const { ca, dataDir } = await open(t);
    const file = (name: string) => join(dataDir, name);
    writeFileSync(file('leaf.key'), leafKeys.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const run = (...args: string[]) => execFileSync('openssl', args, { cwd: dataDir, stdio: 'pipe' });
    /** What `openssl verify` says of a certificate with these extensions, below those of `issuer`. */
    const verified = (extensions: string, name: string, issuer = 'dev-ca') => {
      writeFileSync(file('ext'), extensions);
      run('req', '-new', '-key', 'leaf.key', '-subj', `/CN=${name}`, '-out', 'leaf.csr');
      const signer = ['-CA', `${issuer}.crt`, '-CAkey', issuer === 'dev-ca' ? 'dev-ca.key' : 'leaf.key'];
      run('x509', '-req', '-in', 'leaf.csr', ...signer, '-days', '9', '-extfile', 'ext', '-out', `${name}.crt`);
      const between = issuer === 'dev-ca' ? [] : ['-untrusted', `${issuer}.crt`];
      const { stdout, stderr } = spawnSync(
        'openssl',
        ['verify', '-CAfile', ca.certificateFile, ...between, `${name}.crt`],
        {
          cwd: dataDir,
          encoding: 'utf8',
        },
      );
      return stdout + stderr;
    };
    assert.match(verified('subjectAltName=DNS:a.localhost', 'own'), /own\.crt: OK/);
    assert.match(verified('subjectAltName=DNS:bank.example', 'other'), /permitted subtree violation/);
    assert.match(verified('subjectAltName=IP:127.0.0.1', 'address'), /excluded subtree violation/);
    assert.match(verified('subjectAltName=IP:::1', 'address6'), /excluded subtree violation/);
    verified('basicConstraints=critical,CA:TRUE', 'below');
    assert.match(verified('subjectAltName=DNS:a.localhost', 'deep', 'below'), /path length constraint exceeded/);
  });
});
