// What the command line asks of the composition: start a server with these options, get this back.
// Types only; main.ts supplies the implementation.

import type { DebuggerQuestion, DebugTarget } from '../model/debugging.ts';
import type { HttpsPolicy } from '../model/https-policy.ts';
import type { IsolationReport } from '../model/isolation-report.ts';
import type { OutputLine } from '../model/output.ts';
import type { PullImage, RuntimeTools } from '../model/runtime-report.ts';

/** Isolation tiers that can be demanded; null lets the server choose the strongest that works here. */
export const isolationTiers = ['strong', 'user', 'restricted', 'none'] as const;
export type IsolationTier = (typeof isolationTiers)[number];

/** Networks of functions that can be demanded; null lets the server choose the best that works here. */
export const networkModes = ['open', 'none', 'host'] as const;
export type NetworkMode = (typeof networkModes)[number];

/** A server as asked for on the command line. Port 0 means any free port; paths are absolute. */
export type ServerOptions = {
  readonly mode: 'start' | 'dev';
  readonly host: string;
  readonly gatewayPort: number;
  /** null: no TLS listener. */
  readonly gatewayTlsPort: number | null;
  readonly httpPort: number;
  readonly apiHost: string;
  readonly apiPort: number;
  readonly dataDir: string;
  /** null: the one kept in the data dir, made at first start. */
  readonly accountId: string | null;
  readonly region: string;
  /** Both or neither; null: the pair kept in the data dir, made at first start. */
  readonly accessKeyId: string | null;
  readonly accessKeySecret: string | null;
  readonly isolation: IsolationTier | null;
  readonly network: NetworkMode | null;
  /** Addresses and CIDR blocks that functions may reach although they are private. IPv4. */
  readonly allowedNetworks: readonly string[];
  /** System user that the processes drop to when started as root. */
  readonly user: string | null;
  /** Group that answers for an IP address or `localhost` as Host; null: the only group, if there is exactly one. */
  readonly defaultGroup: string | null;
  /** ARNs that an API may name as the role that the gateway takes on; null: every one. */
  readonly roles: readonly string[] | null;
  /** Serve a function whose interpreter is missing with the nearest newer minor version. */
  readonly runtimeFallback: boolean;
  /** The function of the project that a debugger may attach to. */
  readonly debug?: DebugTarget | null;
  /** Freeze an instance after each request at once, not only when it has been idle for a second. */
  readonly strict: boolean;
  /** Calls a day that a group's own domain takes; null: any number. */
  readonly ownDomainLimitPerDay: number | null;
  /** CIDR blocks that backends may be in although they are private or loopback. */
  readonly allowedBackends: readonly string[];
  /** `vpcId/instanceId` → host. */
  readonly vpcTargets: Readonly<Record<string, string>>;
  /** Absolute path; holds unpacked container images. Null: none are served. */
  readonly imageDirectory: string | null;
  /** Addresses and CIDR blocks of proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** Bytes of one request's body, target and headers. */
  readonly requestLimits: { readonly body: number; readonly target: number; readonly headers: number };
  /** Longest ServiceTimeout that an API may have, milliseconds. */
  readonly apiTimeoutMaxMs: number;
  readonly httpsPolicy: HttpsPolicy;
  /** Groups without a domain of their own are as few as in the cloud. */
  readonly limitsUnboundGroups: boolean;
  /** Calls a second that each API group may have; null: as many as come. */
  readonly groupLimit: number | null;
  /** Processes that share gateway and functions. */
  readonly dataProcesses: number;
  /** Calls a second that all API groups together may have; null: as many as come. */
  readonly instanceLimit: number | null;
  readonly spareMemoryMb: number;
  /** Addresses and CIDR blocks that are not the internet; null: private and loopback ones. */
  readonly intranet: readonly string[] | null;
  /** Where traces go; null: nowhere. `ratio`: the share, 0 to 1, of those that begin here. */
  readonly traces: {
    readonly endpoint: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly ratio: number;
  } | null;
  readonly printCredentials: boolean;
  /** Told each line that a function prints. Absent: nobody is. */
  readonly onOutput?: (line: OutputLine) => void;
};

/** Where a ready server listens: the ready line without `event` and `project`. Addresses are `http://host:port`. */
export type ReadyFacts = {
  readonly gateway: string;
  readonly gatewayTls: string | null;
  readonly http: string;
  readonly api: string;
  readonly console: string;
  readonly accountId: string;
  readonly region: string;
  readonly accessKeyId: string;
  /** Absolute path of `credentials.json`, mode 0600. */
  readonly credentialsFile: string;
  readonly isolation: string;
  /** The network that functions get: `open`, `none`, or the `host`'s own. */
  readonly network?: NetworkMode;
  /** What carries their packets out: `kernel`, `pasta`; null in the host's network. */
  readonly carrier?: string | null;
  /** What starts instances: `sandd` (native) or, slower, `node`. */
  readonly launcher?: 'sandd' | 'node';
};

export type ServerCredentials = {
  readonly accountId: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
};

export type RunningServer = {
  readonly ready: ReadyFacts;
  readonly credentials: ServerCredentials;
  /** Resolves when the server has ended, however it came about. */
  readonly onExit: Promise<{ readonly reason: string }>;
  setDefaultGroup(groupId: string): Promise<void>;
  /** Stops accepting, finishes what runs (bounded), ends every instance. */
  close(): Promise<void>;
};

/**
 * `<data-dir>/server.json`: how client commands find a running server. Written by the server when ready, removed at stop.
 */
export type ServerFile = {
  readonly pid: number;
  readonly gateway: string;
  readonly gatewayTls: string | null;
  readonly http: string;
  readonly api: string;
  readonly region: string;
};

export type Output = { write(chunk: string | Uint8Array): unknown };

/** Everything the command line needs from outside. The optional members default to this process's own. */
export type CliDeps = {
  startServer(options: ServerOptions): Promise<RunningServer>;
  /** Whether this machine has a Python 3 that can run functions. */
  discoverPython(): Promise<boolean>;
  /** What `dev --debug` needs and this machine lacks, with the line that installs it; null: nothing. Absent: not asked. */
  findMissingDebugger?(about: DebuggerQuestion): Promise<string | null>;
  /** Puts a package's files into `directory`, in the place of what is there. Absent where no server can be started either. */
  unpackCode?(zip: Buffer, directory: string): Promise<void>;
  /** What keeps functions apart here, by trying it. Absent where no server can be started either. */
  probeIsolation?(): Promise<IsolationReport>;
  /** What runs functions here. Absent where no server can be started either. */
  runtimes?(): RuntimeTools;
  /** Absent where no server can be started either. */
  readonly pullImage?: PullImage;
  readonly version: string;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin?: AsyncIterable<Uint8Array | string>;
  /** Calls `stop` at the first SIGTERM or SIGINT; the result undoes it. */
  readonly onStopSignal?: (stop: () => void) => () => void;
};
