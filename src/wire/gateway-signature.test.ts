import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  buildStringToSign,
  computeSignature,
  contentMd5,
  isFormType,
  type SignedRequest,
  type SigningVariant,
  signRequest,
  standardVariant,
  verifySignature,
} from './gateway-signature.ts';
import { decodePath, parseParameters } from './query.ts';

const secret = 'MOCKSECRET0123456789abcdef01234567';
const timestamp = '1525872629832';
const nonce = 'c9f15cbf-f4ac-4a6c-b54d-f51abf4b5b44';

type Wire = { method: string; target: string; headers: Record<string, string>; body?: string };

function read(wire: Wire): SignedRequest {
  const [rawPath = '', rawQuery = ''] = wire.target.split('?');
  const path = decodePath(rawPath);
  const query = parseParameters(rawQuery);
  const headers = new Map(Object.entries(wire.headers).map(([name, value]) => [name.toLowerCase(), value]));
  const form = isFormType(headers.get('content-type')) ? parseParameters(wire.body ?? '') : null;
  assert.ok(path !== null && query !== null);
  return { method: wire.method, rawPath, path, query, form, header: (name) => headers.get(name) };
}

/** Headers as the Node client sends them. */
const nodeHeaders = (extra: Record<string, string> = {}, list = 'x-ca-key,x-ca-nonce,x-ca-stage,x-ca-timestamp') => ({
  accept: 'application/json',
  'x-ca-key': '203753385',
  'x-ca-nonce': nonce,
  'x-ca-stage': 'RELEASE',
  'x-ca-timestamp': timestamp,
  'x-ca-signature-headers': list,
  ...extra,
});
const pythonHeaders = (extra: Record<string, string>) => ({
  Accept: 'application/json',
  'X-Ca-Key': '203753385',
  'X-Ca-Nonce': nonce,
  'X-Ca-Timestamp': timestamp,
  'X-Ca-Signature-Headers': 'X-Ca-Key,X-Ca-Nonce,X-Ca-Timestamp',
  ...extra,
});
const nodeLines = `x-ca-key:203753385\nx-ca-nonce:${nonce}\nx-ca-stage:RELEASE\nx-ca-timestamp:${timestamp}\n`;
const pythonLines = `X-Ca-Key:203753385\nX-Ca-Nonce:${nonce}\nX-Ca-Timestamp:${timestamp}\n`;
const form = 'application/x-www-form-urlencoded';
const pet = '{"name":"猫","age":3}';
const petMd5 = 'EPd2USZs9UeinJIjTHHE6w==';

