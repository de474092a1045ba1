// Turns a published API into what a request needs, once for each change. Called by snapshot.ts.
import type { ApiDefinition, ApiMethod, Backend, StageName } from '../model/api.ts';
import type { PublishedApi } from '../model/published.ts';
import { type MappingPlan, planMapping } from './mapping-plan.ts';
import { type PathPattern, parsePattern } from './segment-trie.ts';
import { BadDefinition } from './value-check.ts';

export type CompiledApi = {
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
  /** How to make the backend request; or what is wrong with the definition, which then answers X500AM. */
  readonly mapping:
    | { readonly kind: 'plan'; readonly plan: MappingPlan }
    | { readonly kind: 'broken'; readonly reason: string };
};

/** Never throws: an API that cannot be compiled keeps its route and answers X500AM. */
export function compileApi(published: PublishedApi): CompiledApi {
  const { definition } = published;
  const { pattern, parameterNames } = parsePattern(definition.request.path);
  return {
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
    mapping: compileMapping(definition, parameterNames),
  };
}

function compileMapping(
  definition: ApiDefinition,
  parameterNames: readonly { readonly name: string; readonly index: number }[],
): CompiledApi['mapping'] {
  try {
    if (definition.backend.kind === 'mock' && !isStatus(definition.backend.status)) {
      throw new BadDefinition(`the mock's status ${definition.backend.status} is no HTTP status`);
    }
    return { kind: 'plan', plan: planMapping(definition, parameterNames) };
  } catch (error) {
    if (error instanceof BadDefinition) return { kind: 'broken', reason: error.message };
    throw error;
  }
}

function isStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599;
}
