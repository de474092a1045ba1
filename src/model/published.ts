// What control publishes and data processes follow: small immutable facts by kind and key, each with the version
// (a number that only grows) of the write that made it. A null value says the fact is gone.
import type { AliasRoute } from './alias-route.ts';
import type { ApiDefinition, Backend, StageName, StageVariable } from './api.ts';
import type { FunctionConfig } from './function.ts';
import type { GroupOptions } from './group-options.ts';
import type { HttpTrigger } from './http-function.ts';
import type { HttpsPolicy } from './https-policy.ts';
import type { InstanceLimit, Provision } from './scaling.ts';

/** A domain that was bound to a group. */
export type PublishedDomain = {
  /** Lower case; `*.example.com` for a wildcard domain. */
  readonly host: string;
  /** Null: every stage, chosen by header. */
  readonly stage: StageName | null;
  /** Answers plain HTTP with a redirect to the same URL on HTTPS. */
  readonly redirectsToHttps?: boolean;
  /** For callers of the intranet only. */
  readonly isIntranet?: boolean;
  /** Of a wildcard domain: names for what the star stands for, `${Name}.example.com`. */
  readonly patterns?: readonly string[];
};

/** Key: the domain's host, lower case. PEM texts; the chain begins with the domain's own certificate. */
export type PublishedCertificate = {
  readonly host: string;
  readonly chain: string;
  readonly privateKey: string;
};

/** Key: groupId. */
export type PublishedGroup = {
  readonly groupId: string;
  readonly regionId: string;
  /** `{groupId}-{regionId}.alicloudapi.com`. */
  readonly subDomain: string;
  /** `/` or `/prefix` without a trailing slash. */
  readonly basePath: string;
  readonly domains: readonly PublishedDomain[];
  /** Answers errors as classic-network instances do. */
  readonly isClassic: boolean;
  /** The code of simple authentication is not sent on to backends. */
  readonly stripsAppCode?: boolean;
  readonly options?: GroupOptions;
  /** Absent: the gateway's. */
  readonly httpsPolicy?: HttpsPolicy;
  /** Absent: true. Whether its subDomain is served. */
  readonly hasOwnDomain?: boolean;
  /** Absent: true. Whether `{groupId}-{regionId}-vpc.alicloudapi.com` is served. */
  readonly hasIntranetDomain?: boolean;
  /** Callers must come from the intranet, by whichever domain. */
  readonly isIntranetOnly?: boolean;
};

/** An API as deployed to a stage. Key: `apiId/stage`. */
export type PublishedApi = {
  readonly apiId: string;
  readonly groupId: string;
  readonly stage: StageName;
  readonly definition: ApiDefinition;
};

/** Key: appId in decimal. */
export type PublishedApp = {
  readonly appId: number;
  readonly appName: string;
  readonly keys: readonly { readonly key: string; readonly secret: string }[];
  /** Codes of simple authentication. */
  readonly codes?: readonly string[];
};

/** Key: `appId/apiId/stage`. `expiresAt` in epoch ms, null = never. */
export type PublishedGrant = {
  readonly appId: number;
  readonly apiId: string;
  readonly stage: StageName;
  readonly expiresAt: number | null;
};

/** One version of a function. Key: publishedFunctionKey(). The code lies where the data process is told that packages lie. */
export type PublishedFunction = Omit<FunctionConfig, 'qualifier' | 'code' | 'layersDirectory'> & {
  /** Name of the directory that holds its layers, beside the packages. Absent or null: it has none. */
  readonly layers?: string | null;
  readonly code: {
    /** Lower-case hex of the package's bytes. */
    readonly sha256: string;
    readonly checksum: string;
    readonly sizeBytes: number;
  };
};

/** A published version. Key: qualifiedKey(owner, versionId). Lets an invocation tell a missing version from a missing function. */
export type PublishedVersion = { readonly owner: string; readonly versionId: string };

