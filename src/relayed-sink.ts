// Where a function's answer goes in parts when its caller is at another data process. Made by data-process.ts; the other end is
// elsewhere.ts.
import type { HttpHandlerHead } from './model/http-handler.ts';
import type { ResponseSink } from './model/invocation.ts';

/** Bytes on their way to the caller's process, above which the function waits. */
const underWayBytes = 256 * 1024;

export class RelayedSink implements ResponseSink {
  readonly #send: (head: HttpHandlerHead | null, chunk: Buffer | null) => Promise<unknown>;
  #underWay = 0;
  #drained: PromiseWithResolvers<void> | null = null;

  /** `send` keeps the order of its calls; resolves when the caller's process takes more. */
  constructor(send: (head: HttpHandlerHead | null, chunk: Buffer | null) => Promise<unknown>) {
    this.#send = send;
  }

  head(head: HttpHandlerHead): void {
    this.#pass(head, null);
  }

  write(chunk: Buffer): boolean {
    this.#pass(null, chunk);
    return this.#underWay < underWayBytes;
  }

  drained(): Promise<void> {
    if (this.#underWay < underWayBytes) return Promise.resolve();
    this.#drained ??= Promise.withResolvers<void>();
    return this.#drained.promise;
  }

  #pass(head: HttpHandlerHead | null, chunk: Buffer | null): void {
    const bytes = chunk?.length ?? 0;
    this.#underWay += bytes;
    const arrived = () => {
      this.#underWay -= bytes;
      if (this.#underWay >= underWayBytes) return;
      this.#drained?.resolve();
      this.#drained = null;
    };
    // It fails when the caller's process has gone: the call is called off then, and what is still said nobody hears.
    this.#send(head, chunk).then(arrived, arrived);
  }
}
