// The rules between an API's parameters, its path and the backend's parameters. Called before a draft is stored.
import type { ApiDefinition } from '../../model/api.ts';
import { headerName } from '../../wire/header-grammar.ts';
import { openApiError } from '../errors.ts';
import { pathVariables } from './api-definition.ts';

function firstDuplicate(names: readonly string[]): string | null {
  return names.find((name, at) => names.indexOf(name) !== at) ?? null;
}

/** Source: sdk for DuplicateRequestParamaters, misspelled so; the others assumed. */
function checkDuplicates(definition: ApiDefinition): void {
  const requests = firstDuplicate(definition.parameters.map((parameter) => parameter.name));
  if (requests !== null) {
    throw openApiError('DuplicateRequestParamaters', `RequestParameters holds ${requests} more than once.`);
  }
  const backend = [...definition.serviceParameters, ...definition.constants, ...definition.systems];
  const places = backend.map((parameter) => {
    const name = 'serviceName' in parameter ? parameter.serviceName : parameter.name;
    return `${parameter.location} ${name}`;
  });
  const services = firstDuplicate(places);
  if (services !== null) {
    throw openApiError('DuplicateServiceParameters', `The backend parameter ${services} is given more than once.`);
  }
  checkNames(definition);
}

/** Names of request parameters, constants and system parameters are unique in an API, wherever they are. Source: docs; the code is assumed. */
function checkNames({ parameters, constants, systems }: ApiDefinition): void {
  const own = [...new Set(constants.map(({ serviceName }) => serviceName))];
  const system = [...new Set(systems.map(({ serviceName }) => serviceName))];
  const twice = firstDuplicate([...parameters.map(({ name }) => name), ...own, ...system]);
  if (twice === null) return;
  throw openApiError(
    'DuplicateRequestParamaters',
    `The name ${twice} is given to more than one of RequestParameters, ConstantParameters and SystemParameters.`,
  );
}

function checkPathVariables(definition: ApiDefinition): void {
  const inPath = pathVariables(definition.request.path);
  const twice = firstDuplicate(inPath);
  if (twice !== null) throw openApiError('InvalidRequestPath', `RequestPath holds [${twice}] more than once.`);
  const declared = definition.parameters.filter((parameter) => parameter.location === 'PATH').map(({ name }) => name);
  for (const name of declared) {
    if (!inPath.includes(name)) {
      throw openApiError('InvalidRequestPath', `The PATH parameter ${name} must appear in RequestPath as [${name}].`);
    }
  }
  if (definition.request.mode === 'PASSTHROUGH') return;
  for (const name of inPath) {
    if (!declared.includes(name)) {
      throw openApiError(
        'InvalidRequestParameters',
        `RequestPath holds [${name}]; RequestParameters needs it with Location PATH.`,
      );
    }
  }
}

/** What goes into the backend's path must have a place there (source: docs), and each place something (assumed). */
function checkServicePath({ backend, request, serviceParameters, constants, systems }: ApiDefinition): void {
  if (!('path' in backend) || backend.path === '') return;
  const inPath = pathVariables(backend.path);
  const backendParameters = [...constants, ...systems].map(({ serviceName, location }) => ({
    name: serviceName,
    location,
  }));
  const filled = [...serviceParameters, ...backendParameters].filter(({ location }) => location === 'PATH');
  const names = [...filled.map(({ name }) => name), ...pathVariables(request.path)];
  const open = inPath.find((name) => !names.includes(name));
  if (open !== undefined) {
    throw openApiError(
      'InvalidServicePath',
      `ServicePath holds [${open}]; ServiceParameters needs it with Location PATH.`,
    );
  }
  const lost = serviceParameters.find(({ name, location }) => location === 'PATH' && !inPath.includes(name));
  if (lost === undefined) return;
  throw openApiError(
    'InvalidServicePath',
    `The PATH service parameter ${lost.name} must appear in ServicePath as [${lost.name}].`,
  );
}

/** What goes into the backend's headers must be a header's name there: the gateway could not send it. Source: assumed. */
function checkHeaderNames({ serviceParameters, constants, systems }: ApiDefinition): void {
  const own = [...constants, ...systems].map(({ serviceName, location }) => ({ name: serviceName, location }));
  const wrong = [...serviceParameters, ...own].find(
    ({ name, location }) => location === 'HEAD' && !headerName.test(name),
  );
  if (wrong === undefined) return;
  throw openApiError(
    'InvalidServiceParameterName',
    `The ServiceParameterName ${wrong.name.slice(0, 100)} has the Location HEAD and is no name of a header.`,
  );
}

function checkMappings(definition: ApiDefinition): void {
  const requests = definition.parameters.map((parameter) => parameter.name);
  const services = definition.serviceParameters.map((parameter) => parameter.name);
  for (const { requestName, serviceName } of definition.mappings) {
    if (!requests.includes(requestName)) {
      throw openApiError(
        'InvalidServiceParametersMap',
        `ServiceParametersMap names ${requestName}, which RequestParameters lacks.`,
      );
    }
    if (!services.includes(serviceName)) {
      throw openApiError(
        'InvalidServiceParametersMap',
        `ServiceParametersMap names ${serviceName}, which ServiceParameters lacks.`,
      );
    }
  }
  const twice = firstDuplicate(definition.mappings.map((mapping) => mapping.serviceName));
  if (twice !== null) {
    throw openApiError(
      'InvalidServiceParametersMap',
      `ServiceParametersMap maps to the service parameter ${twice} more than once.`,
    );
  }
  for (const name of services) {
    if (!definition.mappings.some((mapping) => mapping.serviceName === name)) {
      throw openApiError(
        'InvalidServiceParametersMap',
        `The service parameter ${name} needs a row in ServiceParametersMap.`,
      );
    }
  }
  if (definition.request.mode === 'PASSTHROUGH') return;
  for (const name of requests) {
    const rows = definition.mappings.filter((mapping) => mapping.requestName === name).length;
    if (rows !== 1) {
      throw openApiError(
        'InvalidServiceParametersMap',
        `The request parameter ${name} needs exactly one row in ServiceParametersMap, not ${rows}.`,
      );
    }
  }
}

/** Errors: Duplicate..., InvalidRequestPath, InvalidRequestParameters, InvalidServiceParameterName, InvalidServiceParametersMap. Source: docs. */
export function checkParameterRules(definition: ApiDefinition): void {
  checkDuplicates(definition);
  checkPathVariables(definition);
  checkServicePath(definition);
  checkHeaderNames(definition);
  checkMappings(definition);
}
