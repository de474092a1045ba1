// Counters and nonces that several processes share: one authority decides, each process asks it in batches and takes a small
// lease of large limits, so that most calls are counted without asking. What travels between them is left to the composition.
import type { ClaimNonce } from './nonce-store.ts';
import type { CountCall, CountRequest, Take, WindowCounters } from './window-counters.ts';

/** JSON of one batch: what the calls of one moment ask. Answers have the same order. */
export type CounterBatch = {
  readonly counts: readonly CountRequest[];
  readonly nonces: readonly { readonly scope: string; readonly nonce: string; readonly ttlMs: number }[];
};
/** `extra[i]`: room leased for later calls, in the order of the request's takes. */
export type CounterAnswers = {
  readonly counts: readonly { readonly refusedBy: number; readonly extra: readonly number[] }[];
  readonly nonces: readonly boolean[];
};

/**
 * The part of a limit that one process may hold in a lease at once, for `processes` that share it: all together one percent,
 * which is as far below the limit as calls may be refused. Limits too small for that are counted one by one.
 */
export function leaseSize(limit: number, processes: number): number {
  return Math.floor(limit / (100 * processes));
}

/** The authority's side. Decides a batch in its order; never rejects unless a nonce store does. */
export async function answerCounterBatch(
  batch: CounterBatch,
  authority: { readonly counters: WindowCounters; readonly claimNonce: ClaimNonce; readonly processes: number },
): Promise<CounterAnswers> {
  const { counters, processes } = authority;
  // One lease for each limit and window, however many calls of the batch count against it.
  const leased = new Set<string>();
  const counts = batch.counts.map((request) => {
    const refusedBy = counters.count(request);
    const extra = request.takes.map((take) => {
      const name = `${request.windowMs} ${request.window} ${take.key}`;
      if (refusedBy !== -1 || leased.has(name)) return 0;
      leased.add(name);
      return counters.reserve(request, take, leaseSize(take.limit, processes));
    });
    return { refusedBy, extra };
  });
  const nonces: boolean[] = [];
  for (const { scope, nonce, ttlMs } of batch.nonces) nonces.push(await authority.claimNonce(scope, nonce, ttlMs));
  return { counts, nonces };
}

type Waiting<Ask, Answer> = { readonly ask: Ask; resolve(answer: Answer): void; reject(error: Error): void };

/** Of one window: the room that is leased, and the limits that the authority said are used up (for good: counts never fall). */
type Lease = { readonly room: Map<string, number>; readonly full: Map<string, number> };
/** Of one window length: the newest window seen and the one before it. */
type Leases = { newest: number; current: Lease; former: Lease };

function emptyLease(): Lease {
  return { room: new Map(), full: new Map() };
}

/**
 * The side of a process that shares an authority. `ask` sends a batch; when it fails, the calls in it fail.
 *
 * Bounds: what waits is bounded by the requests under way; leases end with their window.
 */
export function createSharedCounters(ask: (batch: CounterBatch) => Promise<CounterAnswers>): {
  readonly count: CountCall;
  readonly claimNonce: ClaimNonce;
} {
  const leases = new Map<number, Leases>();
  let counts: Waiting<CountRequest, number>[] = [];
  let nonces: Waiting<CounterBatch['nonces'][number], boolean>[] = [];
  /** A batch waits to be sent, or for its answers: the calls that come meanwhile make the next one. */
  let isBusy = false;

  const leaseOf = ({ windowMs, window }: CountRequest): Lease => {
    let lease = leases.get(windowMs);
    if (lease === undefined) {
      lease = { newest: window, current: emptyLease(), former: emptyLease() };
      leases.set(windowMs, lease);
    }
    if (window > lease.newest) {
      lease.former = window === lease.newest + 1 ? lease.current : emptyLease();
      lease.current = emptyLease();
      lease.newest = window;
    }
    return window === lease.newest ? lease.current : lease.former;
  };

  const flush = async (): Promise<void> => {
    const counting = counts;
    const claiming = nonces;
    counts = [];
    nonces = [];
    try {
      const answers = await ask({ counts: counting.map((one) => one.ask), nonces: claiming.map((one) => one.ask) });
      counting.forEach((one, at) => {
        const answer = answers.counts[at];
        if (answer === undefined) throw new Error('the counter authority left a call out');
        const { room, full } = leaseOf(one.ask);
        const refusing = one.ask.takes[answer.refusedBy];
        if (refusing !== undefined) setBounded(full, refusing.key, refusing.limit);
        for (const [index, extra] of answer.extra.entries()) addRoom(room, one.ask.takes[index], extra);
        one.resolve(answer.refusedBy);
      });
      claiming.forEach((one, at) => {
        one.resolve(answers.nonces[at] === true);
      });
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error));
      for (const one of [...counting, ...claiming]) one.reject(cause);
    }
    isBusy = false;
    if (counts.length + nonces.length > 0) plan();
  };
  const plan = (): void => {
    if (isBusy) return;
    isBusy = true;
    setImmediate(() => void flush());
  };

  return {
    count(request) {
      const { room, full } = leaseOf(request);
      const asked: number[] = [];
      for (let i = 0; i < request.takes.length; i++) {
        const take = request.takes[i];
        if (take === undefined || (room.get(take.key) ?? 0) > 0) continue;
        if (take.limit <= (full.get(take.key) ?? -1)) return i;
        asked.push(i);
      }
      addRooms(room, request.takes, asked, -1);
      if (asked.length === 0) return -1;
      const takes = asked.flatMap((index) => request.takes[index] ?? []);
      return new Promise<number>((resolve, reject) => {
        counts.push({ ask: { ...request, takes }, resolve, reject });
        plan();
      }).then((refusedBy) => {
        if (refusedBy === -1) return -1;
        // Nothing was counted there, so what was taken here goes back.
        addRooms(room, request.takes, asked, 1);
        return asked[refusedBy] ?? 0;
      });
    },
    claimNonce: (scope, nonce, ttlMs) =>
      new Promise<boolean>((resolve, reject) => {
        nonces.push({ ask: { scope, nonce, ttlMs }, resolve, reject });
        plan();
      }),
  };
}

/** Keys that one process remembers as used up, for each window; others are asked again. */
const fullLimit = 100_000;

function setBounded(map: Map<string, number>, key: string, value: number): void {
  if (map.size < fullLimit || map.has(key)) map.set(key, value);
}

function addRoom(room: Map<string, number>, take: Take | undefined, by: number): void {
  if (take === undefined || by === 0) return;
  const left = (room.get(take.key) ?? 0) + by;
  if (left > 0) room.set(take.key, left);
  else room.delete(take.key);
}

/** Changes the room of the takes that are not among the asked ones. */
function addRooms(room: Map<string, number>, takes: readonly Take[], asked: readonly number[], by: number): void {
  takes.forEach((take, index) => {
    if (!asked.includes(index)) addRoom(room, take, by);
  });
}
