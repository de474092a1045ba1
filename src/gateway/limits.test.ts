// The limits of the service, as the gateway has them when nobody says otherwise.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  api,
  definition,
  grant,
  group,
  open,
  parameter,
  request,
  returned,
  signedRequest,
  startedAt,
  theApp,
} from './testing.ts';

const minuteMs = 60 * 1000;

it('a body may have 8 MB, a target 128 KB, all headers 64 KB', async () => {
  const bench = open([group(), api('a', definition({ request: { method: 'ANY', mode: 'PASSTHROUGH' } }))]);
  const ask = async (parts: Parameters<typeof request>[0]) => {
    const answer = await bench.send(request(parts));
    return answer.headers['x-ca-error-code'] ?? answer.status;
  };
  const megabytes = 8 * 1024 * 1024;
  assert.equal(await ask({ method: 'POST', body: Buffer.alloc(megabytes) }), 200);
  assert.equal(await ask({ method: 'POST', body: Buffer.alloc(megabytes + 1) }), 'I413RL');
  const target = (length: number) => `/a?${'q'.repeat(length - 3)}`;
  assert.equal(await ask({ target: target(128 * 1024) }), 200);
  assert.equal(await ask({ target: target(128 * 1024 + 1) }), 'I413UL');
  const rest = request({}).rawHeaders.join('').length + 'X-Long'.length;
  const long = (length: number) => ({ headers: { 'X-Long': 'h'.repeat(length - rest) } });
  assert.equal(await ask(long(64 * 1024)), 200);
  assert.equal(await ask(long(64 * 1024 + 1)), 'I400HD');
});

it('a timestamp may be 15 minutes off, either way', async () => {
  const bench = open([group(), api('a', definition({ auth: { type: 'APP' } })), theApp, grant('a')]);
  const ask = async (offMs: number) => {
    const answer = await bench.send(signedRequest({ timestamp: startedAt + offMs }));
    return answer.headers['x-ca-error-code'] ?? answer.status;
  };
  assert.deepEqual([await ask(15 * minuteMs), await ask(-15 * minuteMs)], [200, 200]);
  assert.deepEqual([await ask(15 * minuteMs + 1), await ask(-15 * minuteMs - 1)], ['S403TE', 'S403TE']);
});

it('a nonce is asked for with 15 minutes, for its app', async () => {
  const claimed: unknown[] = [];
  const changes = [group(), api('a', definition({ auth: { type: 'APP' } })), theApp, grant('a')];
  const bench = open(changes, {
    claimNonce: (...claim) => {
      claimed.push(claim);
      return true;
    },
  });
  await bench.send(signedRequest({ nonce: 'n' }));
  assert.deepEqual(claimed, [['203753385', 'n', 15 * minuteMs]]);
});

it('a call that fails counts against the limits of calls', async () => {
  const rest = { parameters: [parameter({ name: 'p', required: true })] };
  const control = { trafficControlId: 't', unit: 'DAY', apiDefault: 2, userDefault: null, appDefault: null } as const;
  const bench = open([
    group(),
    api('a', definition({ rest })),
    { kind: 'trafficControl', key: 't', value: { ...control, specials: [], accountId: '1' } },
    {
      kind: 'policies',
      key: 'a/RELEASE',
      value: { apiId: 'a', stage: 'RELEASE', trafficControlId: 't', ipControlId: null, signatureId: null },
    },
  ]);
  const codes = [];
  for (let n = 0; n < 3; n++) codes.push((await bench.send(request({}))).headers['x-ca-error-code']);
  assert.deepEqual(codes, ['I400MP', 'I400MP', 'T429PA']);
  bench.clock.advance(24 * 60 * minuteMs);
  assert.equal((await bench.send(request({ target: '/a?p=1' }))).status, 200);
});

it('a grant ends in the millisecond that it names', async () => {
  const codeAt = async (expiresAt: number) => {
    const changes = [
      group(),
      api('a', definition({ auth: { type: 'APP' } })),
      theApp,
      grant('a', 'RELEASE', expiresAt),
    ];
    const answer = await open(changes).send(signedRequest({}));
    return answer.headers['x-ca-error-code'] ?? answer.status;
  };
  assert.deepEqual([await codeAt(startedAt), await codeAt(startedAt + 1)], ['A403EP', 200]);
});

it('classic groups name every answer of a backend but those of 200 to 299', async () => {
  const messageOf = async (statusCode: number) => {
    const bench = open([group({ isClassic: true }), api('a', definition({}))], {
      invoke: async () => returned({ statusCode }),
    });
    return (await bench.send(request({}))).headers['x-ca-error-message'];
  };
  assert.deepEqual(
    [await messageOf(200), await messageOf(299), await messageOf(302), await messageOf(404)],
    [undefined, undefined, 'Found', 'Not Found'],
  );
});

it('redirects to HTTPS keep the method and body of all but GET and HEAD', async () => {
  const bench = open([group({ domains: [{ host: 'safe.test', stage: null, redirectsToHttps: true }] })]);
  const statuses = [];
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH']) {
    statuses.push((await bench.send(request({ method, headers: { Host: 'safe.test' } }))).status);
  }
  assert.deepEqual(statuses, [301, 301, 308, 308, 308, 308]);
});

it('redirects to HTTPS tell their times in debug mode, as every answer does', async () => {
  const bench = open([group({ domains: [{ host: 'safe.test', stage: null, redirectsToHttps: true }] })]);
  const redirected = async (mode: string) => {
    const headers = { Host: 'safe.test', 'X-Ca-Request-Mode': mode };
    return (await bench.send(request({ headers }))).headers['x-ca-debug-info'];
  };
  assert.deepEqual(
    [await redirected('debug'), await redirected('other')],
    ['{"ServiceLatency":0,"TotalLatency":0}', undefined],
  );
});
