import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { requestRecord } from '../../src/model/testing.ts';
import { fcSignature, fcStringToSign } from '../../src/wire/openapi-signature-fc.ts';
import { signRpc } from '../../src/wire/openapi-signature-rpc.ts';
import { signV3 } from '../../src/wire/openapi-signature-v3.ts';
import { formatQuery, type QueryPair } from '../../src/wire/percent-encoding.ts';
import { formatUtcSeconds } from '../../src/wire/utc-time.ts';
import { at, type Plane, type RawAnswer, rawCall, startPlane, textAt } from './control-fixture.ts';

const stale = 16 * 60 * 1000;

describe('who may call the APIs', () => {
  let plane: Plane;
  let counter = 0;

  before(async () => {
    plane = await startPlane();
  });
  after(() => plane.close());

  type Twist = { secret?: string; id?: string; ageMs?: number; nonce?: string; extra?: QueryPair[]; action?: string };

  function rpc(twist: Twist = {}): Promise<RawAnswer> {
    const { accessKeyId, accessKeySecret } = plane.credentials;
    const pairs = signRpc({
      method: 'GET',
      accessKeyId: twist.id ?? accessKeyId,
      accessKeySecret: twist.secret ?? accessKeySecret,
      timestamp: formatUtcSeconds(Date.now() - (twist.ageMs ?? 0)),
      nonce: twist.nonce ?? `n-${++counter}`,
      parameters: [['Action', twist.action ?? 'DescribeRegions'], ['Version', '2016-07-14'], ...(twist.extra ?? [])],
    });
    return rawCall(plane, 'GET', `/?${formatQuery(pairs)}`);
  }

  function v3(
    twist: Twist & { path?: string; version?: string; sent?: string; method?: string } = {},
  ): Promise<RawAnswer> {
    const { accessKeyId, accessKeySecret } = plane.credentials;
    const method = twist.method ?? 'POST';
    const headers = signV3({
      method,
      path: twist.path ?? '/',
      query: [],
      host: plane.url.host,
      action: twist.action ?? 'DescribeRegions',
      version: twist.version ?? '2016-07-14',
      date: formatUtcSeconds(Date.now() - (twist.ageMs ?? 0)),
      nonce: twist.nonce ?? `n-${++counter}`,
      contentType: null,
      body: Buffer.alloc(0),
      accessKeyId: twist.id ?? accessKeyId,
      accessKeySecret: twist.secret ?? accessKeySecret,
    });
    return rawCall(plane, method, twist.path ?? '/', { headers, body: twist.sent ?? '' });
  }

  function classic(twist: Twist = {}): Promise<RawAnswer> {
    const { accessKeyId, accessKeySecret } = plane.credentials;
    const headers = { date: new Date(Date.now() - (twist.ageMs ?? 0)).toUTCString(), 'x-fc-account-id': '1' };
    const path = '/2016-08-15/services';
    const signature = fcSignature(
      twist.secret ?? accessKeySecret,
      fcStringToSign({ method: 'GET', path, query: [], headers }, path),
    );
    return rawCall(plane, 'GET', path, {
      headers: { ...headers, authorization: `FC ${twist.id ?? accessKeyId}:${signature}` },
    });
  }

  it('lets a right signature of each scheme in', async () => {
    for (const answer of [await rpc(), await v3(), await classic()]) assert.equal(answer.status, 200);
  });

  const refusals: [string, Twist, number, string, number, string][] = [
    ['an unknown key', { id: 'LTAInobody' }, 404, 'InvalidAccessKeyId.NotFound', 403, 'InvalidAccessKeyID'],
    ['a wrong secret', { secret: 'wrong' }, 400, 'SignatureDoesNotMatch', 403, 'SignatureNotMatch'],
    ['a time 16 minutes ago', { ageMs: stale }, 400, 'InvalidTimeStamp.Expired', 403, 'RequestTimeTooSkewed'],
    ['a time 16 minutes ahead', { ageMs: -stale }, 400, 'InvalidTimeStamp.Expired', 403, 'RequestTimeTooSkewed'],
  ];
  for (const [name, twist, status, code, fcStatus, fcCode] of refusals) {
    it(`refuses ${name}, in each product's own words`, async () => {
      for (const answer of [await rpc(twist), await v3(twist)]) {
        assert.equal(answer.status, status);
        assert.equal(at(answer.json, 'Code'), code);
        assert.match(textAt(answer.json, 'RequestId'), /^[0-9A-F-]{36}$/);
      }
      const answer = await classic(twist);
      assert.equal(answer.status, fcStatus);
      assert.equal(at(answer.json, 'ErrorCode'), fcCode);
      assert.equal(at(answer.json, 'RequestId'), answer.headers['x-fc-request-id']);
    });
  }

  it('accepts a nonce once, and does not let strangers use it up', async () => {
    await v3({ nonce: 'mine', secret: 'wrong' });
    assert.equal((await v3({ nonce: 'mine' })).status, 200);
    assert.equal(at((await v3({ nonce: 'mine' })).json, 'Code'), 'SignatureNonceUsed');
    assert.equal((await rpc({ nonce: 'other' })).status, 200);
    assert.equal(at((await rpc({ nonce: 'other' })).json, 'Code'), 'SignatureNonceUsed');
  });

  it('refuses a body that is not the signed one', async () => {
    const answer = await v3({ sent: 'ApiId=x' });
    assert.equal(at(answer.json, 'Code'), 'SignatureDoesNotMatch');
    const fc = await v3({ path: '/2023-03-30/functions', version: '2023-03-30', sent: '{}' });
    assert.equal(at(fc.json, 'Code'), 'SignatureNotMatch');
  });

  it('refuses parameters that were added after signing', async () => {
    const { accessKeyId, accessKeySecret } = plane.credentials;
    const timestamp = formatUtcSeconds(Date.now());
    const call = { method: 'GET' as const, accessKeyId, accessKeySecret, timestamp, nonce: 'added' };
    const pairs = signRpc({
      ...call,
      parameters: [
        ['Action', 'DescribeRegions'],
        ['Version', '2016-07-14'],
      ],
    });
    const answer = await rawCall(plane, 'GET', `/?${formatQuery([...pairs, ['Language', 'en']])}`);
    assert.equal(at(answer.json, 'Code'), 'SignatureDoesNotMatch');
  });

  it('refuses a token that belongs to nobody', async () => {
    const answer = await rpc({ extra: [['SecurityToken', 'x']] });
    assert.equal(at(answer.json, 'Code'), 'InvalidSecurityToken.MismatchWithAccessKey');
  });

  it('refuses a disabled key', async () => {
    await plane.store.write(async (tx) => {
      await tx.rows.accessKeys.insert({ accessKeyId: 'LTAIoff', accessKeySecret: 's', isEnabled: false, createdAt: 0 });
    });
    assert.equal(at((await rpc({ id: 'LTAIoff', secret: 's' })).json, 'Code'), 'InvalidAccessKeyId.Inactive');
  });

  it('refuses unsigned and half-signed calls', async () => {
    const rows: [string, string][] = [
      ['/?Action=DescribeRegions&Version=2016-07-14&Format=JSON', 'MissingAccessKeyId'],
      ['/?Action=DescribeRegions&Version=2016-07-14&Format=JSON&Signature=x&AccessKeyId=y', 'MissingTimestamp'],
      ['/?Version=2016-07-14&Format=JSON', 'MissingAction'],
      ['/?Action=DescribeRegions&Format=JSON', 'MissingVersion'],
      ['/?Action=DescribeRegions&Version=2016-07-14&Format=YAML', 'InvalidParameter.Format'],
    ];
    for (const [target, code] of rows) {
      const answer = await rawCall(plane, 'GET', target);
      assert.ok(answer.text.includes(`${code}`), `${target} answered ${answer.text}`);
      assert.equal(answer.status, 400);
    }
    const half = await rawCall(plane, 'POST', '/', {
      headers: {
        authorization: 'ACS3-HMAC-SHA256 Credential=x',
        'x-acs-action': 'DescribeRegions',
        'x-acs-version': '2016-07-14',
      },
    });
    assert.equal(at(half.json, 'Code'), 'IncompleteSignature');
  });

  it('no error holds a secret', async () => {
    for (const answer of [
      await rpc({ secret: 'wrong' }),
      await v3({ secret: 'wrong' }),
      await classic({ secret: 'wrong' }),
    ]) {
      assert.ok(!answer.text.includes(plane.credentials.accessKeySecret));
    }
    assert.ok(!plane.logged.join().includes(plane.credentials.accessKeySecret));
  });

  it('answers XML to those who ask for it, errors with the exact content type', async () => {
    const right = await rpc({ extra: [['Format', 'XML']] });
    assert.equal(right.status, 200);
    assert.match(right.text, /<DescribeRegionsResponse>.*<Regions><Region>.*<RegionId>cn-hangzhou<\/RegionId>/);
    const wrong = await rawCall(plane, 'GET', '/?Action=DescribeRegions&Version=2016-07-14');
    assert.equal(wrong.headers['content-type'], 'text/xml;charset=utf-8');
    assert.match(
      wrong.text,
      /<Error><RequestId>[^<]+<\/RequestId><HostId>[^<]+<\/HostId><Code>MissingAccessKeyId<\/Code>/,
    );
  });

  it('a path that belongs to no product is an unknown API, whatever the Host', async () => {
    const answer = await rawCall(plane, 'GET', '/nowhere', { headers: { host: 'example.com' } });
    assert.equal(answer.status, 404);
    assert.equal(at(answer.json, 'Code'), 'InvalidApi.NotFound');
    assert.equal(at(answer.json, 'HostId'), 'example.com');
  });

  it('answers malformed paths and odd methods in the same form, and never crashes', async () => {
    for (const [method, path] of [
      ['GET', '/%zz'],
      ['GET', '/2023-03-30/functions/%zz'],
      ['PROPFIND', '/'],
      ['DELETE', '/2016-08-15/tag'],
      ['HEAD', '/nowhere'],
    ] as const) {
      const answer = await rawCall(plane, method, path, { body: method === 'DELETE' ? '{"a":1}' : '' });
      assert.ok(answer.status >= 400 && answer.status < 500, `${method} ${path} answered ${answer.status}`);
      if (method !== 'HEAD') assert.ok(answer.text.includes('Code'), answer.text);
    }
    assert.equal((await rpc()).status, 200);
  });

  it("refuses a body over the limit by the product's own code, and still answers", async () => {
    const body = 'x'.repeat(17 * 1024 * 1024);
    const answer = await rawCall(plane, 'POST', '/', { body });
    assert.match(answer.text, /<Code>RequestEntityTooLarge<\/Code>/);
    const chunked = await rawCall(plane, 'POST', '/', { body, headers: { 'transfer-encoding': 'chunked' } });
    assert.match(chunked.text, /<Code>RequestEntityTooLarge<\/Code>/);
  });

  it('says ok to a health check without a key', async () => {
    const answer = await rawCall(plane, 'GET', '/healthz');
    assert.deepEqual([answer.status, answer.text], [200, 'ok']);
  });

  it('tells a health check with a key what keeps functions apart, and one with a wrong key nothing', async () => {
    const told = await v3({ method: 'GET', path: '/healthz' });
    assert.equal(told.status, 200, told.text);
    assert.deepEqual(told.json, {
      status: 'ok',
      isolation: 'strong',
      network: 'open',
      carrier: 'pasta',
      launcher: 'sandd',
    });
    const refused = await rawCall(plane, 'GET', '/healthz', { headers: { authorization: 'acs k:wrong' } });
    assert.ok(refused.status >= 400 && refused.status < 500, `${refused.status}`);
    assert.ok(!refused.text.includes('strong'));
  });

  it('tells why a gateway request failed, only to signed callers', async () => {
    const failure = {
      code: 'D502FC',
      side: 'function',
      field: 'statusCode',
      expected: 'a number',
      got: 'nothing',
      message: 'm',
      functionLog: 'log',
    } as const;
    const record = requestRecord({ requestId: 'R-1', status: 502, failure });
    plane.records.set('R-1', record);
    const told = await v3({ method: 'GET', path: '/yunmen/requests/R-1' });
    assert.equal(told.status, 200);
    assert.deepEqual(told.json, { requestId: 'R-1', ...failure, record });
    assert.equal((await v3({ method: 'GET', path: '/yunmen/requests/R-2' })).status, 404);
    assert.equal((await rawCall(plane, 'GET', '/yunmen/requests/R-1')).status, 400);
  });

  it('tells what functions printed, only to signed callers', async () => {
    const told = await v3({ method: 'GET', path: '/yunmen/output' });
    const line = { at: 1, instanceId: 'c-1', text: 'printed', requestId: null, functionName: 'f' };
    assert.deepEqual([told.status, told.json], [200, { lines: [line] }]);
    assert.equal((await rawCall(plane, 'GET', '/yunmen/output')).status, 400);
  });
});
