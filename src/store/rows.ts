// The rows that control keeps, one type a table, and the names of the columns that can be searched.
// Adding a table: a line here, a line in tables.ts and a migration.
import type { ApiDefinition, Backend, StageName, StageVariable } from '../model/api.ts';
import type { HttpTrigger } from '../model/http-function.ts';
import type { HttpsPolicy } from '../model/https-policy.ts';

/** A label that an owner put on something. */
export type TagRow = { readonly key: string; readonly value: string };

/** How a group is reached. Absent members: the gateway's policy, open to the internet, by all of its domains. */
export type GroupNetwork = {
  readonly httpsPolicy?: HttpsPolicy;
  readonly hasOwnDomain?: boolean;
  readonly hasIntranetDomain?: boolean;
  readonly isIntranetOnly?: boolean;
};

/** Key: groupId. Times in epoch ms everywhere. */
export type GroupRow = {
  readonly groupId: string;
  readonly groupName: string;
  readonly description: string;
  readonly basePath: string;
  readonly subDomain: string;
  readonly regionId: string;
  /** Answers errors as classic-network instances do. */
  readonly isClassic?: boolean;
  /** The code of simple authentication is not sent on to backends. */
  readonly stripsAppCode?: boolean;
  /** Further options as they were given, by the names of ModifyApiGroup's parameters. */
  readonly options?: {
    readonly PassthroughHeaders?: string;
    readonly CustomAppCodeConfig?: string;
    readonly CustomTraceConfig?: string;
    readonly CustomerConfigs?: string;
    readonly DefaultDomain?: string;
    readonly RpsLimitForServerless?: string;
    readonly SupportSSE?: string;
    readonly UserLogConfig?: string;
  };
  /** What ModifyApiGroupNetworkPolicy set; absent: as a group begins. */
  readonly network?: GroupNetwork;
  readonly stages: readonly {
    readonly stageId: string;
    readonly stageName: StageName;
    readonly description: string;
    readonly variables?: readonly StageVariable[];
    /** Of the last change of a variable. */
    readonly modifiedAt?: number;
  }[];
  readonly tags: readonly TagRow[];
  readonly createdAt: number;
  readonly modifiedAt: number;
};

/** A certificate of a domain. PEM texts. */
export type CertificateRow = {
  readonly certificateId: string;
  readonly certificateName: string;
  readonly chain: string;
  readonly privateKey: string;
};

/** Key: domainName. */
export type DomainRow = {
  /** Lower case; may be `*.example.com`. */
  readonly domainName: string;
  readonly groupId: string;
  readonly bindStage: StageName | null;
  readonly domainType: 'INTERNET' | 'INTRANET';
  readonly redirectsToHttps: boolean;
  /** `${Name}.example.com`; only for wildcard domains. */
  readonly patterns: readonly string[];
  readonly certificate: CertificateRow | null;
  readonly createdAt: number;
};

/** Key: modelId. Index `name`: `groupId modelName`. A JSON Schema that APIs of the group refer to. */
export type ModelRow = {
  readonly modelId: string;
  readonly groupId: string;
  readonly modelName: string;
  readonly description: string;
  /** JSON text, as given. */
  readonly schema: string;
  readonly tags: readonly TagRow[];
  readonly createdAt: number;
  readonly modifiedAt: number;
};

/** One stage's half of a backend definition. `wire` keeps the configuration as normalised for answers (PascalCase JSON). */
export type BackendModelRow = {
  readonly backendModelId: string;
  readonly stage: StageName;
  readonly description: string;
  readonly backend: Exclude<Backend, { readonly kind: 'shared' }>;
  readonly wire: Readonly<Record<string, unknown>>;
  readonly createdAt: number;
  readonly modifiedAt: number;
};

/** What a change of a backend's model reached: the APIs that were live in its stage. */
export type BackendTaskRow = {
  readonly operationId: string;
  readonly stage: StageName;
  readonly apis: readonly { readonly apiId: string; readonly groupId: string; readonly apiName: string }[];
};

