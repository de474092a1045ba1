// The functions a data process knows, as published: what the compute plane looks targets up in.
import type { FunctionTarget } from './model/api.ts';
import { type FunctionConfig, functionKey } from './model/function.ts';
import type { InvokeRefusalCode } from './model/invocation.ts';
import type { ChangeBatch } from './model/published.ts';

export type FoundFunction =
  | { readonly ok: true; readonly config: FunctionConfig }
  | { readonly ok: false; readonly code: InvokeRefusalCode; readonly message: string };

/** Bounded by what is published. */
export class FunctionDirectory {
  readonly #functions = new Map<string, FunctionConfig>();
  readonly #services = new Set<string>();

  /** Applies a batch; returns the keys of the functions that changed or went. */
  apply(batch: ChangeBatch): string[] {
    const changed: string[] = [];
    for (const change of batch.changes) {
      if (change.kind === 'service') {
        if (change.value === null) this.#services.delete(change.key);
        else this.#services.add(change.key);
      } else if (change.kind === 'function') {
        if (change.value === null) this.#functions.delete(change.key);
        else this.#functions.set(change.key, change.value);
        changed.push(change.key);
      }
    }
    return changed;
  }

  /** Messages as the cloud words them. Source: docs (function-invocation.md 1). */
  find(target: FunctionTarget): FoundFunction {
    const { serviceName, functionName, qualifier } = target;
    const config = this.#functions.get(functionKey(serviceName, functionName));
    if (config === undefined) {
      if (serviceName !== null && !this.#services.has(serviceName)) {
        return { ok: false, code: 'ServiceNotFound', message: `service '${serviceName}' does not exist` };
      }
      const place = serviceName === null ? '' : ` in service '${serviceName}'`;
      return { ok: false, code: 'FunctionNotFound', message: `function '${functionName}' does not exist${place}` };
    }
    if (qualifier !== null && qualifier !== 'LATEST') {
      const owner = serviceName === null ? `function '${functionName}'` : `service '${serviceName}'`;
      const isVersion = /^\d+$/.test(qualifier);
      return isVersion
        ? { ok: false, code: 'VersionNotFound', message: `version '${qualifier}' of ${owner} does not exist` }
        : { ok: false, code: 'AliasNotFound', message: `alias '${qualifier}' of ${owner} does not exist` };
    }
    return { ok: true, config };
  }
}
