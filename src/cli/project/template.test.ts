import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CliError } from '../errors.ts';
import { parseFunctionArn } from './api-definition.ts';
import { parseTemplate } from './template.ts';

const head = `ROSTemplateFormatVersion: '2015-09-01'
Transform: 'Aliyun::Serverless-2018-04-03'
Resources:
`;
const service = `  demo:
    Type: 'Aliyun::Serverless::Service'
    Properties:
      Description: two functions
    add:
      Type: 'Aliyun::Serverless::Function'
      Properties:
        Handler: index.handler
        Runtime: python3
        CodeUri: ./add
        MemorySize: 128
        Timeout: 10
        EnvironmentVariables: { MODE: dev, COUNT: 3 }
`;
const group = `  shop:
    Type: 'Aliyun::Serverless::Api'
    Properties:
      StageName: RELEASE
      DefinitionBody:
        '/pets/{id}':
          get:
            x-aliyun-apigateway-fc:
              arn: acs:fc:::services/\${demo.Arn}/functions/\${add.Arn}/
              timeout: 5000
`;
const parse = (text: string) => parseTemplate('template.yml', text, () => '');
const failure = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof CliError);
  assert.equal(error.exitCode, 1);
  assert.match(error.message, pattern);
  return true;
};

test('reads a service with a function', () => {
  const { services, warnings } = parse(head + service);
  assert.deepEqual(warnings, []);
  assert.deepEqual(services, [
    {
      name: 'demo',
      description: 'two functions',
      role: null,
      internetAccess: null,
      functions: [
        {
          name: 'add',
          codeUri: './add',
          handler: 'index.handler',
          runtime: 'python3',
          description: null,
          memoryMb: 128,
          timeoutSeconds: 10,
          initializer: null,
          initializationTimeoutSeconds: null,
          instanceConcurrency: null,
          environment: { MODE: 'dev', COUNT: '3' },
          layers: [],
          more: {},
          triggers: [],
        },
      ],
    },
  ]);
});

test('reads an API group: path parameters become [name], ANONYMOUS and the name follow from the operation', () => {
  const { groups } = parse(head + service + group);
  assert.equal(groups[0]?.name, 'shop');
  const api = groups[0]?.apis[0];
  assert.equal(api?.path, '/pets/[id]');
  assert.equal(api?.method, 'GET');
  assert.equal(api?.name, 'pets_id_get');
  assert.equal(api?.auth, 'ANONYMOUS');
  assert.equal(api?.timeoutMs, 5000);
  assert.deepEqual(api?.target, { serviceName: 'demo', functionName: 'add', qualifier: null });
});

test('paths may stand below `paths`, with a base path, as Swagger has them', () => {
  const text = group.replace(
    "        '/pets/{id}':\n",
    "        swagger: '2.0'\n        basePath: /v1/\n        paths:\n         '/pets/{id}':\n",
  );
  assert.equal(parse(head + text).groups[0]?.apis[0]?.path, '/v1/pets/[id]');
});

test('the definition may be in a file of its own, and its problems carry its name', () => {
  const text = group.replace(/ {6}DefinitionBody:[\s\S]*/, '      DefinitionUri: swagger.yml\n');
  const read = (path: string) => `'/x':\n  get:\n    nothing: here\n# ${path}\n`;
  assert.throws(
    () => parseTemplate('template.yml', head + text, read),
    failure(/swagger\.yml:2: GET \/x needs x-aliyun-apigateway-fc/),
  );
});

test('unknown types and properties are warned of with their line', () => {
  const text = `${head + service.replace('Timeout: 10', 'Timeuot: 10')}  bucket:\n    Type: 'Aliyun::OSS::Bucket'\n`;
  assert.deepEqual(parse(text).warnings, [
    'template.yml:15: Timeuot of function add is not known here and has no effect',
    'template.yml:17: resource bucket of type Aliyun::OSS::Bucket is not known here and is skipped',
  ]);
});

test('an HTTP trigger is read, others are warned of by name', () => {
  const events = `      Events:
        web:
          Type: HTTP
          Properties: { AuthType: ANONYMOUS, Methods: [get, POST], Qualifier: prod }
        every:
          Type: Timer
`;
  const template = parse(`${head + service}${events}`);
  assert.deepEqual(template.services[0]?.functions[0]?.triggers, [
    { name: 'web', authType: 'anonymous', methods: ['GET', 'POST'], qualifier: 'prod' },
  ]);
  assert.match(template.warnings.join('\n'), /:21: trigger every of function add is not deployed: type Timer/);
  const without = `${head + service}      Events: { web: { Type: HTTP } }\n`;
  assert.throws(() => parse(without), failure(/trigger web of function add needs Methods/));
});

