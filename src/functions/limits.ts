// The bounds of the compute plane, with their defaults. Composition fills them from the settings.
import { availableParallelism } from 'node:os';
import { type Among, alone, shareOf } from '../model/shares.ts';

/** Times in milliseconds, sizes in bytes. */
export type Limits = {
  /** Instances that may be starting at once on this host: more only make each other slower. */
  readonly startsAtOnce: number;
  /** Processors that this process may use. */
  readonly processors: number;
  /** Requests under way (running or waiting) of one function, in all processes together; beyond it: ResourceExhausted. */
  readonly instancesPerFunction: number;
  /** The same for all functions together, in this process. */
  readonly instancesInAll: number;
  /** Which of several processes that share the bounds this one is. */
  readonly among: Among;
  /** Requests that may wait for an instance; beyond it: ResourceThrottled. */
  readonly waitingTotal: number;
  /** Bytes of events that may wait for an instance; beyond it: ResourceThrottled. */
  readonly waitingBytes: number;
  /** An instance unused for so long ends. */
  readonly idleMs: number;
  /** An instance unused for so long is frozen: nothing of it runs until its next request. 0: after every request. */
  readonly freezeMs: number;
  /** What hooks before an end may take at most when the server is being closed. */
  readonly closingHookMs: number;
  /** From the start of the process to its hello. */
  readonly startMs: number;
  /** For importing the function's module. */
  readonly loadMs: number;
  /** Between SIGTERM and SIGKILL of an instance that has to end. */
  readonly graceMs: number;
  /** How long an answer waits for the End marker of its log. */
  readonly logWaitMs: number;
  /** Memory of processes that wait for a function, MB; 0: none wait. */
  readonly spareMemoryMb: number;
  /** From giving such a process its function to its hello; then another is started. */
  readonly assignMs: number;
  /** Event and result of one invocation. */
  readonly invocationBytes: number;
};

const megabyte = 1024 * 1024;

/**
 * Source: docs for sizes and instance counts; the rest is ours.
 */
export const defaultLimits: Limits = {
  startsAtOnce: 4,
  processors: availableParallelism(),
  instancesPerFunction: 100,
  instancesInAll: 300,
  among: alone,
  waitingTotal: 300,
  waitingBytes: 512 * megabyte,
  idleMs: 5 * 60_000,
  freezeMs: 1_000,
  closingHookMs: 3_000,
  startMs: 10_000,
  loadMs: 30_000,
  graceMs: 1_000,
  logWaitMs: 50,
  spareMemoryMb: 96,
  assignMs: 2_000,
  invocationBytes: 32 * megabyte,
};

/** What one of several planes on a host may use, so that all together keep the limits. */
export function shareOfLimits(
  among: Among,
): Pick<Limits, 'among' | 'startsAtOnce' | 'instancesInAll' | 'waitingTotal' | 'waitingBytes'> {
  const share = (limit: number) => Math.max(1, Math.floor(limit / among.dataProcesses));
  const { startsAtOnce, instancesInAll, waitingTotal, waitingBytes } = defaultLimits;
  return {
    among: { dataProcesses: among.dataProcesses, place: among.place },
    startsAtOnce: share(startsAtOnce),
    instancesInAll: shareOf(instancesInAll, among, ''),
    waitingTotal: share(waitingTotal),
    waitingBytes: share(waitingBytes),
  };
}
