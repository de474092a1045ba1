// What is known of an event loop that was watched for a while. Measured by the data process, told by control when asked.

/** Times in ms. */
export type LoopDelay = {
  readonly turns: number;
  readonly meanMs: number;
  readonly p99Ms: number;
  /** The longest that a turn was late, for whatever reason: own work, or the machine that gave its processor to others. */
  readonly maxMs: number;
  /** The most processor time of the loop's thread between two looks a millisecond apart: what was own work of that. */
  readonly longestWorkMs: number;
};

export type AskLoopDelay = (what: 'start' | 'read' | 'stop') => Promise<LoopDelay | null>;
