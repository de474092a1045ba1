// Hands jobs to the package worker, one at a time; starts it when there is work and ends it after a while without. Used by packages.ts.
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../base/clock.ts';
import { StoreBusy, StoreClosed } from '../errors.ts';
import type { PackageAnswer, PackageAnswers, PackageJob, WorkerReply, WorkerRequest } from './jobs.ts';

/** Jobs that may wait, the running one included. */
const queueLimit = 32;
/** The thread costs memory; after this long without work it ends. */
const idleMs = 10_000;

type Waiting = { readonly job: PackageJob; resolve(answer: PackageAnswer): void; reject(error: Error): void };
type Thread = { readonly worker: Worker; cancelIdle: () => void };

/**
 * Errors: a job is rejected with the worker's error, with StoreBusy when too many wait, with StoreClosed at close();
 * when the thread dies, with that, and the next job gets a new thread.
 */
export class WorkerQueue {
  readonly #clock: Clock;
  #queue: Waiting[] = [];
  #running: { readonly id: number; readonly waiting: Waiting } | null = null;
  #thread: Thread | null = null;
  #nextId = 1;
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async run<K extends PackageJob['kind']>(job: Extract<PackageJob, { kind: K }>): Promise<PackageAnswers[K]> {
    if (this.#isClosed) throw new StoreClosed();
    if (this.#queue.length >= queueLimit) throw new StoreBusy(`${queueLimit} code packages are waiting; try again`);
    const { promise, resolve, reject } = Promise.withResolvers<PackageAnswer>();
    this.#queue.push({ job, resolve, reject });
    this.#next();
    // The worker answers a job with its own kind of answer.
    return (await promise) as PackageAnswers[K];
  }

  /** Ends the thread, in the middle of a job too: what that leaves is tidied at the next open. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const left = this.#queue.splice(0);
    const { worker } = this.#thread ?? {};
    this.#lose(new StoreClosed());
    for (const waiting of left) waiting.reject(new StoreClosed());
    await worker?.terminate();
  }

  #next(): void {
    if (this.#running !== null || this.#isClosed) return;
    const waiting = this.#queue.shift();
    if (waiting === undefined) {
      this.#idle();
      return;
    }
    const thread = this.#thread ?? this.#start();
    thread.cancelIdle();
    thread.worker.ref();
    const request: WorkerRequest = { id: this.#nextId++, job: waiting.job };
    this.#running = { id: request.id, waiting };
    thread.worker.postMessage(request);
  }

  #idle(): void {
    const thread = this.#thread;
    if (thread === null) return;
    thread.worker.unref();
    thread.cancelIdle = this.#clock.after(idleMs, () => {
      if (this.#thread === thread) this.#thread = null;
      void thread.worker.terminate();
    });
  }

  #start(): Thread {
    // The same file as source and as built.
    const file = new URL(`./packages-worker${extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(file, { name: 'packages', execArgv: [] });
    const thread: Thread = { worker, cancelIdle: () => {} };
    worker.on('message', (reply: WorkerReply) => this.#receive(reply));
    const onEnd = (error: Error) => {
      if (this.#thread !== thread) return;
      this.#lose(error);
      this.#next();
    };
    worker.on('error', onEnd);
    worker.on('exit', (code) => onEnd(new Error(`the package worker ended with ${code}`)));
    this.#thread = thread;
    return thread;
  }

  #receive(reply: WorkerReply): void {
    const running = this.#running;
    if (running?.id !== reply.id) return;
    this.#running = null;
    if (reply.ok) running.waiting.resolve(reply.answer);
    else running.waiting.reject(reply.error);
    this.#next();
  }

  #lose(error: Error): void {
    this.#thread?.cancelIdle();
    this.#thread = null;
    this.#running?.waiting.reject(error);
    this.#running = null;
  }
}
