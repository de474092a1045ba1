import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BackendRequestToSign, backendStringToSign, signBackendRequest } from './backend-signature.ts';

const vector: BackendRequestToSign = {
  method: 'POST',
  contentMd5: '',
  headers: [
    ['HeaderKey2', 'HeaderValue2'],
    ['HeaderKey1', 'HeaderValue1'],
  ],
  path: '/demo/uri',
  parameters: new Map([
    ['QueryKey2', 'QueryValue2'],
    ['FormKey1', 'FormValue1'],
    ['QueryKey1', 'QueryValue1'],
    ['FormKey2', 'FormValue2'],
  ]),
};

test("signs what the vendor's demo signs as it does", () => {
  assert.equal(
    backendStringToSign(vector),
    'POST\n\nheaderkey1:HeaderValue1\nheaderkey2:HeaderValue2\n' +
      '/demo/uri?FormKey1=FormValue1&FormKey2=FormValue2&QueryKey1=QueryValue1&QueryKey2=QueryValue2',
  );
  assert.deepEqual(signBackendRequest(vector, { key: 'DemoKey1', secret: 'DemoSecret1' }), [
    ['X-Ca-Proxy-Signature', 'C7Lqfn8Spz0DxQTfUJq0NrkEbwNUuTNtC9p3SzRWgv0='],
    ['X-Ca-Proxy-Signature-Headers', 'HeaderKey2,HeaderKey1'],
    ['X-Ca-Proxy-Signature-Secret-Key', 'DemoKey1'],
  ]);
});

test('writes an empty value with its equals sign, and no question mark without parameters', () => {
  assert.match(backendStringToSign({ ...vector, parameters: new Map([['a', '']]) }), /\/demo\/uri\?a=$/);
  assert.match(backendStringToSign({ ...vector, parameters: new Map() }), /\/demo\/uri$/);
});

test('does not depend on the order of headers and parameters, and carries no secret', () => {
  const pairs = fc.uniqueArray(fc.tuple(fc.stringMatching(/^[A-Za-z-]{1,8}$/), fc.string()), {
    selector: ([name]) => name.toLowerCase(),
    maxLength: 6,
  });
  fc.assert(
    fc.property(pairs, pairs, fc.stringMatching(/^[A-Za-z0-9_@#!*]{16,30}$/), (headers, parameters, secret) => {
      const forth = { ...vector, headers, parameters: new Map(parameters) };
      const back = { ...vector, headers: [...headers].reverse(), parameters: new Map([...parameters].reverse()) };
      assert.equal(backendStringToSign(forth), backendStringToSign(back));
      const signed = signBackendRequest(forth, { key: 'abcdef', secret });
      assert.equal(signed[0]?.[1], createHmac('sha256', secret).update(backendStringToSign(forth)).digest('base64'));
      assert.ok(!signed.some(([, value]) => value === secret));
    }),
  );
});
