import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chooseScheme, isOneOf } from './openapi-signature.ts';
import {
  fcAcceptedSignatures,
  fcProxyAcceptedSignatures,
  fcSignature,
  fcStringToSign,
} from './openapi-signature-fc.ts';
import { parseColonAuthorization, roaAcceptedSignatures } from './openapi-signature-roa.ts';
import { rpcSignature, rpcStringToSign, signRpc } from './openapi-signature-rpc.ts';
import {
  parseV3Authorization,
  sha256Hex,
  signV3,
  v3AcceptedSignatures,
  v3CanonicalRequest,
  v3Signature,
  v3StringToSign,
} from './openapi-signature-v3.ts';
import { decodePercent, encodeRfc3986, formatQuery, parseQuery, type QueryPair } from './percent-encoding.ts';

const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

describe('RPC signature version 1', () => {
  const common: QueryPair[] = [
    ['AccessKeyId', 'testid'],
    ['SignatureMethod', 'HMAC-SHA1'],
    ['SignatureVersion', '1.0'],
    ['Timestamp', '2026-01-02T03:04:05Z'],
    ['Version', '2016-07-14'],
    ['Format', 'JSON'],
  ];
  const describeApi: QueryPair[] = [
    ...common,
    ['Action', 'DescribeApi'],
    ['ApiId', '8afff6c8c4c6447abb035812e4d66b65'],
    ['GroupId', '0009db9c828549768a200320714b8930'],
    ['SignatureNonce', 'nonce-0001'],
  ];
  const createApi: QueryPair[] = [
    ...common,
    ['Action', 'CreateApi'],
    ['ApiName', '天气 a*b~c'],
    ['Tag.1.Key', 'env'],
    ['Tag.1.Value', 'v+2'],
    ['Empty', ''],
    ['SignatureNonce', 'nonce-0002'],
  ];
  const sample: QueryPair[] = [
    ['AccessKeyId', 'testid'],
    ['SignatureMethod', 'HMAC-SHA1'],
    ['SignatureVersion', '1.0'],
    ['Version', '2014-05-26'],
    ['Action', 'DescribeRegions'],
    ['Format', 'XML'],
    ['Timestamp', '2016-02-23T12:46:24Z'],
    ['SignatureNonce', '3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf'],
  ];
  const vectors: [string, string, QueryPair[], string][] = [
    ['a GET call', 'GET', describeApi, 'dhNlahVSdcBy8uD2afbrPCSqBIE='],
    ['the same parameters as POST', 'POST', describeApi, 'C4A8p4d8MjycyCXfsTc2Vzegbi4='],
    ['CJK, blanks, stars, tildes, plus signs, empty values', 'POST', createApi, '8TR+CMcVdkBhhvUYkmNAjun3mwc='],
    ["the vendor's published sample", 'GET', sample, 'OLeaidS1JvxuMvnyHOwuJ+uX5qY='],
  ];
  for (const [name, method, pairs, expected] of vectors) {
    it(`agrees with the vector of ${name}`, () => {
      assert.equal(rpcSignature('testsecret', rpcStringToSign(method, pairs), 'HMAC-SHA1'), expected);
    });
  }

  it('builds the documented string to sign', () => {
    assert.equal(
      rpcStringToSign('POST', createApi),
      'POST&%2F&AccessKeyId%3Dtestid%26Action%3DCreateApi%26ApiName%3D%25E5%25A4%25A9%25E6%25B0%2594%2520a%252Ab~c%26Empty%3D%26Format%3DJSON%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3Dnonce-0002%26SignatureVersion%3D1.0%26Tag.1.Key%3Denv%26Tag.1.Value%3Dv%252B2%26Timestamp%3D2026-01-02T03%253A04%253A05Z%26Version%3D2016-07-14',
    );
  });

  it('signs calls that verify, and leaves Signature itself out', () => {
    const signed = signRpc({
      method: 'GET',
      accessKeyId: 'testid',
      accessKeySecret: 'testsecret',
      timestamp: '2026-01-02T03:04:05Z',
      nonce: 'n',
      parameters: [['Action', 'X']],
    });
    const given = signed.find(([name]) => name === 'Signature')?.[1];
    assert.equal(rpcSignature('testsecret', rpcStringToSign('GET', signed), 'HMAC-SHA1'), given);
  });
});

