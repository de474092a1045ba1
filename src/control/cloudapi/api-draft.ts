// The draft of an API as one piece: compiled definition, the form for echoing, and what an answer shows of it.
import type { ApiDefinition } from '../../model/api.ts';
import type { ApiRow } from '../../store/rows.ts';
import type { NestedRecord } from '../rpc/nested.ts';
import { type ApiConfig, isNestedRecord, listNames, memberRecord, memberText, scalarNames } from './api-config.ts';
import { readApiDefinition } from './api-definition.ts';
import { isOn } from './backend.ts';
import { liftOlderParameters } from './older-parameters.ts';
import { checkParameterRules } from './parameter-rules.ts';

/** What a draft row holds of a configuration. */
export type Draft = Pick<ApiRow, 'description' | 'visibility' | 'definition' | 'wire'>;

/** Checks a configuration and makes a draft of it. Errors: those of api-definition.ts and parameter-rules.ts. */
export function makeDraft(config: ApiConfig, limits: { timeoutMaxMs: number; regionId: string }): Draft {
  const lifted = liftOlderParameters(config);
  const definition = readApiDefinition(lifted, limits);
  checkParameterRules(definition);
  return {
    description: config.Description,
    visibility: config.Visibility === 'PUBLIC' ? 'PUBLIC' : 'PRIVATE',
    definition,
    wire: { ...lifted, ServiceConfig: echoService(lifted.ServiceConfig, definition) },
  };
}

/** ServiceConfig with the members that answers always have. Source: sdk. */
function echoService(service: NestedRecord, definition: ApiDefinition): NestedRecord {
  const target = memberRecord(service, 'FunctionComputeConfig');
  const region = target === null ? '' : memberText(target, 'FcRegionId') || memberText(target, 'RegionId');
  const { backend } = definition;
  const regionId = region !== '' ? region : backend.kind === 'function-event' ? backend.regionId : '';
  return {
    ...service,
    ServiceTimeout: definition.backend.timeoutMs,
    Mock: isOn(service, 'Mock') || definition.backend.kind === 'mock' ? 'TRUE' : 'FALSE',
    ServiceVpcEnable: isOn(service, 'ServiceVpcEnable') ? 'TRUE' : 'FALSE',
    ...(target === null
      ? {}
      : {
          FunctionComputeConfig: {
            ...target,
            FcType: memberText(target, 'FcType') || 'FCEvent',
            FcVersion: memberText(target, 'FcVersion') || (memberText(target, 'ServiceName') === '' ? '3.0' : '2.0'),
            FcRegionId: regionId,
            RegionId: regionId,
          },
        }),
  };
}

/** The configuration that a stored draft came from; ModifyApiConfiguration changes parts of it. */
export function configOf(row: ApiRow): ApiConfig {
  const { wire } = row;
  const record = (name: string): NestedRecord => (isNestedRecord(wire[name]) ? wire[name] : {});
  const list = (name: string): readonly NestedRecord[] => {
    const value = wire[name];
    return Array.isArray(value) ? value.filter(isNestedRecord) : [];
  };
  const text = (name: string): string => (typeof wire[name] === 'string' ? wire[name] : '');
  const scalars = Object.fromEntries(scalarNames.map((name) => [name, text(name)])) as Pick<
    ApiConfig,
    (typeof scalarNames)[number]
  >;
  const lists = Object.fromEntries(listNames.map((name) => [name, list(name)])) as Pick<
    ApiConfig,
    (typeof listNames)[number]
  >;
  return {
    ...scalars,
    ...lists,
    AllowSignatureMethod: text('AllowSignatureMethod'),
    ForceNonceCheck: wire['ForceNonceCheck'] === true,
    DisableInternet: wire['DisableInternet'] === true,
    BackendEnable: wire['BackendEnable'] === true,
    RequestConfig: record('RequestConfig'),
    ServiceConfig: record('ServiceConfig'),
    OpenIdConnectConfig: isNestedRecord(wire['OpenIdConnectConfig']) ? wire['OpenIdConnectConfig'] : null,
  };
}

/** The members by which answers tell a definition, draft or deployed. The catalogue picks and wraps. */
export function showDefinition(row: ApiRow): Readonly<Record<string, unknown>> {
  const mock = row.definition.backend.kind === 'mock' ? row.definition.backend : null;
  return {
    ...row.wire,
    ApiId: row.apiId,
    GroupId: row.groupId,
    ApiName: row.definition.apiName,
    Description: row.description,
    Visibility: row.visibility,
    Mock: mock === null ? 'CLOSED' : 'OPEN',
    MockResult: mock?.body,
  };
}
