// The system parameters that an API may ask for. Their values are in system-values.ts.

/** Source: docs, live (dumps of real APIs), sdk; the market's plan is spelled in both ways. */
export const systemNames = [
  'CaClientIp',
  'CaDomain',
  'CaRequestHandleTime',
  'CaAppId',
  'CaAppKey',
  'CaRequestId',
  'CaApiName',
  'CaHttpSchema',
  'CaProxy',
  'CaClientUa',
  'CaStage',
  'CaDeviceId',
  'CaCloudMarketInstanceId',
  'CaMarketExpriencePlan',
  'CaMarketExperiencePlan',
] as const;
export type SystemName = (typeof systemNames)[number];

const known: ReadonlySet<string> = new Set(systemNames);

export function isSystemName(name: string): name is SystemName {
  return known.has(name);
}
