import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InternalTimeout } from '../base/internal-timeout.ts';
import type { InvocationOutcome } from '../model/invocation.ts';
import {
  api,
  app,
  definition,
  facts,
  grant,
  group,
  groupId,
  open,
  request,
  returned,
  signedRequest,
  theApp,
} from './testing.ts';

describe('every answer', () => {
  it('carries the request id, the open CORS block and no error for a success', async () => {
    const bench = open([group(), api('one', definition({}))]);
    const { status, headers, failure } = await bench.send(request({}));
    assert.equal(status, 200);
    assert.match(headers['x-ca-request-id'] ?? '', /^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/);
    assert.equal(headers['x-ca-request-id'], bench.invoked[0]?.requestId);
    const block = {
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET,POST,PUT,DELETE,HEAD,OPTIONS,PATCH',
      'access-control-allow-headers':
        'X-Requested-With,X-Sequence,X-Ca-Key,X-Ca-Secret,X-Ca-Version,X-Ca-Timestamp,X-Ca-Nonce,X-Ca-API-Key,X-Ca-Stage,X-Ca-Client-DeviceId,X-Ca-Client-AppId,X-Ca-Signature,X-Ca-Signature-Headers,X-Ca-Signature-Method,X-Forwarded-For,X-Ca-Date,X-Ca-Request-Mode,Authorization,Content-Type,Accept,Accept-Ranges,Cache-Control,Range,Content-MD5',
      'access-control-max-age': '172800',
    };
    const cors = Object.entries(headers).filter(([name]) => name.startsWith('access-control-'));
    assert.deepEqual(Object.fromEntries(cors), block);
    assert.equal(headers['x-ca-error-code'], undefined);
    assert.equal(headers['x-ca-error-message'], undefined);
    assert.equal(failure, null);
  });

  it('leaves CORS to a backend that speaks of it, header by header', async () => {
    const result = { statusCode: 200, headers: { 'access-control-allow-origin': 'https://x.test' }, body: '' };
    const bench = open([group(), api('one', definition({}))], { invoke: async () => returned(result) });
    const { reply } = await bench.gateway.run(request({}));
    const names = (reply?.headers ?? []).filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
    assert.equal(names.filter((name) => name === 'access-control-allow-origin').length, 1);
    assert.ok(names.includes('access-control-allow-methods'));
  });

  it('has an id, a code and an empty body also when nothing could be routed', async () => {
    const { status, headers, body } = await open([]).send(request({ headers: { Host: 'nobody.test' } }));
    assert.equal(status, 404);
    assert.equal(headers['x-ca-error-code'], 'I404DO');
    assert.equal(headers['x-ca-error-message'], 'Invalid Domain `nobody.test`');
    assert.ok(headers['x-ca-request-id']);
    assert.equal(headers['access-control-allow-origin'], '*');
    assert.equal(body, '');
  });

  it('carries latencies in debug mode only', async () => {
    const bench = open([group(), api('one', definition({}))]);
    const debug = await bench.send(request({ headers: { 'X-Ca-Request-Mode': 'debug' } }));
    assert.equal(debug.headers['x-ca-debug-info'], '{"ServiceLatency":0,"TotalLatency":0}');
    assert.equal((await bench.send(request({}))).headers['x-ca-debug-info'], undefined);
    const other = await bench.send(request({ headers: { 'X-Ca-Request-Mode': 'release' } }));
    assert.equal(other.headers['x-ca-debug-info'], undefined);
  });

  it('becomes X500ER without details when the gateway itself fails', async () => {
    const bench = open([group(), api('one', definition({}))], {
      invoke: () => Promise.reject(new Error('inner detail')),
    });
    const answer = await bench.send(request({}));
    assert.equal(answer.status, 500);
    assert.equal(answer.headers['x-ca-error-code'], 'X500ER');
    assert.equal(answer.headers['x-ca-error-message'], 'Service Internal Error');
    assert.ok(!JSON.stringify(answer).includes('inner detail'));
    assert.equal(bench.bugs.length, 1);
    assert.equal(bench.clock.pending, 0);
  });
});

