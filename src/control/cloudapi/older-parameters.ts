// The older way to give constants and system parameters: a request parameter, a service parameter with a ParameterCatalog, and a map row.
// terraform and funcraft still send it; it is turned into ConstantParameters and SystemParameters. Called by api-definition.ts.
import { openApiError } from '../errors.ts';
import type { NestedRecord } from '../rpc/nested.ts';
import { type ApiConfig, memberText } from './api-config.ts';

/**
 * The same configuration with both older forms moved to where the newer one has them.
 *
 * Errors: InvalidServiceParametersMap when such a service parameter has no map row, or its row names no request parameter.
 * Source: sdk.
 */
export function liftOlderParameters(config: ApiConfig): ApiConfig {
  const constants: NestedRecord[] = [];
  const systems: NestedRecord[] = [];
  const usedRequests = new Set<string>();
  const usedServices = new Set<string>();
  for (const parameter of config.ServiceParameters) {
    const catalog = memberText(parameter, 'ParameterCatalog');
    if (catalog !== 'CONSTANT' && catalog !== 'SYSTEM') continue;
    const name = memberText(parameter, 'ServiceParameterName');
    const source = findSource(config, name);
    const requestName = memberText(source, 'ApiParameterName');
    const common = { ServiceParameterName: name, Location: memberText(parameter, 'Location') };
    const description = memberText(source, 'Description');
    if (catalog === 'CONSTANT') {
      constants.push({ ...common, ConstantValue: memberText(source, 'DefaultValue'), Description: description });
    } else {
      systems.push({
        ...common,
        ParameterName: requestName,
        DemoValue: memberText(source, 'DemoValue'),
        Description: description,
      });
    }
    usedRequests.add(requestName);
    usedServices.add(name);
  }
  if (usedServices.size === 0) return config;
  const isFree = (row: NestedRecord) => !usedServices.has(memberText(row, 'ServiceParameterName'));
  return {
    ...config,
    RequestParameters: config.RequestParameters.filter((row) => !usedRequests.has(memberText(row, 'ApiParameterName'))),
    ServiceParameters: config.ServiceParameters.filter(isFree),
    ServiceParametersMap: config.ServiceParametersMap.filter(isFree),
    ConstantParameters: [...config.ConstantParameters, ...constants],
    SystemParameters: [...config.SystemParameters, ...systems],
  };
}

function findSource(config: ApiConfig, serviceName: string): NestedRecord {
  const row = config.ServiceParametersMap.find(
    (candidate) => memberText(candidate, 'ServiceParameterName') === serviceName,
  );
  const requestName = row === undefined ? '' : memberText(row, 'RequestParameterName');
  const source = config.RequestParameters.find(
    (candidate) => memberText(candidate, 'ApiParameterName') === requestName,
  );
  if (source === undefined) {
    throw openApiError(
      'InvalidServiceParametersMap',
      `The service parameter ${serviceName} needs a row in ServiceParametersMap that names a request parameter.`,
    );
  }
  return source;
}
