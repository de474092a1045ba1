// What a template asks of the public APIs, as the parameters of their actions. Pure; apply.ts makes the calls.
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { ApiTemplate, FunctionReference, ParameterTemplate } from './api-definition.ts';
import type { FunctionTemplate, HttpTriggerTemplate } from './function-template.ts';
import type { ServiceTemplate, Template } from './template.ts';

export type FunctionPlan = {
  readonly serviceName: string;
  readonly functionName: string;
  /** Absolute path of a folder or zip. */
  readonly codePath: string;
  readonly runtime: string;
  /** Body of CreateFunction and UpdateFunction without functionName, code and layers. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** ARNs, or absolute paths of folders and zips that are published as layers. */
  readonly layers: readonly string[];
  readonly triggers: readonly HttpTriggerTemplate[];
};

export type ServicePlan = {
  readonly serviceName: string;
  /** Body of CreateService and UpdateService without serviceName. */
  readonly settings: Readonly<Record<string, unknown>>;
};

export type ApiPlan = {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly auth: string;
  readonly target: FunctionReference;
  readonly parameters: readonly ParameterTemplate[];
  /** Parameters of CreateApi and ModifyApi without GroupId and ApiId. */
  readonly wire: Readonly<Record<string, string>>;
};

export type GroupPlan = {
  readonly name: string;
  readonly description: string;
  readonly stage: string;
  readonly apis: readonly ApiPlan[];
};

export type Plan = {
  readonly services: readonly ServicePlan[];
  readonly functions: readonly FunctionPlan[];
  readonly groups: readonly GroupPlan[];
};

/** Role that the gateway is said to assume when a template names none, as the template tool does. Source: docs. */
const defaultRole = 'aliyunfcgeneratedapigatewayrole';

export function makePlan(template: Template, projectDir: string, place: { region: string; accountId: string }): Plan {
  return {
    services: template.services.map(planService),
    functions: template.services.flatMap((service) =>
      service.functions.map((each) => planFunction(service.name, each, projectDir)),
    ),
    groups: template.groups.map((group) => ({
      name: group.name,
      description: group.description ?? 'made by yunmen dev',
      stage: group.stage,
      apis: group.apis.map((api) => planApi(api, place)),
    })),
  };
}

function planService(service: ServiceTemplate): ServicePlan {
  const { name, description, role, internetAccess } = service;
  return {
    serviceName: name,
    settings: withoutNull({ description: description ?? '', role, internetAccess }),
  };
}

function planFunction(serviceName: string, template: FunctionTemplate, projectDir: string): FunctionPlan {
  return {
    serviceName,
    functionName: template.name,
    codePath: resolve(projectDir, template.codeUri),
    runtime: template.runtime,
    layers: template.layers.map((layer) => (layer.startsWith('acs:') ? layer : resolve(projectDir, layer))),
    triggers: template.triggers,
    settings: withoutNull({
      runtime: template.runtime,
      handler: template.handler,
      description: template.description ?? '',
      memorySize: template.memoryMb,
      timeout: template.timeoutSeconds,
      initializer: template.initializer ?? '',
      initializationTimeout: template.initializationTimeoutSeconds,
      instanceConcurrency: template.instanceConcurrency,
      environmentVariables: template.environment,
      ...template.more,
    }),
  };
}

function planApi(api: ApiTemplate, place: { region: string; accountId: string }): ApiPlan {
  const wire: Record<string, string> = {
    ApiName: api.name,
    Visibility: 'PRIVATE',
    AuthType: api.auth,
    ResultType: 'PASSTHROUGH',
    ResultSample: 'no sample',
  };
  for (const [name, value] of Object.entries(api.wire)) wire[name] = wireText(name, value);
  wire['RequestConfig'] = JSON.stringify({
    RequestProtocol: 'HTTP',
    RequestMode: 'PASSTHROUGH',
    ...api.requestConfig,
    RequestHttpMethod: api.method,
    RequestPath: api.path,
  });
  wire['ServiceConfig'] = JSON.stringify(serviceConfig(api, place));
  if (api.parameters.length > 0) {
    const { serviceParameters, mappings } = completeMappings(api);
    wire['RequestParameters'] = JSON.stringify(api.parameters.map((parameter) => parameter.wire));
    wire['ServiceParameters'] = JSON.stringify(serviceParameters);
    wire['ServiceParametersMap'] = JSON.stringify(mappings);
  }
  const { name, method, path, auth, target, parameters } = api;
  return { name, method, path, auth, target, parameters, wire };
}

