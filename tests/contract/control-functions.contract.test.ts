import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import type { PublishedFunction } from '../../src/model/published.ts';
import { crc64 } from '../../src/wire/crc64.ts';
import {
  at,
  fc2Sdk,
  fc3Sdk,
  fcOpenSdk,
  items,
  type Loose,
  modelsOf,
  type Plane,
  popRoa,
  rawCall,
  startPlane,
  success,
  textAt,
  zipped,
} from './control-fixture.ts';

type Sdk = ReturnType<typeof fc2Sdk>;

function callOn(sdk: Sdk) {
  return async (name: string, ...args: unknown[]): Promise<Loose> => {
    const method = sdk[name];
    if (method === undefined) throw new Error(`the SDK has no ${name}`);
    return await method.apply(sdk, args);
  };
}

describe('Function Compute through official clients', () => {
  let plane: Plane;
  let zip: string;
  let counter = 0;
  const unique = (name: string) => `${name}${++counter}`;

  before(async () => {
    plane = await startPlane();
    zip = await zipped({ 'index.py': 'def handler(event, context): return event\n', 'zapi/__init__.py': '' });
  });
  after(() => plane.close());

  async function fact<T>(key: string): Promise<T | undefined> {
    return (await plane.published()).get(key) as T | undefined;
  }
  const fc2 = (name: string, ...args: unknown[]) => callOn(fc2Sdk(plane))(name, ...args);
  function modern(sdk: Sdk, models: ReturnType<typeof modelsOf>) {
    return async (name: string, path: string[], request: string, map: object = {}): Promise<Loose> => {
      const model = models[request];
      if (model === undefined) throw new Error(`the SDK has no ${request}`);
      return callOn(sdk)(name, ...path, new model(map));
    };
  }
  const open = (...args: Parameters<ReturnType<typeof modern>>) =>
    modern(fcOpenSdk(plane), modelsOf('@alicloud/fc-open20210406'))(...args);
  const fc3 = (...args: Parameters<ReturnType<typeof modern>>) =>
    modern(fc3Sdk(plane), modelsOf('@alicloud/fc20230330'))(...args);

  async function newService(): Promise<string> {
    const name = unique('svc');
    await fc2('createService', name);
    return name;
  }
  async function newFunction(service: string, extra: object = {}): Promise<string> {
    const functionName = unique('fn');
    await fc2('createFunction', service, {
      functionName,
      handler: 'index.handler',
      runtime: 'python3',
      code: { zipFile: zip },
      ...extra,
    });
    return functionName;
  }
  async function fails(code: string, work: Promise<unknown>): Promise<void> {
    await assert.rejects(work, (error: { code?: unknown }) => {
      assert.equal(error.code, code);
      return true;
    });
  }

  it('classic: a service is made, shown with its defaults, changed under its ETag, and gone', async () => {
    const name = unique('svc');
    const made = await fc2('createService', name, { description: 'first' });
    assert.match(textAt(made, 'headers.x-fc-request-id'), /^.{36}$/);
    assert.equal(at(made, 'data.internetAccess'), true);
    assert.deepEqual(at(made, 'data.logConfig'), { project: '', logstore: '' });
    assert.equal(at(made, 'data.role'), '');
    assert.deepEqual(await fact(`service ${name}`), { serviceName: name });
    await fails('ServiceAlreadyExists', fc2('createService', name));

    await fails('PreconditionFailed', fc2('updateService', name, { description: 'x' }, { 'if-match': 'other' }));
    const changed = await fc2(
      'updateService',
      name,
      { description: 'second' },
      { 'if-match': textAt(made, 'headers.etag') },
    );
    assert.notEqual(at(changed, 'headers.etag'), at(made, 'headers.etag'));
    assert.equal(at(await fc2('getService', name), 'data.description'), 'second');
    await fails('PreconditionFailed', fc2('deleteService', name, { 'if-match': textAt(made, 'headers.etag') }));
    assert.equal(at(await fc2('deleteService', name), 'data'), '');
    await fails('ServiceNotFound', fc2('getService', name));
    assert.equal(await fact(`service ${name}`), undefined);
  });

  it('classic: listings page by name, with prefix, inclusive start key and opaque token', async () => {
    const prefix = unique('page');
    for (const letter of ['a', 'b', 'c', 'd', 'e']) await fc2('createService', `${prefix}-${letter}`);
    const names = (page: Loose) => items(page, 'data.services').map((row) => textAt(row, 'serviceName').slice(-1));
    const first = await fc2('listServices', { prefix, limit: 2 });
    assert.deepEqual(names(first), ['a', 'b']);
    const second = await fc2('listServices', { prefix, limit: 2, nextToken: textAt(first, 'data.nextToken') });
    assert.deepEqual(names(second), ['c', 'd']);
    const last = await fc2('listServices', { prefix, limit: 2, nextToken: textAt(second, 'data.nextToken') });
    assert.deepEqual(names(last), ['e']);
    assert.equal(at(last, 'data.nextToken'), undefined);
    assert.deepEqual(names(await fc2('listServices', { prefix, startKey: `${prefix}-d` })), ['d', 'e']);
    assert.deepEqual(names(await fc2('listServices', { prefix: `${prefix}-none` })), []);
    await fails('InvalidArgument', fc2('listServices', { limit: 101 }));
  });

  it('classic: a function is stored, published with its unpacked code, changed, and gone', async () => {
    const service = await newService();
    const functionName = await newFunction(service, { environmentVariables: { A: '1' }, initializer: 'index.init' });
    const key = `function ${service}/${functionName}`;
    const config = await fact<PublishedFunction>(key);
    assert.equal(config?.handler, 'index.handler');
    assert.equal(config?.timeoutMs, 3000);
    assert.equal(config?.cpuLimit, undefined);
    assert.deepEqual(config?.environment, { A: '1' });
    assert.deepEqual(config?.initializer, { handler: 'index.init', timeoutMs: 3000 });
    const checksum = crc64(Buffer.from(zip, 'base64')).toString();
    assert.equal(config?.code.checksum, checksum);

    const shown = await fc2('getFunction', service, functionName);
    assert.equal(at(shown, 'data.codeChecksum'), checksum);
    assert.equal(at(shown, 'data.codeSize'), Buffer.from(zip, 'base64').length);
    assert.equal(at(shown, 'data.instanceType'), 'e1');
    assert.equal(at(shown, 'headers.x-yunmen-isolation'), 'strong');
    assert.equal(at(shown, 'headers.x-yunmen-network'), 'open, pasta');
    assert.equal(at(shown, 'data.isolation'), undefined, 'the document is the service’s');
    await fc2('updateFunction', service, functionName, { environmentVariables: {}, memorySize: 256 });
    const changed = await fact<PublishedFunction>(key);
    assert.deepEqual(changed?.environment, {});
    assert.equal(changed?.memoryMb, 256);
    assert.equal(changed?.code.sha256, config?.code.sha256);

    const other = await zipped({ 'index.py': 'def handler(event, context): return "new"\n' });
    await fc2('updateFunction', service, functionName, { code: { zipFile: other } });
    assert.notEqual((await fact<PublishedFunction>(key))?.code.sha256, config?.code.sha256);
    await fails('ServiceNotEmpty', fc2('deleteService', service));
    assert.deepEqual(items(await fc2('listFunctions', service), 'data.functions').length, 1);
    await fc2('deleteFunction', service, functionName);
    assert.equal(await fact(key), undefined);
    await fails('FunctionNotFound', fc2('getFunction', service, functionName));
  });

  it('classic: a service passes its role and log store on to its functions, later ones too', async () => {
    const service = await newService();
    const name = await newFunction(service);
    await fc2('updateService', service, { role: 'acs:ram::1:role/r', logConfig: { project: 'p', logstore: 'l' } });
    const config = await fact<PublishedFunction>(`function ${service}/${name}`);
    assert.equal(config?.role, 'acs:ram::1:role/r');
    assert.equal(config?.logProject, 'p');
    assert.equal(config?.logStore, 'l');
    assert.equal(config?.jaegerEndpoint, undefined);
    await fc2('updateService', service, { tracingConfig: { type: 'Jaeger', params: { endpoint: 'http://jaeger/t' } } });
    assert.equal((await fact<PublishedFunction>(`function ${service}/${name}`))?.jaegerEndpoint, 'http://jaeger/t');
    await fc2('updateService', service, { tracingConfig: {} });
    assert.equal((await fact<PublishedFunction>(`function ${service}/${name}`))?.jaegerEndpoint, undefined);
  });

  it('the code can be downloaded by its URL without a key, and not by another', async () => {
    const service = await newService();
    const functionName = await newFunction(service);
    const code = await fc2('getFunctionCode', service, functionName);
    const url = new URL(textAt(code, 'data.url'));
    const answer = await fetch(url);
    assert.equal(Buffer.from(await answer.arrayBuffer()).toString('base64'), zip);
    url.searchParams.set('expires', '99999999999');
    assert.equal((await fetch(url)).status, 403);
  });

  it('wrong functions are refused by the name of the member, and nothing is kept', async () => {
    const service = await newService();
    const rows: [string, object][] = [
      ['InvalidArgument', { runtime: 'cobol' }],
      ['InvalidArgument', { handler: '' }],
      ['InvalidArgument', { memorySize: 100 }],
      ['InvalidArgument', { environmentVariables: 'much' }],
      ['InvalidArgument', { timeout: 0 }],
      ['InvalidArgument', { functionName: '1a' }],
      ['InvalidArgument', { code: {} }],
      ['InvalidArgument', { code: { zipFile: 'bm8gemlw' } }],
      ['InvalidArgument', { code: { zipFile: '***' } }],
      ['InvalidArgument', { code: { ossBucketName: 'b', ossObjectName: 'o' } }],
      ['InvalidArgument', { runtime: 'custom-container' }],
    ];
    for (const [code, extra] of rows) {
      await assert.rejects(newFunction(service, extra), { code }, JSON.stringify(extra));
    }
    assert.deepEqual(items(await fc2('listFunctions', service), 'data.functions'), []);
    await fails('ServiceNotFound', newFunction('nowhere'));
    await assert.rejects(newFunction(service, { runtime: 'cobol' }), /Runtime is set to an invalid value/);
  });

  it('a checksum that differs is refused, the right one accepted', async () => {
    const service = await newService();
    const base = { handler: 'index.handler', runtime: 'nodejs6', code: { zipFile: zip } };
    const right = crc64(Buffer.from(zip, 'base64')).toString();
    await fails(
      'InvalidArgument',
      fc2('createFunction', service, { ...base, functionName: 'a' }, { 'x-fc-code-checksum': '1' }),
    );
    await fc2('createFunction', service, { ...base, functionName: 'a' }, { 'x-fc-code-checksum': right });
  });

  it('an invocation carries the raw event in and body, log tail and facts out', async () => {
    const service = await newService();
    const name = await newFunction(service);
    const event = Buffer.from([0, 255, 10, 13]);
    plane.outcome = { ...success, body: Buffer.from('result') };
    const answer = await fc2('invokeFunction', service, name, event, { 'x-fc-log-type': 'Tail' });
    const asked = plane.invoked.at(-1);
    assert.deepEqual(asked?.event, event);
    assert.deepEqual(asked?.target, { serviceName: service, functionName: name, qualifier: null });
    assert.equal(asked?.requestId, at(answer, 'headers.x-fc-request-id'));
    assert.equal(asked?.wantsLogTail, true);
    assert.equal(at(answer, 'data'), 'result');
    assert.equal(Buffer.from(textAt(answer, 'headers.x-fc-log-result'), 'base64').toString(), 'FC Invoke Start\nhi\n');
    assert.equal(at(answer, 'headers.x-fc-max-memory-usage'), '9.21');
    assert.equal(at(answer, 'headers.x-fc-invocation-service-version'), 'LATEST');
    assert.equal(at(answer, 'headers.content-type'), 'application/octet-stream');
    assert.equal(at(answer, 'headers.x-fc-error-type'), undefined);
    assert.equal(asked?.span, undefined);
    const spanHeader = 'x-fc-tracing-opentracing-span-context';
    await fc2('invokeFunction', service, name, event, { [spanHeader]: '1:2:0:1', [`${spanHeader}-baggage-k`]: 'v' });
    assert.deepEqual(plane.invoked.at(-1)?.span, { context: '1:2:0:1', baggages: { k: 'v' } });
  });

  it("a function's failure is a 200 with the error's type; a refusal is the service's error", async () => {
    const service = await newService();
    const name = await newFunction(service);
    const body = Buffer.from('{"errorMessage":"boom"}');
    plane.outcome = { ...success, kind: 'function-error', errorType: 'UnhandledInvocationError', body };
    const failed = await fc2('invokeFunction', service, name, 'x');
    assert.equal(at(failed, 'headers.x-fc-error-type'), 'UnhandledInvocationError');
    assert.equal(at(failed, 'data.errorMessage'), 'boom');
    assert.equal(at(failed, 'headers.x-fc-log-result'), undefined);
    plane.outcome = { kind: 'refused', code: 'ResourceExhausted', message: 'too many' };
    await fails('ResourceExhausted', fc2('invokeFunction', service, name, 'x'));
    plane.outcome = success;
    const before = plane.invoked.length;
    await fails('InvalidArgument', fc2('invokeFunction', service, name, 'x', { 'x-fc-invocation-type': 'Async' }));
    await assert.rejects(
      fc2('invokeFunction', service, name, 'x', { 'x-fc-log-type': 'Invalid' }),
      /LogType is set to an invalid value \(allowed: Tail \| None, actual: 'Invalid'\)/,
    );
    await assert.rejects(
      fc2('invokeFunction', service, name, 'x', { 'x-fc-invocation-type': 'Async', 'x-fc-log-type': 'Tail' }),
      /LogType is set to an invalid value \(allowed: None, actual: 'Tail'\)/,
    );
    await assert.rejects(
      fc2('invokeFunction', service, name, 'x', { 'x-fc-invocation-type': 'Later' }),
      /InvocationType is set to an invalid value \(allowed: Sync \| Async, actual: 'Later'\)/,
    );
    assert.equal(plane.invoked.length, before);
    await fc2('invokeFunction', service, name, 'x', { 'x-fc-invocation-type': 'sync', 'x-fc-log-type': 'NONE' });
    assert.equal(plane.invoked.length, before + 1);
    assert.equal(plane.invoked.at(-1)?.wantsLogTail, false);
  });

  it('a qualifier in the path is told apart from the service; unknown ones are named', async () => {
    const service = await newService();
    const name = await newFunction(service);
    assert.equal(at(await fc2('getFunction', service, name, {}, 'LATEST'), 'data.functionName'), name);
    await fails('VersionNotFound', fc2('getFunction', service, name, {}, '1'));
    await fails('AliasNotFound', fc2('getFunction', service, name, {}, 'prod'));
    await fc2('invokeFunction', service, name, 'x', {}, 'prod');
    assert.equal(plane.invoked.at(-1)?.target.qualifier, 'prod');
  });

  it('the hook before a freeze is FC 2\u2019s alone', async () => {
    const hooks = { instanceLifecycleConfig: { preFreeze: { handler: 'index.f' }, preStop: { handler: 'index.s' } } };
    const settings = { handler: 'index.handler', runtime: 'python3.10', code: { zipFile: zip }, ...hooks };
    const service = await newService();
    const named = await newFunction(service, hooks);
    const third = unique('three');
    const type = { 'content-type': 'application/json' };
    const body = JSON.stringify({ functionName: third, ...settings });
    await callOn(popRoa(plane, '2023-03-30'))('post', '/2023-03-30/functions', {}, body, type);
    const published = await Promise.all([`${service}/${named}`, third].map((key) => fact(`function ${key}`)));
    const hook = (handler: string) => ({ handler, timeoutMs: 3_000 });
    assert.deepEqual(
      published.map((each) => [at(each, 'preFreeze'), at(each, 'preStop')]),
      [
        [hook('index.f'), hook('index.s')],
        [null, hook('index.s')],
      ],
    );
  });

  it('2021-04-06: the same services and functions, over ACS3 with chunked bodies', async () => {
    const serviceName = unique('open');
    await open('createService', [], 'CreateServiceRequest', { serviceName, description: 'd' });
    assert.equal(at(await open('getService', [serviceName], 'GetServiceRequest'), 'body.description'), 'd');
    const listed = await open('listServices', [], 'ListServicesRequest', { prefix: serviceName });
    assert.equal(at(listed, 'body.services.0.serviceName'), serviceName);
    const { Code, ...models } = modelsOf('@alicloud/fc-open20210406');
    assert.ok(Code !== undefined && models['CreateFunctionRequest'] !== undefined);
    const code = new Code({ zipFile: zip });
    await open('createFunction', [serviceName], 'CreateFunctionRequest', {
      functionName: 'f',
      handler: 'index.handler',
      runtime: 'python3',
      code,
    });
    assert.equal((await fact<PublishedFunction>(`function ${serviceName}/f`))?.runtime, 'python3');
    await open('updateFunction', [serviceName, 'f'], 'UpdateFunctionRequest', { timeout: 20, instanceConcurrency: 5 });
    const config = await fact<PublishedFunction>(`function ${serviceName}/f`);
    assert.equal(config?.timeoutMs, 20_000);
    assert.equal(config?.instanceConcurrency, 5);
    assert.equal(at(await open('getFunction', [serviceName, 'f'], 'GetFunctionRequest'), 'body.timeout'), 20);
    assert.equal(items(await open('listFunctions', [serviceName], 'ListFunctionsRequest'), 'body.functions').length, 1);
    assert.match(
      textAt(await open('getFunctionCode', [serviceName, 'f'], 'GetFunctionCodeRequest'), 'body.url'),
      /^http:/,
    );
    plane.outcome = { ...success, body: Buffer.from('out') };
    const result = await open('invokeFunction', [serviceName, 'f'], 'InvokeFunctionRequest', {
      body: Buffer.from('in'),
    });
    assert.equal(plane.invoked.at(-1)?.event.toString(), 'in');
    assert.equal(Buffer.from(at(result, 'body') as Uint8Array).toString(), 'out');
    await open('updateService', [serviceName], 'UpdateServiceRequest', { description: 'e' });
    assert.equal(at(await fc2('getService', serviceName), 'data.description'), 'e');
    await callOn(fcOpenSdk(plane))('deleteFunction', serviceName, 'f');
    await callOn(fcOpenSdk(plane))('deleteService', serviceName);
    assert.equal(await fact(`service ${serviceName}`), undefined);
    assert.ok(Array.isArray(at(await callOn(fcOpenSdk(plane))('getAccountSettings'), 'body.availableAZs')));
  });

  it('2023-03-30: functions without services, and those of services under their double name', async () => {
    const { CreateFunctionInput, UpdateFunctionInput, InputCodeLocation } = modelsOf('@alicloud/fc20230330');
    assert.ok(
      CreateFunctionInput !== undefined && UpdateFunctionInput !== undefined && InputCodeLocation !== undefined,
    );
    const functionName = unique('three');
    const code = new InputCodeLocation({ zipFile: zip, checksum: crc64(Buffer.from(zip, 'base64')).toString() });
    const input = {
      functionName,
      handler: 'index.handler',
      runtime: 'python3.10',
      code,
      timeout: 7,
      cpu: 0.35,
      memorySize: 512,
    };
    const made = await fc3('createFunction', [], 'CreateFunctionRequest', { body: new CreateFunctionInput(input) });
    assert.equal(
      at(made, 'body.functionArn'),
      `acs:fc:cn-hangzhou:${plane.credentials.accountId}:functions/${functionName}`,
    );
    assert.equal(at(made, 'body.state'), 'Active');
    const config = await fact<PublishedFunction>(`function ${functionName}`);
    assert.equal(config?.serviceName, null);
    assert.equal(config?.timeoutMs, 7000);
    assert.equal(config?.cpuLimit, 0.35);
    assert.match(textAt(made, 'headers.x-fc-request-id'), /^1-[0-9a-f]{8}-[0-9a-f]{24}$/);
    const again = fc3('createFunction', [], 'CreateFunctionRequest', { body: new CreateFunctionInput(input) });
    await fails('FunctionAlreadyExists', again);

    const body = new UpdateFunctionInput({ environmentVariables: { X: 'y' } });
    await fc3('updateFunction', [functionName], 'UpdateFunctionRequest', { body });
    assert.deepEqual((await fact<PublishedFunction>(`function ${functionName}`))?.environment, { X: 'y' });
    assert.equal(
      at(await fc3('getFunction', [functionName], 'GetFunctionRequest'), 'body.environmentVariables.X'),
      'y',
    );
    assert.match(textAt(await fc3('getFunctionCode', [functionName], 'GetFunctionCodeRequest'), 'body.url'), /^http:/);

    const service = await newService();
    const classic = await newFunction(service, { initializer: 'index.init' });
    const double = `${service}$${classic}`;
    const names = async (fcVersion: string) => {
      const page = await fc3('listFunctions', [], 'ListFunctionsRequest', {
        limit: 100,
        ...(fcVersion === '' ? {} : { fcVersion }),
      });
      return items(page, 'body.functions').map((row) => at(row, 'functionName'));
    };
    assert.ok((await names('')).includes(double));
    assert.ok(!(await names('v3')).includes(double));
    assert.ok(!(await names('v2')).includes(functionName));
    const shown = await fc3('getFunction', [double], 'GetFunctionRequest');
    assert.equal(at(shown, 'body.instanceLifecycleConfig.initializer.handler'), 'index.init');

    plane.outcome = success;
    await fc3('invokeFunction', [functionName], 'InvokeFunctionRequest', { body: Readable.from([Buffer.from('e')]) });
    assert.deepEqual(plane.invoked.at(-1)?.target, { serviceName: null, functionName, qualifier: null });
    await callOn(fc3Sdk(plane))('deleteFunction', functionName);
    await fails('FunctionNotFound', fc3('getFunction', [functionName], 'GetFunctionRequest'));
  });

  it('ROA version 1 of pop-core works on the newer versions', async () => {
    const functionName = unique('roa');
    const roa = callOn(popRoa(plane, '2023-03-30'));
    const input = { functionName, handler: 'index.handler', runtime: 'python3', code: { zipFile: zip } };
    await roa('post', '/2023-03-30/functions', {}, JSON.stringify(input), { 'content-type': 'application/json' });
    assert.notEqual(await fact(`function ${functionName}`), undefined);
    const listed = await roa('get', '/2023-03-30/functions', { prefix: functionName, limit: '5' });
    assert.equal(at(listed, 'functions.0.functionName'), functionName);
  });

  it('keys of bodies match in any case, unknown ones are ignored, whatever the content type', async () => {
    const service = await newService();
    const functionName = unique('loose');
    const body = {
      FunctionName: functionName,
      HANDLER: 'index.handler',
      Runtime: 'python3',
      Code: { ZipFile: zip },
      Foo: 1,
    };
    const client = fc2Sdk(plane);
    await callOn(client)('post', `/services/${service}/functions`, body, { 'content-type': 'text/plain' });
    assert.equal((await fact<PublishedFunction>(`function ${service}/${functionName}`))?.handler, 'index.handler');
  });

  it('account configs are texts', async () => {
    const answer = await callOn(fc2Sdk(plane))('get', '/accountConfigs', { config: 'CodeSizeLimit' });
    assert.equal(at(answer, 'data.CodeSizeLimit'), '104857600');
  });

  it('operations that are not served answer 400 PathNotSupported', async () => {
    const service = await newService();
    await fails('PathNotSupported', fc2('putFunctionAsyncConfig', service, 'x', 'LATEST', {}));
    await fails('PathNotSupported', fc3('listCustomDomains', [], 'ListCustomDomainsRequest'));
    const raw = await rawCall(plane, 'GET', '/2016-08-15/services');
    assert.equal(raw.status, 400);
    assert.equal(at(raw.json, 'ErrorCode'), 'MissingRequiredHeader');
    assert.equal(at(raw.json, 'Code'), 'MissingRequiredHeader');
    assert.deepEqual(plane.logged, []);
  });
});
