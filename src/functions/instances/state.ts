// The life of one instance: one union of states, one table of the moves between them. Used by instance.ts and pool.ts.

/** Why an instance ended or has to end. */
export const endReasons = [
  'idle',
  'replaced',
  'closed',
  'start-failed',
  'load-failed',
  'timed-out',
  'caller-gone',
  'exited',
  'protocol',
  'unwell',
  'result-too-large',
] as const;

export type EndReason = (typeof endReasons)[number];

/** Ends that the function or who calls it brings about, and not the platform. */
export const blamed: ReadonlySet<EndReason> = new Set<EndReason>([
  'load-failed',
  'timed-out',
  'caller-gone',
  'exited',
  'protocol',
  'unwell',
  'result-too-large',
]);

/**
 * starting: the process is on its way to its hello. loading: the function's module is being imported.
 * initializing: its initializer runs. idle: ready. freezing: its preFreeze hook runs. frozen: ready, and nothing of it
 * runs until the next request, or until somebody works in it by hand. busy: a request runs, each that was sent ahead too. stopping: told to end, still there.
 * gone: no process is left. `since` is monotonic milliseconds; idle, freezing and frozen keep the time of the last use.
 * Drawn in docs/instances.md.
 */
export type InstanceState =
  | { readonly kind: 'starting'; readonly since: number }
  | { readonly kind: 'loading'; readonly since: number }
  | { readonly kind: 'initializing'; readonly since: number }
  | { readonly kind: 'idle'; readonly since: number }
  | { readonly kind: 'freezing'; readonly since: number }
  | { readonly kind: 'frozen'; readonly since: number }
  | { readonly kind: 'busy'; readonly since: number }
  | { readonly kind: 'stopping'; readonly since: number; readonly reason: EndReason }
  | { readonly kind: 'gone'; readonly since: number; readonly reason: EndReason };

export type StateKind = InstanceState['kind'];

/** From each state, the states that may follow. */
export const transitions = {
  starting: ['loading', 'stopping'],
  loading: ['initializing', 'idle', 'stopping'],
  initializing: ['idle', 'stopping'],
  idle: ['busy', 'freezing', 'frozen', 'stopping'],
  freezing: ['idle', 'stopping'],
  frozen: ['busy', 'idle', 'stopping'],
  busy: ['busy', 'idle', 'stopping'],
  stopping: ['gone'],
  gone: [],
} as const satisfies Readonly<Record<StateKind, readonly StateKind[]>>;

/**
 * The state that follows.
 *
 * Errors: throws on a move that the table does not have; that is a bug of ours.
 */
export function move(from: InstanceState, to: InstanceState): InstanceState {
  const allowed: readonly StateKind[] = transitions[from.kind];
  if (!allowed.includes(to.kind)) throw new Error(`an instance cannot go from ${from.kind} to ${to.kind}`);
  return to;
}

/** True when it waits for a request. */
export function isReady(state: InstanceState): boolean {
  return state.kind === 'idle' || state.kind === 'frozen';
}

/** True while a process may still become or be useful. */
export function isAlive(state: InstanceState): boolean {
  return state.kind !== 'stopping' && state.kind !== 'gone';
}