/** Key: backendId. A backend that several APIs use; at most one model a stage. */
export type BackendRow = {
  readonly backendId: string;
  readonly backendName: string;
  /** The wire's `HTTP`, `VPC`, `FC_EVENT`, … */
  readonly backendType: string;
  readonly description: string;
  readonly models: readonly BackendModelRow[];
  /** Of its last changes, oldest first; absent: none yet. */
  readonly tasks?: readonly BackendTaskRow[];
  readonly tags: readonly TagRow[];
  readonly createdAt: number;
  readonly modifiedAt: number;
};

/** Key: name. Index `place`: `vpcId instanceId port`. The gateway's right to reach a place in a VPC. */
export type VpcAccessRow = {
  readonly vpcAccessId: string;
  readonly name: string;
  readonly vpcId: string;
  readonly instanceId: string;
  readonly port: number;
  readonly hostHeader: string | null;
  readonly description: string;
  readonly tags: readonly TagRow[];
  readonly createdAt: number;
};

/** Key: trafficControlId. Limits are calls in one unit of time. */
export type TrafficControlRow = {
  readonly trafficControlId: string;
  readonly name: string;
  readonly description: string;
  readonly unit: 'SECOND' | 'MINUTE' | 'HOUR' | 'DAY';
  readonly apiDefault: number;
  readonly userDefault: number | null;
  readonly appDefault: number | null;
  /** `key` is an AppId or an account id, in decimal. */
  readonly specials: readonly { readonly type: 'APP' | 'USER'; readonly key: string; readonly limit: number }[];
  readonly createdAt: number;
  readonly modifiedAt: number;
};

/** Key: ipControlId. */
export type IpControlRow = {
  readonly ipControlId: string;
  readonly name: string;
  readonly description: string;
  readonly type: 'ALLOW' | 'REFUSE';
  readonly items: readonly {
    readonly itemId: string;
    /** Null: for every caller. */
    readonly appId: number | null;
    /** Addresses and CIDR blocks. */
    readonly blocks: readonly string[];
    readonly createdAt: number;
    readonly modifiedAt: number;
  }[];
  readonly createdAt: number;
  readonly modifiedAt: number;
};

/** Key: signatureId. */
export type SignatureKeyRow = {
  readonly signatureId: string;
  readonly name: string;
  readonly key: string;
  readonly secret: string;
  readonly createdAt: number;
  readonly modifiedAt: number;
};

/** Kinds of what an API is bound to in a stage, at most one of each kind. */
export type PolicyKind = 'trafficControl' | 'ipControl' | 'signatureKey';

/** Key: `apiId/stage/kind`. Index `policy`: `kind policyId`. */
export type PolicyBindingRow = {
  readonly apiId: string;
  readonly groupId: string;
  readonly stage: StageName;
  readonly kind: PolicyKind;
  readonly policyId: string;
  readonly boundAt: number;
};

/** Key: apiId. Index `route`: `groupId METHOD path`. The draft of an API; `wire` keeps the nested configurations as normalised for answers (PascalCase JSON). */
export type ApiRow = {
  readonly apiId: string;
  readonly groupId: string;
  readonly description: string;
  readonly visibility: 'PUBLIC' | 'PRIVATE';
  readonly definition: ApiDefinition;
  readonly wire: Readonly<Record<string, unknown>>;
  readonly tags: readonly TagRow[];
  readonly createdAt: number;
  readonly modifiedAt: number;
};

/** Key: `apiId/stage`. */
export type DeploymentRow = {
  readonly apiId: string;
  readonly groupId: string;
  readonly stage: StageName;
  readonly historyVersion: string;
  readonly description: string;
  readonly deployedAt: number;
  /** The draft as it was. */
  readonly api: ApiRow;
};

/** Key: `apiId/historyVersion`. */
export type HistoryRow = DeploymentRow & { readonly status: 'ONLINE' | 'OFFLINE' };

/** A further key pair of an app. */
export type AppKeyRow = {
  readonly appKey: string;
  readonly appSecret: string;
  readonly createdAt: number;
  readonly modifiedAt: number;
};

