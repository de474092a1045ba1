import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createTokenSealer } from './security-token.ts';

const sealer = createTokenSealer(Buffer.alloc(32, 1));
const holder = { accountId: '1234567890123456', functionKey: 'shop/cart', role: 'acs:ram::1:role/r', expiresAt: 7 };

test('a token tells for whom it was made, with the id that it belongs to', () => {
  const { accessKeyId, securityToken, expiresAt } = sealer.issue(holder);
  assert.match(accessKeyId, /^STS\.[0-9a-f]{24}$/);
  assert.deepEqual(sealer.open(securityToken), { accessKeyId, ...holder });
  assert.equal(expiresAt, 7);
});

test('the secret follows from the id and the key alone', () => {
  const made = sealer.issue(holder);
  assert.match(made.accessKeySecret, /^[0-9a-f]{44}$/);
  assert.equal(sealer.secretOf(made.accessKeyId), made.accessKeySecret);
  assert.notEqual(sealer.secretOf(sealer.issue(holder).accessKeyId), made.accessKeySecret);
  assert.notEqual(createTokenSealer(Buffer.alloc(32, 2)).secretOf(made.accessKeyId), made.accessKeySecret);
});

test('a token shows nothing of what it says, and no secret is in it', () => {
  const { securityToken, accessKeySecret, accessKeyId } = sealer.issue(holder);
  for (const bytes of [securityToken, Buffer.from(securityToken, 'base64').toString('latin1')]) {
    for (const text of ['shop', 'role', accessKeySecret, accessKeyId]) assert.ok(!bytes.includes(text));
  }
});

test('a token of another key does not open', () => {
  assert.equal(createTokenSealer(Buffer.alloc(32, 2)).open(sealer.issue(holder).securityToken), null);
});

test('a token with any byte changed, cut or added does not open', () => {
  const bytes = Buffer.from(sealer.issue(holder).securityToken, 'base64');
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ change;
      assert.equal(sealer.open(changed.toString('base64')), null);
      assert.equal(sealer.open(bytes.subarray(0, at).toString('base64')), null);
      assert.equal(sealer.open(Buffer.concat([bytes, Buffer.from([change])]).toString('base64')), null);
    }),
  );
});

test('a token has one spelling, and no text whatever breaks the reader', () => {
  const { securityToken } = sealer.issue(holder);
  for (const text of [`${securityToken} `, ` ${securityToken}`, `${securityToken}\n`, securityToken.repeat(99)]) {
    assert.equal(sealer.open(text), null);
  }
  fc.assert(fc.property(fc.oneof(fc.base64String(), fc.string()), (text) => assert.equal(sealer.open(text), null)));
});
