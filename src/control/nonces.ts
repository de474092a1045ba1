// Which signature nonces have been used: each is accepted once within its window. Kept in memory, bounded.
import type { Clock } from '../base/clock.ts';

export type Nonces = {
  /** `used`: seen before; `full`: no room while every kept nonce still counts, so the call must be refused. Times in epoch ms. */
  claim(nonce: string, expiresAt: number): 'fresh' | 'used' | 'full';
};

/** Remembers at most `limit` nonces, oldest first to go and only once they have expired. */
export function createNonces(limit: number, clock: Clock): Nonces {
  const expiries = new Map<string, number>();
  const dropExpired = (now: number) => {
    for (const [nonce, expiresAt] of expiries) {
      if (expiresAt <= now) expiries.delete(nonce);
    }
  };
  let nextSweepAt = 0;
  return {
    claim(nonce, expiresAt) {
      const now = clock.now();
      const known = expiries.get(nonce);
      if (known !== undefined && known > now) return 'used';
      if (expiries.size >= limit && now >= nextSweepAt) {
        dropExpired(now);
        nextSweepAt = now + 1000;
      }
      if (expiries.size >= limit) return 'full';
      expiries.delete(nonce);
      expiries.set(nonce, expiresAt);
      return 'fresh';
    },
  };
}