/** A further code of an app. */
export type AppCodeRow = { readonly appCode: string; readonly createdAt: number; readonly modifiedAt: number };

/** Key: appId in decimal. */
export type AppRow = {
  readonly appId: number;
  readonly appName: string;
  readonly description: string;
  readonly appKey: string;
  readonly appSecret: string;
  /** Empty: none. */
  readonly appCode: string;
  /** Further key pairs and codes; the ones above are the oldest. */
  readonly moreKeys?: readonly AppKeyRow[];
  readonly moreCodes?: readonly AppCodeRow[];
  readonly extend: string;
  readonly tags: readonly TagRow[];
  readonly createdAt: number;
  readonly modifiedAt: number;
};

/** Key: `appId/apiId/stage`. */
export type GrantRow = {
  readonly appId: number;
  readonly apiId: string;
  readonly groupId: string;
  readonly stage: StageName;
  readonly expiresAt: number | null;
  readonly description: string;
  readonly createdAt: number;
};

/** Where the versions of something stand. */
export type Publication = {
  /** The number given last; 0 before the first. */
  readonly lastVersion: number;
  /** Whether anything was written since that one was published. */
  readonly isChanged: boolean;
};

/** Key: serviceName. */
export type ServiceRow = {
  readonly serviceName: string;
  readonly serviceId: string;
  /** The other members of the wire's Service, with defaults filled in. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly tags?: readonly TagRow[];
  /** What has been published of it and its functions; absent: nothing yet. */
  readonly publication?: Publication;
  readonly etag: string;
  readonly createdAt: number;
  readonly modifiedAt: number;
};

