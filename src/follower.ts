// Keeps a data process on the published state: sends each version in order and knows which one it serves. With several data
// processes it also gives leave to serve for a moment (serving-lease.ts), and none while the process is behind.
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
  /** The newest version that is known to be published. */
  #newest = 0;
  /** Until when the process may serve without asking again, by the clock. */
  #leaseUntil = Number.NEGATIVE_INFINITY;
  readonly #leaseMs: number | null;
  #isPumping = false;
  #isBehind = false;
  #failure: Error | null = null;

  constructor(
    feed: Feed,
    channel: Channel,
    options: { clock: Clock; limitMs: number; leaseMs?: number | null; onLaggard: (error: Error) => void },
  ) {
    this.#feed = feed;
    this.#channel = channel;
    this.#clock = options.clock;
    this.#limitMs = options.limitMs;
    this.#onLaggard = options.onLaggard;
    this.#leaseMs = options.leaseMs ?? null;
    this.#unsubscribe = feed.onPublished(({ version }) => {
      this.#newest = Math.max(this.#newest, version);
      this.#wake();
    });
  }

  /** Brings the process to the state as it is now. */
  async catchUp(): Promise<void> {
    await this.#pump();
    if (this.#failure !== null) throw this.#failure;
  }

  /** Whether the process has all that is known to be published. */
  get isLive(): boolean {
    return this.#failure === null && this.#newest <= this.#live;
  }

  /** Resolves when the process serves `version` or a later one; with leases also when it may serve nothing before it does. */
  awaitLive(version: number): Promise<void> {
    if (version <= this.#live && this.#failure === null) return Promise.resolve();
    this.#newest = Math.max(this.#newest, version);
    const reached = this.#reach(version);
    if (this.#leaseMs === null) return reached;
    const { promise: fenced, resolve } = Promise.withResolvers<void>();
    // A millisecond more than the lease: two processes read the clock here.
    const cancel = this.#clock.after(Math.max(0, this.#leaseUntil - this.#clock.monotonic() + 1), resolve);
    // One that has failed gets no other lease: the end of its last one is all that there is to wait for.
    return Promise.race([reached.then(cancel).catch(() => fenced), fenced]);
  }

  /** Resolves when the process is behind no more. Errors: rejects when it does not follow. */
  async caughtUp(): Promise<void> {
    while (!this.isLive) await this.#reach(this.#newest);
  }

  /** How long the process may serve from now on, ms; resolves when it is behind no more. */
  async lease(): Promise<number> {
    await this.caughtUp();
    const leaseMs = this.#leaseMs ?? 0;
    this.#leaseUntil = this.#clock.monotonic() + leaseMs;
    return leaseMs;
  }

  #reach(version: number): Promise<void> {
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
