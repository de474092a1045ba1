import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc64 } from './crc64.ts';

/** One bit at a time, straight from the definition of CRC-64/XZ. */
function slowCrc64(bytes: Uint8Array): string {
  const ones = 0xffffffffffffffffn;
  let crc = ones;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0xc96c5795d7870f42n : crc >> 1n;
  }
  return (crc ^ ones).toString();
}

test('gives the published check value of CRC-64/XZ', () => {
  assert.equal(crc64(Buffer.from('123456789')), '11051210869376104954');
});

test('gives zero for no bytes', () => {
  assert.equal(crc64(new Uint8Array(0)), '0');
});

test('agrees with the bit by bit definition for any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.equal(crc64(bytes), slowCrc64(bytes));
    }),
  );
});

test('reads only its own part of a larger buffer', () => {
  const whole = Buffer.from('xx123456789yy');
  assert.equal(crc64(whole.subarray(2, 11)), '11051210869376104954');
});
