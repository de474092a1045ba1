// One transaction at a time, in the order they came. Waiting writes are committed together: one sync of the disk for all. Used by store.ts.
import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Kysely, sql } from 'kysely';
import type { Access } from './collection.ts';
import type { Engine, Schema } from './engine.ts';
import { StoreBusy, StoreClosed } from './errors.ts';

/** Transactions that may wait. */
const queueLimit = 4096;
/** Writes in one commit: bounds how long the event loop is held. */
const groupLimit = 32;

type Work = (access: Access) => Promise<unknown>;
type Job = {
  readonly kind: 'read' | 'write';
  readonly work: Work;
  resolve(result: unknown): void;
  reject(error: unknown): void;
};
type Done = { readonly job: Job; readonly result: unknown };

/**
 * The queue before a database with one connection.
 *
 * Errors: work is rejected with what it threw (all it did is undone, nothing of its group-mates), with the database's error when
 * the commit failed (nothing of the group is left), with StoreBusy when too many wait, with StoreClosed after close().
 */
export class Transactions {
  readonly #engine: Engine;
  readonly #current = new AsyncLocalStorage<Scope>();
  #queue: Job[] = [];
  #pumping: Promise<void> | null = null;
  #isClosed = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Runs `work` on one consistent state; whatever it would write is undone. */
  read<T>(work: (access: Access) => Promise<T>): Promise<T> {
    return this.#enqueue('read', work);
  }

  /** Runs `work`; resolves when its writes are on the disk. `committed` is called first, in the order of the commits. */
  async write<T>(work: (access: Access) => Promise<T>, committed?: (result: T) => void): Promise<T> {
    return await this.#enqueue('write', work, committed);
  }

  /** Refuses new work, finishes what waits, closes the database. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#pumping;
    await this.#engine.db.destroy();
  }

  #enqueue<T>(kind: Job['kind'], work: (access: Access) => Promise<T>, committed?: (result: T) => void): Promise<T> {
    if (this.#isClosed) return Promise.reject(new StoreClosed());
    if (this.#current.getStore()?.isOpen) {
      return Promise.reject(
        new Error('the store is used inside its own transaction: use the transaction given to the work'),
      );
    }
    if (this.#queue.length >= queueLimit) {
      return Promise.reject(new StoreBusy(`${queueLimit} transactions are waiting; try again`));
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#queue.push({
      kind,
      work,
      // The result is what `work` gave, handed through the queue.
      resolve: (result) => {
        committed?.(result as T);
        resolve(result as T);
      },
      reject,
    });
    this.#pumping ??= this.#pump();
    return promise;
  }

  async #pump(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        // Lets requests come in between groups, and those of one turn into one group.
        await nextTurn();
        const group = this.#takeGroup();
        try {
          await this.#engine.db.connection().execute((db) => this.#runGroup(db, group));
        } catch (error) {
          for (const job of group) job.reject(error);
        }
      }
    } finally {
      this.#pumping = null;
    }
  }

  /** The next read alone, or the writes up to the next read. */
  #takeGroup(): Job[] {
    const end = this.#queue.findIndex((job) => job.kind === 'read');
    const writes = end === -1 ? this.#queue.length : end;
    return this.#queue.splice(0, Math.max(1, Math.min(writes, groupLimit)));
  }

  async #runGroup(db: Kysely<Schema>, group: readonly Job[]): Promise<void> {
    if (group[0]?.kind === 'read') return await this.#runRead(db, group[0]);
    const done: Done[] = [];
    await sql`begin`.execute(db);
    try {
      for (const job of group) await this.#runInSavepoint(db, job, done);
      await sql`commit`.execute(db);
    } catch (error) {
      if (this.#engine.isInTransaction()) await sql`rollback`.execute(db);
      throw error;
    }
    for (const { job, result } of done) job.resolve(result);
  }

  async #runRead(db: Kysely<Schema>, job: Job): Promise<void> {
    await sql`begin deferred`.execute(db);
    try {
      job.resolve(await this.#perform(db, job.work));
    } finally {
      if (this.#engine.isInTransaction()) await sql`rollback`.execute(db);
    }
  }

  /** A throw of the work undoes it alone; a throw of this method ends the whole group. */
  async #runInSavepoint(db: Kysely<Schema>, job: Job, done: Done[]): Promise<void> {
    await sql`savepoint work`.execute(db);
    try {
      const result = await this.#perform(db, job.work);
      await sql`release savepoint work`.execute(db);
      done.push({ job, result });
    } catch (error) {
      job.reject(error);
      if (!this.#engine.isInTransaction()) throw error;
      await sql`rollback to savepoint work`.execute(db);
      await sql`release savepoint work`.execute(db);
    }
  }

  async #perform(db: Kysely<Schema>, work: Work): Promise<unknown> {
    const scope = new Scope(db, this.#engine);
    return await this.#current.run(scope, async () => {
      try {
        return await work(scope);
      } finally {
        await scope.end();
      }
    });
  }
}

/** What one work may do, from its begin to its end. */
class Scope implements Access {
  readonly db: Kysely<Schema>;
  readonly #engine: Engine;
  readonly #pending = new Set<Promise<unknown>>();
  isOpen = true;

  constructor(db: Kysely<Schema>, engine: Engine) {
    this.db = db;
    this.#engine = engine;
  }

  readonly run = async <T>(operation: () => Promise<T>): Promise<T> => {
    if (!this.isOpen) throw new Error('the transaction has ended; await its operations inside the work');
    if (!this.#engine.isInTransaction())
      throw new Error('the database has ended the transaction after an earlier error');
    const running = operation();
    this.#pending.add(running);
    try {
      return await running;
    } finally {
      this.#pending.delete(running);
    }
  };

  /** Errors: throws when the work left operations running: they would have slipped into the next transaction. */
  async end(): Promise<void> {
    this.isOpen = false;
    if (this.#pending.size === 0) return;
    await Promise.allSettled(this.#pending);
    throw new Error('the work ended before its operations; await each of them');
  }
}