/** Key: `functionKey:triggerName`. An HTTP trigger: other kinds are refused. */
export type TriggerRow = {
  readonly functionKey: string;
  readonly triggerName: string;
  readonly description: string;
  readonly invocationRole: string;
  readonly createdAt: number;
  readonly modifiedAt: number;
  readonly etag: string;
  /** The configuration as given, in canonical names, with its defaults. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly published: HttpTrigger;
};

/** Key: scalingKey(). A limit of instances of one qualifier (FC 2), or of a whole function (FC 3: `qualifier` null). */
export type InstanceLimitRow = {
  readonly functionKey: string;
  readonly serviceName: string | null;
  readonly functionName: string;
  readonly qualifier: string | null;
  readonly maximum: number;
  readonly etag: string;
};

/** Key: scalingKey(). What is to be kept of a qualifier, as one of the two kinds of configuration. */
export type ProvisionRow = {
  readonly functionKey: string;
  readonly serviceName: string | null;
  readonly functionName: string;
  readonly qualifier: string;
  readonly kind: 'provision' | 'scaling';
  /** The body of the call, in canonical names. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly modifiedAt: number;
};

/** A version of a layer as a function uses it. */
export type FunctionLayer = { readonly arn: string; readonly packageSha256: string; readonly sizeBytes: number };

/** Key: `key`. */
export type FunctionRow = {
  /** functionKey(). */
  readonly key: string;
  readonly serviceName: string | null;
  readonly functionName: string;
  readonly functionId: string;
  /** The other members of the wire's Function, with defaults filled in. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly packageSha256: string;
  readonly codeChecksum: string;
  readonly codeSizeBytes: number;
  /** What `settings.layers` led to when they were given, in their order; a deleted layer version goes on here. */
  readonly layers?: readonly FunctionLayer[];
  readonly tags?: readonly TagRow[];
  /** Of a function of FC 3; absent: nothing yet. */
  readonly publication?: Publication;
  readonly etag: string;
  readonly createdAt: number;
  readonly modifiedAt: number;
};

/**
 * Key: `owner/versionId`, in the order of numbers. A published version of a service (FC 2) or of a function (FC 3).
 * Owners have the shape that versionOwner() tells.
 */
export type VersionRow = {
  readonly owner: string;
  /** Decimal, counted from 1; never used again. */
  readonly versionId: string;
  readonly description: string;
  /** The service as it was; null in FC 3. */
  readonly service: ServiceRow | null;
  readonly createdAt: number;
  readonly modifiedAt: number;
};

/** Key: `owner/versionId/functionName`. A function as it was when the version was published. */
export type FunctionVersionRow = {
  readonly owner: string;
  readonly versionId: string;
  readonly function: FunctionRow;
};

/** Key: `owner/aliasName`. */
export type AliasRow = {
  readonly owner: string;
  readonly aliasName: string;
  readonly versionId: string;
  readonly description: string;
  /** Shares of other versions, each 0 to 1; the rest is for `versionId`. */
  readonly additionalVersionWeight: Readonly<Record<string, number>>;
  /** Kept and shown, not acted on. */
  readonly resolvePolicy: string | null;
  readonly routePolicy: Readonly<Record<string, unknown>> | null;
  readonly etag: string;
  readonly createdAt: number;
  readonly modifiedAt: number;
};

/** Key: layerName. */
export type LayerRow = {
  readonly layerName: string;
  /** The number given last; none is used twice. */
  readonly lastVersion: number;
  readonly isPublic: boolean;
  /** The newest version that is still there; null when all were deleted. */
  readonly newest: LayerVersionRow | null;
};

/** Key: `layerName/version`, in the order of numbers. */
export type LayerVersionRow = {
  readonly layerName: string;
  readonly version: number;
  readonly description: string;
  readonly license: string;
  /** Runtime ids; empty: any. */
  readonly compatibleRuntime: readonly string[];
  readonly packageSha256: string;
  readonly codeChecksum: string;
  readonly codeSizeBytes: number;
  readonly createdAt: number;
};

/** Key: accessKeyId. */
export type AccessKeyRow = {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly isEnabled: boolean;
  readonly createdAt: number;
  /** Absent: admin. */
  readonly access?: 'admin' | 'read-only';
  /** When it was last used, right to the hour; absent: not yet. */
  readonly lastUsedAt?: number;
};

/** Key: name, of which there is one: the gateway's access log. Where it is delivered. */
export type LogConfigRow = {
  readonly name: 'access';
  /** As it was given. */
  readonly logType: string;
  readonly project: string;
  readonly logstore: string;
  readonly createdAt: number;
};

/** Key: name. Small facts of the installation, e.g. the account id. */
export type MetaRow = { readonly name: string; readonly value: string };

export type Tables = {
  groups: { row: GroupRow; index: 'groupName' };
  domains: { row: DomainRow; index: 'groupId' };
  models: { row: ModelRow; index: 'groupId' | 'name' };
  backends: { row: BackendRow; index: 'backendName' };
  vpcAccesses: { row: VpcAccessRow; index: 'place' };
  trafficControls: { row: TrafficControlRow; index: never };
  ipControls: { row: IpControlRow; index: never };
  signatureKeys: { row: SignatureKeyRow; index: never };
  policyBindings: { row: PolicyBindingRow; index: 'groupId' | 'policy' };
  apis: { row: ApiRow; index: 'groupId' | 'apiName' | 'route' };
  deployments: { row: DeploymentRow; index: 'apiId' | 'groupId' };
  histories: { row: HistoryRow; index: 'apiId' | 'groupId' };
  apps: { row: AppRow; index: 'appName' | 'appKey' };
  grants: { row: GrantRow; index: 'appId' | 'apiId' };
  services: { row: ServiceRow; index: never };
  functions: { row: FunctionRow; index: 'serviceName' | 'packageSha256' };
  versions: { row: VersionRow; index: never };
  functionVersions: { row: FunctionVersionRow; index: never };
  aliases: { row: AliasRow; index: never };
  triggers: { row: TriggerRow; index: never };
  instanceLimits: { row: InstanceLimitRow; index: never };
  provisions: { row: ProvisionRow; index: never };
  layers: { row: LayerRow; index: never };
  layerVersions: { row: LayerVersionRow; index: never };
  accessKeys: { row: AccessKeyRow; index: never };
  logConfigs: { row: LogConfigRow; index: never };
  meta: { row: MetaRow; index: never };
};
