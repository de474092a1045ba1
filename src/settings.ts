// What the processes are told and the bounds they keep. Flags and their environment names: cli/server-flags.ts.
import type { ApiPlace, NetworkMode } from './functions/index.ts';
import type { DebugTarget } from './model/debugging.ts';
import type { HttpsPolicy } from './model/https-policy.ts';

/** Told by control to the data process when it starts. Ports: 0 = any free one. */
export type DataSettings = {
  readonly runDir: string;
  readonly launcherToken: string;
  /** Where code packages lie unpacked, one directory each by the SHA-256 of the zip. */
  readonly codeDirectory: string;
  readonly host: string;
  readonly gatewayPort: number;
  readonly httpPort: number;
  readonly regionId: string;
  readonly defaultGroup: string | null;
  /** ARNs that an API may name as its role; null: every one. */
  readonly roles: readonly string[] | null;
  readonly runtimeFallback: boolean;
  /** The function that a debugger may attach to. */
  readonly debug: DebugTarget | null;
  /** Freeze an instance after each request at once. */
  readonly strict: boolean;
  /** Backends may be on loopback. */
  readonly allowsLoopbackBackends: boolean;
  /** Calls a day that a group's own domain takes; null: any number. */
  readonly ownDomainLimitPerDay: number | null;
  /** CIDR blocks that are open for backends besides. */
  readonly allowedBackends: readonly string[];
  /** `vpcId/instanceId` → host. */
  readonly vpcTargets: Readonly<Record<string, string>>;
  /** Addresses and CIDR blocks of proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** Bytes of one request's body, target and headers. */
  readonly requestLimits: { readonly body: number; readonly target: number; readonly headers: number };
  /** Longest ServiceTimeout of an API, milliseconds. */
  readonly apiTimeoutMaxMs: number;
  readonly httpsPolicy: HttpsPolicy;
  /** Calls a second that each API group may have; null: as many as come. */
  readonly groupLimit: number | null;
  /** Calls a second that all API groups together may have; null: as many as come. */
  readonly instanceLimit: number | null;
  /** Memory of processes that wait for a function, MB, of all data processes together; 0: none wait. */
  readonly spareMemoryMb: number;
  /** Addresses and CIDR blocks that are not the internet; null: private and loopback ones. */
  readonly intranet: readonly string[] | null;
  /** The collector that traces go to, with headers for it, and the share of traces that begin here; null: none are made. */
  readonly traces: {
    readonly endpoint: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly ratio: number;
  } | null;
  /** Answer loopback callers with `X-Yunmen-Why`. */
  readonly showWhyToLoopback: boolean;
  /** Isolation tier that instances get. */
  readonly tier: string;
  /** What instances get unless their function has less; host: there is no doorway either. */
  readonly network: NetworkMode;
  /** sandd's program, which lends the doorway's sockets; null without one. */
  readonly nativePath: string | null;
  /** How many data processes share the work. With several, control is the authority for nonces and limits. */
  readonly dataProcesses: number;
  /** This one's number among them, from 0. */
  readonly place: number;
  /** What control proves itself with when it passes calls of HTTP triggers on. */
  readonly forwardToken: string;
  /** Holds unpacked container images; null: none are served. */
  readonly imageDirectory: string | null;
  /** Which launcher listens in runDir. */
  readonly launcher: 'sandd' | 'node';
};

/** The gateway's TLS listener. The authority's key, PEM, signs certificates for domains that have none. */
export type TlsListening = {
  readonly port: number;
  readonly authority: { readonly subject: string; readonly privateKey: string };
};

/** Which listeners a data process opens. */
export type ListenOrder = {
  /** Where the APIs answer: the doorway leads there, backends must not be there. */
  readonly api: ApiPlace;
  readonly tls: TlsListening | null;
  /** Other data processes listen on the same ports. */
  readonly isShared: boolean;
  /** The ports that the first one got; null for the first, which takes those of its settings. */
  readonly ports: { readonly gateway: number; readonly gatewayTls: number | null; readonly http: number } | null;
};

/** Where the data process listens. `gatewayTls` null: not at all. */
export type ListeningAddresses = {
  readonly gateway: string;
  readonly gatewayTls: string | null;
  readonly http: string;
};

/** Told by control to the launcher when it starts. */
export type LauncherSettings = {
  readonly runDir: string;
  readonly launcherToken: string;
  /** null: the strongest tier that works here. */
  readonly isolation: string | null;
  /** null: the best that is to be had. */
  readonly network: NetworkMode | null;
  /** Addresses and CIDR blocks that instances may reach although they are private. */
  readonly allowedNetworks: readonly string[];
  /** `start` refuses tier `none` unless it was asked for. */
  readonly mode: 'start' | 'dev';
};

/** Bounds of the composition; each room has its own beside its code. */
export const limits = {
  /** Requests in a second up to which each is logged; above it one of so many, which is announced. */
  loggedPerSecond: 2_000,
  /** How long a request may wait to be logged; milliseconds. */
  logBatchMs: 100,
  /** Bytes of the log of requests that wait in the data process; more are dropped and counted. */
  logWaitingBytes: 4 * 1024 * 1024,
  /** Characters of functions' output that a data process keeps of each second, of one function and of all; the rest is left out, which a line says. */
  outputPerSecond: { ofFunction: 256 * 1024, inAll: 1024 * 1024 },
  /** Failure records that a data process sends in one second; more are counted and dropped. */
  failuresPerSecond: 1_000,
  /** Nonces remembered at once: 15 minutes of 9,000 signed calls a second. */
  nonces: 8_000_000,
  /** Limits of calls (by API, account and app) that are counted at once, for each length of window; the oldest are forgotten. */
  countersPerWindow: 500_000,
  /** How much longer than any API's time-out a connection may be without traffic; milliseconds. */
  stallMarginMs: 60_000,
  /** How long a stop waits for requests under way; milliseconds. */
  stopGraceMs: 10_000,
  /** How long one of several data processes may serve after control gave it leave; a process that lags holds a write up for no longer. Milliseconds. */
  servingLeaseMs: 50,
  /** How long a caller waits for what one of several data processes asks control (leave to serve, a count, a nonce, who has room); milliseconds. */
  controlAnswerMs: 5_000,
  /** How long one of several data processes may take to say whether it has room for a call that another cannot admit; milliseconds. Less than controlAnswerMs. */
  roomAnswerMs: 4_000,
  /** Data processes, of several, that may be replaced in the window before the server gives up. */
  replacements: 5,
  replacementWindowMs: 60_000,
  /** How long control waits for the data process to follow a write before it ends the server; milliseconds. */
  followMs: 10_000,
} as const;
