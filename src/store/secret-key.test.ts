import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { parseSecretKey } from './secret-key.ts';

test('takes 64 hex digits, base64 with or without padding, and base64url', () => {
  for (let round = 0; round < 20; round++) {
    const key = randomBytes(32);
    const base64 = key.toString('base64');
    for (const text of [key.toString('hex'), key.toString('hex').toUpperCase(), base64, base64.slice(0, -1)]) {
      assert.deepEqual(parseSecretKey(` ${text}\n`, 'it'), key);
    }
    assert.deepEqual(parseSecretKey(key.toString('base64url'), 'it'), key);
  }
});

test('refuses anything else by name, and never repeats it', () => {
  for (const text of [
    '',
    'short-secret',
    'g'.repeat(64),
    'a'.repeat(63),
    randomBytes(33).toString('base64'),
    `${'A'.repeat(42)}==`,
  ]) {
    assert.throws(
      () => parseSecretKey(text, 'YUNMEN_SECRET_KEY'),
      (error: Error) =>
        error.message.startsWith('YUNMEN_SECRET_KEY must be') && (text === '' || !error.message.includes(text)),
    );
  }
});
