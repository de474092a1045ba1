// TLS of the gateway: which certificate a connection gets, and how the server is made. Called by gateway.ts.
import { constants, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Http2SecureServer, SecureServerOptions } from 'node:http2';
import type { Socket } from 'node:net';
import {
  createSecureContext,
  DEFAULT_CIPHERS,
  type SecureContext,
  type SecureContextOptions,
  TLSSocket,
} from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { type HttpsPolicy, type HttpsRules, httpsPolicies } from '../model/https-policy.ts';
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

/** With what every connection of a server begins, before its name is known. */
export type TlsBase = Pick<SecureContextOptions, 'minVersion' | 'ciphers' | 'secureOptions'>;

const base: TlsBase = { minVersion: 'TLSv1.2' };
/**
 * The same suites: what TLS 1.0 and 1.1 sign with, OpenSSL has at its lowest level of security only. No session is gone on with:
 * before TLS 1.3 one that is does not say its name, by which policies differ.
 */
const oldBase: TlsBase = {
  minVersion: 'TLSv1',
  ciphers: `${DEFAULT_CIPHERS}:@SECLEVEL=0`,
  secureOptions: constants.SSL_OP_NO_TICKET,
};

/** Whether these rules take a connection of this version, as node names it. */
function takes({ minVersion }: HttpsRules, version: string | null): boolean {
  return minVersion === 'TLSv1' || (version !== 'TLSv1' && version !== 'TLSv1.1');
}

export class TlsCertificates {
  readonly #authority: { readonly subject: string; readonly key: KeyObject };
  readonly #clock: Clock;
  readonly #snapshot: () => Snapshot;
  /** Of groups that have none of their own, and of names that are nobody's. */
  readonly #policy: HttpsPolicy;
  readonly #leafKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #leaves = new Map<string, Leaf>();
  /** Contexts of the owners' certificates, as long as those are published. */
  readonly #own = new WeakMap<PublishedCertificate, SecureContext>();

  constructor(authority: TlsAuthority, policy: HttpsPolicy, clock: Clock, snapshot: () => Snapshot) {
    this.#policy = policy;
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

  /** The rules of the group to which a name leads. What is no text is the name of a connection that has none. */
  rulesFor(serverName: unknown): HttpsRules {
    const { hosts } = this.#snapshot();
    const host = typeof serverName === 'string' ? serverName.toLowerCase() : '';
    const entry = hosts.get(host) ?? hosts.get(wildcardOf(host) ?? '');
    return httpsPolicies[entry?.group.httpsPolicy ?? this.#policy];
  }

  /** The oldest version that any name takes: OpenSSL chooses the version, and node the suites, before the name is known. */
  base(): TlsBase {
    const isOld = httpsPolicies[this.#policy].minVersion === 'TLSv1' || this.#snapshot().oldTlsGroups.size > 0;
    return isOld ? oldBase : base;
  }

  #contextOf(own: PublishedCertificate): SecureContext {
    const known = this.#own.get(own);
    if (known !== undefined) return known;
    const context = createSecureContext({ cert: own.chain, key: own.privateKey });
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
    const context = createSecureContext({ cert, key: leafKey });
    this.#leaves.delete(host);
    this.#leaves.set(host, { context, renewAt: now + (leafDays - renewDays) * 24 * hourMs });
    const oldest = this.#leaves.size > leafLimit ? this.#leaves.keys().next() : null;
    if (oldest !== null && !oldest.done) this.#leaves.delete(oldest.value);
    return context;
  }
}

/** Null: a handshake may go on now. Else resolves when it may; rejects when the process ends. */
export type EnterHandshake = () => Promise<void> | null;

/** How the TLS server must be made: HTTP/2 and HTTP/1.1 by ALPN as the name's policy has it, with the limits of the plain listener. */
export function tlsOptions(
  certificates: TlsCertificates,
  settings: GatewaySettings,
  enter: EnterHandshake,
): SecureServerOptions {
  return {
    ...listenerOptions(settings),
    allowHTTP1: true,
    ...certificates.base(),
    ALPNCallback: ({ servername, protocols }) => {
      const offered = certificates.rulesFor(servername).hasHttp2 ? ['h2', 'http/1.1'] : ['http/1.1'];
      return offered.find((protocol) => protocols.includes(protocol));
    },
    SNICallback(this: unknown, serverName, done) {
      const choose = () => {
        try {
          // node calls this on the connection. Without a certificate the client is told that the handshake failed.
          const version = this instanceof TLSSocket ? this.getProtocol() : null;
          if (!takes(certificates.rulesFor(serverName), version)) done(null);
          else done(null, certificates.contextFor(serverName));
        } catch (error) {
          done(error instanceof Error ? error : new Error(String(error)));
        }
      };
      const wait = enter();
      if (wait === null) choose();
      else wait.then(choose, done);
    },
    handshakeTimeout: Math.min(10_000, settings.headTimeoutMs),
    settings: { maxConcurrentStreams: 128, maxHeaderListSize: settings.uriLimitBytes + settings.headerLimitBytes },
    maxHeaderListPairs: 512,
  };
}

/**
 * Keeps a server that tlsOptions() made to what is published: TLS 1.0 begins only while a group takes it, and no connection of a
 * version that its name does not take comes further than its handshake. A handshake begins when `enter` lets it: a process that is
 * behind would go by what was published before. What the client sends meanwhile waits in its connection.
 */
export function followTls(server: Http2SecureServer, certificates: TlsCertificates, enter: EnterHandshake): void {
  let current = certificates.base();
  const listeners = server.listeners('connection');
  const begin = (socket: Socket) => {
    const now = certificates.base();
    if (now !== current) {
      current = now;
      server.setSecureContext(now);
    }
    for (const listener of listeners) listener.call(server, socket);
  };
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const wait = enter();
    if (wait === null) return begin(socket);
    const onError = () => socket.destroy();
    socket.on('error', onError);
    wait.then(() => {
      socket.off('error', onError);
      if (!socket.destroyed) begin(socket);
    }, onError);
  });
  server.prependListener('secureConnection', (connection: TLSSocket) => {
    if (!takes(certificates.rulesFor(connection.servername), connection.getProtocol())) connection.destroy();
  });
}
