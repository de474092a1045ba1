// When requests are held back from idle instances, because few that run beside each other do the same work with warmer caches.
// Asked by pool.ts; why: docs/decisions/0016-quick-functions-wait.md.

export const hold = {
  /** A function whose requests take less than this on average may be run by fewer instances than there are requests, ms. */
  quickMs: 10,
  /** How long a request may be held back while no other ends, ms. */
  limitMs: 2,
  /** What was sent ahead behind a request that has run for so long is taken back, ms. */
  stalledMs: 5,
  /** A timer that comes so late was kept by a machine that had no time for this process, ms. */
  lateMs: 10,
} as const;

/** `others`: instances that serve beside the one in question; `typicalMs`: what a request takes, null while nobody knows. */
export type HoldFacts = { readonly others: number; readonly processors: number; readonly typicalMs: number | null };

/** Whether one more instance is better left idle. `isLoopBusy`: this process has no time left. */
export function isHeldBack({ others, processors, typicalMs }: HoldFacts, isLoopBusy: () => boolean): boolean {
  return others >= processors && typicalMs !== null && typicalMs < hold.quickMs && isLoopBusy();
}
