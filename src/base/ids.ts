// Random identifiers in the forms the cloud uses.
import { randomBytes, randomUUID } from 'node:crypto';

/** Upper-case UUID v4, e.g. `1B2C3D4E-5F60-4711-8899-AABBCCDDEEFF`: gateway and OpenAPI request ids. */
export function newRequestId(): string {
  return randomUUID().toUpperCase();
}

/** `1-6565a3c1-<24 hex>`, the first part the epoch seconds: request ids of Function Compute 3. `now` epoch ms. Source: docs. */
export function newFc3RequestId(now: number): string {
  const seconds = Math.floor(now / 1000).toString(16);
  return `1-${seconds.padStart(8, '0')}-${randomHex(12)}`;
}

/** A number from 0 up to but not including 1, for choices that need not be secret. */
export type Random = () => number;

export const systemRandom: Random = () => Math.random();

/** `bytes` random bytes as lower-case hex. */
export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}
