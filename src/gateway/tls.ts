// TLS of the gateway: which certificate a connection gets, and how the server is made. Called by gateway.ts.
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { SecureServerOptions } from 'node:http2';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { type HttpsPolicy, httpsPolicies } from '../model/https-policy.ts';
import type { PublishedCertificate } from '../model/published.ts';
import { issueLeaf } from '../wire/x509.ts';
import { wildcardOf } from './bound-domain.ts';
import { listenerOptions } from './listener.ts';
import type { GatewaySettings } from './settings.ts';
import type { Snapshot } from './snapshot.ts';

/** The development authority: signs certificates for domains that have none. PEM. */
export type TlsAuthority = { readonly subject: string; readonly privateKey: string };

type Leaf = { readonly context: SecureContext; readonly renewAt: number };

const hourMs = 60 * 60 * 1000;
const leafDays = 30;
const renewDays = 7;
/** Leaves of the authority held at once; one for each bound domain that somebody connects to. */
const leafLimit = 1_000;

type Versions = Pick<SecureContextOptions, 'minVersion' | 'ciphers'>;

function versionsOf(policy: HttpsPolicy): Versions {
  const { minVersion, ciphers } = httpsPolicies[policy];
  return ciphers === null ? { minVersion } : { minVersion, ciphers };
}

export class TlsCertificates {
  readonly #authority: { readonly subject: string; readonly key: KeyObject };
  readonly #clock: Clock;
  readonly #snapshot: () => Snapshot;
  readonly #versions: Versions;
  readonly #leafKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #leaves = new Map<string, Leaf>();
  /** Contexts of the owners' certificates, as long as those are published. */
  readonly #own = new WeakMap<PublishedCertificate, SecureContext>();

  constructor(authority: TlsAuthority, policy: HttpsPolicy, clock: Clock, snapshot: () => Snapshot) {
    this.#versions = versionsOf(policy);
    this.#authority = { subject: authority.subject, key: createPrivateKey(authority.privateKey) };
    this.#clock = clock;
    this.#snapshot = snapshot;
  }

  /**
   * The certificate for a name: its own, that of its wildcard domain, one of the development authority for names that are bound
   * and `{groupId}.localhost`, else that for `localhost`, which no client that checks will take.
   */
  contextFor(serverName: string): SecureContext {
    const host = serverName.toLowerCase();
    const wildcard = wildcardOf(host) ?? '';
    const { certificates, hosts } = this.#snapshot();
    const own = certificates.get(host) ?? certificates.get(wildcard);
    if (own !== undefined) return this.#contextOf(own);
    const entry = hosts.get(host) ?? hosts.get(wildcard);
    const isNamed = entry !== undefined && (entry.domain !== null || host.endsWith('.localhost'));
    return this.#leafFor(isNamed ? host : 'localhost');
  }

  #contextOf(own: PublishedCertificate): SecureContext {
    const known = this.#own.get(own);
    if (known !== undefined) return known;
    const context = createSecureContext({ cert: own.chain, key: own.privateKey, ...this.#versions });
    this.#own.set(own, context);
    return context;
  }

  #leafFor(host: string): SecureContext {
    const now = this.#clock.now();
    const known = this.#leaves.get(host);
    if (known !== undefined && known.renewAt > now) return known.context;
    const { subject, key } = this.#authority;
    const cert = issueLeaf({
      hosts: [host],
      key: this.#leafKeys.publicKey,
      issuer: subject,
      issuerKey: key,
      from: now - hourMs,
      until: now + leafDays * 24 * hourMs,
    });
    const leafKey = this.#leafKeys.privateKey.export({ type: 'pkcs8', format: 'pem' });
    const context = createSecureContext({ cert, key: leafKey, ...this.#versions });
    this.#leaves.delete(host);
    this.#leaves.set(host, { context, renewAt: now + (leafDays - renewDays) * 24 * hourMs });
    const oldest = this.#leaves.size > leafLimit ? this.#leaves.keys().next() : null;
    if (oldest !== null && !oldest.done) this.#leaves.delete(oldest.value);
    return context;
  }
}

/** How the TLS server must be made: HTTP/2 and HTTP/1.1 by ALPN, with the limits of the plain listener. */
export function tlsOptions(certificates: TlsCertificates, settings: GatewaySettings): SecureServerOptions {
  return {
    ...listenerOptions(settings),
    allowHTTP1: true,
    ...versionsOf(settings.httpsPolicy),
    SNICallback: (serverName, done) => {
      try {
        done(null, certificates.contextFor(serverName));
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
      }
    },
    handshakeTimeout: Math.min(10_000, settings.headTimeoutMs),
    settings: { maxConcurrentStreams: 128, maxHeaderListSize: settings.uriLimitBytes + settings.headerLimitBytes },
    maxHeaderListPairs: 512,
  };
}
