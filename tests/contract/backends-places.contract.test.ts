// Where a backend call goes: the guard of addresses, VPC places, shared definitions, stage variables, HTTP functions, the breaker.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AddressGuard } from '../../src/base/address-guard.ts';
import { facts, groupId, returned } from '../../src/gateway/testing.ts';
import type { Backend, StageVariable } from '../../src/model/api.ts';
import type { HttpFunctionRequest, HttpFunctions } from '../../src/model/http-function.ts';
import type { InvokeFunction, InvokeRequest } from '../../src/model/invocation.ts';
import type { Change } from '../../src/model/published.ts';
import {
  answering,
  call,
  closed,
  head,
  httpBackend,
  ok,
  proxyTo,
  rawExchange,
  startGateway,
  startRawBackend,
} from './backends-fixture.ts';

const errorOf = (headers: Headers) => [headers.get('x-ca-error-code'), headers.get('x-ca-error-message')];
const guarded = (allowed: readonly string[] = []) => new AddressGuard({ allowsLoopback: false, allowed });

describe('the guard', () => {
  for (const address of [
    '127.0.0.1',
    '10.1.2.3',
    '169.254.169.254',
    '100.100.100.200',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[fd00::1]',
    '0x7f.1',
    '0177.0.0.1',
    '127.1',
    '2130706433',
    '0',
    '１２７.0.0.1',
    'localhost',
    '[::]',
    '[::127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '[fe80::1]',
    '168.63.129.16',
  ]) {
    it(`refuses ${address} before any connection: D504IL`, async (t) => {
      const backend = await startRawBackend(t, answering(ok('secret')));
      const running = await startGateway(
        t,
        { a: proxyTo(httpBackend(`http://${address}:${backend.port}`)) },
        { outbound: { guard: guarded() } },
      );
      const { status, headers } = await call(running, '/');
      assert.equal(status, 504);
      assert.equal(errorOf(headers)[0], 'D504IL');
      assert.equal(backend.sockets.length, 0);
    });
  }

  it('refuses a name that leads to a private address, and tells both', async (t) => {
    const running = await startGateway(
      t,
      { a: proxyTo(httpBackend('http://inside.example:80')) },
      { outbound: { guard: guarded(), resolve: async () => ['10.0.0.7'] } },
    );
    assert.deepEqual(errorOf((await call(running, '/')).headers), [
      'D504IL',
      'Backend domain `inside.example` resolve to illegal address `10.0.0.7`',
    ]);
    assert.doesNotMatch(JSON.stringify(running.records), /10\.0\.0\.7/);
  });

  it('connects to the address that it saw: a name that changes its mind is asked once for each connection', async (t) => {
    const backend = await startRawBackend(t, answering(ok('secret', 'Connection: close\r\n')));
    const allowed = await startRawBackend(t, answering(ok('public', 'Connection: close\r\n')));
    const answers = [['127.0.0.2'], ['127.0.0.1']];
    let asked = 0;
    const running = await startGateway(
      t,
      { a: proxyTo(httpBackend(`http://rebind.example:${backend.port}`)) },
      {
        outbound: {
          guard: guarded(['127.0.0.2/32']),
          resolve: async () => answers[Math.min(asked++, answers.length - 1)] ?? [],
        },
      },
    );
    // 127.0.0.2 is allowed and nobody listens there; were the name asked again for connecting, it would lead to the secret.
    assert.equal(errorOf((await call(running, '/')).headers)[0], 'D504CO');
    assert.equal(asked, 1);
    assert.equal(errorOf((await call(running, '/')).headers)[0], 'D504IL');
    assert.equal(asked, 2);
    assert.equal(backend.sockets.length + allowed.sockets.length, 0);
  });

  it('takes the addresses of a name that are allowed and leaves the others', async (t) => {
    const backend = await startRawBackend(t, answering(ok('here')));
    const running = await startGateway(
      t,
      { a: proxyTo(httpBackend(`http://mixed.example:${backend.port}`)) },
      { outbound: { guard: guarded(['127.0.0.1']), resolve: async () => ['10.0.0.1', '127.0.0.1'] } },
    );
    assert.equal((await call(running, '/')).text, 'here');
  });

  it("refuses the server's own ports even where loopback is allowed", async (t) => {
    const guard = new AddressGuard({ allowsLoopback: true, allowed: ['0.0.0.0/0'] });
    const backend = await startRawBackend(t, answering(ok('api')));
    guard.addOwnPort(backend.port);
    const running = await startGateway(t, { a: proxyTo(httpBackend(backend.address)) }, { outbound: { guard } });
    assert.equal(errorOf((await call(running, '/')).headers)[0], 'D504IL');
    assert.equal(backend.sockets.length, 0);
  });

  it('is not asked in vain: a name without address is D504RE', async (t) => {
    const resolve = () => Promise.reject(new Error('ENOTFOUND'));
    const running = await startGateway(t, { a: proxyTo(httpBackend('http://no.example')) }, { outbound: { resolve } });
    assert.deepEqual(errorOf((await call(running, '/')).headers), [
      'D504RE',
      'Backend domain `no.example` resolve failed',
    ]);
  });
});