describe('signature version 3', () => {
  function headersOf(action: string, extra: Record<string, string> = {}): Record<string, string> {
    return {
      host: '127.0.0.1:8080',
      'x-acs-action': action,
      'x-acs-content-sha256': emptyHash,
      'x-acs-date': '2026-01-02T03:04:05Z',
      'x-acs-signature-nonce': 'nonce-0001',
      'x-acs-version': '2016-07-14',
      ...extra,
    };
  }
  const body = 'RequestParameters=%5B%5D';
  const vectors = [
    {
      name: 'a query and no body',
      query: 'ApiId=8afff6c8c4c6447abb035812e4d66b65&GroupId=0009db9c828549768a200320714b8930',
      headers: headersOf('DescribeApi'),
      hash: 'fbdd3d9b8f630f37622d886c88338634612177742e0b461c2a118e07f4df1415',
      signature: '3eae390c24b41bfbcc4d7c04273f646f256d844ab6a6540cc26cc4a0fb3bb176',
    },
    {
      name: 'a form body, and a query with a raw star as clients send it',
      query: 'ApiName=%E5%A4%A9%E6%B0%94%20a*b~c&Tag.1.Key=env&Tag.1.Value=v%2B2',
      headers: headersOf('CreateApi', {
        'content-type': 'application/x-www-form-urlencoded',
        'x-acs-content-sha256': sha256Hex(body),
      }),
      hash: 'bd480fc03b7634b5172b1bf0612683c7930224543b64c684c5859881834ebc50',
      signature: 'd898e28d316001fe800ab0871512798f849f6ec5dd97431595744a83422c8801',
    },
    {
      name: 'a temporary token',
      query: 'ApiId=x',
      headers: headersOf('DescribeApi', { 'x-acs-accesskey-id': 'testid', 'x-acs-security-token': 'ststoken' }),
      hash: 'bb03258db2fa747befd7cd37235bf32b49568a92edc14ee27ad1025363ca0a00',
      signature: '6eb08c35b7df03765b2a322e4526eba8decfa0bbd3d15378abf55f06833fcf41',
    },
  ];
  for (const { name, query, headers, hash, signature } of vectors) {
    it(`agrees with the vector of ${name}`, () => {
      const parts = { method: 'POST', path: '/', query: parseQuery(query), headers };
      const signed = Object.keys(headers);
      const payloadHash = headers['x-acs-content-sha256'] ?? '';
      const request = v3CanonicalRequest(parts, signed, payloadHash);
      assert.equal(createHash('sha256').update(request).digest('hex'), hash);
      assert.ok(v3AcceptedSignatures('testsecret', parts, signed, payloadHash).signatures.includes(signature));
    });
  }

  it("agrees with the vendor's sample", () => {
    const headers = {
      host: 'ecs.cn-shanghai.aliyuncs.com',
      'x-acs-action': 'RunInstances',
      'x-acs-content-sha256': emptyHash,
      'x-acs-date': '2023-10-26T10:22:32Z',
      'x-acs-signature-nonce': '3156853299f313e23d1673dc12e1703d',
      'x-acs-version': '2014-05-26',
    };
    const query: QueryPair[] = [
      ['RegionId', 'cn-shanghai'],
      ['ImageId', 'win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd'],
    ];
    const request = v3CanonicalRequest({ method: 'POST', path: '/', query, headers }, Object.keys(headers), emptyHash);
    assert.equal(
      v3Signature('YourAccessKeySecret', v3StringToSign(request)),
      '06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0',
    );
  });

  const fcHeaders = (action: string, extra: Record<string, string> = {}) => ({
    host: '127.0.0.1:9000',
    'x-acs-action': action,
    'x-acs-content-sha256': emptyHash,
    'x-acs-date': '2024-01-01T00:00:00Z',
    'x-acs-signature-nonce': '0123456789abcdef',
    'x-acs-version': '2023-03-30',
    ...extra,
  });

  it('agrees with the Function Compute vector of an encoded path and query', () => {
    const headers = fcHeaders('GetFunction');
    const parts = {
      method: 'GET',
      path: '/2023-03-30/functions/a%20b',
      query: parseQuery('prefix=d%20e&limit=2&empty='),
      headers,
    };
    const accepted = v3AcceptedSignatures('exampleSecret', parts, Object.keys(headers), emptyHash);
    assert.ok(accepted.signatures.includes('f8d20e67e8023a58e3a12c764068a7e492db9365abec4d95d8381d40447fe131'));
  });

  it('signs calls as the Function Compute vector of a JSON body', () => {
    const signed = signV3({
      method: 'POST',
      path: '/2023-03-30/functions',
      query: [],
      host: '127.0.0.1:9000',
      action: 'CreateFunction',
      version: '2023-03-30',
      date: '2024-01-01T00:00:00Z',
      nonce: '0123456789abcdef',
      contentType: 'application/json; charset=utf-8',
      body: Buffer.from('{"functionName":"f","handler":"index.handler","runtime":"nodejs20"}'),
      accessKeyId: 'LTAIexample',
      accessKeySecret: 'exampleSecret',
    });
    assert.ok(
      signed['authorization']?.endsWith('Signature=d00f4415961c561a6e99bb89a9aabe5806b7be54170f0ae1627aed26563b75ff'),
    );
  });

  it('reads Authorization, and refuses one that lacks a part', () => {
    const read = parseV3Authorization('ACS3-HMAC-SHA256 Credential=id,SignedHeaders=host;x-acs-date,Signature=ab');
    assert.deepEqual(read, {
      algorithm: 'ACS3-HMAC-SHA256',
      accessKeyId: 'id',
      signedHeaders: ['host', 'x-acs-date'],
      signature: 'ab',
    });
    assert.equal(parseV3Authorization('ACS3-HMAC-SHA256 Credential=id,Signature=ab'), null);
    assert.equal(parseV3Authorization('ACS3-HMAC-SHA256'), null);
  });
});

