// The rules between an API's parameters, on whole drafts as CreateApi makes them.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApiError } from '../errors.ts';
import type { ApiConfig } from './api-config.ts';
import { makeDraft } from './api-draft.ts';

const limits = { timeoutMaxMs: 30_000, regionId: 'cn-hangzhou' };
const request = (ApiParameterName: string, Location = 'QUERY', more: object = {}) => ({
  ApiParameterName,
  Location,
  ParameterType: 'String',
  Required: 'OPTIONAL',
  ...more,
});
const service = (ServiceParameterName: string, Location = 'QUERY', more: object = {}) => ({
  ServiceParameterName,
  Location,
  ...more,
});
const map = (RequestParameterName: string, ServiceParameterName = RequestParameterName) => ({
  RequestParameterName,
  ServiceParameterName,
});
const constant = (ServiceParameterName: string, Location = 'HEAD') => ({
  ServiceParameterName,
  Location,
  ConstantValue: 'v',
});
const system = (ParameterName: string, ServiceParameterName: string, Location = 'HEAD') => ({
  ParameterName,
  ServiceParameterName,
  Location,
});

/** `GET /a/[id]` whose backend is `GET /b/[key]`, with one parameter in the path and one in the query. */
const config: ApiConfig = {
  ApiName: 'rules',
  Visibility: 'PRIVATE',
  AuthType: 'APP',
  AppCodeAuthType: 'DEFAULT',
  ResultType: 'JSON',
  ResultSample: '',
  FailResultSample: '',
  ResultBodyModel: '',
  WebSocketApiType: 'COMMON',
  BackendId: '',
  Description: '',
  AllowSignatureMethod: 'HmacSHA256',
  ForceNonceCheck: false,
  DisableInternet: false,
  BackendEnable: false,
  RequestConfig: { RequestProtocol: 'HTTP', RequestHttpMethod: 'GET', RequestPath: '/a/[id]', RequestMode: 'MAPPING' },
  ServiceConfig: { ServiceProtocol: 'HTTP', ServiceAddress: 'http://b', ServicePath: '/b/[key]', ServiceTimeout: 1000 },
  OpenIdConnectConfig: null,
  RequestParameters: [request('id', 'PATH'), request('q')],
  ServiceParameters: [service('key', 'PATH'), service('to')],
  ServiceParametersMap: [map('id', 'key'), map('q', 'to')],
  ConstantParameters: [constant('X-Fixed')],
  SystemParameters: [system('CaClientIp', 'X-Ip')],
  ErrorCodeSamples: [],
  ResultDescriptions: [],
};

function codeOf(changes: Partial<ApiConfig>): string | null {
  try {
    makeDraft({ ...config, ...changes }, limits);
    return null;
  } catch (error) {
    assert.ok(error instanceof ApiError);
    return error.code;
  }
}

const { RequestParameters, ServiceParameters, ServiceParametersMap, RequestConfig } = config;
const path = (RequestPath: string, more: object = {}) => ({
  RequestConfig: { ...RequestConfig, RequestPath, ...more },
});