test('layers, the program of a custom runtime and lifecycle hooks are read in the spelling of the API', () => {
  const more = `        Layers: ['acs:fc:r:1:layers/l/versions/2', ./shared]
        CAPort: 8000
        InstanceSoftConcurrency: 3
        CustomRuntimeConfig: { Command: [node], Args: [server.js] }
        CustomHealthCheckConfig: { HttpGetUrl: /ready, PeriodSeconds: 5 }
        InstanceLifecycleConfig: { PreStop: { Handler: index.stop, Timeout: 9 } }
`;
  const [read] = parse(`${head + service}${more}`).services[0]?.functions ?? [];
  assert.deepEqual(read?.layers, ['acs:fc:r:1:layers/l/versions/2', './shared']);
  assert.deepEqual(read?.more, {
    caPort: 8000,
    instanceSoftConcurrency: 3,
    customRuntimeConfig: { command: ['node'], args: ['server.js'] },
    customHealthCheckConfig: { httpGetUrl: '/ready', periodSeconds: 5 },
    instanceLifecycleConfig: { preStop: { handler: 'index.stop', timeout: 9 } },
  });
});

test('unknown extensions of an operation are warned of, documentation is not', () => {
  const text = `${head + group}              roll: x\n            x-aliyun-apigateway-magic: 1\n            summary: s\n`;
  assert.deepEqual(
    parse(text).warnings.map((warning) => warning.replace(/^.*?: /, '')),
    [
      'roll of x-aliyun-apigateway-fc of GET /pets/[id] is not known here and has no effect',
      'x-aliyun-apigateway-magic of GET /pets/[id] is not known here and has no effect',
    ],
  );
});

for (const [what, text, pattern] of [
  ['a YAML error, with its line', `${head}  a: [1\n  b: 2\n`, /^template\.yml:\d+: /],
  ['another format version', head.replace('2015-09-01', '2015-09-02'), /:1: ROSTemplateFormatVersion must be/],
  ['another transform', head.replace('2018-04-03', '2099-01-01'), /:2: Transform must be/],
  [
    'no resources',
    "ROSTemplateFormatVersion: '2015-09-01'\nTransform: 'Aliyun::Serverless-2018-04-03'\n",
    /Resources is missing/,
  ],
  [
    'a function without a handler',
    head + service.replace('        Handler: index.handler\n', ''),
    /:10: Handler is missing/,
  ],
  [
    'a memory size that is no number',
    head + service.replace('128', 'lots'),
    /:14: MemorySize must be a whole number from 64 to 32768, not lots/,
  ],
  ['code in OSS', head + service.replace('./add', 'oss://b/k'), /CodeUri must be a folder or a zip/],
  [
    'a stage that is none',
    head + group.replace('RELEASE', 'PROD'),
    /StageName must be one of RELEASE, PRE, TEST, not PROD/,
  ],
  [
    'an ARN that names no function',
    head + group.replace('/functions/', '/fns/'),
    /needs x-aliyun-apigateway-fc with an arn like/,
  ],
  [
    'a list where a map belongs',
    `${head}  demo: [1]\n`.replace(
      '[1]',
      "{Type: 'Aliyun::Serverless::Service', f: {Type: 'Aliyun::Serverless::Function', Properties: {Handler: [x], Runtime: r}}}",
    ),
    /Handler must be text/,
  ],
] as const) {
  test(`refuses ${what}`, () => assert.throws(() => parse(text), failure(pattern)));
}

test('all problems are told at once', () => {
  const text = head + service.replace('        Handler: index.handler\n', '').replace('        Runtime: python3\n', '');
  assert.throws(() => parse(text), failure(/Handler is missing\n.*Runtime is missing/));
});

test('two operations of one name are refused', () => {
  const text = `${head + group}        '/pets/id':\n          get:\n            x-aliyun-apigateway-fc: { arn: 'acs:fc:::functions/f' }\n`;
  assert.throws(() => parse(text), failure(/two operations are named pets_id_get/));
});

test('reads the ARNs of FC 2 and FC 3 functions', () => {
  assert.deepEqual(parseFunctionArn('acs:fc:cn-hangzhou:123:services/s.prod/functions/f/'), {
    serviceName: 's',
    functionName: 'f',
    qualifier: 'prod',
  });
  assert.deepEqual(parseFunctionArn('acs:fc:::functions/f/LATEST'), {
    serviceName: null,
    functionName: 'f',
    qualifier: 'LATEST',
  });
  for (const arn of ['', 'acs:oss:::services/s/functions/f', 'acs:fc:::services/s', 'acs:fc:::functions/']) {
    assert.equal(parseFunctionArn(arn), null, arn);
  }
});
