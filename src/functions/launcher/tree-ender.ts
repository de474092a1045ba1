// Ends whole process trees and knows when nothing is left. Used by instance-processes.ts; endInstances is for the
// processes that clean up after a launcher that was killed.
import { readdir } from 'node:fs/promises';
import type { Clock } from '../../base/clock.ts';
import { systemClock } from '../../base/clock.ts';
import { findMembers, type ProcessRow, readProcessTable } from './process-table.ts';

/** A new process may be born between the look and the kill: look again after so long, and give up after that. */
const rescanMs = 5;
const giveUpMs = 10_000;

type Order = {
  readonly root: number | null;
  readonly until: number;
  resolve(isGone: boolean): void;
};

/** Kills in batches: one look at /proc serves all orders of a moment. Bounded by the instances. */
export class TreeEnder {
  readonly #clock: Clock;
  readonly #readTable: () => readonly ProcessRow[];
  readonly #orders = new Map<string, Order>();
  #isScheduled = false;

  constructor(clock: Clock, readTable: () => readonly ProcessRow[] = readProcessTable) {
    this.#clock = clock;
    this.#readTable = readTable;
  }

  /**
   * SIGKILL to every process of the instance until none is left; false when some outlived it all.
   * `root` is its first process while that has not been reaped, else null.
   */
  end(instanceId: string, root: number | null): Promise<boolean> {
    return new Promise((resolve) => {
      const earlier = this.#orders.get(instanceId);
      this.#orders.set(instanceId, {
        root,
        until: this.#clock.monotonic() + giveUpMs,
        resolve: (isGone) => {
          earlier?.resolve(isGone);
          resolve(isGone);
        },
      });
      this.#schedule(0);
    });
  }

  #schedule(delayMs: number): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.after(delayMs, () => {
      this.#isScheduled = false;
      this.#round();
    });
  }

  #round(): void {
    const table = this.#readTable();
    for (const [instanceId, order] of this.#orders) {
      const members = findMembers(table, new Set([instanceId]), new Set(order.root === null ? [] : [order.root]));
      for (const { pid } of members) signalProcess(pid, 'SIGKILL');
      const isLate = this.#clock.monotonic() > order.until;
      if (members.length > 0 && !isLate) continue;
      this.#orders.delete(instanceId);
      order.resolve(members.length === 0);
    }
    if (this.#orders.size > 0) this.#schedule(rescanMs);
  }
}

/** Sends a signal; a process that has gone is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

/**
 * Ends every process of the instances that have a directory under `<runDir>/i`: for whoever cleans up after a launcher
 * that was killed. Needs only /proc and the right to signal. False when something is still there.
 */
export async function endInstances(runDir: string, clock: Clock = systemClock): Promise<boolean> {
  const names = await readdir(`${runDir}/i`).catch(() => []);
  return await endInstancesByMark(names, clock);
}

/** The same for instances by their ids. */
export async function endInstancesByMark(instanceIds: readonly string[], clock: Clock = systemClock): Promise<boolean> {
  const ender = new TreeEnder(clock);
  const results = await Promise.all(instanceIds.map((id) => ender.end(id, null)));
  return results.every((isGone) => isGone);
}
