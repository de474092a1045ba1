// The compact form in which the snapshot keeps definitions until a request needs them: there may be 100,000.
// Called by compile-api.ts.
import type { ApiDefinition } from '../model/api.ts';
import {
  authDefaults,
  listDefaults,
  parameterDefaults,
  requestDefaults,
  serviceDefaults,
} from '../model/api-defaults.ts';

/** Members that no request needs. */
const notNeeded: ReadonlySet<string> = new Set(['demoValue', 'docShow', 'docOrder', 'description']);

type Members = Readonly<Record<string, unknown>>;

/** The members of `value` that differ from what most definitions say. */
function differing(value: object, defaults: object): Members {
  const known: Members = { ...defaults };
  const kept: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    if (member === known[name] || notNeeded.has(name)) continue;
    if (typeof member === 'object' && JSON.stringify(member) === JSON.stringify(known[name])) continue;
    kept[name] = member;
  }
  return kept;
}

/** JSON text, about a fifth of the definition's own. */
export function packDefinition(definition: ApiDefinition): string {
  const packed = {
    ...definition,
    auth: differing(definition.auth, authDefaults),
    request: differing(definition.request, requestDefaults),
    parameters: definition.parameters.map((parameter) => differing(parameter, parameterDefaults)),
    serviceParameters: definition.serviceParameters.map((parameter) => differing(parameter, serviceDefaults)),
    mappings: definition.mappings.map(({ requestName, serviceName }) =>
      requestName === serviceName ? requestName : [requestName, serviceName],
    ),
  };
  return JSON.stringify(differing(packed, listDefaults));
}

type Packed = Omit<ApiDefinition, 'mappings'> & { readonly mappings: readonly (string | readonly [string, string])[] };

/** The definition again, without what only documents it. `packed` must come from packDefinition(). */
export function unpackDefinition(packed: string): ApiDefinition {
  const value = { ...listDefaults, ...JSON.parse(packed) } as Packed;
  return {
    ...value,
    auth: { ...authDefaults, ...value.auth },
    request: { ...requestDefaults, ...value.request },
    parameters: value.parameters.map((parameter) => ({ ...parameterDefaults, ...parameter })),
    serviceParameters: value.serviceParameters.map((parameter) => ({ ...serviceDefaults, ...parameter })),
    mappings: value.mappings.map((pair) => {
      const [requestName, serviceName] = typeof pair === 'string' ? [pair, pair] : pair;
      return { requestName, serviceName };
    }),
  };
}