describe('ROA signature version 1', () => {
  it('agrees with the vector', () => {
    const headers = {
      accept: 'application/json',
      'content-md5': '5I+GplGQ5xfhTpo5CZB4bA==',
      'content-type': 'application/json',
      date: 'Fri, 02 Jan 2026 03:04:05 GMT',
      'x-acs-signature-method': 'HMAC-SHA1',
      'x-acs-signature-nonce': 'nonce-0001',
      'x-acs-signature-version': '1.0',
      'x-acs-version': '2016-07-14',
    };
    const parts = { method: 'POST', path: '/api/groups', query: parseQuery('z=1&a=b%20c'), headers };
    assert.ok(roaAcceptedSignatures('testsecret', parts).includes('abXni4U47Z9wwObquCk0tX3ymx4='));
  });

  it('reads `acs id:signature`, and refuses one that lacks a part', () => {
    assert.deepEqual(parseColonAuthorization('acs id:sig='), { accessKeyId: 'id', signature: 'sig=' });
    for (const text of ['acs id', 'acs :sig', 'acs id:', 'acs']) assert.equal(parseColonAuthorization(text), null);
  });
});

describe('classic FC signature', () => {
  const date = 'Mon, 01 Jan 2024 00:00:00 GMT';
  const account = { date, 'x-fc-account-id': '1234567890123456' };

  it('agrees with the vectors of control calls', () => {
    const get = { method: 'GET', path: '/2016-08-15/services', query: [], headers: account };
    assert.ok(fcAcceptedSignatures('exampleSecret', get).includes('mOwT/JvezImmlcUe0GO/5S3sGT93/QtWbnsH4XFNQdE='));
    const headers = {
      ...account,
      'content-md5': 'Mjg4MDRjYWU5Yzk0YzY5M2EwM2RhMzAxZTYxYjc2NDY=',
      'content-type': 'application/json',
    };
    const post = { ...get, method: 'POST', headers };
    assert.ok(fcAcceptedSignatures('exampleSecret', post).includes('z1IlqLdLMXwgnge5LGvvZ3IPtgGI+eYltKqjTiR0LHQ='));
    const token = { ...get, headers: { ...account, 'x-fc-security-token': 'tok' } };
    assert.ok(fcAcceptedSignatures('exampleSecret', token).includes('H1/hTfYh5rr2FYhXBBky7f230zHmCsYiLHXQOy8irNI='));
  });

  it('does not sign the query of control calls, nor headers that merely begin alike', () => {
    const plain = { method: 'GET', path: '/2016-08-15/services', query: [], headers: account };
    const other = { ...plain, query: parseQuery('limit=1'), headers: { ...account, 'x-fcdummy': 'x' } };
    assert.deepEqual(fcAcceptedSignatures('s', plain), fcAcceptedSignatures('s', other));
  });

  it('accepts a path signed decoded and one signed as sent', () => {
    const parts = { method: 'GET', path: '/2016-08-15/services/a%20b', query: [], headers: account };
    const accepted = fcAcceptedSignatures('s', parts);
    assert.ok(accepted.includes(fcSignature('s', fcStringToSign(parts, '/2016-08-15/services/a b'))));
    assert.ok(accepted.includes(fcSignature('s', fcStringToSign(parts, parts.path))));
  });

  it('agrees with the vectors of HTTP triggers', () => {
    const query = parseQuery('y=b&x=1%202&y=a');
    const call = { method: 'GET', path: '/2016-08-15/proxy/demo/f/a%20b', query, headers: account };
    assert.ok(
      fcProxyAcceptedSignatures('exampleSecret', call).includes('ju/nw+NITMjJ+c1XH9rmCsfr88UPrdW0CGzerF37PlE='),
    );
    const bare = { method: 'POST', path: '/2016-08-15/proxy/demo/f/', query: [], headers: { date } };
    assert.ok(
      fcProxyAcceptedSignatures('exampleSecret', bare).includes('P+NLHZvmV9DBaQeStNxaroObHCYrgzm2keteNW13t6Q='),
    );
  });

  it('agrees with the vectors of pre-signed URLs', () => {
    const query = parseQuery('x-fc-expires=1583339600&x-fc-access-key-id=akid&x-fc-signature=zzz');
    const call = { method: 'GET', path: '/2016-08-15/proxy/service/func/', query, headers: {} };
    assert.ok(fcProxyAcceptedSignatures('akSec', call).includes('6Rc4KxEAv3+lHpbNQWceIUqWVWq3ewxhadlJBRzZ0XQ='));
    const withToken = { ...call, query: [...query, ['x-fc-security-token', 'stsToken'] as const] };
    assert.ok(fcProxyAcceptedSignatures('akSec', withToken).includes('Yi0jCBQ6cTZc+tN8wtYUz9FbYNijx5jDiE3sVNW6XwA='));
  });

  // Made with SignURLInput of the official SDK for Go, 2026-11.
  it('agrees with pre-signed URLs that have headers, a qualifier, blanks and empty values', () => {
    const sent = 'empty=&x=1+2%2B3&x-fc-access-key-id=akid&x-fc-expires=4102444800&y=b&y=a';
    const path = '/2016-08-15/proxy/shop.prod/signed/a%20b';
    const headers = { 'content-type': 'text/plain', 'x-fc-log-type': 'Tail' };
    const call = { method: 'POST', path, query: parseQuery(sent, true), headers };
    assert.ok(fcProxyAcceptedSignatures('akSec', call).includes('E92BoRSEX260D2/L710o1XDo8ejNLyI6gbiDALYEdNE='));
    const own = parseQuery('x-fc-access-key-id=akid&x-fc-expires=4102444800', true);
    const onDomain = { method: 'GET', path: '/a%20b', query: own, headers: {} };
    assert.ok(fcProxyAcceptedSignatures('akSec', onDomain).includes('hBprDWdK7rXaCO2KU0a289XusnRIb4VJyR8QlO1q1aA='));
  });
});

