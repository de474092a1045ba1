// Hands jobs to the package worker, with the answers' own types. Used by packages.ts.
import { extname } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { JobThread } from '../../base/job-thread.ts';
import { StoreBusy, StoreClosed } from '../errors.ts';
import type { PackageAnswer, PackageAnswers, PackageJob } from './jobs.ts';

/** Jobs that may wait, the running one included. */
const queueLimit = 32;
const idleMs = 10_000;

/** Errors: those of JobThread, with StoreBusy and StoreClosed. What close() leaves of a job is tidied at the next open. */
export class WorkerQueue {
  readonly #thread: JobThread<PackageJob, PackageAnswer>;

  constructor(clock: Clock) {
    this.#thread = new JobThread({
      // The same file as source and as built.
      file: new URL(`./packages-worker${extname(import.meta.url)}`, import.meta.url),
      name: 'packages',
      clock,
      queueLimit,
      idleMs,
      busy: () => new StoreBusy(`${queueLimit} code packages are waiting; try again`),
      closed: () => new StoreClosed(),
    });
  }

  async run<K extends PackageJob['kind']>(job: Extract<PackageJob, { kind: K }>): Promise<PackageAnswers[K]> {
    // The worker answers a job with its own kind of answer.
    return (await this.#thread.run(job)) as PackageAnswers[K];
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}
