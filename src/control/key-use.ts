// When each access key was last used, kept in the store to the hour: a write an hour and key, not one a call.
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Store } from '../store/port.ts';

const hourMs = 60 * 60 * 1000;

export class KeyUse {
  readonly #deps: { readonly store: Store; readonly clock: Clock; readonly log: Log };
  /** The hour that was last written, by key id; bounded by the keys that were ever verified, which are few. */
  readonly #written = new Map<string, number>();

  constructor(deps: { readonly store: Store; readonly clock: Clock; readonly log: Log }) {
    this.#deps = deps;
  }

  /** Called after each verified call. Never rejects: a call does not fail for its note. */
  async note(accessKeyId: string): Promise<void> {
    const { store, clock, log } = this.#deps;
    const hour = Math.floor(clock.now() / hourMs) * hourMs;
    if (this.#written.get(accessKeyId) === hour) return;
    this.#written.set(accessKeyId, hour);
    try {
      await store.write(async ({ rows }) => {
        const row = await rows.accessKeys.get(accessKeyId);
        if (row !== null && row.lastUsedAt !== hour) await rows.accessKeys.update({ ...row, lastUsedAt: hour });
      });
    } catch (error) {
      this.#written.delete(accessKeyId);
      log.warn('the use of an access key was not noted', { accessKeyId, error: String(error) });
    }
  }
}