it('answers X504TO, and reports no bug, when a process of the server does not answer in time', async () => {
  const late = () => Promise.reject(new InternalTimeout('control did not answer'));
  const changes = [group(), theApp, api('a', definition({ auth: { type: 'APP' } })), grant('a')];
  const byNonce = open(changes, { claimNonce: late });
  const answer = await byNonce.send(signedRequest({ nonce: 'n' }));
  assert.deepEqual([answer.status, answer.headers['x-ca-error-code']], [504, 'X504TO']);
  assert.equal(answer.headers['x-ca-error-message'], 'Service timeout');
  assert.deepEqual([answer.failure?.side, answer.failure?.got], ['platform', 'control did not answer']);
  const byCount = open([group({ isClassic: true }), api('a', definition({}))], {
    count: late,
    settings: { groupLimitPerSecond: 1 },
  });
  const classic = await byCount.send(request({}));
  assert.deepEqual([classic.status, classic.headers['x-ca-error-message']], [504, 'Async Service']);
  assert.deepEqual([...byNonce.bugs, ...byCount.bugs], []);
});

describe('the request line and headers', () => {
  const bench = open([group(), api('one', definition({}))], {
    settings: { uriLimitBytes: 50, headerLimitBytes: 200, bodyLimitBytes: 10 },
  });
  const rows: [sentence: string, parts: Parameters<typeof request>[0], code: string, message: RegExp][] = [
    ['refuses an unknown method', { method: 'PROPFIND' }, 'I405UM', /^Unsupported Method `PROPFIND`$/],
    ['refuses a long target', { target: `/${'x'.repeat(50)}` }, 'I413UL', /^Request URL too Large$/],
    ['refuses too many header bytes', { headers: { 'X-A': 'x'.repeat(300) } }, 'I400HD', /^Invalid Header `\*`/],
    ['refuses a bad escape in the path', { target: '/%zz' }, 'I400PA', /^Invalid Request Path `\/%zz`$/],
    ['refuses a path that is no path', { target: '*' }, 'I400PA', /^Invalid Request Path/],
    ['refuses a bad escape in the query', { target: '/a?x=%zz' }, 'I400RU', /^Invalid Request Uri/],
    [
      'refuses a Content-Type that is none',
      { headers: { 'Content-Type': 'x' } },
      'I400CT',
      /^Invalid Content-Type: `x`$/,
    ],
    [
      'refuses an announced body over the limit',
      { method: 'POST', body: 'x'.repeat(11) },
      'I413RL',
      /^Request body too Large$/,
    ],
  ];
  for (const [sentence, parts, code, message] of rows) {
    it(sentence, async () => {
      const answer = await bench.send(request(parts));
      assert.equal(answer.headers['x-ca-error-code'], code);
      assert.match(answer.headers['x-ca-error-message'] ?? '', message);
      assert.equal(answer.failure?.code, code);
      assert.equal(String(answer.status), code.slice(1, 4));
    });
  }

  it('refuses what went round in circles, but not a long list of proxies', async () => {
    const hops = Array.from({ length: 31 }, (_, at) => `10.0.0.${at}`).join(',');
    const passed = { 'X-Forwarded-For': hops };
    const circling = open([group(), api('one', definition({}))]);
    assert.equal((await circling.send(request({ headers: passed }))).status, 200);
    const answer = await circling.send(request({ headers: { ...passed, 'X-Ca-Api-Gateway': 'x' } }));
    assert.deepEqual([answer.status, answer.headers['x-ca-error-code']], [508, 'I508LD']);
  });

  it('refuses a second Host', async () => {
    const value = request({});
    const answer = await bench.send({ ...value, rawHeaders: [...value.rawHeaders, 'host', 'other'] });
    assert.equal(answer.headers['x-ca-error-message'], 'Invalid Header `Host` is given twice');
  });

  it('serves a target in absolute form by its own host', async () => {
    const target = `http://${groupId}.localhost/a`;
    assert.equal(
      (await open([group(), api('one', definition({}))]).send(request({ target, headers: { Host: 'x' } }))).status,
      200,
    );
  });
});

