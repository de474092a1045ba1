import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ApiDefinition, FrontLocation } from '../model/api.ts';
import { api, app, definition, grant, group, open, parameter, request, signedRequest, theApp } from './testing.ts';

const form = 'application/x-www-form-urlencoded';
type Declared = Parameters<typeof parameter>[0] & { readonly to?: readonly [FrontLocation, string] };

/** Declared parameters with the backend place of each. */
function mapped(declared: readonly Declared[]): Pick<ApiDefinition, 'parameters' | 'serviceParameters' | 'mappings'> {
  const targets = declared.flatMap(({ name, to }) =>
    to === undefined ? [] : [{ name, location: to[0], service: to[1] }],
  );
  return {
    parameters: declared.map(({ to: _, ...parts }) => parameter(parts)),
    serviceParameters: targets.map(({ service, location }) => ({
      name: service,
      location,
      type: 'STRING',
      catalog: 'REQUEST',
    })),
    mappings: targets.map(({ name, service }) => ({ requestName: name, serviceName: service })),
  };
}

const journey = definition({
  request: { method: 'POST', path: '/testadd' },
  rest: mapped([
    { name: 'b', location: 'BODY', to: ['QUERY', 'b'] },
    { name: 'a', location: 'BODY', to: ['QUERY', 'a'] },
  ]),
});