/** Source: sdk (computed and cross-checked with the named clients). */
const examples: {
  name: string;
  wire: Wire;
  text: string;
  sha256?: string;
  sha1?: string;
  variant?: Partial<SigningVariant>;
}[] = [
  {
    name: 'E-1 GET with query',
    wire: { method: 'GET', target: '/v1/pets?b=2&a=1&empty=&flag=&c=hello%20world', headers: nodeHeaders() },
    text: `GET\napplication/json\n\n\n\n${nodeLines}/v1/pets?a=1&b=2&c=hello world&empty&flag`,
    sha256: 'AwS+sK0g7eAA9Fe3LQDNAwjbZ/y7GReX6ZCIbenwf0o=',
    sha1: 'tEoaKYUM9Um1Lj3kw7Bn/t+u1DM=',
  },
  {
    name: 'E-2 POST form',
    wire: {
      method: 'POST',
      target: '/http2test/test?param1=test',
      headers: nodeHeaders({ accept: 'application/json; charset=utf-8', 'content-type': `${form}; charset=utf-8` }),
      body: 'username=xiaoming&password=123456789',
    },
    text: `POST\napplication/json; charset=utf-8\n\n${form}; charset=utf-8\n\n${nodeLines}/http2test/test?param1=test&password=123456789&username=xiaoming`,
    sha256: 'qITYC042laRaaOekdCVaSFZoiO4adiGuSX4WSzpmB1I=',
    sha1: 'yC86ZS493IxhJO7gXzYuZ0cbA1w=',
  },
  {
    name: 'E-3 POST JSON with MD5',
    wire: {
      method: 'POST',
      target: '/v1/pets',
      headers: nodeHeaders({ 'content-type': 'application/json', 'content-md5': petMd5 }),
      body: pet,
    },
    text: `POST\napplication/json\n${petMd5}\napplication/json\n\n${nodeLines}/v1/pets`,
    sha256: 'pHmdcG/F3DPnOoejvF1aW4PyblZmVhIN1oaZHOYNqlc=',
    sha1: 'ZT61g60I5jWZ4PPQWp5LZ7LOPw0=',
  },
  {
    name: 'E-4 DELETE with a query outside ASCII',
    wire: { method: 'DELETE', target: '/v1/pets/7?x=%E7%8C%AB', headers: nodeHeaders() },
    text: `DELETE\napplication/json\n\n\n\n${nodeLines}/v1/pets/7?x=猫`,
    sha256: 'wtRPEo32QD7HD/j9r3KecBIOLy9nT5kpFUvDQlgPAlA=',
  },
  {
    name: 'E-5 GET with mixed-case names',
    wire: {
      method: 'GET',
      target: '/v1/pets?b=2&a=1',
      headers: pythonHeaders({ 'Content-Type': 'application/json' }),
    },
    text: `GET\napplication/json\n\napplication/json\n\n${pythonLines}/v1/pets?a=1&b=2`,
    sha256: 'zDAH57TYoE27bHVLJmzrv/Q8KmRpR7nTnrsbgEJF6po=',
  },
  {
    name: 'E-6 POST form of the Python demo',
    wire: {
      method: 'POST',
      target: '/http2test/test?param1=test',
      headers: pythonHeaders({ 'Content-Type': form }),
      body: 'username=xiaoming&password=123456789',
    },
    text: `POST\napplication/json\n\n${form}\n\n${pythonLines}/http2test/test?param1=test&password=123456789&username=xiaoming`,
    sha256: 'pWslzEDO9RVXNHqncIJAZOvJTKuGtXE1vwAmRkocc1U=',
  },
  {
    name: 'E-7 POST stream of the Python demo',
    wire: {
      method: 'POST',
      target: '/v1/pets',
      headers: pythonHeaders({ 'Content-Type': 'application/octet-stream', 'Content-MD5': petMd5 }),
      body: pet,
    },
    text: `POST\napplication/json\n${petMd5}\napplication/octet-stream\n\n${pythonLines}/v1/pets`,
    sha256: 'ZUBqj0VMKvdpVBwxF7BDeTma3y7fzaKsYIAvky6aJbw=',
  },
  {
    name: 'E-8 a further signed header',
    wire: {
      method: 'GET',
      target: '/v1/pets',
      headers: nodeHeaders({ 'x-custom': 'v' }, 'x-ca-key,x-ca-nonce,x-ca-stage,x-ca-timestamp,x-custom'),
    },
    text: `GET\napplication/json\n\n\n\n${nodeLines}x-custom:v\n/v1/pets`,
    sha256: '2wxVpnRCNJjq86+OEJFtW2cenvbKWx6eKoBjXkAbfv8=',
  },
  {
    name: 'E-9 a repeated name, of which the first value counts',
    wire: { method: 'GET', target: '/v1/pets?a=2&a=1', headers: nodeHeaders() },
    text: `GET\napplication/json\n\n\n\n${nodeLines}/v1/pets?a=2`,
    sha256: 'XJOfFqkAR3MzFXgAzds9zeDJfR7MPQQ/7v/2jQY8HNA=',
  },
  {
    name: 'E-10 an encoded path, signed decoded',
    wire: { method: 'GET', target: '/v1/%E7%8C%AB', headers: nodeHeaders() },
    text: `GET\napplication/json\n\n\n\n${nodeLines}/v1/猫`,
    sha256: '+8GPeum9QTyM72o/0LkDdAH0DYvcug+9Trb4th4DkLk=',
  },
  {
    name: 'E-10 an encoded path, signed as sent',
    wire: { method: 'GET', target: '/v1/%E7%8C%AB', headers: nodeHeaders() },
    text: `GET\napplication/json\n\n\n\n${nodeLines}/v1/%E7%8C%AB`,
    sha256: 'q1KD2BipGhswUN7spI2NkTfog2knP7QV5qQvEMez6Rk=',
    variant: { path: 'raw' },
  },
  {
    name: 'E-11 the same name in query and form, form first',
    wire: { method: 'POST', target: '/f?k=q', headers: nodeHeaders({ 'content-type': form }), body: 'k=f' },
    text: `POST\napplication/json\n\n${form}\n\n${nodeLines}/f?k=f`,
    sha256: '+Wjjl+tGY61Wk6iXmPrclzAsWtKrrX1LwuA++2hlTik=',
    variant: { sameName: 'form-first' },
  },
  {
    name: 'E-11 the same name in query and form, query first',
    wire: { method: 'POST', target: '/f?k=q', headers: nodeHeaders({ 'content-type': form }), body: 'k=f' },
    text: `POST\napplication/json\n\n${form}\n\n${nodeLines}/f?k=q`,
    sha256: 'dTP6aY8IQ3Lhx8qzdZhjPLgi/Ig0K3MLPk9AHhSd90c=',
  },
];

