// Turns a published API into what a request needs: a small entry when it is published, the rest at its first request.
// Called by snapshot.ts and match.ts.
import { isSecretName } from '../base/secret-names.ts';
import type { ApiDefinition, ApiMethod, Backend, StageName } from '../model/api.ts';
import type { PublishedApi } from '../model/published.ts';
import { BadDefinition, enginesFor } from '../model/value-check.ts';
import { type MappingPlan, planMapping } from './mapping-plan.ts';
import { packDefinition, unpackDefinition } from './packed-definition.ts';
import { type PathPattern, parsePattern } from './segment-trie.ts';

/** How to make the backend request; or what is wrong with the definition, which then answers X500AM. */
export type Mapping =
  | { readonly kind: 'plan'; readonly plan: MappingPlan }
  | { readonly kind: 'broken'; readonly reason: string };

export type CompiledApi = {
  /** `apiId/stage`. */
  readonly key: string;
  readonly apiId: string;
  readonly apiName: string;
  readonly groupId: string;
  readonly stage: StageName;
  readonly method: ApiMethod;
  readonly pattern: PathPattern;
  readonly servesHttp: boolean;
  readonly servesHttps: boolean;
  readonly auth: ApiDefinition['auth'];
  readonly backend: Backend;
  /** Indexes among the segments after the base path, of parameters named like secrets; records do not show what stands there. */
  readonly hiddenSegments: readonly number[];
  /** `pending` until map.ts has awaited what it needs; later steps never see that. */
  readonly mapping: Mapping | { readonly kind: 'pending'; readonly settled: Promise<void> };
};

/** An API as the route table holds it: an entry of some 400 bytes. */
export class ApiEntry {
  readonly groupId: string;
  readonly stage: StageName;
  /** `apiId/stage`. */
  readonly #key: string;
  readonly #packed: string;
  /** Held by OpenedApis, which bounds how many are. */
  opened: CompiledApi | null = null;
  /** Used since OpenedApis looked last. */
  isRecent = false;

  /** `key` is the published fact's own, which the snapshot keeps anyway. */
  constructor(key: string, published: PublishedApi) {
    this.groupId = published.groupId;
    this.stage = published.stage;
    this.#key = key;
    this.#packed = packDefinition(published.definition);
  }

  /** The definition without what only documents it. */
  get definition(): ApiDefinition {
    return unpackDefinition(this.#packed);
  }

  get published(): PublishedApi {
    return {
      apiId: this.#key.slice(0, this.#key.indexOf('/')),
      groupId: this.groupId,
      stage: this.stage,
      definition: this.definition,
    };
  }
}

/** The APIs that are compiled: at most `limit`; one that was not asked for in a whole round goes first. */
export class OpenedApis {
  readonly #limit: number;
  readonly #ring: ApiEntry[] = [];
  #hand = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  open(entry: ApiEntry): CompiledApi {
    entry.isRecent = true;
    if (entry.opened !== null) return entry.opened;
    const api = compileApi(entry.published);
    entry.opened = api;
    if (this.#ring.length < this.#limit) this.#ring.push(entry);
    else this.#replaceOldest(entry);
    return api;
  }

  #replaceOldest(entry: ApiEntry): void {
    for (let steps = 0; steps < 2 * this.#limit; steps++) {
      const at = this.#hand;
      this.#hand = (at + 1) % this.#limit;
      const old = this.#ring[at];
      if (old?.isRecent && steps < this.#limit) {
        old.isRecent = false;
        continue;
      }
      if (old !== undefined) old.opened = null;
      this.#ring[at] = entry;
      return;
    }
  }
}

/** Never throws: an API that cannot be compiled keeps its route and answers X500AM. */
export function compileApi(published: PublishedApi): CompiledApi {
  const { definition } = published;
  const { pattern, parameterNames } = parsePattern(definition.request.path);
  const api: Changing<CompiledApi> = {
    key: `${published.apiId}/${published.stage}`,
    apiId: published.apiId,
    apiName: definition.apiName,
    groupId: published.groupId,
    stage: published.stage,
    method: definition.request.method,
    pattern,
    servesHttp: definition.request.protocols.includes('HTTP'),
    servesHttps: definition.request.protocols.includes('HTTPS'),
    auth: definition.auth,
    backend: definition.backend,
    hiddenSegments: parameterNames.filter(({ name }) => isSecretName(name)).map(({ index }) => index),
    mapping: { kind: 'broken', reason: 'it is not compiled yet' },
  };
  const engines = enginesFor(definition);
  api.mapping =
    engines instanceof Promise
      ? {
          kind: 'pending',
          settled: engines.then(
            (loaded) => {
              api.mapping = planOrReason(definition, parameterNames, loaded);
            },
            (error: unknown) => {
              api.mapping = { kind: 'broken', reason: `what checks its values could not be loaded: ${String(error)}` };
            },
          ),
        }
      : planOrReason(definition, parameterNames, engines);
  return api;
}

type Changing<T> = { -readonly [K in keyof T]: T[K] };
type PathParameters = readonly { readonly name: string; readonly index: number }[];

function planOrReason(
  definition: ApiDefinition,
  pathParameters: PathParameters,
  engines: Awaited<ReturnType<typeof enginesFor>>,
): Mapping {
  try {
    if (definition.backend.kind === 'mock' && !isStatus(definition.backend.status)) {
      throw new BadDefinition(`the mock's status ${definition.backend.status} is no HTTP status`);
    }
    return { kind: 'plan', plan: planMapping(definition, pathParameters, engines) };
  } catch (error) {
    if (error instanceof BadDefinition) return { kind: 'broken', reason: error.message };
    throw error;
  }
}

function isStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599;
}
