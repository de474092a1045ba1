// A worker thread for slow work: takes jobs one at a time, is started when there is work and ended after a while without.
import { parentPort, Worker } from 'node:worker_threads';
import type { Clock } from './clock.ts';

export type JobThreadOptions = {
  /** The thread's module; it calls serveJobs(). */
  readonly file: URL;
  readonly name: string;
  readonly clock: Clock;
  /** Jobs that may wait, the running one included. */
  readonly queueLimit: number;
  /** The thread costs memory; after so many ms without work it ends. */
  readonly idleMs: number;
  /** What a job is rejected with when too many wait, and after close(). */
  busy(): Error;
  closed(): Error;
};

/** `transfer`: buffers that the thread takes over; the caller cannot use them any more. */
type Waiting<Job, Answer> = {
  readonly job: Job;
  readonly transfer: readonly ArrayBuffer[];
  resolve(answer: Answer): void;
  reject(error: Error): void;
};
type Thread = { readonly worker: Worker; cancelIdle: () => void };
type Request<Job> = { readonly id: number; readonly job: Job };
type Reply<Answer> = { readonly id: number } & (
  | { readonly ok: true; readonly answer: Answer }
  | { readonly ok: false; readonly error: Error }
);

/** Errors: a job is rejected with the thread's error; when the thread dies, with that, and the next job gets a new thread. */
export class JobThread<Job, Answer> {
  readonly #options: JobThreadOptions;
  #queue: Waiting<Job, Answer>[] = [];
  #running: { readonly id: number; readonly waiting: Waiting<Job, Answer> } | null = null;
  #thread: Thread | null = null;
  #nextId = 1;
  #isClosed = false;

  constructor(options: JobThreadOptions) {
    this.#options = options;
  }

  async run(job: Job, transfer: readonly ArrayBuffer[] = []): Promise<Answer> {
    if (this.#isClosed) throw this.#options.closed();
    if (this.#queue.length >= this.#options.queueLimit) throw this.#options.busy();
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#queue.push({ job, transfer, resolve, reject });
    this.#next();
    return await promise;
  }

  /** Ends the thread, in the middle of a job too. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const left = this.#queue.splice(0);
    const { worker } = this.#thread ?? {};
    this.#lose(this.#options.closed());
    for (const waiting of left) waiting.reject(this.#options.closed());
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
    const request: Request<Job> = { id: this.#nextId++, job: waiting.job };
    this.#running = { id: request.id, waiting };
    thread.worker.postMessage(request, [...waiting.transfer]);
  }

  #idle(): void {
    const thread = this.#thread;
    if (thread === null) return;
    thread.worker.unref();
    thread.cancelIdle = this.#options.clock.after(this.#options.idleMs, () => {
      if (this.#thread === thread) this.#thread = null;
      void thread.worker.terminate();
    });
  }

  #start(): Thread {
    const { file, name } = this.#options;
    const worker = new Worker(file, { name, execArgv: [] });
    const thread: Thread = { worker, cancelIdle: () => {} };
    worker.on('message', (reply: Reply<Answer>) => this.#receive(reply));
    const onEnd = (error: Error) => {
      if (this.#thread !== thread) return;
      this.#lose(error);
      this.#next();
    };
    worker.on('error', onEnd);
    worker.on('exit', (code) => onEnd(new Error(`the ${name} thread ended with ${code}`)));
    this.#thread = thread;
    return thread;
  }

  #receive(reply: Reply<Answer>): void {
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

/** The other side, called once by the thread's module. `transferOf` names the buffers of an answer that need not be copied. */
export function serveJobs<Job, Answer>(
  perform: (job: Job) => Answer | Promise<Answer>,
  transferOf: (answer: Answer) => readonly ArrayBuffer[] = () => [],
): void {
  parentPort?.on('message', async ({ id, job }: Request<Job>) => {
    try {
      const answer = await perform(job);
      const reply: Reply<Answer> = { id, ok: true, answer };
      parentPort?.postMessage(reply, [...transferOf(answer)]);
    } catch (error) {
      const reply: Reply<Answer> = { id, ok: false, error: error instanceof Error ? error : new Error(String(error)) };
      parentPort?.postMessage(reply);
    }
  });
}
