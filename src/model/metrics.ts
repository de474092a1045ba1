// What is counted of requests and processes, as data processes tell it and control shows it. Times in ms.

/** Upper bounds of the buckets of latencies; one more bucket is above them. */
export const latencyBucketsMs = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000] as const;

/** `counts` has a place for each bucket and one above them; not summed up. */
export type Histogram = { readonly counts: readonly number[]; readonly sumMs: number };

/**
 * Of one API in one stage, or of one function whose triggers are called; or of all the others together, and of requests that
 * reached none, with null for all.
 */
export type RequestCounts = {
  readonly apiId: string | null;
  readonly stage: string | null;
  readonly groupId: string | null;
  readonly functionName: string | null;
  readonly qualifier: string | null;
  /** By status. */
  readonly statuses: Readonly<Record<number, number>>;
  /** From the request's arrival to its answer. */
  readonly total: Histogram;
  /** How long the backend took, of the requests that had one. */
  readonly backend: Histogram;
  readonly requestBytes: number;
  readonly responseBytes: number;
};

export type ProcessMetrics = {
  readonly rssBytes: number;
  readonly cpuSeconds: number;
  /** Since the last look. */
  readonly loopDelay: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
};

/** The data processes together, and every process of ours by its name. */
export type ServerMetrics = Omit<DataMetrics, 'process'> & {
  readonly processes: Readonly<Record<string, ProcessMetrics>>;
};

/** One data process. */
export type DataMetrics = {
  /** To the gateway. */
  readonly requests: readonly RequestCounts[];
  /** To HTTP triggers. */
  readonly triggers: readonly RequestCounts[];
  readonly process: ProcessMetrics;
  readonly functions: {
    /** By state. */
    readonly instances: Readonly<Record<string, number>>;
    readonly inFlight: number;
    readonly waiting: number;
    readonly pools: number;
    /** Processes that wait for a function. */
    readonly spares: number;
  };
  /** Records that the log could not take, and those that were left out because the log is sampled. */
  readonly log: { readonly dropped: number; readonly sampledOut: number };
};
