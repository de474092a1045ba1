// Counts calls in fixed windows of time, in bounded memory. The authority of a limit holds one: the data process when there is
// one, control when several share it through counter-leases.ts.

/** One limit that a call counts against: at most `limit` in each window of the asked length. */
export type Take = { readonly key: string; readonly limit: number };

/** A call in the window of `windowMs` milliseconds whose number since the epoch is `window`. */
export type CountRequest = { readonly windowMs: number; readonly window: number; readonly takes: readonly Take[] };

/** -1: counted against every limit. Otherwise the index of the first limit that has no room; nothing was counted. */
export type CountResult = number;

/** What counts calls. A promise only where another process has to be asked. */
export type CountCall = (request: CountRequest) => CountResult | Promise<CountResult>;

/** The counts of one window length: of the newest window seen and the one before it. */
type Span = { newest: number; counts: Map<string, number>; former: Map<string, number> };

/** Different window lengths that are kept; throttling has four. */
const spanLimit = 8;

export type WindowCounters = {
  count(request: CountRequest): CountResult;
  /** Room that is taken for later calls of one holder: at most `wanted`, and at most half of what is left. Gives how much. */
  reserve(request: Omit<CountRequest, 'takes'>, take: Take, wanted: number): number;
  /** Keys held now. */
  size(): number;
};

/**
 * Counters in this process.
 *
 * A window's counts go with the window after the next one, so a call may be counted for the next window before it begins
 * (that is how calls wait) and late ones still find theirs; a call for an older window counts for the oldest kept.
 * Bound: `limit` keys for each window length and window; the key that came first is forgotten then.
 */
export function createWindowCounters(limit: number): WindowCounters {
  const spans = new Map<number, Span>();

  const countsOf = (windowMs: number, window: number): Map<string, number> => {
    let span = spans.get(windowMs);
    if (span === undefined) {
      if (spans.size >= spanLimit) throw new Error(`more than ${spanLimit} window lengths`);
      span = { newest: window, counts: new Map(), former: new Map() };
      spans.set(windowMs, span);
    }
    if (window > span.newest) {
      span.former = window === span.newest + 1 ? span.counts : new Map();
      span.counts = new Map();
      span.newest = window;
    }
    return window === span.newest ? span.counts : span.former;
  };

  const add = (counts: Map<string, number>, key: string, by: number): void => {
    const before = counts.get(key);
    if (before === undefined && counts.size >= limit) {
      const first = counts.keys().next();
      if (!first.done) counts.delete(first.value);
    }
    counts.set(key, (before ?? 0) + by);
  };

  return {
    count({ windowMs, window, takes }) {
      const counts = countsOf(windowMs, window);
      for (let i = 0; i < takes.length; i++) {
        const take = takes[i];
        if (take !== undefined && (counts.get(take.key) ?? 0) >= take.limit) return i;
      }
      for (const { key } of takes) add(counts, key, 1);
      return -1;
    },
    reserve({ windowMs, window }, take, wanted) {
      const counts = countsOf(windowMs, window);
      const left = take.limit - (counts.get(take.key) ?? 0);
      const granted = Math.max(0, Math.min(wanted, left >> 1));
      if (granted > 0) add(counts, take.key, granted);
      return granted;
    },
    size() {
      let size = 0;
      for (const span of spans.values()) size += span.counts.size + span.former.size;
      return size;
    },
  };
}