describe('the worked examples', () => {
  for (const { name, wire, text, sha256, sha1, variant } of examples) {
    it(name, () => {
      const request = read(wire);
      assert.equal(buildStringToSign(request, { ...standardVariant, ...variant }), text);
      for (const [algorithm, expected] of [
        ['HmacSHA256', sha256],
        ['HmacSHA1', sha1],
      ] as const) {
        if (expected === undefined) continue;
        assert.equal(computeSignature(text, secret, algorithm), expected);
        assert.equal(verifySignature(request, expected, secret, algorithm).ok, true);
      }
    });
  }

  it('computes the Content-MD5 of E-3', () => {
    assert.equal(contentMd5(Buffer.from(pet)), petMd5);
  });

  it('E-9 refuses the client that signs a repeated name as a list', () => {
    const request = read({ method: 'GET', target: '/v1/pets?a=2&a=1', headers: nodeHeaders() });
    const bad = computeSignature(`GET\napplication/json\n\n\n\n${nodeLines}/v1/pets?a=2,1`, secret, 'HmacSHA256');
    assert.equal(verifySignature(request, bad, secret, 'HmacSHA256').ok, false);
  });
});

describe('the string to sign', () => {
  const get = (headers: Record<string, string>) => read({ method: 'GET', target: '/', headers });

  it('takes X-Ca-Signed-Content-Type in place of Content-Type', () => {
    const request = get({ 'Content-Type': 'a/b', 'X-Ca-Signed-Content-Type': 'c/d', 'X-Ca-Signature-Headers': '' });
    assert.equal(buildStringToSign(request), 'GET\n\n\nc/d\n\n/');
  });

  it('signs only the key when there is no list of headers', () => {
    assert.equal(buildStringToSign(get({ 'x-ca-key': '1', 'x-ca-nonce': '2' })), 'GET\n\n\n\n\nX-Ca-Key:1\n/');
  });

  it('keeps the line of a listed header that is missing, and the spelling and byte order of the names', () => {
    const request = get({ 'X-B': '2', 'x-a': '1', 'X-Ca-Signature-Headers': 'x-a, X-B ,,x-none' });
    assert.equal(buildStringToSign(request), 'GET\n\n\n\n\nX-B:2\nx-a:1\nx-none:\n/');
  });

  it('drops reserved names from the list, and accepts a client that signed them', () => {
    const headers = { accept: 'a/b', 'x-ca-key': '1', 'X-Ca-Signature-Headers': 'accept,x-ca-key' };
    const request = get(headers);
    assert.equal(buildStringToSign(request), 'GET\na/b\n\n\n\nx-ca-key:1\n/');
    const kept = computeSignature('GET\na/b\n\n\n\naccept:a/b\nx-ca-key:1\n/', secret, 'HmacSHA256');
    assert.equal(verifySignature(request, kept, secret, 'HmacSHA256').ok, true);
  });

  it('signs a Date without looking into it', () => {
    const date = 'Sun, 01 Jan 2017 00:00:00 GMT+00:00';
    assert.equal(buildStringToSign(get({ Date: date, 'X-Ca-Signature-Headers': '' })), `GET\n\n\n\n${date}\n/`);
  });

  it('leaves encoded slashes of a path as they are written', () => {
    const request = read({ method: 'GET', target: '/a%2fb%5Cc%20d', headers: { 'X-Ca-Signature-Headers': '' } });
    assert.equal(buildStringToSign(request), 'GET\n\n\n\n\n/a%2fb%5Cc d');
  });
});