const vpcBackend = (extra: Partial<Extract<Backend, { kind: 'vpc' }>['vpc']>): Backend => ({
  kind: 'vpc',
  vpc: { accessName: null, vpcId: null, instanceId: null, port: null, scheme: 'http', hostHeader: null, ...extra },
  path: '',
  method: 'ANY',
  timeoutMs: 2_000,
  contentType: { category: 'DEFAULT', value: null },
});

const access = (name: string, port: number, hostHeader: string | null = null): Change => ({
  kind: 'vpcAccess',
  key: name,
  value: { name, vpcId: 'vpc-1', instanceId: 'i-1', port, hostHeader },
});

describe('a VPC backend', () => {
  it('is found by the access grant and the map, past the guard, with its own Host', async (t) => {
    const backend = await startRawBackend(t, answering(ok('inside')));
    const running = await startGateway(
      t,
      { a: proxyTo(vpcBackend({ accessName: 'grant' })) },
      { outbound: { guard: guarded(), vpcTargets: new Map([['vpc-1/i-1', '127.0.0.1']]) } },
    );
    assert.equal(errorOf((await call(running, '/')).headers)[0], 'X504VE');
    await running.publish([access('grant', backend.port, 'shop.internal')]);
    assert.equal((await call(running, '/')).text, 'inside');
    assert.match(backend.received[0] ?? '', /\r\nHost: shop\.internal\r\n/);
    await running.publish([{ kind: 'vpcAccess', key: 'grant', value: null }]);
    assert.equal(errorOf((await call(running, '/')).headers)[0], 'X504VE');
  });

  it('is named by a stage variable, with the Host of the API before that of the grant', async (t) => {
    const backend = await startRawBackend(t, answering(ok('inside')));
    const running = await startGateway(
      t,
      { a: proxyTo(vpcBackend({ accessName: '#place#', hostHeader: 'of.api' })) },
      { outbound: { guard: guarded(), vpcTargets: new Map([['vpc-1/i-1', '127.0.0.1']]) } },
    );
    const variables = [{ name: 'place', value: 'grant', route: null }];
    const stage: Change = { kind: 'stage', key: `${groupId}/RELEASE`, value: { groupId, stage: 'RELEASE', variables } };
    await running.publish([access('grant', backend.port, 'of.grant'), stage]);
    const answer = await fetch(`${running.url}/`, { headers: { 'X-Ca-Request-Id': 'from-client' } });
    assert.equal(await answer.text(), 'inside');
    assert.match(backend.received[0] ?? '', /\r\nHost: of\.api\r\n/);
    const ids = (backend.received[0] ?? '').match(/x-ca-request-id: [^\r]+/gi);
    assert.deepEqual(ids, [`X-Ca-Request-Id: ${answer.headers.get('x-ca-request-id')}`]);
  });

  it('that the operator did not map is X504VE, and why names the flag', async (t) => {
    const running = await startGateway(t, { a: proxyTo(vpcBackend({ vpcId: 'vpc-9', instanceId: 'i-9', port: 80 })) });
    assert.deepEqual(errorOf((await call(running, '/')).headers), ['X504VE', 'Backend service vpc mapped failed']);
    assert.match(running.records[0]?.failure?.message ?? '', /--vpc-target vpc-9\/i-9=<host>/);
  });

  it("does not lead to the server's own ports", async (t) => {
    const backend = await startRawBackend(t, answering(ok('api')));
    const guard = guarded();
    guard.addOwnPort(backend.port);
    const running = await startGateway(
      t,
      { a: proxyTo(vpcBackend({ vpcId: 'vpc-1', instanceId: 'i-1', port: backend.port })) },
      { outbound: { guard, vpcTargets: new Map([['vpc-1/i-1', '127.0.0.1']]) } },
    );
    assert.equal(errorOf((await call(running, '/')).headers)[0], 'D504IL');
  });
});

