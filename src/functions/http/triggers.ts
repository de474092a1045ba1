// The HTTP triggers that a data process knows, as published: by function and qualifier, and by the first label of their
// URL's host. Made by functions.ts, asked by http-door.ts.
import { type HttpTrigger, httpTriggerKey } from '../../model/http-function.ts';
import type { ChangeBatch } from '../../model/published.ts';

/** Bounded by what is published. */
export class HttpTriggers {
  readonly #byKey = new Map<string, HttpTrigger>();
  readonly #byPrefix = new Map<string, HttpTrigger>();

  apply({ changes }: ChangeBatch): void {
    for (const change of changes) {
      if (change.kind !== 'httpTrigger') continue;
      const former = this.#byKey.get(change.key);
      if (former !== undefined && this.#byPrefix.get(former.urlPrefix) === former)
        this.#byPrefix.delete(former.urlPrefix);
      if (change.value === null) this.#byKey.delete(change.key);
      else {
        this.#byKey.set(change.key, change.value);
        this.#byPrefix.set(change.value.urlPrefix, change.value);
      }
    }
  }

  ofFunction(target: Parameters<typeof httpTriggerKey>[0]): HttpTrigger | null {
    return this.#byKey.get(httpTriggerKey(target)) ?? null;
  }

  ofPrefix(urlPrefix: string): HttpTrigger | null {
    return this.#byPrefix.get(urlPrefix) ?? null;
  }
}