/** Key: qualifiedKey(owner, aliasName). */
export type PublishedAlias = {
  readonly owner: string;
  readonly aliasName: string;
  readonly versionId: string;
  /** Shares of other versions, each 0 to 1, together at most 1; the rest is for `versionId`. */
  readonly additionalVersionWeight: Readonly<Record<string, number>>;
  /** Which calls go to the first of those versions, all others to `versionId`; absent: as many as the shares say. */
  readonly route?: AliasRoute;
};

/** Key: the service name. Lets an invocation tell a missing service from a missing function. */
export type PublishedService = { readonly serviceName: string };

/** Key: `groupId/stage`. Withdrawn when the stage has no variables. */
export type PublishedStage = {
  readonly groupId: string;
  readonly stage: StageName;
  readonly variables: readonly StageVariable[];
};

/** What a backend definition is in one stage. Key: `backendId/stage`. Path and method come from the API. */
export type PublishedBackend = {
  readonly backendId: string;
  readonly stage: StageName;
  readonly backend: Exclude<Backend, { readonly kind: 'shared' }>;
};

/** Key: the name of the access grant. */
export type PublishedVpcAccess = {
  readonly name: string;
  readonly vpcId: string;
  readonly instanceId: string;
  readonly port: number;
  readonly hostHeader: string | null;
};

/** Key: the policy's id. Limits are calls in one unit of time; null: no such limit. */
export type PublishedTrafficControl = {
  readonly trafficControlId: string;
  readonly unit: 'SECOND' | 'MINUTE' | 'HOUR' | 'DAY';
  readonly apiDefault: number;
  readonly userDefault: number | null;
  readonly appDefault: number | null;
  /** Limits of single apps (`key` is an AppId) and accounts instead of the default ones. */
  readonly specials: readonly { readonly type: 'APP' | 'USER'; readonly key: string; readonly limit: number }[];
  /** The account that the apps of this installation belong to. */
  readonly accountId: string;
};

/** Key: the policy's id. `blocks`: addresses and CIDR blocks; `appId` null: for every caller. */
export type PublishedIpControl = {
  readonly ipControlId: string;
  readonly type: 'ALLOW' | 'REFUSE';
  readonly items: readonly { readonly appId: number | null; readonly blocks: readonly string[] }[];
};

/** Key: its id. What the gateway signs backend requests with. */
export type PublishedSignatureKey = {
  readonly signatureId: string;
  readonly key: string;
  readonly secret: string;
};

/** The policies that an API is bound to in a stage. Key: `apiId/stage`. Withdrawn when there is none. */
export type PublishedPolicies = {
  readonly apiId: string;
  readonly stage: StageName;
  readonly trafficControlId: string | null;
  readonly ipControlId: string | null;
  readonly signatureId: string | null;
};

export type PublishedValues = {
  readonly group: PublishedGroup;
  readonly certificate: PublishedCertificate;
  readonly stage: PublishedStage;
  readonly backend: PublishedBackend;
  readonly vpcAccess: PublishedVpcAccess;
  readonly trafficControl: PublishedTrafficControl;
  readonly ipControl: PublishedIpControl;
  readonly signatureKey: PublishedSignatureKey;
  readonly policies: PublishedPolicies;
  readonly api: PublishedApi;
  readonly app: PublishedApp;
  readonly grant: PublishedGrant;
  readonly service: PublishedService;
  readonly version: PublishedVersion;
  readonly alias: PublishedAlias;
  readonly function: PublishedFunction;
  /** Key: httpTriggerKey(). */
  readonly httpTrigger: HttpTrigger;
  /** Key: scalingKey(). */
  readonly instanceLimit: InstanceLimit;
  /** Key: scalingKey(). */
  readonly provision: Provision;
};
export type PublishedKind = keyof PublishedValues;

export type Change = {
  [K in PublishedKind]: { readonly kind: K; readonly key: string; readonly value: PublishedValues[K] | null };
}[PublishedKind];

/** Changes that become visible together. `version` is the state reached after applying them. */
export type ChangeBatch = { readonly version: number; readonly changes: readonly Change[] };
