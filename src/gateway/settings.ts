// The gateway's settings and their defaults. Composition fills them from the server's settings.
import { privateBlocks } from '../base/ip-ranges.ts';
import type { HttpsPolicy } from '../model/https-policy.ts';

export type GatewaySettings = {
  /** Group of a Host that is an IP address or `localhost`; null: the only group, when there is exactly one. */
  readonly defaultGroup: string | null;
  /** Source: docs, 8 MB for shared instances. */
  readonly bodyLimitBytes: number;
  /** The bodies of all requests under way that are kept whole; more are refused (X503BZ). Source: assumed. */
  readonly bodiesLimitBytes: number;
  /** The same for whole answers that callers have not taken yet. Source: assumed. */
  readonly answersLimitBytes: number;
  /** How long a caller may take for a whole answer of more than 16 KB. Milliseconds. Source: assumed. */
  readonly answerTimeoutMs: number;
  /** How long the request line and headers may take to arrive, from the connection's start or the last answer's end. Milliseconds. Source: assumed. */
  readonly headTimeoutMs: number;
  /** How long a connection, and each stream of HTTP/2, may be without traffic, at rest or while an answer is under way; longer than any API’s time-out. Milliseconds; 0: for ever. Source: assumed. */
  readonly stallTimeoutMs: number;
  /** Connections open at once on one listener; more are closed at once. Source: assumed. */
  readonly connectionLimit: number;
  /** How long a body may take to arrive. Milliseconds. Source: assumed. */
  readonly bodyTimeoutMs: number;
  /** Length of the request target. Source: docs. */
  readonly uriLimitBytes: number;
  /** Names and values of all headers together. Source: assumed. */
  readonly headerLimitBytes: number;
  /** Addresses in X-Forwarded-For of a request that a gateway sent, above which it goes in circles. Source: assumed. */
  readonly hopLimit: number;
  /** How far X-Ca-Timestamp may be off, and how long a nonce is remembered, in ms. Source: docs. */
  readonly clockWindowMs: number;
  /** Calls a second that each group may have; null: as many as come. Source: docs (500 there), the default is ours. */
  readonly groupLimitPerSecond: number | null;
  /** Calls a second that all groups together may have; null: as many as come. Source: docs, the default is ours. */
  readonly instanceLimitPerSecond: number | null;
  /** Addresses and CIDR blocks that do not count as the internet. Source: assumed. */
  readonly intranet: readonly string[];
  /** Which versions of TLS are spoken. Source: assumed; the stricter of the service's. */
  readonly httpsPolicy: HttpsPolicy;
  /** Port to which plain requests are redirected where a domain wants HTTPS; null: 443. */
  readonly tlsPort: number | null;
  /** Calls a day that a group's own domain takes; null: no limit. The cloud has 1,000. Source: docs. */
  readonly ownDomainLimitPerDay: number | null;
  /** Whether browsers get what a group's own domain answers as a download, so that nobody puts a site there. Source: docs. */
  readonly ownDomainDownloads: boolean;
  /** How an unknown AppCode is answered. Source: docs; A401AC was seen beside it in a client. */
  readonly unknownCodeError: 'A400AC' | 'A401AC';
  /** ARNs that an API may name as RoleArn; null: every one. */
  readonly knownRoles: ReadonlySet<string> | null;
  /** Addresses and CIDR blocks of proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** The share of traces, 0 to 1, that are kept of callers that sent none; null: traces are not kept, and functions get none of them. */
  readonly traceRatio: number | null;
  /** Answers failed calls from loopback peers with `X-Yunmen-Why`. */
  readonly showWhyToLoopback: boolean;
};

export const defaultGatewaySettings: GatewaySettings = {
  defaultGroup: null,
  bodyLimitBytes: 8 * 1024 * 1024,
  bodiesLimitBytes: 512 * 1024 * 1024,
  answersLimitBytes: 512 * 1024 * 1024,
  answerTimeoutMs: 600_000,
  headTimeoutMs: 30_000,
  stallTimeoutMs: 180_000,
  connectionLimit: 20_000,
  bodyTimeoutMs: 60_000,
  uriLimitBytes: 128 * 1024,
  headerLimitBytes: 64 * 1024,
  hopLimit: 30,
  clockWindowMs: 15 * 60 * 1000,
  groupLimitPerSecond: null,
  instanceLimitPerSecond: null,
  intranet: privateBlocks,
  httpsPolicy: 'HTTPS2_TLS1_2',
  tlsPort: null,
  ownDomainLimitPerDay: null,
  ownDomainDownloads: true,
  unknownCodeError: 'A400AC',
  knownRoles: null,
  trustedProxies: [],
  traceRatio: null,
  showWhyToLoopback: false,
};