describe('choosing the scheme', () => {
  const rows: [string, string[], string][] = [
    ['ACS3-HMAC-SHA256 Credential=x', ['Signature'], 'v3'],
    ['acs id:sig', [], 'roa'],
    ['FC id:sig', [], 'fc'],
    ['', ['Signature'], 'rpc'],
    ['', ['x-fc-signature'], 'fc-query'],
    ['', ['BearerToken'], 'bearer'],
    ['Basic abc', [], 'anonymous'],
    ['', [], 'anonymous'],
  ];
  for (const [authorization, parameters, expected] of rows) {
    it(`finds ${expected} for '${authorization}' with ${parameters.join() || 'no parameters'}`, () => {
      assert.equal(
        chooseScheme(authorization, (name) => parameters.includes(name)),
        expected,
      );
    });
  }
});

describe('encodings under signatures', () => {
  it('compares a signature with every candidate', () => {
    assert.ok(isOneOf('b', ['a', 'b']));
    assert.ok(!isOneOf('', ['a', 'b']));
    assert.ok(!isOneOf('a', []));
  });

  it('encodes to unreserved characters and decodes back, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const encoded = encodeRfc3986(text);
        assert.match(encoded, /^[A-Za-z0-9\-_.~%]*$/);
        assert.equal(decodePercent(encoded), text.toWellFormed());
      }),
    );
  });

  it('reads back any query that it wrote', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ minLength: 1 }), fc.string())), (pairs) => {
        assert.deepEqual(parseQuery(formatQuery(pairs)), pairs);
      }),
    );
  });

  it('never fails to decode, whatever the bytes', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => typeof decodePercent(text, true) === 'string'));
    assert.equal(decodePercent('%ff%41%'), '\ufffdA%');
  });
});
