// Keeps the current snapshot: works batches in without holding up requests, and shows each as one. Used by gateway.ts.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';
import type { Change, ChangeBatch } from '../model/published.ts';
import { createEmptySnapshot, editSnapshot, type Snapshot, type SnapshotEdit } from './snapshot.ts';

/** How long the event loop may be kept at a time; milliseconds. */
const sliceMs = 4;
/** Changes between two looks at the clock. */
const sliceChanges = 32;

/** A batch, or a page of one: what follows belongs to it until `isLast`, which is meant when it is not given. */
export type BatchPage = ChangeBatch & { readonly isLast?: boolean };

export class SnapshotFollower {
  readonly #clock: Clock;
  #current: Snapshot = createEmptySnapshot();
  /** The snapshot to come, while its pages arrive. */
  #edit: SnapshotEdit | null = null;
  /** The page being worked in, when that takes more than a slice. */
  #busy: Promise<void> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What requests that begin now work on. */
  get current(): Snapshot {
    return this.#current;
  }

  /**
   * Works a page in; pages are worked in in the order of the calls. With the last page of its batch all of it becomes visible at
   * once. A small page is in force when the call returns, a larger one when the promise resolves.
   */
  apply(page: BatchPage): void | Promise<void> {
    const before = this.#busy;
    const working = before === null ? this.#work(page, 0) : before.then(() => this.#work(page, 0));
    if (working === undefined) return;
    const busy = working.finally(() => {
      if (this.#busy === busy) this.#busy = null;
    });
    this.#busy = busy;
    return busy;
  }

  #work(page: BatchPage, from: number): void | Promise<void> {
    this.#edit ??= editSnapshot(this.#current);
    const next = this.#slice(this.#edit, page.changes, from);
    if (next < page.changes.length) return nextTurn().then(() => this.#work(page, next));
    if (page.isLast === false) return;
    this.#current = this.#edit.done(page.version);
    this.#edit = null;
  }

  /** Works changes in until the time is over; the index of the next one. */
  #slice(edit: SnapshotEdit, changes: readonly Change[], from: number): number {
    const began = this.#clock.monotonic();
    let at = from;
    while (at < changes.length) {
      const change = changes[at];
      if (change !== undefined) edit.apply(change);
      at++;
      if (at % sliceChanges === 0 && this.#clock.monotonic() - began >= sliceMs) break;
    }
    return at;
  }
}