function serviceConfig(api: ApiTemplate, place: { region: string; accountId: string }) {
  const { serviceName, functionName, qualifier } = api.target;
  return {
    ServiceProtocol: 'FunctionCompute',
    ServiceTimeout: api.timeoutMs,
    ContentTypeCatagory: 'DEFAULT',
    FunctionComputeConfig: withoutNull({
      FcType: 'FCEvent',
      FcVersion: serviceName === null ? '3.0' : '2.0',
      FcRegionId: place.region,
      ServiceName: serviceName,
      FunctionName: functionName,
      Qualifier: qualifier,
      RoleArn: api.roleArn ?? `acs:ram::${place.accountId}:role/${defaultRole}`,
    }),
  };
}

/**
 * Adds what the template left out: for each declared parameter a backend parameter (same place and type) and the row that joins them.
 * Source: sdk (the FC template tool's documented completion).
 */
function completeMappings(api: ApiTemplate) {
  const serviceParameters = api.serviceParameters.map((each) => ({ ParameterCatalog: 'REQUEST', ...each }));
  const mappings = [...api.mappings];
  const declared = new Set(serviceParameters.map((each) => textOf(each, 'ServiceParameterName')));
  for (const parameter of api.parameters) {
    const row = mappings.find((each) => each['RequestParameterName'] === parameter.name);
    const name = row === undefined ? parameter.name : textOf(row, 'ServiceParameterName');
    if (row === undefined) mappings.push({ RequestParameterName: parameter.name, ServiceParameterName: name });
    if (declared.has(name)) continue;
    declared.add(name);
    const completed = { ServiceParameterName: name, Location: parameter.location, ParameterType: parameter.type };
    serviceParameters.push({ ParameterCatalog: 'REQUEST', ...completed });
  }
  return { serviceParameters, mappings };
}

/** Backend place and name of each declared parameter: what the function will see. */
export function mappedParameters(
  api: ApiPlan,
): readonly { readonly name: string; readonly location: string; readonly from: ParameterTemplate }[] {
  const rows: unknown = JSON.parse(api.wire['ServiceParametersMap'] ?? '[]');
  const places: unknown = JSON.parse(api.wire['ServiceParameters'] ?? '[]');
  return api.parameters.map((from) => {
    const name = findText(rows, 'RequestParameterName', from.name, 'ServiceParameterName') ?? from.name;
    const location = findText(places, 'ServiceParameterName', name, 'Location') ?? from.location;
    return { name, location: location.toUpperCase(), from };
  });
}

/** Equal plans have equal fingerprints: lower-case hex SHA-256 of their JSON. */
export function fingerprint(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

function findText(rows: unknown, key: string, wanted: string, member: string): string | null {
  if (!Array.isArray(rows)) return null;
  for (const row of rows) {
    if (typeof row === 'object' && row !== null && textOf(row, key) === wanted) return textOf(row, member);
  }
  return null;
}

function textOf(record: object, name: string): string {
  const value: unknown = Object.entries(record).find(([each]) => each === name)?.[1];
  return typeof value === 'string' ? value : '';
}

/** Enumerations of the wire are upper case; templates write them as they like. */
const enumerations = new Set(['Visibility', 'ResultType', 'AuthType', 'AppCodeAuthType', 'WebSocketApiType']);

function wireText(name: string, value: unknown): string {
  if (typeof value === 'object') return JSON.stringify(value);
  return enumerations.has(name) ? String(value).toUpperCase() : String(value);
}

function withoutNull(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null));
}
