// What the actions under /yunmen/ are given. Made by private-api.ts.
import type { QueryPair } from '../wire/percent-encoding.ts';
import type { ControlDeps } from './ports.ts';

export type PrivateCall = {
  readonly deps: ControlDeps;
  /** What the path names, decoded; `` for calls about no single thing. */
  readonly name: string;
  readonly query: readonly QueryPair[];
  /** The JSON body; null when there is none. */
  readonly body: unknown;
};

/** Gives the JSON of the answer; throws ApiError. */
export type PrivateAction = (call: PrivateCall) => Promise<object>;
