// Which road leads to an instance of a function, and where the launcher and a road meet. Types and names only.
import type { HealthCheck } from '../../model/function.ts';

/** How the instance is spoken to. `isRelayed`: it has a network of its own, and the launcher relays. */
export type RoadPlan =
  | { readonly kind: 'frames' }
  /** A server of the user's. `port`: where it listens in a network of its own; elsewhere the port may be another. */
  | {
      readonly kind: 'http';
      readonly port: number;
      readonly healthCheck: HealthCheck | null;
      readonly isRelayed: boolean;
    }
  /** A program of the user's that polls the runtime API. */
  | { readonly kind: 'runtime-api'; readonly isRelayed: boolean };

/** Where the launcher and a road meet, in the socket directory. */
export const serverSocketName = 's.sock';
export const apiSocketName = 'a.sock';
/** Where a program in a network of its own finds the runtime API. */
export const apiPort = 19_001;
