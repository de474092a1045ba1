// Step 6, Replied: asks the API's backend, whatever kind it is. A new kind is a file in backends/ and a case here.
// Called by pipeline.ts.
import { assertNever } from '../base/assert-never.ts';
import { callFunctionEvent } from './backends/function-event.ts';
import { answerMock } from './backends/mock.ts';
import type { BackendAnswer, Mapped, Replied } from './context.ts';
import { refuse } from './errors.ts';

/** Errors: those of the backend's kind, D504CO for a kind that is not served. */
export async function reply(mapped: Mapped): Promise<Replied> {
  const { clock } = mapped.deps;
  const startedAt = clock.monotonic();
  try {
    const answer = await callBackend(mapped);
    return Object.assign(mapped, { answer, backendMs: clock.monotonic() - startedAt });
  } catch (error) {
    // The record of a failed call tells how long its backend took.
    Object.assign(mapped, { backendMs: clock.monotonic() - startedAt });
    throw error;
  }
}

function callBackend(mapped: Mapped): BackendAnswer | Promise<BackendAnswer> {
  const { backend } = mapped.api;
  switch (backend.kind) {
    case 'function-event':
      return callFunctionEvent(mapped, backend);
    case 'mock':
      return answerMock(backend);
    case 'unserved':
      throw refuse(
        'D504CO',
        { Reason: `backend kind ${backend.wireKind} is not served` },
        {
          side: 'platform',
          field: 'ServiceProtocol',
          expected: 'FunctionCompute or Mock',
          got: backend.wireKind,
          message: `The API ${mapped.api.apiName} has a backend of the kind ${backend.wireKind}, which this gateway does not serve yet.`,
        },
      );
    default:
      return assertNever(backend);
  }
}
