// Random identifiers in the forms the cloud uses.
import { randomBytes, randomUUID } from 'node:crypto';

/** Upper-case UUID v4, e.g. `1B2C3D4E-5F60-4711-8899-AABBCCDDEEFF`: gateway and OpenAPI request ids. */
export function newRequestId(): string {
  return randomUUID().toUpperCase();
}

/** A number from 0 up to but not including 1, for choices that need not be secret. */
export type Random = () => number;

export const systemRandom: Random = () => Math.random();

/** `bytes` random bytes as lower-case hex. */
export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}
