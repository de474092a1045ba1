// Removes from time to time what nobody needs any more: code packages that no function names, uploads that are too old.
// Started by server.ts.
import { inspect } from 'node:util';
import type { Clock } from './base/clock.ts';
import type { Log } from './base/log.ts';
import { sweepUnusedPackages } from './control/index.ts';
import type { Store } from './store/index.ts';

/** Between two sweeps. */
const everyMs = 60 * 60 * 1000;
/** A package so young may belong to a row that is still on its way. */
const graceMs = 10 * 60 * 1000;

export type SweepsDeps = { readonly store: Store; readonly clock: Clock; readonly log: Log };

/** Sweeps every hour until it is closed, first an hour after the start. */
export class Sweeps {
  readonly #deps: SweepsDeps;
  #cancel: () => void;
  #running: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(deps: SweepsDeps) {
    this.#deps = deps;
    this.#cancel = this.#schedule();
  }

  /** Ends the timer and waits for a sweep under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancel();
    await this.#running;
  }

  #schedule(): () => void {
    return this.#deps.clock.after(everyMs, () => {
      this.#running = this.#sweep();
    });
  }

  async #sweep(): Promise<void> {
    const { store, log } = this.#deps;
    try {
      const packages = await sweepUnusedPackages(store, graceMs);
      const uploads = await store.uploads.sweep();
      if (packages + uploads > 0) log.info('removed what is not used any more', { packages, uploads });
    } catch (error) {
      log.error('the sweep of packages and uploads failed', { error: inspect(error) });
    }
    if (!this.#isClosed) this.#cancel = this.#schedule();
  }
}
