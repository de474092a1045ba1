// DescribeRegions and DescribeSystemParameters: what this installation offers, no state of its own.
import type { RpcAction } from '../action.ts';

export const describeRegions: RpcAction = async ({ deps }) => {
  const { regionId } = deps.account;
  return {
    Regions: [{ RegionId: regionId, LocalName: regionId, RegionEndpoint: `apigateway.${regionId}.aliyuncs.com` }],
  };
};

/** Source: docs and live samples. */
const systemParameters: readonly (readonly [name: string, demo: string, description: string])[] = [
  ['CaClientIp', '198.51.100.7', 'Address of the client'],
  ['CaDomain', 'api.example.com', 'Domain of the request'],
  ['CaRequestHandleTime', '2018-11-15T06:11:33Z', 'When the request came in, UTC'],
  ['CaAppId', '110000001', 'Id of the calling app'],
  ['CaRequestId', '1B2C3D4E-5F60-4711-8899-AABBCCDDEEFF', 'Id of the request'],
  ['CaApiName', 'echo', 'Name of the API'],
  ['CaHttpSchema', 'HTTP', 'HTTP or HTTPS'],
  ['CaProxy', 'AliCloudAPIGateway', 'Name of the gateway'],
  ['CaClientUa', 'curl/8.0', 'User agent of the client'],
  ['CaStage', 'RELEASE', 'Stage of the API'],
  ['CaAppKey', '110000002', 'Key of the calling app'],
];

export const describeSystemParameters: RpcAction = async () => ({
  SystemParams: systemParameters.map(([name, demo, description]) => ({
    ParamName: name,
    ParamType: 'String',
    DemoValue: demo,
    Description: description,
  })),
});
