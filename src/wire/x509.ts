// Writes X.509 certificates (DER, as PEM) with P-256 keys: the development authority and its leaves.
// Called by the composition (authority) and by gateway/ (leaves).
import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';

// ---- DER, as far as certificates need it. Source: docs (X.690, RFC 5280).

function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  const head = length < 128 ? [tag, length] : [tag, 0x80 | bytes.length, ...bytes];
  return Buffer.concat([Buffer.from(head), body]);
}

const sequence = (...parts: readonly Buffer[]) => tlv(0x30, ...parts);
const bool = (value: boolean) => tlv(0x01, Buffer.from([value ? 0xff : 0]));
const octets = (bytes: Buffer) => tlv(0x04, bytes);
const bits = (bytes: Buffer, unused = 0) => tlv(0x03, Buffer.from([unused]), bytes);
const utf8 = (text: string) => tlv(0x0c, Buffer.from(text));

function integer(bytes: Buffer): Buffer {
  return tlv(0x02, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}

function objectId(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tlv(0x06, Buffer.from(bytes));
}

/** UTCTime until 2049, GeneralizedTime after. */
function time(epochMs: number): Buffer {
  const digits = new Date(epochMs).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return Number(digits.slice(0, 4)) < 2050
    ? tlv(0x17, Buffer.from(`${digits.slice(2)}Z`))
    : tlv(0x18, Buffer.from(`${digits}Z`));
}

const name = (commonName: string) => sequence(tlv(0x31, sequence(objectId('2.5.4.3'), utf8(commonName))));
const algorithm = sequence(objectId('1.2.840.10045.4.3.2')); // ecdsa-with-SHA256

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  return sequence(objectId(id), ...(isCritical ? [bool(true)] : []), octets(value));
}

function spki(key: KeyObject): Buffer {
  return (key.type === 'public' ? key : createPublicKey(key)).export({ type: 'spki', format: 'der' });
}

/** SHA-1 of the key bits: what names a key, not what protects it. Source: docs (RFC 5280 4.2.1.2). */
function keyId(key: KeyObject): Buffer {
  // A P-256 SubjectPublicKeyInfo ends with the 65 bytes of the point.
  return createHash('sha1').update(spki(key).subarray(-65)).digest();
}

type Issue = {
  readonly subject: string;
  /** The subject's key pair or public key, P-256. */
  readonly key: KeyObject;
  readonly issuer: string;
  /** P-256, private. */
  readonly issuerKey: KeyObject;
  /** Epoch ms. */
  readonly from: number;
  readonly until: number;
  readonly extensions: readonly Buffer[];
};

function issue({ subject, key, issuer, issuerKey, from, until, extensions }: Issue): string {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40; // positive, and no byte to leave out
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))), // version 3
    integer(serial),
    algorithm,
    name(issuer),
    sequence(time(from), time(until)),
    name(subject),
    spki(key),
    tlv(0xa3, sequence(...extensions)),
  );
  const der = sequence(body, algorithm, bits(sign('sha256', body, issuerKey)));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

const subjectKeyId = (key: KeyObject) => extension('2.5.29.14', false, octets(keyId(key)));
const authorityKeyId = (key: KeyObject) => extension('2.5.29.35', false, sequence(tlv(0x80, keyId(key))));
const dnsName = (host: string) => tlv(0x82, Buffer.from(host));

/** An authority that may certify only names at or below `domains`, and no addresses. */
export function issueAuthority(options: {
  readonly subject: string;
  readonly key: KeyObject;
  readonly domains: readonly string[];
  readonly from: number;
  readonly until: number;
}): string {
  const { subject, key, domains, from, until } = options;
  const permitted = tlv(0xa0, ...domains.map((domain) => sequence(dnsName(domain))));
  const everyAddress = [8, 32].map((bytes) => sequence(tlv(0x87, Buffer.alloc(bytes))));
  return issue({
    subject,
    key,
    issuer: subject,
    issuerKey: key,
    from,
    until,
    extensions: [
      extension('2.5.29.19', true, sequence(bool(true), integer(Buffer.from([0])))), // an authority, of leaves only
      extension('2.5.29.15', true, bits(Buffer.from([0x06]), 1)), // signs certificates and revocation lists
      extension('2.5.29.30', true, sequence(permitted, tlv(0xa1, ...everyAddress))), // name constraints
      subjectKeyId(key),
    ],
  });
}

/** A server's certificate for `hosts` (the first is its name). */
export function issueLeaf(options: {
  readonly hosts: readonly string[];
  readonly key: KeyObject;
  readonly issuer: string;
  readonly issuerKey: KeyObject;
  readonly from: number;
  readonly until: number;
}): string {
  const { hosts, key, issuer, issuerKey, from, until } = options;
  return issue({
    subject: (hosts[0] ?? '').slice(0, 64),
    key,
    issuer,
    issuerKey,
    from,
    until,
    extensions: [
      extension('2.5.29.19', true, sequence()), // no authority
      extension('2.5.29.15', true, bits(Buffer.from([0x80]), 7)), // signs
      extension('2.5.29.37', false, sequence(objectId('1.3.6.1.5.5.7.3.1'))), // servers
      extension('2.5.29.17', false, sequence(...hosts.map(dnsName))),
      subjectKeyId(key),
      authorityKeyId(issuerKey),
    ],
  });
}
