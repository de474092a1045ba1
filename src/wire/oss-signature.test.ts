import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ossSignature,
  ossStringsToSign,
  ossV4Signature,
  parseOssV4Authorization,
  parseOssV4Date,
} from './oss-signature.ts';

type Request = { headers: Record<string, string>; queries?: object };
/** The official client's own signing. */
const official = createRequire(import.meta.url)('ali-oss/lib/common/signUtils.js') as {
  authorization(id: string, secret: string, text: string): string;
  buildCanonicalString(method: string, resource: string, request: Request): string;
  authorizationV4(
    id: string,
    secret: string,
    region: string,
    method: string,
    request: Request,
    bucket: string,
    object: string,
    additional: string[],
  ): string;
};

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((value) => !/[\r\n]/.test(value));
const object = fc.array(
  text.filter((value) => !value.includes('/')),
  { minLength: 1, maxLength: 3 },
);

test('version 1 is what the official client signs', () => {
  fc.assert(
    fc.property(text, object, text, (secret, segments, meta) => {
      const resource = `/bucket/${segments.join('/')}`;
      const headers = {
        'content-type': 'application/zip',
        'x-oss-date': 'Fri, 02 Jan 2026 03:04:05 GMT',
        'x-oss-meta': meta,
      };
      const signed = official.buildCanonicalString('PUT', resource, { headers });
      const [own = ''] = ossStringsToSign('PUT', headers, resource);
      assert.equal(own, signed);
      assert.equal(`OSS id:${ossSignature(secret, own)}`, official.authorization('id', secret, signed));
    }),
  );
});

test('version 4 is what the official client signs, with and without additional headers', () => {
  fc.assert(
    fc.property(text, object, fc.constantFrom([], ['host'], ['host', 'user-agent']), (secret, segments, additional) => {
      const headers = {
        host: 'h',
        'user-agent': 'u',
        'content-type': 'application/zip',
        'x-oss-date': '20260102T030405Z',
        'x-oss-content-sha256': 'UNSIGNED-PAYLOAD',
      };
      const name = segments.join('/');
      const authorization = official.authorizationV4(
        'STS.id',
        secret,
        'cn-hangzhou',
        'PUT',
        { headers },
        'bucket',
        name,
        [...additional],
      );
      const parsed = parseOssV4Authorization(authorization);
      assert.ok(parsed !== null, authorization);
      assert.equal(parsed.accessKeyId, 'STS.id');
      const request = { method: 'PUT', headers, resource: `/bucket/${name}` };
      assert.equal(ossV4Signature(secret, request, parsed), parsed.signature);
    }),
  );
});

test('what is no authorization or date of version 4 is told apart, whatever it is', () => {
  fc.assert(
    fc.property(fc.string(), (any) => {
      assert.equal(parseOssV4Authorization(any), null);
      assert.equal(parseOssV4Date(any), null);
    }),
  );
  assert.equal(parseOssV4Date('20260102T030405Z'), Date.UTC(2026, 0, 2, 3, 4, 5));
  assert.equal(parseOssV4Date('20261302T030405Z'), null);
});
