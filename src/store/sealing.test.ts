import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSealer } from './sealing.ts';

const key = Buffer.alloc(32, 1);
const otherKey = Buffer.alloc(32, 2);
const refused = { code: 'SecretKeyError' };

test('opens what it sealed, for any text and place', () => {
  const sealer = createSealer([key]);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, place) => {
      assert.equal(sealer.open(sealer.seal(text, place), place), text);
    }),
  );
});

test('never shows the text, and seals the same text differently each time', () => {
  const sealer = createSealer([key]);
  const sealed = sealer.seal('the secret itself', 'apps/1');
  assert.doesNotMatch(Buffer.from(sealed.split('.')[2] ?? '', 'base64').toString('latin1'), /secret/);
  assert.notEqual(sealed, sealer.seal('the secret itself', 'apps/1'));
});

test('refuses a text that was moved to another place', () => {
  const sealer = createSealer([key]);
  assert.throws(() => sealer.open(sealer.seal('a', 'apps/1'), 'apps/2'), refused);
});

test('refuses a text with any byte changed', () => {
  const sealer = createSealer([key]);
  const [format, id, data = ''] = sealer.seal('some text', 'p').split('.');
  const bytes = Buffer.from(data, 'base64');
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ change;
      assert.throws(() => sealer.open(`${format}.${id}.${changed.toString('base64')}`, 'p'), refused);
    }),
  );
});

test('refuses any text that is not sealed, without holding it in the message', () => {
  const sealer = createSealer([key]);
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.constantFrom('', 's1', `s1.${sealer.keyId}.`, `s1.${sealer.keyId}.AAAA`)),
      (text) => {
        assert.throws(() => sealer.open(text, 'here'), refused);
      },
    ),
  );
});

test('names both keys when the text was sealed with another one', () => {
  const former = createSealer([key]);
  const present = createSealer([otherKey]);
  assert.throws(
    () => present.open(former.seal('a', 'p'), 'p'),
    (error: Error) => error.message.includes(former.keyId) && error.message.includes(present.keyId),
  );
});

test('opens with a former key and seals with the present one', () => {
  const rotated = createSealer([otherKey, key]);
  assert.equal(rotated.open(createSealer([key]).seal('old', 'p'), 'p'), 'old');
  assert.equal(createSealer([otherKey]).open(rotated.seal('new', 'p'), 'p'), 'new');
});
