import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { issueAuthority, issueLeaf } from './x509.ts';

const day = 24 * 60 * 60 * 1000;
const from = Date.UTC(2026, 10, 22);
const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const subject = 'a test authority';

describe('a certificate', () => {
  const root = new X509Certificate(
    issueAuthority({ subject, key: authority.privateKey, domains: ['localhost'], from, until: from + 365 * day }),
  );
  const made = new X509Certificate(
    issueLeaf({
      hosts: ['*.localhost', 'localhost'],
      key: leaf.publicKey,
      issuer: subject,
      issuerKey: authority.privateKey,
      from,
      until: from + 30 * day,
    }),
  );

  it('of the authority is one, signed by itself', () => {
    assert.equal(root.ca, true);
    assert.equal(root.subject, `CN=${subject}`);
    assert.ok(root.verify(authority.publicKey) && root.checkIssued(root));
  });

  it('of a leaf is issued by the authority, for its hosts and key, within its days', () => {
    assert.equal(made.ca, false);
    assert.ok(made.verify(authority.publicKey) && made.checkIssued(root) && made.checkPrivateKey(leaf.privateKey));
    assert.equal(made.subjectAltName, 'DNS:*.localhost, DNS:localhost');
    assert.deepEqual([Date.parse(made.validFrom), Date.parse(made.validTo)], [from, from + 30 * day]);
    assert.deepEqual(made.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  });

  it('has a serial number of its own each time', () => {
    assert.notEqual(root.serialNumber, made.serialNumber);
  });

  it('that ends after 2049 says so', () => {
    const late = new X509Certificate(
      issueAuthority({ subject, key: authority.privateKey, domains: [], from, until: Date.UTC(2060, 0, 1) }),
    );
    assert.equal(Date.parse(late.validTo), Date.UTC(2060, 0, 1));
  });
});
