import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { workOnBody } from './body-work.ts';

const work = (text: string | Uint8Array, isJson = true, wantsHash = false) =>
  workOnBody({ bytes: Buffer.from(text), isJson, wantsHash });
const withZip = (zipFile: unknown, codeKey = 'code', zipKey = 'zipFile') =>
  work(JSON.stringify({ functionName: 'f', [codeKey]: { [zipKey]: zipFile, checksum: '1' } })).body;

describe('the work on a body', () => {
  it('takes any zip out of code.zipFile, whatever the case of the keys, and leaves the rest', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), fc.constantFrom('code', 'Code', 'CODE'), (bytes, codeKey) => {
        for (const zipKey of ['zipFile', 'ZipFile']) {
          const body = withZip(Buffer.from(bytes).toString('base64'), codeKey, zipKey);
          assert.ok(body.kind === 'json' && body.zipFile?.kind === 'bytes');
          assert.deepEqual(Buffer.from(body.zipFile.bytes), Buffer.from(bytes));
          assert.deepEqual(body.json, { functionName: 'f', [codeKey]: { checksum: '1' } });
        }
      }),
    );
  });

  it('takes base64 with line breaks and without padding, and tells what is none', () => {
    for (const [text, length] of [
      ['YWJjZA==', 4],
      ['YWJjZA', 4],
      ['YWJj\r\nZA==', 4],
      ['***', null],
      ['YWJj*ZA', null],
      ['=', null],
    ] as const) {
      const body = withZip(text);
      assert.ok(body.kind === 'json');
      assert.equal(body.zipFile?.kind === 'bytes' ? body.zipFile.bytes.length : null, length, text);
      assert.equal(body.zipFile?.kind, length === null ? 'malformed' : 'bytes', text);
    }
  });

  it('leaves what is no text to the schema, and an empty text counts as none', () => {
    for (const zipFile of [1, null, ['x'], {}, '']) {
      const body = withZip(zipFile);
      assert.ok(body.kind === 'json');
      assert.equal(body.zipFile, null);
    }
    for (const text of ['[]', '1', 'null', '{"code":[1]}', '{"code":"x"}']) {
      assert.deepEqual(work(text).body, { kind: 'json', json: JSON.parse(text), zipFile: null });
    }
  });

  it('hashes when asked, hands back what is no JSON, and tells what is malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const { sha256, body } = work(bytes, false, true);
        assert.equal(sha256, createHash('sha256').update(bytes).digest('hex'));
        assert.ok(body.kind === 'bytes' && Buffer.from(bytes).equals(body.bytes));
        work(bytes, true, false);
      }),
    );
    assert.deepEqual(work(''), { sha256: null, body: { kind: 'json', json: {}, zipFile: null } });
    assert.equal(work('{').body.kind, 'malformed');
  });
});
