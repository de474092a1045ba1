// How busy this process's own event loop is. Read by what decides how much to begin at once.
import { performance } from 'node:perf_hooks';

/** Over how long it is measured at least, ms: shorter than that it jumps. */
const windowMs = 100;
/** Parts of the time: busy from the first on, until it falls below the second. */
const busyFrom = 0.7;
const busyUntil = 0.35;
/**
 * After that it is not called busy for a while, which doubles when it was busy for less than `settledMs`: then it is what follows
 * the answer that makes it idle. ms.
 */
const rest = { first: 250, limit: 60_000, settledMs: 1_000 };

export type LoopLoad = { isBusy(): boolean };

/** Measures when it is asked, no oftener than each window; `now` is monotonic ms. */
export function createLoopLoad(
  now: () => number,
  read: () => { readonly idle: number; readonly active: number } = performance.eventLoopUtilization,
): LoopLoad {
  let readAt = now();
  let last = read();
  let busySince: number | null = null;
  let restMs = rest.first;
  let restsUntil = 0;

  const judge = (at: number, part: number): void => {
    if (busySince === null) {
      if (at >= restsUntil && part >= busyFrom) busySince = at;
    } else if (part < busyUntil) {
      restMs = at - busySince < rest.settledMs ? Math.min(rest.limit, restMs * 2) : rest.first;
      restsUntil = at + restMs;
      busySince = null;
    }
  };

  return {
    isBusy() {
      const at = now();
      if (at - readAt >= windowMs) {
        const next = read();
        const active = next.active - last.active;
        judge(at, active / Math.max(1e-9, active + next.idle - last.idle));
        readAt = at;
        last = next;
      }
      return busySince !== null;
    },
  };
}