const variables = (...list: readonly StageVariable[]): Change => ({
  kind: 'stage',
  key: `${groupId}/RELEASE`,
  value: { groupId, stage: 'RELEASE', variables: list },
});
const plain = (name: string, value: string): StageVariable => ({ name, value, route: null });

describe('stage variables', () => {
  it('fill address, path, constants and mocks, and change at once', async (t) => {
    const one = await startRawBackend(t, answering(ok('one')));
    const two = await startRawBackend(t, answering(ok('two')));
    const running = await startGateway(t, {
      a: proxyTo(httpBackend('http://#host#', { path: '/#version#/x' }), {
        request: { path: '/a' },
        rest: { constants: [{ serviceName: 'X-C', value: 'c-#version#', location: 'HEAD', description: '' }] },
      }),
      m: proxyTo(
        { kind: 'mock', status: 200, headers: [{ name: 'X-V', value: '#version#' }], body: '#version#!', timeoutMs: 1 },
        { request: { path: '/m' } },
      ),
    });
    await running.publish([variables(plain('host', `127.0.0.1:${one.port}`), plain('version', 'v1'))]);
    assert.equal((await call(running, '/a')).text, 'one');
    assert.match(one.received[0] ?? '', /^GET \/v1\/x HTTP[\s\S]*\r\nX-C: c-v1\r\n/);
    const mock = await call(running, '/m');
    assert.deepEqual([mock.text, mock.headers.get('x-v')], ['v1!', 'v1']);
    await running.publish([variables(plain('host', `127.0.0.1:${two.port}`), plain('version', 'v2'))]);
    assert.equal((await call(running, '/a')).text, 'two');
  });

  it('that the stage lacks are I404SR with their name', async (t) => {
    const running = await startGateway(t, { a: proxyTo(httpBackend('http://#host#')) });
    const { status, headers } = await call(running, '/');
    assert.equal(status, 404);
    assert.deepEqual(errorOf(headers), ['I404SR', 'Stage route missing: variable host is not defined']);
  });

  it('with a route are chosen by a parameter, else by the default', async (t) => {
    const rules = [
      { equals: 'eu', min: null, max: null, value: 'europe' },
      { equals: null, min: 1, max: 5, value: 'few' },
    ];
    const route = { location: 'QUERY', parameterName: 'where', rules } as const;
    const running = await startGateway(t, {
      m: proxyTo({ kind: 'mock', status: 200, headers: [], body: '#place#', timeoutMs: 1 }),
    });
    await running.publish([variables({ name: 'place', value: 'rest', route })]);
    const asked = ['eu', '3', '6', ''].map(async (where) => (await call(running, `/?where=${where}`)).text);
    assert.deepEqual(await Promise.all(asked), ['europe', 'few', 'rest', 'rest']);
    await running.publish([variables({ name: 'place', value: null, route })]);
    assert.equal(errorOf((await call(running, '/?where=us')).headers)[0], 'I404SR');
  });
});

describe('a shared backend definition', () => {
  it("is the model of the stage that is called, with the API's own path, and changes at once", async (t) => {
    const one = await startRawBackend(t, answering(ok('one')));
    const two = await startRawBackend(t, answering(ok('two')));
    const { kind: _kind, address: _address, hostHeader: _host, ...http } = httpBackend('', { path: '/own' });
    const running = await startGateway(t, { a: proxyTo({ kind: 'shared', backendId: 'b1', ...http }) });
    assert.equal(errorOf((await call(running, '/')).headers)[0], 'I404NR');
    const model = (address: string): Change => ({
      kind: 'backend',
      key: 'b1/RELEASE',
      value: { backendId: 'b1', stage: 'RELEASE', backend: httpBackend(address, { path: '/not-this' }) },
    });
    await running.publish([model(one.address)]);
    assert.equal((await call(running, '/')).text, 'one');
    assert.match(one.received[0] ?? '', /^GET \/own /);
    await running.publish([model(two.address)]);
    assert.equal((await call(running, '/')).text, 'two');
  });
});

