// Stops every process of an instance where it is, and lets it go on. Used by instance-processes.ts, where no control
// group has a freezer.
import type { Clock } from '../../base/clock.ts';
import { findMembers, type ProcessRow, readProcessTable } from './process-table.ts';
import { signalProcess } from './tree-ender.ts';

/** A process may be born between the look and the stop: look again after so long, and give up after that. */
const rescanMs = 2;
const giveUpMs = 1_000;

type Order = {
  readonly root: number;
  readonly until: number;
  done(isFrozen: boolean): void;
};

/** Stops in batches: one look at /proc serves all orders of a moment. Bounded by the instances. */
export class TreeFreezer {
  readonly #clock: Clock;
  readonly #readTable: () => readonly ProcessRow[];
  readonly #signal: typeof signalProcess;
  readonly #orders = new Map<string, Order>();
  /** What has been stopped, by instance: they go on without a look at /proc. */
  readonly #stopped = new Map<string, Set<number>>();
  #isScheduled = false;

  constructor(clock: Clock, readTable: () => readonly ProcessRow[] = readProcessTable, signal = signalProcess) {
    this.#clock = clock;
    this.#readTable = readTable;
    this.#signal = signal;
  }

  isFrozen(instanceId: string): boolean {
    return this.#stopped.has(instanceId);
  }

  /** True when every process of the instance stands still; false when it was thawed meanwhile or some would not stop. */
  freeze(instanceId: string, root: number): Promise<boolean> {
    return new Promise((done) => {
      this.#orders.get(instanceId)?.done(false);
      this.#orders.set(instanceId, { root, until: this.#clock.monotonic() + giveUpMs, done });
      if (!this.#stopped.has(instanceId)) this.#stopped.set(instanceId, new Set());
      this.#schedule(0);
    });
  }

  /** At once: what was stopped goes on. */
  thaw(instanceId: string): void {
    const order = this.#orders.get(instanceId);
    this.#orders.delete(instanceId);
    // Children before parents would do as well: none can end without the others.
    for (const pid of this.#stopped.get(instanceId) ?? []) this.#signal(pid, 'SIGCONT');
    this.#stopped.delete(instanceId);
    order?.done(false);
  }

  /** The instance has gone: nothing is signalled. */
  forget(instanceId: string): void {
    this.#orders.get(instanceId)?.done(false);
    this.#orders.delete(instanceId);
    this.#stopped.delete(instanceId);
  }

  #schedule(delayMs: number): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.after(delayMs, () => {
      this.#isScheduled = false;
      if (this.#orders.size > 0) this.#round();
    });
  }

  #round(): void {
    const table = this.#readTable();
    for (const [instanceId, order] of this.#orders) {
      const members = findMembers(table, new Set([instanceId]), new Set([order.root]));
      const stopped = this.#stopped.get(instanceId);
      // What is held in the kernel stops before it gets back to its program, if it was told before this look: a shell whose
      // child was stopped between its vfork() and its program is held for as long as the child stands still.
      const running = members.filter((row) => !row.isStopped && !(row.isHeld && stopped?.has(row.pid)));
      for (const { pid } of members) stopped?.add(pid);
      for (const { pid } of running) this.#signal(pid, 'SIGSTOP');
      if (running.length === 0) {
        this.#orders.delete(instanceId);
        order.done(true);
      } else if (this.#clock.monotonic() > order.until) {
        this.thaw(instanceId);
      }
    }
    if (this.#orders.size > 0) this.#schedule(rescanMs);
  }
}
