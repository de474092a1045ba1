// The failed requests that `yunmen why` can tell of, kept by control in memory; the newest so many.
import type { RequestRecord } from './model/record.ts';

export class FailureArchive {
  readonly #limit: number;
  readonly #records = new Map<string, RequestRecord>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(record: RequestRecord): void {
    this.#records.delete(record.requestId);
    this.#records.set(record.requestId, record);
    if (this.#records.size > this.#limit) {
      const oldest = this.#records.keys().next();
      if (!oldest.done) this.#records.delete(oldest.value);
    }
  }

  find(requestId: string): RequestRecord | null {
    return this.#records.get(requestId) ?? null;
  }
}