const rows: readonly (readonly [what: string, code: string | null, changes: Partial<ApiConfig>])[] = [
  ['all that fits together', null, {}],
  [
    'a request parameter twice',
    'DuplicateRequestParamaters',
    { RequestParameters: [...RequestParameters, request('q', 'HEAD')] },
  ],
  ['a constant named like a request parameter', 'DuplicateRequestParamaters', { ConstantParameters: [constant('q')] }],
  [
    'a system parameter named like a constant',
    'DuplicateRequestParamaters',
    { SystemParameters: [system('CaAppId', 'X-Fixed', 'QUERY')] },
  ],
  [
    'a system parameter named like a request parameter',
    'DuplicateRequestParamaters',
    { SystemParameters: [system('CaAppId', 'id', 'QUERY')] },
  ],
  [
    'two at one place of the backend',
    'DuplicateServiceParameters',
    { SystemParameters: [system('CaAppId', 'to', 'QUERY')] },
  ],
  [
    'a constant twice at one place',
    'DuplicateServiceParameters',
    { ConstantParameters: [constant('a'), constant('a')] },
  ],
  ['a constant’s header that is none', 'InvalidServiceParameterName', { ConstantParameters: [constant('[{"a":')] }],
  [
    'a system parameter’s header that is none',
    'InvalidServiceParameterName',
    { SystemParameters: [system('CaAppId', 'a b')] },
  ],
  [
    'a header of the backend that is none',
    'InvalidServiceParameterName',
    {
      ServiceParameters: [service('key', 'PATH'), service('to:', 'HEAD')],
      ServiceParametersMap: [map('id', 'key'), map('q', 'to:')],
    },
  ],
  ['the same in the query', null, { ConstantParameters: [constant('[{"a":', 'QUERY')] }],
  ['a variable of the path twice', 'InvalidRequestPath', path('/a/[id]/[id]')],
  ['a PATH parameter that the path lacks', 'InvalidRequestPath', path('/a')],
  ['a variable of the path that is not declared', 'InvalidRequestParameters', path('/a/[id]/[other]')],
  ['the same where nothing is declared', null, path('/a/[id]/[other]', { RequestMode: 'PASSTHROUGH' })],
  [
    'a variable of the backend’s path that nothing fills',
    'InvalidServicePath',
    { ServiceConfig: { ...config.ServiceConfig, ServicePath: '/b/[key]/[none]' } },
  ],
  [
    'a PATH parameter of the backend that its path lacks',
    'InvalidServicePath',
    { ServiceConfig: { ...config.ServiceConfig, ServicePath: '/b' } },
  ],
  [
    'a map row from nowhere',
    'InvalidServiceParametersMap',
    { ServiceParametersMap: [...ServiceParametersMap, map('x', 'to')] },
  ],
  ['a map row to nowhere', 'InvalidServiceParametersMap', { ServiceParametersMap: [map('id', 'key'), map('q', 'x')] }],
  [
    'a backend parameter from two',
    'InvalidServiceParametersMap',
    { ServiceParametersMap: [...ServiceParametersMap, map('id', 'to')] },
  ],
  [
    'a backend parameter from none',
    'InvalidServiceParametersMap',
    { ServiceParameters: [...ServiceParameters, service('more')] },
  ],
  [
    'a request parameter that goes nowhere',
    'InvalidServiceParametersMap',
    { RequestParameters: [...RequestParameters, request('more')] },
  ],
  [
    'a request parameter that goes to two places',
    'InvalidServiceParametersMap',
    {
      ServiceParameters: [...ServiceParameters, service('more')],
      ServiceParametersMap: [...ServiceParametersMap, map('q', 'more')],
    },
  ],
];

describe('the parameters of an API:', () => {
  for (const [what, code, changes] of rows) it(what, () => assert.equal(codeOf(changes), code));

  it('constants and system parameters of the older form are those of the newer one', () => {
    const { definition } = makeDraft(
      {
        ...config,
        RequestParameters: [
          ...RequestParameters,
          request('fixed', 'HEAD', { DefaultValue: 'v', Description: 'd' }),
          request('CaDomain', 'HEAD', { DemoValue: 'x' }),
        ],
        ServiceParameters: [
          ...ServiceParameters,
          service('X-Old', 'HEAD', { ParameterCatalog: 'CONSTANT' }),
          service('X-Domain', 'QUERY', { ParameterCatalog: 'SYSTEM' }),
        ],
        ServiceParametersMap: [...ServiceParametersMap, map('fixed', 'X-Old'), map('CaDomain', 'X-Domain')],
      },
      limits,
    );
    assert.deepEqual(
      definition.parameters.map(({ name }) => name),
      ['id', 'q'],
    );
    assert.deepEqual(definition.constants.at(-1), {
      serviceName: 'X-Old',
      value: 'v',
      location: 'HEAD',
      description: 'd',
    });
    assert.deepEqual(definition.systems.at(-1), {
      name: 'CaDomain',
      serviceName: 'X-Domain',
      location: 'QUERY',
      demoValue: 'x',
      description: '',
    });
  });
});
