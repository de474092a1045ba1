// The nested configurations of the journey's API, for CreateApi and ModifyApi calls in tests.

export const requestConfig = {
  RequestProtocol: 'HTTP,HTTPS',
  RequestHttpMethod: 'POST',
  RequestPath: '/testadd',
  RequestMode: 'MAPPING',
  BodyFormat: 'FORM',
};

export const serviceConfig = {
  ServiceProtocol: 'FunctionCompute',
  ServiceTimeout: 10_000,
  FunctionComputeConfig: {
    FcRegionId: 'cn-hangzhou',
    ServiceName: 'demo',
    FunctionName: 'add',
    RoleArn: 'acs:ram::1:role/gateway',
  },
};

export const requestParameters = [
  { ApiParameterName: 'a', Location: 'BODY', ParameterType: 'String', Required: 'REQUIRED' },
  { ApiParameterName: 'b', Location: 'BODY', ParameterType: 'String', Required: 'OPTIONAL', DefaultValue: '1' },
];

export const serviceParameters = [
  { ServiceParameterName: 'a', Location: 'QUERY', ParameterType: 'String' },
  { ServiceParameterName: 'b', Location: 'QUERY', ParameterType: 'String' },
];

export const serviceParametersMap = [
  { ServiceParameterName: 'a', RequestParameterName: 'a' },
  { ServiceParameterName: 'b', RequestParameterName: 'b' },
];

/** What CreateApi needs beside GroupId and ApiName. */
export const wholeApi = {
  Visibility: 'PRIVATE',
  AuthType: 'APP',
  RequestConfig: JSON.stringify(requestConfig),
  ServiceConfig: JSON.stringify(serviceConfig),
  RequestParameters: JSON.stringify(requestParameters),
  ServiceParameters: JSON.stringify(serviceParameters),
  ServiceParametersMap: JSON.stringify(serviceParametersMap),
};
