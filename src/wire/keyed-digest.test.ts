import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { createKeyedDigest } from './keyed-digest.ts';

for (const name of ['sha256', 'sha1'] as const) {
  test(`the keyed digest is the HMAC of ${name}`, () => {
    const digest = createKeyedDigest(name);
    const agrees = (secret: string, text: string) =>
      assert.equal(digest(secret, text), createHmac(name, secret).update(text, 'utf8').digest('base64'));
    const secret = fc.oneof(
      fc.string({ maxLength: 200, unit: 'binary' }),
      fc.constantFrom('', 'k'.repeat(64), 'k'.repeat(65)),
    );
    fc.assert(fc.property(secret, fc.string({ maxLength: 400, unit: 'binary' }), agrees));
    for (const length of [0, 1, 5_439, 5_440, 5_441, 20_000]) {
      agrees('secret', 'a'.repeat(length));
      agrees('secret', '猫'.repeat(length));
    }
    agrees('lone \ud800', 'lone \udfff surrogates');
  });
}

test('more secrets than are kept all sign right', () => {
  const digest = createKeyedDigest('sha256');
  for (let round = 0; round < 2; round += 1) {
    for (let number = 0; number < 2_100; number += 700) {
      const secret = `s${number}`;
      assert.equal(digest(secret, 'text'), createHmac('sha256', secret).update('text').digest('base64'));
    }
    for (let number = 0; number < 2_100; number += 1) digest(`other${number}`, 'text');
  }
});
