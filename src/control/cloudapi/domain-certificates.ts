// Actions on the certificates of domains. The private key is sealed where it is kept and in the feed, and never shown.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { randomHex } from '../../base/ids.ts';
import type { CertificateRow, DomainRow } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';
import { getDomain } from './domain-lookup.ts';

/** A chain in PEM, in characters. Source: assumed. */
const pemLimit = 64 * 1024;

function parseCertificate(chain: string): X509Certificate {
  try {
    return new X509Certificate(chain);
  } catch {
    throw openApiError('InvalidCertificateBody', 'The parameter CertificateBody must be a certificate chain in PEM.');
  }
}

function parseKey(text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    throw openApiError(
      'InvalidCertificatePrivateKey',
      'The parameter CertificatePrivateKey must be a private key in PEM, without a passphrase.',
    );
  }
}

/**
 * Nobody could connect to a domain whose chain or key TLS does not take: each handshake would fail, and nothing would say why.
 * Errors: InvalidCertificateBody.
 */
function checkServable(chain: string, privateKey: string): void {
  try {
    createSecureContext({ cert: chain, key: privateKey });
  } catch (error) {
    const { reason } = error as { readonly reason?: string };
    throw openApiError(
      'InvalidCertificateBody',
      `TLS cannot be served with this certificate chain and key: ${reason ?? 'they cannot be read'}.`,
    );
  }
}

/** Errors: InvalidCertificateBody, InvalidCertificatePrivateKey. */
function readCertificate(args: Arguments, domainName: string): CertificateRow {
  const chain = args.text('CertificateBody');
  const privateKey = args.text('CertificatePrivateKey');
  if (chain.length > pemLimit) {
    throw openApiError(
      'InvalidCertificateBody',
      `The parameter CertificateBody may have at most ${pemLimit} characters.`,
    );
  }
  const certificate = parseCertificate(chain);
  if (!certificate.checkPrivateKey(parseKey(privateKey))) {
    throw openApiError('InvalidCertificatePrivateKey', 'The private key is not the one of the certificate.');
  }
  const host = domainName.startsWith('*.') ? `x${domainName.slice(1)}` : domainName;
  if (certificate.checkHost(host) === undefined) {
    throw openApiError('InvalidCertificateBody', `The certificate is not for the domain ${domainName}.`);
  }
  checkServable(chain, privateKey);
  return { certificateId: randomHex(16), certificateName: args.text('CertificateName'), chain, privateKey };
}

/** Options that would change what the gateway does, and that it does not do. */
function refuseUnsupported(args: Arguments): void {
  const asked = [
    ...['CaCertificateBody', 'SslVerifyDepth'].filter((name) => (args.optionalText(name) ?? '') !== ''),
    ...['ClientCertSDnPassThrough', 'SslOcspEnable', 'SslOcspCacheEnable'].filter(
      (name) => args.optionalBoolean(name) === true,
    ),
  ];
  if (asked[0] === undefined) return;
  throw openApiError('UnsupportedParameter', `The parameter ${asked[0]} is not supported by this server.`);
}

export const setDomainCertificate: RpcAction = async ({ args, deps }) => {
  refuseUnsupported(args);
  const name = args.text('DomainName').trim().toLowerCase();
  const certificate = readCertificate(args, name);
  await commit(deps, async (tx) => {
    const domain = await getDomain(tx, args.text('GroupId'), name);
    await tx.rows.domains.update({ ...domain, certificate });
    const { chain, privateKey } = certificate;
    await tx.publish('certificate', name, { host: name, chain, privateKey });
  });
  return {};
};

export const deleteDomainCertificate: RpcAction = async ({ args, deps }) => {
  const name = args.text('DomainName').trim().toLowerCase();
  const id = args.text('CertificateId');
  await commit(deps, async (tx) => {
    const domain = await getDomain(tx, args.text('GroupId'), name);
    if (domain.certificate?.certificateId !== id) {
      throw openApiError('DomainCertificateNotFound', `The domain ${name} has no certificate ${id.slice(0, 100)}.`);
    }
    await tx.rows.domains.update({ ...domain, certificate: null });
    await tx.publish('certificate', name, null);
  });
  return {};
};

/** What answers about a domain say of its certificate. Times in epoch ms. Source: docs. */
export function showCertificate({ certificate }: DomainRow): Readonly<Record<string, unknown>> {
  if (certificate === null) return {};
  const parsed = parseCertificate(certificate.chain);
  return {
    CertificateId: certificate.certificateId,
    CertificateName: certificate.certificateName,
    CertificateBody: certificate.chain,
    CertificateValidStart: Date.parse(parsed.validFrom),
    CertificateValidEnd: Date.parse(parsed.validTo),
  };
}