describe('the host', () => {
  const two = 'f'.repeat(32);
  const bound = group({
    domains: [
      { host: 'api.example.test', stage: null },
      { host: 'test.example.test', stage: 'TEST' },
    ],
  });
  const release = api('one', definition({}), 'RELEASE');
  const test = api('one', definition({ rest: { apiName: 'in TEST' } }), 'TEST');

  for (const host of [
    `${groupId}-cn-hangzhou.alicloudapi.com`,
    `${groupId.toUpperCase()}.LOCALHOST:8080`,
    'API.example.test:80',
  ]) {
    it(`leads by ${host} to its group`, async () => {
      assert.equal((await open([bound, release]).send(request({ headers: { Host: host } }))).status, 200);
    });
  }

  for (const host of ['127.0.0.1:8080', 'localhost', '[::1]:8080', '10.1.2.3']) {
    it(`leads by ${host} to the only group, to the one named, and nowhere when there are two`, async () => {
      const value = request({ headers: { Host: host } });
      assert.equal((await open([bound, release]).send(value)).status, 200);
      const both = open([bound, release, group({ groupId: two })]);
      const refused = await both.send(value);
      assert.equal(refused.headers['x-ca-error-code'], 'I404DO');
      assert.match(refused.failure?.message ?? '', /2 groups exist/);
      both.gateway.setDefaultGroup(groupId);
      assert.equal((await both.send(value)).status, 200);
    });
  }

  it('chooses the stage when it is bound to one, whatever the header says', async () => {
    const bench = open([bound, test]);
    const headers = { Host: 'test.example.test', 'X-Ca-Stage': 'RELEASE' };
    assert.equal((await bench.send(request({ headers }))).status, 200);
    assert.equal((await bench.send(request({ headers: { Host: 'api.example.test' } }))).status, 404);
  });

  it('is given up by its group when it is unbound, and follows to another group', async () => {
    const bench = open([bound, release, group({ groupId: two })]);
    const value = request({ headers: { Host: 'api.example.test' } });
    await bench.gateway.apply({
      version: 2,
      changes: [group({ groupId: two, domains: [{ host: 'api.example.test', stage: null }] }), group()],
    });
    assert.equal((await bench.send(value)).headers['x-ca-error-code'], 'I404NF');
    await bench.gateway.apply({ version: 3, changes: [{ kind: 'group', key: two, value: null }] });
    assert.equal((await bench.send(value)).headers['x-ca-error-code'], 'I404DO');
    assert.equal(bench.gateway.version(), 3);
  });
});

