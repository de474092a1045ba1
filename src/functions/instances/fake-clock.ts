// A clock that a test moves. Used by the unit tests of this folder only.
import type { Clock } from '../../base/clock.ts';

export type FakeClock = Clock & {
  advance(ms: number): void;
  /** Time passes, and timers that were due run only after it. */
  standStill(ms: number): void;
  readonly timersMade: number;
};

export function fakeClock(): FakeClock {
  let now = 0;
  let made = 0;
  const timers = new Set<{ at: number; run(): void }>();
  return {
    now: () => now,
    monotonic: () => now,
    get timersMade() {
      return made;
    },
    after(delayMs, run) {
      made += 1;
      const timer = { at: now + delayMs, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    standStill(ms) {
      now += ms;
      const due = [...timers].filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
      for (const timer of due) if (timers.delete(timer)) timer.run();
    },
    advance(ms) {
      const until = now + ms;
      for (;;) {
        const due = [...timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        timers.delete(due);
        now = Math.max(now, due.at);
        due.run();
      }
      now = until;
    },
  };
}
