// What a function is, as it is published to the data process. Control makes it, functions/ runs it.
import { createHash } from 'node:crypto';

/** Temporary credentials handed to function code. `expiresAt` in epoch ms. */
export type Credentials = {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken: string;
  readonly expiresAt: number;
};

export type Hook = { readonly handler: string; readonly timeoutMs: number };

/** How the health of a custom runtime's server is asked for; times in ms. */
export type HealthCheck = {
  /** Path with query, begins with `/`. */
  readonly httpGetUrl: string;
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly failureThreshold: number;
  readonly successThreshold: number;
};

/** The program of a custom runtime or container: what starts it and where it listens. */
export type ServerProgram = {
  /** Empty: the file `bootstrap` of the code; of a container what the image says. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly port: number;
  readonly healthCheck: HealthCheck | null;
  /** Of a container: the image's reference, and whether it is a server at all (else it runs once and exits). */
  readonly image: { readonly reference: string; readonly isServer: boolean } | null;
};

/** One runnable function: configuration and code of one version, as it is called by one qualifier. */
export type FunctionConfig = {
  /** `service/function` (FC 2) or `function` (FC 3), see functionKey(). */
  readonly key: string;
  readonly accountId: string;
  readonly regionId: string;
  /** null for an FC 3 function. */
  readonly serviceName: string | null;
  readonly functionName: string;
  /** `LATEST` or a decimal version id. */
  readonly versionId: string;
  /** What the caller named: the version id, or an alias that led to it. */
  readonly qualifier: string;
  /** Wire id, e.g. `python3.10`. Accepted at create even when nothing here can run it. */
  readonly runtime: string;
  readonly handler: string;
  readonly memoryMb: number;
  readonly timeoutMs: number;
  readonly initializer: Hook | null;
  /** Run before the instance is frozen, and before it ends. FC 2 has both, FC 3 only preStop. */
  readonly preFreeze?: Hook | null;
  readonly preStop?: Hook | null;
  readonly environment: Readonly<Record<string, string>>;
  /** Requests that one instance may get at once. */
  readonly instanceConcurrency: number;
  /** Processors that its memory or its owner gives an instance; absent: 1. */
  readonly cpu?: number;
  /** Processors that its owner set, which an instance may not use more of; absent: they were not set. */
  readonly cpuLimit?: number;
  /** Only provisioned instances serve it. */
  readonly disablesOnDemand?: boolean;
  /** An instance unused for so long ends; absent or null: as everywhere. */
  readonly idleMs?: number | null;
  /** From so many in each on, a further instance is started. Absent or null: from instanceConcurrency on. */
  readonly softConcurrency?: number | null;
  /** Custom runtimes and containers only. */
  readonly server?: ServerProgram;
  /** The ARN that it acts as; null when it has none. */
  readonly role: string | null;
  /** False: its instances reach nothing but the doorway. Absent: true. */
  readonly internetAccess?: boolean;
  readonly logProject: string;
  readonly logStore: string;
  /** Where the function is to send its spans; absent: its owner named nowhere. */
  readonly jaegerEndpoint?: string;
  readonly code: {
    /** CRC-64/XZ of the uploaded zip, unsigned decimal: the wire's codeChecksum. */
    readonly checksum: string;
    /** Bytes of the zip. */
    readonly sizeBytes: number;
    /** Absolute path of the unpacked package; read-only, never changes for one checksum. */
    readonly directory: string;
  };
  /** Absolute path of its layers as one directory, later ones over earlier ones; read-only. Absent or null: it has none. */
  readonly layersDirectory?: string | null;
};

/**
 * The one name under which control publishes and the gateway looks up a function.
 *
 * Shape: `service/function` (FC 2) or `function` (FC 3); neither name may hold a slash.
 */
export function functionKey(serviceName: string | null, functionName: string): string {
  return serviceName === null ? functionName : `${serviceName}/${functionName}`;
}

/** The version that is being worked on; every other is frozen. Source: sdk. */
export const latest = 'LATEST';

/** Neither LATEST nor a version id: only an alias goes by what a call carries. */
export function namesAlias(qualifier: string | null): boolean {
  return qualifier !== null && qualifier !== latest && !/^\d+$/.test(qualifier);
}

/**
 * What versions and aliases belong to.
 *
 * Shape: `services/<service>` (FC 2: the service with all its functions) or `functions/<function>` (FC 3).
 */
export function versionOwner(serviceName: string | null, functionName: string): string {
  return serviceName === null ? `functions/${functionName}` : `services/${serviceName}`;
}

/** The key under which one version of a function is published: functionKey() for LATEST, else `<functionKey>@<versionId>`. */
export function publishedFunctionKey(key: string, versionId: string): string {
  return versionId === latest ? key : `${key}@${versionId}`;
}

/** The key of a published version or alias: `<versionOwner>@<version or alias>`. */
export function qualifiedKey(owner: string, qualifier: string): string {
  return `${owner}@${qualifier}`;
}

/**
 * The directory, beside the packages, that shows some packages as one: the package itself when there is only one.
 * `sha256s` in the order in which they lie upon each other.
 */
export function mergedName(sha256s: readonly string[]): string | null {
  const [only, ...others] = sha256s;
  if (only === undefined || others.length === 0) return only ?? null;
  return `layers-${createHash('sha256').update(sha256s.join('\n')).digest('hex')}`;
}
