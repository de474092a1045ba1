// The parameters of CreateApi for a GET that a mock answers. Used by the e2e tests that look at answers of the gateway alone.

export function mockApi(GroupId: string, path: string, auth: 'APP' | 'ANONYMOUS', result: string) {
  return {
    GroupId,
    ApiName: `api_${path.slice(1)}`,
    Visibility: 'PRIVATE',
    AuthType: auth,
    RequestConfig: { RequestProtocol: 'HTTP', RequestHttpMethod: 'GET', RequestPath: path, RequestMode: 'PASSTHROUGH' },
    ServiceConfig: {
      ServiceProtocol: 'HTTP',
      ServiceAddress: 'http://unused',
      ServiceTimeout: 1000,
      Mock: 'TRUE',
      MockResult: result,
    },
    ResultType: 'JSON',
    ResultSample: '{}',
  };
}