describe('stage, path and method', () => {
  it('takes RELEASE when no stage is named, and names in any case', async () => {
    const bench = open([
      group(),
      api('one', definition({}), 'TEST'),
      api('two', definition({ request: { path: '/b' } })),
    ]);
    assert.equal((await bench.send(request({ target: '/b' }))).status, 200);
    assert.equal((await bench.send(request({ headers: { 'x-ca-stage': 'test' } }))).status, 200);
    const bad = await bench.send(request({ headers: { 'x-ca-stage': 'DEV' } }));
    assert.deepEqual(
      [bad.status, bad.headers['x-ca-error-code'], bad.headers['x-ca-error-message']],
      [400, 'I400SG', 'Invalid Stage'],
    );
  });

  it('puts the base path of the group before every path', async () => {
    const bench = open([group({ basePath: '/v1/x' }), api('one', definition({}))]);
    assert.equal((await bench.send(request({ target: '/v1/x/a' }))).status, 200);
    assert.equal(bench.event()['path'], '/v1/x/a');
    const miss = await bench.send(request({ target: '/a' }));
    assert.equal(miss.headers['x-ca-error-code'], 'I404NF');
    assert.match(miss.failure?.message ?? '', /base path \/v1\/x/);
  });

  it('serves APIs that were published before their group', async () => {
    const bench = open([api('one', definition({}))]);
    await bench.gateway.apply({ version: 2, changes: [group()] });
    assert.equal((await bench.send(request({}))).status, 200);
  });

  it('matches the decoded path, and keeps encoded slashes', async () => {
    const bench = open([group(), api('one', definition({ request: { path: '/猫/a%2Fb' } }))]);
    assert.equal((await bench.send(request({ target: '/%E7%8C%AB/a%2Fb' }))).status, 200);
  });

  it('refuses a protocol that the API does not serve', async () => {
    const bench = open([group(), api('one', definition({ request: { protocols: ['HTTPS'] } }))]);
    const answer = await bench.send(request({}));
    assert.deepEqual([answer.status, answer.headers['x-ca-error-message']], [403, 'Invalid protocol HTTP unsupported']);
    assert.equal((await bench.send(request({ isTls: true }))).status, 200);
  });

  const misses: [sentence: string, parts: Parameters<typeof request>[0], field: string, message: RegExp][] = [
    ['names the methods that there are', { method: 'DELETE' }, 'method', /this path is published for GET, PUT\.$/],
    ['names the other stage', { target: '/only-test' }, 'X-Ca-Stage', /it is published in TEST/],
    ['sees a last slash too many', { target: '/a/' }, 'path', /without a last slash is/],
    ['says no more when nothing is near', { target: '/zzz' }, 'path', /case-sensitive\.$/],
  ];
  for (const [sentence, parts, field, message] of misses) {
    it(`on a miss ${sentence}`, async () => {
      const bench = open([
        group(),
        api('one', definition({})),
        api('two', definition({ request: { method: 'PUT' } })),
        api('three', definition({ request: { path: '/only-test' } }), 'TEST'),
      ]);
      const answer = await bench.send(request(parts));
      assert.equal(answer.headers['x-ca-error-code'], 'I404NF');
      assert.equal(answer.headers['x-ca-error-message'], 'API not found');
      assert.equal(answer.failure?.field, field);
      assert.match(answer.failure?.message ?? '', message);
    });
  }

  it('stops serving an API that was taken away, and serves a moved one only where it is now', async () => {
    const bench = open([group(), api('one', definition({}))]);
    await bench.gateway.apply({ version: 2, changes: [api('one', definition({ request: { path: '/b' } }))] });
    assert.equal((await bench.send(request({}))).status, 404);
    assert.equal((await bench.send(request({ target: '/b' }))).status, 200);
    await bench.gateway.apply({ version: 3, changes: [{ kind: 'api', key: 'one/RELEASE', value: null }] });
    assert.equal((await bench.send(request({ target: '/b' }))).status, 404);
  });

  it('finishes a request on the snapshot that it began with', async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const bench = open([group(), api('one', definition({}))], {
      invoke: async () => {
        await gate;
        return returned({ statusCode: 200 });
      },
    });
    const under = bench.send(request({}));
    await bench.gateway.apply({ version: 2, changes: [{ kind: 'api', key: 'one/RELEASE', value: null }] });
    release();
    assert.equal((await under).status, 200);
    assert.equal((await bench.send(request({}))).status, 404);
  });
});

