// The functions a data process knows, as published: what the compute plane looks targets up in.
import type { Random } from './base/ids.ts';
import { type CallContent, isRouted } from './model/alias-route.ts';
import type { FunctionTarget } from './model/api.ts';
import {
  type FunctionConfig,
  functionKey,
  latest,
  publishedFunctionKey,
  qualifiedKey,
  versionOwner,
} from './model/function.ts';
import type { InvokeRefusalCode } from './model/invocation.ts';
import type { ChangeBatch, PublishedAlias, PublishedFunction } from './model/published.ts';

export type FoundFunction =
  | { readonly ok: true; readonly config: FunctionConfig }
  | { readonly ok: false; readonly code: InvokeRefusalCode; readonly message: string };

export type FunctionDirectoryDeps = {
  /** Absolute path; a package lies unpacked in `<codeDirectory>/<sha256>`. */
  readonly codeDirectory: string;
  /** Chooses among the versions of an alias with weights. */
  readonly random: Random;
};

/** One version of a function that changed or went. */
export type ChangedFunction = { readonly key: string; readonly versionId: string };

/** One version of a function: called by its own id, and by each alias that has led to it. */
type Held = { readonly config: FunctionConfig; readonly byAlias: Map<string, FunctionConfig> };

/** Bounded by what is published. */
export class FunctionDirectory {
  readonly #deps: FunctionDirectoryDeps;
  /** By publishedFunctionKey(). */
  readonly #functions = new Map<string, Held>();
  readonly #services = new Set<string>();
  /** By qualifiedKey(). */
  readonly #versions = new Set<string>();
  readonly #aliases = new Map<string, PublishedAlias>();

  constructor(deps: FunctionDirectoryDeps) {
    this.#deps = deps;
  }

  /** Applies a batch; returns the versions of functions that changed or went. */
  apply(batch: ChangeBatch): ChangedFunction[] {
    const changed: ChangedFunction[] = [];
    for (const change of batch.changes) {
      switch (change.kind) {
        case 'service':
          if (change.value === null) this.#services.delete(change.key);
          else this.#services.add(change.key);
          break;
        case 'version':
          if (change.value === null) this.#versions.delete(change.key);
          else this.#versions.add(change.key);
          break;
        case 'alias':
          this.#changeAlias(change.key, change.value);
          break;
        case 'function':
          changed.push(...this.#changeFunction(change.key, change.value));
          break;
        default: // The gateway's.
      }
    }
    return changed;
  }

  /** Messages as the cloud words them. Source: docs. */
  find(target: FunctionTarget): FoundFunction {
    return this.#find(target, this.#deps.random);
  }

  /** The same without chance: of an alias its main version. */
  findMain(target: FunctionTarget): FoundFunction {
    return this.#find(target, () => Number.POSITIVE_INFINITY);
  }

  #find(target: FunctionTarget, random: Random): FoundFunction {
    const { serviceName, functionName } = target;
    const qualifier = target.qualifier ?? latest;
    const key = functionKey(serviceName, functionName);
    if (qualifier === latest) {
      const head = this.#functions.get(key);
      return head === undefined ? this.#missing(serviceName, functionName) : { ok: true, config: head.config };
    }
    const owner = versionOwner(serviceName, functionName);
    const alias = this.#aliases.get(qualifiedKey(owner, qualifier));
    const versionId = alias === undefined ? qualifier : chooseVersion(alias, random, target.content);
    const held = this.#functions.get(publishedFunctionKey(key, versionId));
    if (held === undefined) return this.#missingVersion(target, versionId);
    return { ok: true, config: alias === undefined ? held.config : calledAs(held, qualifier) };
  }

  /** Whether find() may still give this object. */
  isPublished(config: FunctionConfig): boolean {
    const held = this.#functions.get(publishedFunctionKey(config.key, config.versionId));
    return held !== undefined && (held.config === config || held.byAlias.get(config.qualifier) === config);
  }

  #changeFunction(key: string, value: PublishedFunction | null): ChangedFunction[] {
    const former = this.#functions.get(key)?.config;
    if (value === null) this.#functions.delete(key);
    else {
      const { layers = null, ...published } = value;
      const { sha256, ...code } = published.code;
      const config = {
        ...published,
        qualifier: value.versionId,
        code: { ...code, directory: `${this.#deps.codeDirectory}/${sha256}` },
        layersDirectory: layers === null ? null : `${this.#deps.codeDirectory}/${layers}`,
      };
      this.#functions.set(key, { config, byAlias: new Map() });
    }
    return former === undefined ? [] : [{ key: former.key, versionId: former.versionId }];
  }

  #changeAlias(key: string, alias: PublishedAlias | null): void {
    const former = this.#aliases.get(key);
    if (alias !== null) {
      this.#aliases.set(key, alias);
    } else if (former !== undefined) {
      this.#aliases.delete(key);
      for (const { config, byAlias } of this.#functions.values()) {
        if (versionOwner(config.serviceName, config.functionName) === former.owner) byAlias.delete(former.aliasName);
      }
    }
  }

  #missing(serviceName: string | null, functionName: string): FoundFunction {
    if (serviceName !== null && !this.#services.has(serviceName)) {
      return { ok: false, code: 'ServiceNotFound', message: `service '${serviceName}' does not exist` };
    }
    const place = serviceName === null ? '' : ` in service '${serviceName}'`;
    return { ok: false, code: 'FunctionNotFound', message: `function '${functionName}' does not exist${place}` };
  }

  /** A version may lack the function, or not be there, or there is no such alias. */
  #missingVersion({ serviceName, functionName }: FunctionTarget, qualifier: string): FoundFunction {
    const owner = versionOwner(serviceName, functionName);
    const isOwnerThere = serviceName === null ? this.#functions.has(functionName) : this.#services.has(serviceName);
    if (!isOwnerThere || qualifier === latest || this.#versions.has(qualifiedKey(owner, qualifier))) {
      return this.#missing(serviceName, functionName);
    }
    const place = serviceName === null ? `function '${functionName}'` : `service '${serviceName}'`;
    return /^\d+$/.test(qualifier)
      ? { ok: false, code: 'VersionNotFound', message: `version '${qualifier}' of ${place} does not exist` }
      : { ok: false, code: 'AliasNotFound', message: `alias '${qualifier}' of ${place} does not exist` };
  }
}

/** The version that takes one call of an alias. Source: docs. */
function chooseVersion(alias: PublishedAlias, random: Random, content: CallContent | undefined): string {
  const { route } = alias;
  if (route !== undefined) {
    const [first = alias.versionId] = Object.keys(alias.additionalVersionWeight);
    return content !== undefined && isRouted(route, content) ? first : alias.versionId;
  }
  let left = random();
  for (const [versionId, weight] of Object.entries(alias.additionalVersionWeight)) {
    left -= weight;
    if (left < 0) return versionId;
  }
  return alias.versionId;
}

/** The configuration that shows the alias as its qualifier: one object as long as the version is published. */
function calledAs(held: Held, alias: string): FunctionConfig {
  const known = held.byAlias.get(alias);
  if (known !== undefined) return known;
  const config = { ...held.config, qualifier: alias };
  held.byAlias.set(alias, config);
  return config;
}