describe('signing and verifying', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 8 });
  const pairs = fc.array(fc.tuple(text, text), { maxLength: 4 });
  const encode = (list: [string, string][]) =>
    list
      .map(([name, value]) => `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(value.toWellFormed())}`)
      .join('&');
  const calls = fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH'),
    path: fc.array(text, { minLength: 1, maxLength: 4 }),
    query: pairs,
    form: fc.option(pairs, { nil: null }),
    body: fc.uint8Array({ maxLength: 20 }),
    algorithm: fc.constantFrom('HmacSHA256' as const, 'HmacSHA1' as const),
    stage: fc.option(fc.constantFrom('RELEASE', 'TEST'), { nil: null }),
    nonce: fc.option(fc.uuid(), { nil: null }),
  });
  type Call = typeof calls extends fc.Arbitrary<infer T> ? T : never;

  const sign = (call: Call) => {
    const target = `/${call.path.map((part) => encodeURIComponent(part.toWellFormed())).join('/')}?${encode(call.query)}`;
    const body = call.form === null ? Buffer.from(call.body) : Buffer.from(encode(call.form));
    const signed = signRequest({
      method: call.method,
      target,
      headers: { 'Content-Type': call.form === null ? 'application/octet-stream' : form, 'X-Other': 'v' },
      body,
      appKey: '1',
      appSecret: secret,
      algorithm: call.algorithm,
      timestamp: 1,
      ...(call.stage === null ? {} : { stage: call.stage }),
      ...(call.nonce === null ? {} : { nonce: call.nonce }),
    });
    const wire = { method: call.method, target, headers: signed.headers, body: body.toString('latin1') };
    return { wire: { ...wire, body: call.form === null ? wire.body : body.toString('utf8') }, signed };
  };
  const isAccepted = (wire: Wire, call: Call) =>
    verifySignature(read(wire), wire.headers['X-Ca-Signature'] ?? '', secret, call.algorithm).ok;

  it('accepts whatever we sign, and shows the string that we signed', () => {
    fc.assert(
      fc.property(calls, (call) => {
        const { wire, signed } = sign(call);
        assert.ok(isAccepted(wire, call));
        assert.equal(buildStringToSign(read(wire)), signed.stringToSign);
      }),
    );
  });

  it('refuses every change to method, path, parameters and signed headers', () => {
    const changes: Record<string, (wire: Wire) => Wire> = {
      method: (wire) => ({ ...wire, method: wire.method === 'GET' ? 'PUT' : 'GET' }),
      path: (wire) => ({ ...wire, target: `/x${wire.target}` }),
      'last slash': (wire) => ({ ...wire, target: wire.target.replace('?', '/?') }),
      query: (wire) => ({ ...wire, target: `${wire.target.replace('?', '?zz=1&')}` }),
      accept: (wire) => ({ ...wire, headers: { ...wire.headers, Accept: 'text/plain' } }),
      'content type': (wire) => ({ ...wire, headers: { ...wire.headers, 'Content-Type': `${form};x=y` } }),
      md5: (wire) => ({ ...wire, headers: { ...wire.headers, 'Content-MD5': 'AAAA' } }),
      date: (wire) => ({ ...wire, headers: { ...wire.headers, Date: 'now' } }),
      timestamp: (wire) => ({ ...wire, headers: { ...wire.headers, 'X-Ca-Timestamp': '2' } }),
      key: (wire) => ({ ...wire, headers: { ...wire.headers, 'X-Ca-Key': '2' } }),
    };
    fc.assert(
      fc.property(calls, fc.constantFrom(...Object.keys(changes)), (call, change) => {
        const { wire } = sign(call);
        const changed = changes[change]?.(wire);
        assert.ok(changed !== undefined);
        assert.equal(isAccepted(changed, call), false, change);
      }),
    );
  });

  it('refuses a changed form field and accepts changes to what is not signed', () => {
    fc.assert(
      fc.property(calls, (call) => {
        const { wire } = sign({ ...call, form: [['a', '1'], ...(call.form ?? [])] });
        const names = new Set(call.query.map(([name]) => name));
        if (!names.has('a')) assert.equal(isAccepted({ ...wire, body: wire.body.replace('a=1', 'a=2') }, call), false);
        assert.equal(isAccepted({ ...wire, headers: { ...wire.headers, 'X-Other': 'w', Via: 'p' } }, call), true);
      }),
    );
  });

  it('refuses another secret, another algorithm and a signature that is cut, lengthened or spelled otherwise', () => {
    const { wire, signed } = sign({
      method: 'GET',
      path: ['a'],
      query: [],
      form: null,
      body: new Uint8Array(),
      algorithm: 'HmacSHA256',
      stage: null,
      nonce: null,
    });
    const signature = signed.headers['X-Ca-Signature'] ?? '';
    const request = read(wire);
    assert.equal(verifySignature(request, signature, `${secret}x`, 'HmacSHA256').ok, false);
    assert.equal(verifySignature(request, signature, secret, 'HmacSHA1').ok, false);
    for (const bad of ['', signature.slice(0, -1), `${signature}=`, ` ${signature}`, signature.toLowerCase()]) {
      assert.equal(verifySignature(request, bad, secret, 'HmacSHA256').ok, false);
    }
  });

  it('replaces given signature headers and keeps a given Accept and Content-MD5', () => {
    const { headers } = signRequest({
      method: 'post',
      target: '/a',
      headers: { accept: 'text/plain', 'content-md5': 'mine', 'x-ca-key': 'old', 'x-ca-signature': 'old' },
      body: Buffer.from('x'),
      appKey: 'new',
      appSecret: secret,
    });
    const lower = Object.keys(headers).map((name) => name.toLowerCase());
    assert.equal(new Set(lower).size, lower.length);
    assert.deepEqual([headers['X-Ca-Key'], headers['accept'], headers['content-md5']], ['new', 'text/plain', 'mine']);
    assert.equal(headers['X-Ca-Signature-Headers'], 'X-Ca-Key');
  });

  it('says which call cannot be signed', () => {
    assert.throws(
      () =>
        signRequest({ method: 'GET', target: '/%zz', headers: {}, body: Buffer.alloc(0), appKey: '1', appSecret: 's' }),
      /cannot sign GET \/%zz/,
    );
  });
});