describe('a browser’s preflight', () => {
  const headers = { Origin: 'https://x.test', 'Access-Control-Request-Method': 'POST' };

  it('is answered without authentication or backend', async () => {
    const bench = open([group(), api('one', definition({ request: { method: 'POST' }, auth: { type: 'APP' } }))]);
    const answer = await bench.send(request({ method: 'OPTIONS', headers }));
    assert.deepEqual([answer.status, answer.body, bench.invoked.length], [200, '', 0]);
    assert.match(answer.headers['access-control-allow-headers'] ?? '', /X-Ca-Signature-Headers/);
  });

  it('goes to the API that handles OPTIONS or ANY there', async () => {
    const bench = open([group(), api('one', definition({ request: { method: 'ANY' } }))]);
    assert.equal((await bench.send(request({ method: 'OPTIONS', headers }))).body, 'ok');
  });

  it('is an ordinary miss without Access-Control-Request-Method', async () => {
    const answer = await open([group()]).send(request({ method: 'OPTIONS', headers: { Origin: 'https://x.test' } }));
    assert.equal(answer.status, 404);
  });
});

describe('a classic group', () => {
  it('answers errors in its own words and statuses, without a code', async () => {
    const bench = open([group({ isClassic: true }), api('one', definition({ auth: { type: 'APP' } })), theApp]);
    const miss = await bench.send(request({ target: '/none' }));
    assert.deepEqual(
      [miss.status, miss.headers['x-ca-error-code'], miss.headers['x-ca-error-message']],
      [400, undefined, 'Invalid Url'],
    );
    const unsigned = await bench.send(signedRequest({ target: '/a' }));
    assert.deepEqual([unsigned.status, unsigned.headers['x-ca-error-message']], [403, 'Unauthorized']);
    assert.equal(unsigned.failure?.code, 'I403AA');
  });

  it('answers 503 Service Unavailable when a function returns the wrong shape', async () => {
    const bench = open([group({ isClassic: true }), api('one', definition({}))], {
      invoke: async () => returned({ a: 1 }),
    });
    const answer = await bench.send(request({}));
    assert.deepEqual([answer.status, answer.headers['x-ca-error-message']], [503, 'Service Unavailable']);
    assert.equal(answer.headers['x-ca-error-code'], undefined);
  });

  it('tells a group without APIs from a wrong URL', async () => {
    const messageOf = async (...apis: Parameters<typeof open>[0]) =>
      (await open([group({ isClassic: true }), ...apis]).send(request({ target: '/b' }))).headers['x-ca-error-message'];
    assert.equal(await messageOf(), 'API Not Found');
    assert.equal(await messageOf(api('one', definition({}))), 'Invalid Url');
  });

  it('answers 503 Service Unavailable also when a function is slower than the API’s time-out', async () => {
    const bench = open([group({ isClassic: true }), api('one', definition({}))], {
      invoke: () => new Promise(() => {}),
    });
    const answering = bench.send(request({}));
    while (bench.clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    bench.clock.advance(60_000);
    const answer = await answering;
    assert.deepEqual([answer.status, answer.headers['x-ca-error-message']], [503, 'Service Unavailable']);
    assert.equal(answer.failure?.code, 'D504TO');
  });

  it('names the reason phrase of a backend’s failure, as VPC groups do not', async () => {
    const invoke = async () => returned({ statusCode: 404, body: 'x' });
    const classic = await open([group({ isClassic: true }), api('one', definition({}))], { invoke }).send(request({}));
    assert.equal(classic.headers['x-ca-error-message'], 'Not Found');
    const vpc = await open([group(), api('one', definition({}))], { invoke }).send(request({}));
    assert.deepEqual([vpc.status, vpc.body, vpc.headers['x-ca-error-message']], [404, 'x', undefined]);
  });
});

describe('X-Yunmen-Why', () => {
  const changes = [group(), api('one', definition({}))];
  const wrong = async () => ({ ...returned('SECRET OUTPUT'), ...facts, logTail: Buffer.from('SECRET LOG') });

  it('goes to loopback peers when it is switched on', async () => {
    const on = open(changes, { settings: { showWhyToLoopback: true }, invoke: wrong });
    const local = await on.send(request({ peerAddress: '::ffff:127.0.0.1' }));
    assert.match(local.headers['x-yunmen-why'] ?? '', /^function: The function demo\/add ran, but .*not JSON/);
    assert.equal((await on.send(request({}))).headers['x-yunmen-why'], undefined);
    const off = open(changes, { invoke: wrong });
    assert.equal((await off.send(request({ peerAddress: '127.0.0.1' }))).headers['x-yunmen-why'], undefined);
  });

  it('is at most 1 KB of ASCII and holds no function output', async () => {
    const bench = open(changes, { settings: { showWhyToLoopback: true }, invoke: wrong });
    const shape = await bench.send(request({ peerAddress: '127.0.0.1' }));
    assert.ok(!JSON.stringify(shape.headers).includes('SECRET'));
    assert.equal(shape.failure?.got, 'SECRET OUTPUT');
    assert.equal(shape.failure?.functionLog, 'SECRET LOG');
    const long = await bench.send(request({ peerAddress: '127.0.0.1', target: `/${'%E7%8C%AB'.repeat(900)}` }));
    assert.match(long.headers['x-yunmen-why'] ?? '', /^[ -~]{1,1024}$/);
  });

  it('holds neither the secret nor a right signature when a signature is wrong', async () => {
    const bench = open([group(), api('one', definition({ auth: { type: 'APP' } })), theApp, grant('one')], {
      settings: { showWhyToLoopback: true },
    });
    const right = signedRequest({});
    const signature = right.rawHeaders[right.rawHeaders.indexOf('X-Ca-Signature') + 1] ?? '';
    const changed = right.rawHeaders.map((item) => (item === signature ? 'AAAA' : item));
    const answer = await bench.send({ ...right, rawHeaders: changed, peerAddress: '127.0.0.1' });
    assert.equal(answer.status, 403);
    const all = JSON.stringify(answer);
    assert.ok(!all.includes(signature) && !all.includes(app.secret));
    assert.ok(answer.headers['x-yunmen-why']);
  });
});

describe('the record of a request', () => {
  it('tells what the function’s start was made of, and nothing of a warm call', async () => {
    const parts = { isSpare: true, waitMs: 0.1, startMs: 0, codeMs: 2, loadMs: 3, initializerMs: 4 };
    const answer = returned({ statusCode: 200, body: 'ok' });
    const outcomes = [{ ...answer, coldStart: parts, durationMs: 5 } as InvocationOutcome, answer];
    const invoke = async () => outcomes.shift() ?? assert.fail('a third call');
    const bench = open([group(), api('one', definition({}))], { invoke });
    assert.deepEqual((await bench.gateway.run(request({}))).record.coldStart, { ...parts, handlerMs: 5 });
    assert.equal((await bench.gateway.run(request({}))).record.coldStart, null);
  });

  it('says how far a refused request came', async () => {
    const bench = open([group(), api('one', definition({ auth: { type: 'APP' } })), theApp]);
    const { record } = await bench.gateway.run(signedRequest({ target: '/a?token=hidden' }));
    assert.equal(record.groupId, groupId);
    assert.equal(record.apiId, 'one');
    assert.equal(record.stage, 'RELEASE');
    assert.equal(record.appId, app.appId);
    assert.equal(record.path, '/a');
    assert.equal(record.status, 403);
    assert.equal(record.clientIp, '198.51.100.7');
    assert.equal(record.backendMs, null);
    assert.ok(!JSON.stringify(record).includes('hidden'));
  });

  it('is 499 when the caller leaves, and the invocation is aborted', async () => {
    let aborted = false;
    const bench = open([group(), api('one', definition({}))], {
      invoke: (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(new Error('aborted'));
          });
        }),
    });
    const { reply, record } = await bench.gateway.run(
      request({
        onGone: (run) => {
          queueMicrotask(run);
          return () => {};
        },
      }),
    );
    assert.deepEqual([reply, record.status, aborted, bench.bugs.length, bench.clock.pending], [null, 499, true, 0, 0]);
  });
});
