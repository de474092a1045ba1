// How long the data process's event loop was kept from its next turn: measured only while somebody asks for it (benches).
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { LoopDelay } from './model/loop-delay.ts';

/** How often the loop is looked at, in ms. */
const resolutionMs = 1;

type Running = {
  readonly histogram: ReturnType<typeof monitorEventLoopDelay>;
  readonly timer: NodeJS.Timeout;
  longestWorkMs: number;
};

/** Measures from start() to stop(); costs a timer of one millisecond meanwhile. */
export class LoopDelayMeter {
  #running: Running | null = null;

  /** Begins anew. */
  start(): void {
    this.stop();
    const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
    let before = process.threadCpuUsage();
    const running: Running = {
      histogram,
      longestWorkMs: 0,
      timer: setInterval(() => {
        const { user, system } = process.threadCpuUsage(before);
        running.longestWorkMs = Math.max(running.longestWorkMs, (user + system) / 1000);
        before = process.threadCpuUsage();
      }, resolutionMs),
    };
    running.timer.unref();
    histogram.enable();
    this.#running = running;
  }

  /** What was measured so far; null when nothing is. */
  read(): LoopDelay | null {
    if (this.#running === null) return null;
    const { histogram, longestWorkMs } = this.#running;
    const inMs = (nanoseconds: number) => nanoseconds / 1e6;
    return {
      turns: histogram.count,
      meanMs: histogram.count === 0 ? 0 : inMs(histogram.mean),
      p99Ms: inMs(histogram.percentile(99)),
      maxMs: inMs(histogram.max),
      longestWorkMs,
    };
  }

  stop(): void {
    if (this.#running === null) return;
    clearInterval(this.#running.timer);
    this.#running.histogram.disable();
    this.#running = null;
  }
}
