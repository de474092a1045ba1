// How each table is kept: its key, its searchable columns, what is unique, what is sealed. Read by collection.ts and migrations.
import type { PublishedKind } from '../model/published.ts';
import { scalingKey } from '../model/scaling.ts';
import type { Tables } from './rows.ts';

export type ColumnValue = string | number;

export type TableSpec<Row, Index extends string> = {
  key(row: Row): string;
  /** The form of a key (or of the beginning of one) in the database, where that sorts better than the plain form. */
  readonly keyOrder?: (key: string) => string;
  readonly columns: { readonly [C in Index]: (row: Row) => ColumnValue };
  /** True for rows that hold secrets: their JSON is encrypted. Columns never are, so no secret may be a column. */
  readonly isSealed: boolean;
};

type TableSpecs = { readonly [T in keyof Tables]: TableSpec<Tables[T]['row'], Tables[T]['index']> };

/** Digits of the largest safe integer. */
const idDigits = 16;

/** Puts leading zeros before the first segment, so that the order of text is the order of numbers: `12/a` → `0000000000000012/a`. */
export function padFirstNumber(key: string): string {
  return key.replace(/^\d+/, (digits) => digits.padStart(idDigits, '0'));
}

/** The same for a number as the last segment: `services/s/7` → `services/s/0000000000000007`. */
export function padLastNumber(key: string): string {
  return key.replace(/(?<=\/)\d+$/, (digits) => digits.padStart(idDigits, '0'));
}

export const tableSpecs: TableSpecs = {
  groups: {
    key: (row) => row.groupId,
    columns: { groupName: (row) => row.groupName },
    isSealed: false,
  },
  // Sealed for the private keys of certificates.
  domains: { key: (row) => row.domainName, columns: { groupId: (row) => row.groupId }, isSealed: true },
  models: {
    key: (row) => row.modelId,
    columns: { groupId: (row) => row.groupId, name: (row) => `${row.groupId} ${row.modelName}` },
    isSealed: false,
  },
  backends: { key: (row) => row.backendId, columns: { backendName: (row) => row.backendName }, isSealed: false },
  vpcAccesses: {
    key: (row) => row.name,
    columns: { place: (row) => `${row.vpcId} ${row.instanceId} ${row.port}` },
    isSealed: false,
  },
  trafficControls: { key: (row) => row.trafficControlId, columns: {}, isSealed: false },
  ipControls: { key: (row) => row.ipControlId, columns: {}, isSealed: false },
  signatureKeys: { key: (row) => row.signatureId, columns: {}, isSealed: true },
  policyBindings: {
    key: (row) => `${row.apiId}/${row.stage}/${row.kind}`,
    columns: { groupId: (row) => row.groupId, policy: (row) => `${row.kind} ${row.policyId}` },
    isSealed: false,
  },
  apis: {
    key: (row) => row.apiId,
    columns: {
      groupId: (row) => row.groupId,
      apiName: (row) => row.definition.apiName,
      route: (row) => `${row.groupId} ${row.definition.request.method} ${row.definition.request.path}`,
    },
    isSealed: false,
  },
  deployments: {
    key: (row) => `${row.apiId}/${row.stage}`,
    columns: { apiId: (row) => row.apiId, groupId: (row) => row.groupId },
    isSealed: false,
  },
  histories: {
    key: (row) => `${row.apiId}/${row.historyVersion}`,
    columns: { apiId: (row) => row.apiId, groupId: (row) => row.groupId },
    isSealed: false,
  },
  apps: {
    key: (row) => String(row.appId),
    keyOrder: padFirstNumber,
    columns: { appName: (row) => row.appName, appKey: (row) => row.appKey },
    isSealed: true,
  },
  grants: {
    key: (row) => `${row.appId}/${row.apiId}/${row.stage}`,
    keyOrder: padFirstNumber,
    columns: { appId: (row) => row.appId, apiId: (row) => row.apiId },
    isSealed: false,
  },
  services: { key: (row) => row.serviceName, columns: {}, isSealed: false },
  functions: {
    key: (row) => row.key,
    // A function of FC 3 has no service; a service's name is never empty, so '' finds just those.
    columns: { serviceName: (row) => row.serviceName ?? '', packageSha256: (row) => row.packageSha256 },
    isSealed: true,
  },
  versions: { key: (row) => `${row.owner}/${row.versionId}`, keyOrder: padLastNumber, columns: {}, isSealed: false },
  functionVersions: {
    key: (row) => `${row.owner}/${row.versionId}/${row.function.functionName}`,
    columns: {},
    isSealed: true,
  },
  aliases: { key: (row) => `${row.owner}/${row.aliasName}`, columns: {}, isSealed: false },
  triggers: { key: (row) => `${row.functionKey}:${row.triggerName}`, columns: {}, isSealed: false },
  instanceLimits: { key: scalingKey, columns: {}, isSealed: false },
  provisions: { key: scalingKey, columns: {}, isSealed: false },
  layers: { key: (row) => row.layerName, columns: {}, isSealed: false },
  layerVersions: {
    key: (row) => `${row.layerName}/${row.version}`,
    keyOrder: padLastNumber,
    columns: {},
    isSealed: false,
  },
  accessKeys: { key: (row) => row.accessKeyId, columns: {}, isSealed: true },
  logConfigs: { key: (row) => row.name, columns: {}, isSealed: false },
  meta: { key: (row) => row.name, columns: {}, isSealed: false },
};

/** Published facts that hold secrets: private keys; the keys of apps; what backends check requests by; environments and credentials of functions. */
export const sealedKinds = {
  group: false,
  certificate: true,
  stage: false,
  backend: false,
  vpcAccess: false,
  trafficControl: false,
  ipControl: false,
  signatureKey: true,
  policies: false,
  api: false,
  app: true,
  grant: false,
  service: false,
  version: false,
  alias: false,
  function: true,
  httpTrigger: false,
  instanceLimit: false,
  provision: false,
} as const satisfies Record<PublishedKind, boolean>;