describe('MAPPING', () => {
  it('hands form fields that are mapped to the query to the function, in the event’s exact shape', async () => {
    const bench = open([group(), api('one', journey)]);
    await bench.send(
      request({
        method: 'POST',
        target: '/testadd',
        headers: { 'Content-Type': form, Extra: 'x' },
        body: 'a=12323&b=142&c=3',
      }),
    );
    const id = bench.invoked[0]?.requestId;
    assert.equal(
      bench.invoked[0]?.event.toString(),
      `{"headers":{"X-Ca-Api-Gateway":"${id}","X-Forwarded-For":"198.51.100.7","Content-Type":"application/x-www-form-urlencoded; charset=UTF-8"},` +
        `"body":"","pathParameters":{},"httpMethod":"POST","path":"/testadd","isBase64Encoded":false,"queryParameters":{"b":"142","a":"12323"}}`,
    );
    assert.deepEqual(bench.invoked[0]?.target, { serviceName: 'demo', functionName: 'add', qualifier: null });
  });

  it('sends the form type and an empty body on a GET too', async () => {
    const bench = open([group(), api('one', definition({}))]);
    await bench.send(request({}));
    const { headers, body, isBase64Encoded } = bench.event();
    assert.deepEqual([body, isBase64Encoded], ['', false]);
    assert.equal((headers as Record<string, string>)['Content-Type'], `${form}; charset=UTF-8`);
  });

  it('maps from every place to every place under other names', async () => {
    const places: FrontLocation[] = ['PATH', 'QUERY', 'HEAD', 'BODY'];
    const declared = places.flatMap((from) =>
      places.map((to): Declared => ({ name: `${from}-${to}`, location: from, to: [to, `${from}2${to}`] })),
    );
    const path = `/${places.map((to) => `[PATH-${to}]`).join('/')}`;
    const bench = open([
      group(),
      api('one', definition({ request: { method: 'POST', path }, rest: mapped(declared) })),
    ]);
    const answer = await bench.send(
      request({
        method: 'POST',
        target: `/p1/p2/p3/%E7%8C%AB?${places.map((to) => `QUERY-${to}=q%20${to}`).join('&')}`,
        headers: { 'Content-Type': form, ...Object.fromEntries(places.map((to) => [`head-${to}`, `h ${to}`])) },
        body: places.map((to) => `BODY-${to}=b+${to}`).join('&'),
      }),
    );
    assert.equal(answer.status, 200);
    const event = bench.event();
    assert.deepEqual(event['pathParameters'], {
      PATH2PATH: 'p1',
      QUERY2PATH: 'q PATH',
      HEAD2PATH: 'h PATH',
      BODY2PATH: 'b PATH',
    });
    assert.deepEqual(event['queryParameters'], {
      PATH2QUERY: 'p2',
      QUERY2QUERY: 'q QUERY',
      HEAD2QUERY: 'h QUERY',
      BODY2QUERY: 'b QUERY',
    });
    const headers = event['headers'] as Record<string, string>;
    assert.deepEqual([headers['PATH2HEAD'], headers['QUERY2HEAD'], headers['BODY2HEAD']], ['p3', 'q HEAD', 'b HEAD']);
    assert.equal(event['body'], 'PATH2BODY=%E7%8C%AB&QUERY2BODY=q+BODY&HEAD2BODY=h+BODY&BODY2BODY=b+BODY');
    assert.equal(event['path'], '/p1/p2/p3/猫');
  });

  it('drops what is not declared, and what is declared but not mapped', async () => {
    const bench = open([group(), api('one', definition({ rest: mapped([{ name: 'x' }]) }))]);
    await bench.send(request({ target: '/a?x=1&y=2', headers: { 'X-Y': '1' } }));
    assert.deepEqual(bench.event()['queryParameters'], {});
    assert.deepEqual(Object.keys(bench.event()['headers'] as object), [
      'X-Ca-Api-Gateway',
      'X-Forwarded-For',
      'Content-Type',
    ]);
  });

  it('sends a STREAM body as Base64 with the client’s type, also when it is empty', async () => {
    const stream = definition({ request: { method: 'POST', bodyFormat: 'STREAM' } });
    const bench = open([group(), api('one', stream)]);
    await bench.send(
      request({ method: 'POST', headers: { 'Content-Type': 'image/png' }, body: Buffer.from([0, 255]) }),
    );
    assert.deepEqual([bench.event()['body'], bench.event()['isBase64Encoded']], ['AP8=', true]);
    assert.equal((bench.event()['headers'] as Record<string, string>)['Content-Type'], 'image/png');
    await bench.send(request({ method: 'POST' }));
    assert.deepEqual([bench.event()['body'], bench.event()['isBase64Encoded']], ['', true]);
    assert.equal(
      (bench.event()['headers'] as Record<string, string>)['Content-Type'],
      'application/octet-stream; charset=UTF-8',
    );
  });

  it('adds constants and system parameters, and appends to X-Forwarded-For', async () => {
    const systems = [
      'CaClientIp',
      'CaDomain',
      'CaRequestHandleTime',
      'CaAppId',
      'CaApiName',
      'CaHttpSchema',
      'CaProxy',
      'CaClientUa',
      'CaStage',
    ];
    const value = definition({
      rest: {
        constants: [{ serviceName: 'k', value: 'v', location: 'HEAD', description: '' }],
        systems: systems.map((name) => ({
          name,
          serviceName: name,
          location: 'QUERY',
          demoValue: '',
          description: '',
        })),
      },
    });
    const bench = open([group(), api('one', value)]);
    await bench.send(request({ headers: { 'X-Forwarded-For': '203.0.113.9', 'User-Agent': 'curl/7' } }));
    const headers = bench.event()['headers'] as Record<string, string>;
    assert.deepEqual([headers['k'], headers['X-Forwarded-For']], ['v', '203.0.113.9, 198.51.100.7']);
    assert.deepEqual(bench.event()['queryParameters'], {
      CaClientIp: '198.51.100.7',
      CaDomain: '0123456789abcdef0123456789abcdef.localhost',
      CaRequestHandleTime: '2018-05-09T13:30:29Z',
      CaAppId: 'null',
      CaApiName: 'testadd',
      CaHttpSchema: 'HTTP',
      CaProxy: 'AliCloudAPIGateway',
      CaClientUa: 'curl/7',
      CaStage: 'RELEASE',
    });
  });

  it('tells the backend of a signed caller, its scheme and what it may know by no other way', async () => {
    const systems = [
      'CaAppId',
      'CaAppKey',
      'CaRequestId',
      'CaHttpSchema',
      'CaDeviceId',
      'CaCloudMarketInstanceId',
    ].concat('CaMarketExpriencePlan', 'CaMarketExperiencePlan');
    const value = definition({
      auth: { type: 'APP' },
      rest: {
        systems: systems.map((name) => ({ name, serviceName: name, location: 'HEAD', demoValue: '', description: '' })),
      },
    });
    const bench = open([group(), api('one', value), theApp, grant('one')]);
    const answer = await bench.send({ ...signedRequest({ headers: { 'X-Ca-DeviceId': 'd@1' } }), isTls: true });
    assert.equal(answer.status, 200);
    const headers = bench.event()['headers'] as Record<string, string>;
    assert.deepEqual(
      systems.map((name) => headers[name]),
      [String(app.appId), app.key, answer.headers['x-ca-request-id'], 'HTTPS', 'd@1', 'null', 'null', 'null'],
    );
  });

  it('keeps names of Object.prototype as ordinary names', async () => {
    const bench = open([
      group(),
      api('one', definition({ rest: mapped([{ name: '__proto__', to: ['QUERY', '__proto__'] }]) })),
    ]);
    await bench.send(request({ target: '/a?__proto__=1' }));
    assert.match(bench.invoked[0]?.event.toString() ?? '', /"queryParameters":\{"__proto__":"1"\}\}$/);
  });
});

