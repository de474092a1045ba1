// Keeps a data process on the published state: sends each version in order and knows which one it serves.
import type { Channel } from './base/channel.ts';
import type { Clock } from './base/clock.ts';
import type { ChangeBatch } from './model/published.ts';

/** The half of the store that following needs. */
export type Feed = {
  changesSince(version: number, limit: number): Promise<ChangeBatch & { readonly isLast?: boolean }>;
  onPublished(listener: (batch: ChangeBatch) => void): () => void;
};

type Waiter = { readonly version: number; readonly resolve: () => void; readonly reject: (error: Error) => void };

/** Changes sent in one message while catching up: a page that the data process reads in a few milliseconds. */
const batchLimit = 250;

/**
 * One data process that follows the store.
 *
 * Waiters are bounded by the API requests under way. A process that does not follow within `limitMs` is
 * reported once to `onLaggard`, and every waiter is rejected: it may no longer serve.
 */
export class Follower {
  readonly #feed: Feed;
  readonly #channel: Channel;
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #onLaggard: (error: Error) => void;
  readonly #unsubscribe: () => void;
  #waiters: Waiter[] = [];
  /** What the process has been sent, and what it shows: the pages of one state show with the last. */
  #sent = 0;
  #live = 0;
  #isPumping = false;
  #isBehind = false;
  #failure: Error | null = null;

  constructor(
    feed: Feed,
    channel: Channel,
    options: { clock: Clock; limitMs: number; onLaggard: (error: Error) => void },
  ) {
    this.#feed = feed;
    this.#channel = channel;
    this.#clock = options.clock;
    this.#limitMs = options.limitMs;
    this.#onLaggard = options.onLaggard;
    this.#unsubscribe = feed.onPublished(() => this.#wake());
  }

  /** Brings the process to the state as it is now. */
  async catchUp(): Promise<void> {
    await this.#pump();
    if (this.#failure !== null) throw this.#failure;
  }

  /** Resolves when the process serves `version` or a later one. */
  awaitLive(version: number): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (version <= this.#live) return Promise.resolve();
    this.#wake();
    return new Promise((resolve, reject) => this.#waiters.push({ version, resolve, reject }));
  }

  close(): void {
    this.#unsubscribe();
    this.#fail(new Error('the server is stopping'));
  }

  #wake(): void {
    this.#isBehind = true;
    void this.#pump();
  }

  async #pump(): Promise<void> {
    if (this.#isPumping || this.#failure !== null) return;
    this.#isPumping = true;
    try {
      do {
        this.#isBehind = false;
        const batch = await this.#feed.changesSince(this.#sent, batchLimit);
        if (batch.version > this.#sent) {
          await this.#send(batch);
          this.#sent = batch.version;
          if (batch.isLast !== false) this.#reached(batch.version);
          this.#isBehind = true;
        }
      } while (this.#isBehind && this.#failure === null);
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      if (this.#failure === null) this.#onLaggard(failure);
      this.#fail(failure);
    } finally {
      this.#isPumping = false;
    }
  }

  async #send(batch: ChangeBatch): Promise<void> {
    const late = new AbortController();
    const cancel = this.#clock.after(this.#limitMs, () =>
      late.abort(new Error(`the data process did not follow to version ${batch.version} in ${this.#limitMs} ms`)),
    );
    try {
      await this.#channel.call('changes', batch, { signal: late.signal });
    } finally {
      cancel();
    }
  }

  #reached(version: number): void {
    this.#live = version;
    const waiting = this.#waiters;
    this.#waiters = waiting.filter((waiter) => waiter.version > version);
    for (const waiter of waiting) if (waiter.version <= version) waiter.resolve();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters = [];
  }
}
