// Reads the bodies of Function Compute's calls; large ones in a thread of their own, so that the API's loop stays free.
import { extname } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { JobThread } from '../../base/job-thread.ts';
import { fcError } from '../errors.ts';
import { type BodyJob, type BodyWork, workOnBody } from './body-work.ts';

/** Bodies up to so many bytes cost less here than on the way to the thread and back. */
const inlineLimitBytes = 256 * 1024;
/** Large bodies that may wait: each is held in memory. */
const queueLimit = 16;
const idleMs = 10_000;

export class Bodies {
  readonly #thread: JobThread<BodyJob, BodyWork>;

  constructor(clock: Clock) {
    this.#thread = new JobThread({
      // The same file as source and as built.
      file: new URL(`./body-thread${extname(import.meta.url)}`, import.meta.url),
      name: 'bodies',
      clock,
      queueLimit,
      idleMs,
      busy: () => fcError('ResourceThrottled', 'too many large bodies are waiting, retry later'),
      closed: () => fcError('ResourceThrottled', 'the server is stopping'),
    });
  }

  /** `raw` may be given away to the thread: use only what comes back. Errors: ResourceThrottled when too many wait. */
  async read(raw: Buffer, wants: { readonly isJson: boolean; readonly wantsHash: boolean }): Promise<BodyWork> {
    if (raw.length <= inlineLimitBytes || (!wants.isJson && !wants.wantsHash)) {
      return workOnBody({ bytes: raw, ...wants });
    }
    const { buffer } = raw;
    const isOwn = raw.byteLength === buffer.byteLength && buffer instanceof ArrayBuffer;
    return await this.#thread.run({ bytes: raw, ...wants }, isOwn ? [buffer] : []);
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}
