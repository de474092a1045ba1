// What benches/main.ts asks of the load generator, and what it answers.

/** `hello` is a plain GET; `plain` one of a path, with what it must answer; `signed` is a POST of a form, signed as an app, each call with its own number, nonce and timestamp. */
export type Target =
  | { readonly kind: 'hello'; readonly origin: string }
  | {
      readonly kind: 'plain';
      readonly origin: string;
      readonly path: string;
      readonly status: number;
      readonly body: string;
    }
  | {
      readonly kind: 'signed';
      readonly origin: string;
      readonly host: string;
      readonly path: string;
      readonly appKey: string;
      readonly appSecret: string;
    };

/**
 * `perSecond`: calls of all connections together, evenly; null sends the next call as soon as the last is answered.
 * `toleratesWrong`: wrong answers are counted, however many; else a job with a hundred of them ends early.
 */
export type LoadJob = {
  readonly target: Target;
  readonly connections: number;
  readonly durationMs: number;
  readonly perSecond: number | null;
  readonly toleratesWrong?: boolean;
};

/** Latencies in milliseconds. `wrong` counts answers that were not exactly the expected ones. */
export type LoadResult = {
  readonly requests: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly wrong: number;
  /** The first answer that was not right, or the first error. */
  readonly firstWrong: string | null;
};
