// What the doorway and the control plane agree on: the doorway says whose instance is calling. Written by
// functions/doorway/, read by control/authenticate.ts.
import { temporaryKeyPrefix } from './security-token.ts';

/**
 * On each request that comes through the doorway: the calling instance's function. It only takes rights away (the
 * request must be signed with that function's own temporary credentials), so that nothing is won by forging it.
 */
export const doorwayHeader = 'x-yunmen-doorway';

/** Shape: FunctionConfig.key, percent-encoded. */
export function doorwayValue(functionKey: string): string {
  return encodeURIComponent(functionKey);
}

/** Whether a request with this value of the header ('' without one) may be made by that caller. */
export function isOwnAtDoorway(value: string, caller: { accessKeyId: string; functionKey: string | null }): boolean {
  if (value === '') return true;
  const { accessKeyId, functionKey } = caller;
  return functionKey !== null && accessKeyId.startsWith(temporaryKeyPrefix) && value === doorwayValue(functionKey);
}
