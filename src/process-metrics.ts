// What one of our processes uses, for /metrics. One per process; costs a timer of 20 ms that keeps nothing awake.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ProcessMetrics } from './model/metrics.ts';

const resolutionMs = 20;

/** Gives a reader; what it tells of the event loop is since the last reading. */
export function watchProcess(): () => ProcessMetrics {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  /** The histogram counts the time between two looks. */
  const late = (nanoseconds: number) =>
    Math.max(0, (Number.isFinite(nanoseconds) ? nanoseconds : 0) / 1e6 - resolutionMs);
  return () => {
    const { user, system } = process.cpuUsage();
    const loopDelay = {
      p50Ms: late(histogram.percentile(50)),
      p99Ms: late(histogram.percentile(99)),
      maxMs: late(histogram.max),
    };
    histogram.reset();
    return { rssBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6, loopDelay };
  };
}
