// How long requests and starts take. Used by pool.ts.
import type { StartTimes } from './instance-port.ts';

/** How much a new measurement counts in a running average. */
const weight = 0.2;

export function average(old: number | null, value: number): number {
  return old === null ? value : old + (value - old) * weight;
}

/** All of a start, ms. */
export function sum({ startMs, codeMs, loadMs, initializerMs }: StartTimes): number {
  return startMs + codeMs + loadMs + initializerMs;
}
