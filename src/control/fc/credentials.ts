// Makes the temporary credentials that a function's code is given. They are not yet accepted back.
import type { Clock } from '../../base/clock.ts';
import { randomHex } from '../../base/ids.ts';
import type { Credentials } from '../../model/function.ts';

/** How long role credentials are valid, in ms. Source: docs (36 hours). */
const lifetimeMs = 36 * 60 * 60 * 1000;

export function makeCredentials(clock: Clock): Credentials {
  return {
    accessKeyId: `STS.${randomHex(12)}`,
    accessKeySecret: randomHex(22),
    securityToken: Buffer.from(randomHex(48), 'hex').toString('base64'),
    expiresAt: clock.now() + lifetimeMs,
  };
}
