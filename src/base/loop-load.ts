// How busy this process's own event loop is. Read by what decides how much to begin at once.
import { performance } from 'node:perf_hooks';

/** Over how long it is measured at least, ms: shorter than that it jumps. */
const windowMs = 25;
/** Parts of the time: busy from the first on, until it falls below the second. */
const busyFrom = 0.75;
const busyUntil = 0.5;
/** After that it is not called busy for so long: what follows the answer may be what made it idle. ms. */
const restMs = 1_000;

export type LoopLoad = { isBusy(): boolean };

/** Measures when it is asked, no oftener than each window; `now` is monotonic ms. */
export function createLoopLoad(
  now: () => number,
  read: () => { readonly idle: number; readonly active: number } = performance.eventLoopUtilization,
): LoopLoad {
  let readAt = now();
  let last = read();
  let isBusy = false;
  let restsUntil = 0;
  return {
    isBusy() {
      const at = now();
      if (at - readAt < windowMs) return isBusy;
      const next = read();
      const active = next.active - last.active;
      const part = active / Math.max(1e-9, active + next.idle - last.idle);
      if (isBusy && part < busyUntil) restsUntil = at + restMs;
      isBusy = at >= restsUntil && part >= (isBusy ? busyUntil : busyFrom);
      readAt = at;
      last = next;
      return isBusy;
    },
  };
}
