import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fingerprint, makePlan } from './plan.ts';
import { parseTemplate } from './template.ts';

const place = { region: 'cn-hangzhou', accountId: '1234567890123456' };
const head = "ROSTemplateFormatVersion: '2015-09-01'\nTransform: 'Aliyun::Serverless-2018-04-03'\nResources:\n";

function planOf(operation: string) {
  const lines = operation.split('\n').map((line) => `            ${line}`);
  const text = `${head}  shop:\n    Type: 'Aliyun::Serverless::Api'\n    Properties:\n      DefinitionBody:\n        /x/[id]:\n          post:\n${lines.join('\n')}\n`;
  const plan = makePlan(
    parseTemplate('t.yml', text, () => ''),
    '/project',
    place,
  );
  const api = plan.groups[0]?.apis[0];
  assert.ok(api);
  return api;
}
const fc = "x-aliyun-apigateway-fc: { arn: 'acs:fc:::services/s/functions/f/' }";
const json = (text: string | undefined): unknown => JSON.parse(text ?? 'null');

test('what a template does not say has the defaults of the template tool', () => {
  const { wire } = planOf(fc);
  assert.equal(wire['AuthType'], 'ANONYMOUS');
  assert.equal(wire['Visibility'], 'PRIVATE');
  assert.equal(wire['ResultType'], 'PASSTHROUGH');
  assert.deepEqual(json(wire['RequestConfig']), {
    RequestProtocol: 'HTTP',
    RequestMode: 'PASSTHROUGH',
    RequestHttpMethod: 'POST',
    RequestPath: '/x/[id]',
  });
  assert.deepEqual(json(wire['ServiceConfig']), {
    ServiceProtocol: 'FunctionCompute',
    ServiceTimeout: 3000,
    ContentTypeCatagory: 'DEFAULT',
    FunctionComputeConfig: {
      FcType: 'FCEvent',
      FcVersion: '2.0',
      FcRegionId: 'cn-hangzhou',
      ServiceName: 's',
      FunctionName: 'f',
      RoleArn: 'acs:ram::1234567890123456:role/aliyunfcgeneratedapigatewayrole',
    },
  });
  assert.equal(wire['RequestParameters'], undefined);
});

test('a missing backend parameter and its map row are added, given ones stay', () => {
  const { wire } = planOf(`${fc}
x-aliyun-apigateway-request-parameters:
  - { apiParameterName: id, location: Path }
  - { apiParameterName: a, location: BODY, required: REQUIRED }
x-aliyun-apigateway-service-parameters:
  - { serviceParameterName: sum, location: Query, parameterType: String }
x-aliyun-apigateway-service-parameters-map:
  - { requestParameterName: a, serviceParameterName: sum }`);
  assert.deepEqual(json(wire['RequestParameters']), [
    { ApiParameterName: 'id', Location: 'PATH', ParameterType: 'String', Required: 'OPTIONAL' },
    { ApiParameterName: 'a', Location: 'BODY', Required: 'REQUIRED', ParameterType: 'String' },
  ]);
  assert.deepEqual(json(wire['ServiceParameters']), [
    { ParameterCatalog: 'REQUEST', ServiceParameterName: 'sum', Location: 'Query', ParameterType: 'String' },
    { ParameterCatalog: 'REQUEST', ServiceParameterName: 'id', Location: 'PATH', ParameterType: 'String' },
  ]);
  assert.deepEqual(json(wire['ServiceParametersMap']), [
    { RequestParameterName: 'a', ServiceParameterName: 'sum' },
    { RequestParameterName: 'id', ServiceParameterName: 'id' },
  ]);
});

test('extensions become the parameters of the same name', () => {
  const { wire } = planOf(`${fc}
x-aliyun-apigateway-force-nonce-check: true
x-aliyun-apigateway-visibility: Public
x-aliyun-apigateway-error-code-sample: [{ code: '1', message: m }]
x-aliyun-apigateway-openid-connect-config: { openIdApiType: BUSINESS, idTokenParamName: token }`);
  assert.equal(wire['ForceNonceCheck'], 'true');
  assert.equal(wire['Visibility'], 'PUBLIC');
  assert.deepEqual(json(wire['ErrorCodeSamples']), [{ Code: '1', Message: 'm' }]);
  assert.deepEqual(json(wire['OpenIdConnectConfig']), { OpenIdApiType: 'BUSINESS', IdTokenParamName: 'token' });
});

test('an FC 3 function has no service', () => {
  const { wire } = planOf("x-aliyun-apigateway-fc: { arn: 'acs:fc:::functions/f' }");
  const config = json(wire['ServiceConfig']);
  assert.match(JSON.stringify(config), /"FcVersion":"3\.0"/);
  assert.doesNotMatch(JSON.stringify(config), /ServiceName/);
});

test('equal plans have equal fingerprints, others not', () => {
  assert.equal(fingerprint(planOf(fc)), fingerprint(planOf(fc)));
  assert.notEqual(fingerprint(planOf(fc)), fingerprint(planOf(`${fc}\nx-aliyun-apigateway-visibility: PUBLIC`)));
});
