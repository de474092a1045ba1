// Time as an object that is passed in, so that tests need not wait.
import { createTimerLanes } from './timer-lanes.ts';

/** `now` is epoch milliseconds; `monotonic` is milliseconds from an arbitrary start, for durations. */
export type Clock = {
  now(): number;
  monotonic(): number;
  /** Calls `run` once after `delayMs`; the result cancels. */
  after(delayMs: number, run: () => void): () => void;
};

const monotonic = () => performance.now();

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic,
  after: createTimerLanes(monotonic, (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  }),
};