type FunctionHttp = Extract<Backend, { kind: 'function-http' }>;
const functionHttp = (extra: Partial<FunctionHttp>): FunctionHttp => ({
  kind: 'function-http',
  target: { serviceName: null, functionName: 'shop', qualifier: null },
  baseUrl: 'https://shop-abcdefghij.cn-hangzhou.fcapp.run',
  version: '3.0',
  onlyBusinessPath: false,
  roleArn: null,
  path: '/v1/*',
  method: 'ANY',
  timeoutMs: 1_000,
  contentType: { category: 'DEFAULT', value: null },
  ...extra,
});

describe('an HTTP function', () => {
  it('of FC 3 gets the HTTP document, without the client’s Authorization, and its answer is relayed', async (t) => {
    const invoked: InvokeRequest[] = [];
    const running = await startGateway(
      t,
      { a: proxyTo(functionHttp({})) },
      {
        invoke: async (request) => {
          invoked.push(request);
          return returned({ statusCode: '201', headers: { 'x-a': 'b' }, body: 'aGk=', isBase64Encoded: true });
        },
      },
    );
    const answer = await call(running, '/p%20q?a=1', {
      method: 'POST',
      headers: { 'content-type': 'text/plain', authorization: 'secret' },
      body: '猫',
    });
    assert.deepEqual([answer.status, answer.text, answer.headers.get('x-a')], [201, 'hi', 'b']);
    assert.equal(invoked[0]?.target.functionName, 'shop');
    const event = JSON.parse(invoked[0]?.event.toString() ?? '{}') as Record<string, unknown> & {
      headers: Record<string, string>;
      requestContext: { http: Record<string, string>; domainPrefix: string };
    };
    assert.equal(event['version'], 'v1');
    assert.equal(event['rawPath'], '/v1/p%20q');
    assert.deepEqual([event['body'], event['isBase64Encoded']], ['猫', false]);
    assert.deepEqual(event['queryParameters'], { a: '1' });
    assert.equal(event.requestContext.http['path'], '/v1/p q');
    assert.equal(event.requestContext.http['method'], 'POST');
    assert.equal(event.requestContext.domainPrefix, 'shop-abcdefghij');
    assert.doesNotMatch(JSON.stringify(event), /secret/);
  });

  for (const [what, outcome, status, type, text] of [
    ['JSON without a status is sent as it is', returned('{"b": 1}'), 200, 'application/json', '{"b": 1}'],
    ['text is sent as it is', returned('plain'), 200, 'application/json', 'plain'],
    [
      'a failed function is a 502 of the function',
      {
        kind: 'function-error',
        errorType: 'UnhandledInvocationError',
        body: Buffer.from('{"errorMessage":"x"}'),
        ...facts,
      },
      502,
      'application/json',
      '{"errorMessage":"x"}',
    ],
  ] as const) {
    it(what, async (t) => {
      const running = await startGateway(t, { a: proxyTo(functionHttp({})) }, { invoke: async () => outcome });
      const answer = await call(running, '/');
      assert.deepEqual([answer.status, answer.headers.get('content-type'), answer.text], [status, type, text]);
      assert.equal(answer.headers.has('x-ca-error-code'), false);
    });
  }

  const web = { serviceName: null, functionName: 'web', qualifier: null, triggerId: 'trigger-1' };

  it('that takes events is told whose it is, and by which trigger it is called', async (t) => {
    const events: unknown[] = [];
    const httpFunctions: HttpFunctions = {
      takesEvents: () => true,
      targetOf: (host) => (host === 'web-x.localhost' ? web : null),
      accountOf: ({ functionName }) => `account of ${functionName}`,
      call: () => Promise.reject(new Error('must not be called')),
    };
    const backend = functionHttp({ target: null, baseUrl: 'http://web-x.localhost:8082' });
    const invoke: InvokeFunction = async ({ event }) => {
      events.push(JSON.parse(event.toString()));
      return { kind: 'success', body: Buffer.from('{}'), ...facts };
    };
    const running = await startGateway(t, { a: proxyTo(backend) }, { httpFunctions, invoke });
    assert.equal((await call(running, '/')).status, 200);
    const [event] = events as { requestContext: Record<string, unknown> }[];
    const { accountId, triggerId } = event?.requestContext ?? {};
    assert.deepEqual([accountId, triggerId], ['account of web', 'trigger-1']);
  });

  it('with a handler of FC 2, or a server, gets the call itself, and its answer is relayed', async (t) => {
    const called: HttpFunctionRequest[] = [];
    const httpFunctions: HttpFunctions = {
      takesEvents: () => false,
      targetOf: (host) => (host === 'web-x.localhost' ? web : null),
      accountOf: () => '1',
      async call(request) {
        called.push(request);
        const head = { status: 203, headers: ['X-A', '1', 'x-fc-b', '2', 'Set-Cookie', 'a', 'Set-Cookie', 'b'] };
        return { kind: 'answer', head, body: Buffer.from('own'), facts };
      },
    };
    const running = await startGateway(
      t,
      {
        two: proxyTo(functionHttp({ version: '2.0', baseUrl: 'https://1.fc.aliyuncs.com/2016-08-15/proxy/s/f' }), {
          request: { path: '/two/*' },
        }),
        url: proxyTo(functionHttp({ target: null, baseUrl: 'http://web-x.localhost:8082' }), {
          request: { path: '/url' },
        }),
      },
      { httpFunctions, invoke: () => Promise.reject(new Error('must not be invoked')) },
    );
    const answer = await call(running, '/two/p%20q?a=1&b=2&a=%2B+3', {
      method: 'POST',
      headers: { authorization: 'secret', 'x-own': 'yes' },
      body: 'raw',
    });
    assert.deepEqual([answer.status, answer.text, answer.headers.get('x-a')], [203, 'own', '1']);
    assert.deepEqual([answer.headers.get('x-fc-b'), answer.headers.getSetCookie()], [null, ['a', 'b']]);
    const twice = ['X-Own: 1', 'X-Own: 2', 'Authorization: a', 'Authorization: b'];
    await rawExchange(running.port, head('GET', '/url', twice));
    const [first, second] = called;
    assert.equal(second?.target.functionName, 'web');
    const lines = second?.call.headers ?? [];
    const own = lines.filter((_, at) => at % 2 === 1 && /^(x-own|authorization)$/i.test(lines[at - 1] ?? ''));
    assert.deepEqual(own, ['1', '2']);
    assert.equal(first?.body.toString(), 'raw');
    assert.equal(first?.call.requestUri, '/v1/p%20q?a=1&b=2&a=%2B+3');
    assert.deepEqual(first?.call.query, ['a', '1', 'b', '2', 'a', '+ 3']);
    assert.equal(first?.call.path, '/v1/p q');
    assert.doesNotMatch(JSON.stringify(first?.call.headers), /secret/);
  });

  it('behind a URL of elsewhere is refused by name, and nothing is fetched', async (t) => {
    const invoke = () => Promise.reject(new Error('must not be invoked'));
    const running = await startGateway(t, { away: proxyTo(functionHttp({ target: null })) }, { invoke });
    const expected = ['D502FC', 'Function Compute response invalid: the base URL names no function here'];
    assert.deepEqual(errorOf((await call(running, '/')).headers), expected);
  });
});

describe('the breaker', () => {
  it('opens after its number of time-outs, lets one call probe, and closes when that is answered', async (t) => {
    let isSilent = true;
    const backend = await startRawBackend(t, (socket) => {
      if (!isSilent) socket.write(ok('well'));
    });
    const running = await startGateway(
      t,
      { a: proxyTo(httpBackend(backend.address, { timeoutMs: 40 })) },
      { outbound: { breakerRule: { timeouts: 2, windowMs: 60_000, openMs: 1 } } },
    );
    const codes: (string | null)[] = [];
    for (let count = 0; count < 2; count++) codes.push(errorOf((await call(running, '/')).headers)[0] ?? null);
    assert.deepEqual(codes, ['D504TO', 'D504TO']);
    await Promise.all(backend.sockets.map(closed));
    isSilent = false;
    for (let text = ''; text !== 'well'; ) text = (await call(running, '/')).text;
    assert.equal((await call(running, '/')).text, 'well');
  });
});
