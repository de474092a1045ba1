// The system parameters that an API may ask for. Their values are in system-values.ts.

/** Source: docs, live (dumps of real APIs). */
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
] as const;
export type SystemName = (typeof systemNames)[number];

const known: ReadonlySet<string> = new Set(systemNames);

export function isSystemName(name: string): name is SystemName {
  return known.has(name);
}
