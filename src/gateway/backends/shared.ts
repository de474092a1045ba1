// The backend definition that several APIs share: what it is in the request's stage, with the API's own path, method and time-out.
// Called by reply.ts.
import type { Backend } from '../../model/api.ts';
import type { Mapped } from '../context.ts';
import { refuse } from '../errors.ts';
import { stageKey } from '../snapshot.ts';

type Shared = Extract<Backend, { kind: 'shared' }>;

/**
 * Errors: I404NR when the definition has no model for the stage.
 * Source: docs; the code is assumed.
 */
export function sharedBackend(mapped: Mapped, shared: Shared): Exclude<Backend, Shared> {
  const { snapshot, stage, api } = mapped;
  const model = snapshot.backends.get(stageKey(shared.backendId, stage));
  if (model === undefined) {
    throw refuse(
      'I404NR',
      { Resource: 'Backend' },
      {
        side: 'api-owner',
        field: 'BackendId',
        expected: `a model of the backend ${shared.backendId} for ${stage}`,
        got: 'none',
        message: `The API ${api.apiName} uses the backend ${shared.backendId}, which has no model for the stage ${stage}: make one (CreateBackendModel).`,
      },
    );
  }
  const { path, method, timeoutMs, contentType } = shared;
  switch (model.kind) {
    case 'http':
    case 'vpc':
      return { ...model, path, method, timeoutMs, contentType };
    case 'function-http':
      return { ...model, path: path === '' ? model.path : path, method, timeoutMs, contentType };
    case 'function-event':
      return { ...model, timeoutMs, contentType };
    default:
      return { ...model, timeoutMs };
  }
}
