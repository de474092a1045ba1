// The form in which codes of simple authentication are looked up. Called by snapshot.ts and identify-by-code.ts.
import { createHash } from 'node:crypto';

/** A digest, so that the time of a look-up tells nothing of the codes that exist. */
export function codeDigest(code: string): string {
  return createHash('sha256').update(code).digest('base64');
}