describe('PASSTHROUGH', () => {
  const value = definition({
    request: { method: 'ANY', path: '/a/[id]', mode: 'PASSTHROUGH' },
    rest: mapped([{ name: 'x', required: true, type: 'Int', to: ['QUERY', 'y'] }]),
  });

  it('sends client headers in their spelling, query and raw body; nothing is checked', async () => {
    const bench = open([group(), api('one', value)]);
    const sent = {
      Connection: 'keep-alive, X-Hop',
      connection: 'x-other',
      'X-Hop': '1',
      'X-Other': '1',
      'X-mIxed': '猫',
      'X-Ca-Stage': 'RELEASE',
      'X-Ca-Signature': 'AAAA',
      'Content-Type': form,
    };
    await bench.send(request({ method: 'PUT', target: '/a/7?x=text&x=2&z=%20', headers: sent, body: 'a=1' }));
    const { headers, queryParameters, pathParameters, body, isBase64Encoded, httpMethod } = bench.event();
    assert.deepEqual(headers, {
      'X-Ca-Api-Gateway': bench.invoked[0]?.requestId,
      'X-Forwarded-For': '198.51.100.7',
      'Content-Type': form,
      'X-mIxed': '猫',
      'X-Ca-Stage': 'RELEASE',
      'X-Real-IP': '198.51.100.7',
      'X-Forwarded-Proto': 'http',
      'CA-Host': '0123456789abcdef0123456789abcdef.localhost',
    });
    assert.deepEqual([queryParameters, pathParameters], [{ x: 'text', z: ' ' }, { id: '7' }]);
    assert.deepEqual([body, isBase64Encoded, httpMethod], ['YT0x', true, 'PUT']);
  });

  it('holds back what belongs to the connection, to the gateway and to the signature', async () => {
    const connection = ['Connection', 'Keep-Alive', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade', 'Host'];
    const proxies = ['Proxy-Authenticate', 'Proxy-Authorization', 'Proxy-Connection'];
    const signature = ['X-Ca-Signature', 'X-Ca-Signature-Headers', 'X-Ca-Signature-Method'];
    const own = ['X-Ca-Api-Gateway', 'X-Forwarded-Proto', 'X-Real-IP', 'CA-Host', 'X-Forwarded-For'];
    const names = [...connection, ...proxies, ...signature, ...own].filter((name) => name !== 'Host');
    const sent = Object.fromEntries(names.map((name) => [name, 'from-client']));
    const bench = open([group(), api('one', definition({ request: { mode: 'PASSTHROUGH' } }))]);
    await bench.send({ ...request({ headers: { ...sent, 'X-Ca-Stage': 'RELEASE', 'X-Kept': 'k' } }), isTls: true });
    const headers = bench.event()['headers'] as Record<string, string>;
    assert.deepEqual(
      names.filter((name) => headers[name] === 'from-client'),
      [],
    );
    assert.deepEqual([headers['X-Kept'], headers['X-Ca-Stage'], headers['Host']], ['k', 'RELEASE', undefined]);
    assert.deepEqual([headers['X-Forwarded-Proto'], headers['X-Real-IP']], ['https', '198.51.100.7']);
  });

  it('sends the first of a repeated header, whatever its spelling', async () => {
    const bench = open([group(), api('one', definition({ request: { mode: 'PASSTHROUGH' } }))]);
    const twice = request({ headers: { 'X-Twice': 'first' } });
    await bench.send({ ...twice, rawHeaders: [...twice.rawHeaders, 'x-twice', 'second'] });
    const headers = bench.event()['headers'] as Record<string, string>;
    assert.deepEqual([headers['X-Twice'], headers['x-twice']], ['first', undefined]);
    assert.ok(!JSON.stringify(headers).includes('second'));
  });

  it('marks even an empty GET body as Base64', async () => {
    const bench = open([group(), api('one', value)]);
    await bench.send(request({ target: '/a/7' }));
    assert.deepEqual([bench.event()['body'], bench.event()['isBase64Encoded']], ['', true]);
  });
});

describe('MAPPING_PASSTHROUGH', () => {
  it('maps and checks what is declared, and sends the rest under its own name and place', async () => {
    const value = definition({
      request: { method: 'POST', path: '/a/[id]/[other]', mode: 'MAPPING_PASSTHROUGH' },
      rest: mapped([
        { name: 'id', location: 'PATH', type: 'Int', to: ['PATH', 'petId'] },
        { name: 'q', type: 'Int', to: ['QUERY', 'count'] },
        { name: 'X-H', location: 'HEAD', to: ['HEAD', 'X-Mapped'] },
        { name: 'f', location: 'BODY', to: ['BODY', 'g'] },
      ]),
    });
    const bench = open([group(), api('one', value)]);
    const headers = { 'Content-Type': form, 'x-h': '1', 'X-Free': '2' };
    const call = { method: 'POST', target: '/a/7/8?q=5&r=6', headers, body: 'f=1&u=2' };
    await bench.send(request(call));
    const event = bench.event();
    assert.deepEqual(event['pathParameters'], { petId: '7', other: '8' });
    assert.deepEqual(event['queryParameters'], { r: '6', count: '5' });
    assert.equal(event['body'], 'u=2&g=1');
    const got = event['headers'] as Record<string, string>;
    assert.deepEqual([got['X-Mapped'], got['X-Free'], got['x-h'], got['X-H']], ['1', '2', undefined, undefined]);
    const refused = await bench.send(request({ ...call, target: '/a/x/8' }));
    assert.equal(refused.headers['x-ca-error-message'], 'Invalid parameter `id` is not an Int');
  });
});

describe('checking parameters', () => {
  const rows: [sentence: string, declared: Partial<Declared>, query: string, expected: string | null | undefined][] = [
    ['refuses a required one that is absent', { required: true }, '', 'Parameter `p` is required'],
    ['takes an empty text for present', { required: true }, 'p=', undefined],
    ['uses the default of an absent one', { required: true, defaultValue: 'd' }, '', undefined],
    ['takes the 32-bit Ints', { type: 'Int' }, 'p=-2147483648', undefined],
    ['refuses a larger Int', { type: 'Int' }, 'p=2147483648', 'Invalid parameter `p` is not an Int'],
    ['refuses a fraction for an Int', { type: 'Int' }, 'p=1.5', 'Invalid parameter `p` is not an Int'],
    ['takes the 64-bit Longs', { type: 'Long' }, 'p=9223372036854775807', undefined],
    ['refuses a larger Long', { type: 'Long' }, 'p=9223372036854775808', 'Invalid parameter `p` is not a Long'],
    ['takes a Double', { type: 'Double' }, 'p=-1.5e3', undefined],
    ['refuses hexadecimal for a Float', { type: 'Float' }, 'p=0x10', 'Invalid parameter `p` is not a Float'],
    ['takes a Boolean in any case', { type: 'Boolean' }, 'p=True', undefined],
    ['refuses 1 for a Boolean', { type: 'Boolean' }, 'p=1', 'Invalid parameter `p` is not a Boolean'],
    ['takes the maximum itself', { type: 'Int', maxValue: 120 }, 'p=120', undefined],
    [
      'refuses more than the maximum',
      { type: 'Int', maxValue: 120 },
      'p=121',
      'Invalid parameter `p` exceeds maximum 120',
    ],
    ['refuses less than the minimum', { type: 'Int', minValue: 1 }, 'p=0', 'Invalid parameter `p` is less than 1'],
    ['counts characters, not units', { maxLength: 2 }, 'p=%F0%9F%90%B1%F0%9F%90%B1', undefined],
    ['refuses a longer text', { maxLength: 2 }, 'p=abc', 'Invalid parameter `p` is longer than 2'],
    ['refuses a shorter text', { minLength: 2 }, 'p=a', 'Invalid parameter `p` is shorter than 2'],
    [
      'matches a regular expression on the whole value',
      { regularExpression: 'a|b' },
      'p=ab',
      'Invalid parameter `p` does not match the regular expression',
    ],
    [
      'does not put a huge value to a regular expression',
      { regularExpression: 'a*' },
      `p=${'a'.repeat(9000)}`,
      'Invalid parameter `p` is too long to be matched',
    ],
    ['takes a member of the enumeration', { enumValue: 'a, b' }, 'p=b', undefined],
    ['refuses others', { enumValue: 'a,b' }, 'p=c', 'Invalid parameter `p` is not one of the allowed values'],
    ['wants JSON where there is a schema', { jsonScheme: '{}' }, 'p=%7B', 'Invalid parameter `p` is not JSON'],
  ];
  for (const [sentence, declared, query, expected] of rows) {
    it(sentence, async () => {
      const bench = open([
        group(),
        api('one', definition({ rest: mapped([{ name: 'p', to: ['QUERY', 'p'], ...declared }]) })),
      ]);
      const answer = await bench.send(request({ target: `/a?${query}` }));
      assert.equal(answer.headers['x-ca-error-message'], expected);
      assert.equal(answer.status, expected === undefined ? 200 : 400);
      assert.equal(bench.invoked.length, expected === undefined ? 1 : 0);
    });
  }

  it('sends the default to the backend', async () => {
    const bench = open([
      group(),
      api('one', definition({ rest: mapped([{ name: 'p', defaultValue: 'd', to: ['QUERY', 'p'] }]) })),
    ]);
    await bench.send(request({}));
    assert.deepEqual(bench.event()['queryParameters'], { p: 'd' });
  });

  it('names the wrong body type when a required form field is missing', async () => {
    const value = definition({
      request: { method: 'POST' },
      rest: mapped([{ name: 'p', location: 'BODY', required: true }]),
    });
    const call = request({ method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"p":1}' });
    const answer = await open([group(), api('one', value)]).send(call);
    assert.equal(answer.headers['x-ca-error-code'], 'I400MP');
    assert.match(answer.failure?.message ?? '', /not application\/x-www-form-urlencoded/);
  });

  it('hides the value of a parameter that is named like a secret', async () => {
    const bench = open([group(), api('one', definition({ rest: mapped([{ name: 'userPassword', type: 'Int' }]) }))]);
    const answer = await bench.send(request({ target: '/a?userPassword=hunter2' }));
    assert.equal(answer.status, 400);
    assert.ok(!JSON.stringify(answer).includes('hunter2'));
  });

  const broken: [sentence: string, rest: Parameters<typeof definition>[0]['rest'], reason: RegExp][] = [
    [
      'a regular expression that cannot be compiled',
      mapped([{ name: 'p', regularExpression: '(' }]),
      /regular expression of parameter p/,
    ],
    ['a path parameter that is not in the path', mapped([{ name: 'p', location: 'PATH' }]), /path parameter p/],
    [
      'a system parameter that is unknown',
      { systems: [{ name: 'CaNone', serviceName: 'x', location: 'HEAD', demoValue: '', description: '' }] },
      /CaNone/,
    ],
    [
      'a mapping to nowhere',
      { ...mapped([{ name: 'p' }]), mappings: [{ requestName: 'p', serviceName: 'q' }] },
      /q is mapped/,
    ],
  ];
  for (const [sentence, rest, reason] of broken) {
    it(`answers X500AM for ${sentence}, and other APIs go on`, async () => {
      const bench = open([
        group(),
        api('one', definition({ ...(rest === undefined ? {} : { rest }) })),
        api('two', definition({ request: { path: '/b' } })),
      ]);
      const answer = await bench.send(request({}));
      assert.equal(answer.headers['x-ca-error-code'], 'X500AM');
      assert.match(answer.failure?.message ?? '', reason);
      assert.equal((await bench.send(request({ target: '/b' }))).status, 200);
    });
  }

  it('refuses a form in an unknown charset and with broken escapes', async () => {
    const bench = open([group(), api('one', journey)]);
    const post = (type: string, body: string) =>
      bench.send(request({ method: 'POST', target: '/testadd', headers: { 'Content-Type': type }, body }));
    assert.equal((await post(`${form}; charset=none`, 'a=1')).headers['x-ca-error-code'], 'I400CT');
    assert.equal((await post(form, 'a=%zz')).headers['x-ca-error-code'], 'I400BD');
    assert.equal((await post(`${form}; charset=GBK`, 'a=%C3%A8')).status, 200);
    assert.deepEqual(bench.event()['queryParameters'], { a: '猫' });
  });
});
