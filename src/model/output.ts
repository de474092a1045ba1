// What functions print, line by line. Made by the data process; kept, searched and shown by control.

export type OutputLine = {
  /** When it was read, epoch ms. */
  readonly at: number;
  /** `service/function` or `function`. */
  readonly functionName: string;
  readonly instanceId: string;
  /** Null: printed outside of any request, or while several ran. */
  readonly requestId: string | null;
  /** Without its line end. Secrets are masked. */
  readonly text: string;
};

/** What a search asks for; null: anything. Times in epoch ms. */
export type OutputQuery = {
  readonly functionName: string | null;
  readonly requestId: string | null;
  /** From this time on. */
  readonly since: number | null;
  /** Before this time. */
  readonly until: number | null;
  readonly limit: number;
};
