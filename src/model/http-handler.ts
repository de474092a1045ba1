// What an HTTP handler is called with and answers: values that travel with an invocation.

/** One HTTP call as the function sees it; the body goes beside it. */
export type HttpHandlerCall = {
  readonly method: string;
  /** Decoded, without the trigger's prefix; begins with `/`. */
  readonly path: string;
  /** As the caller sent it: path still encoded (with the trigger's prefix) and query string. */
  readonly requestUri: string;
  readonly clientIp: string;
  readonly host: string;
  /** Names and values in turn, names in their original case; a repeated name stands repeatedly. */
  readonly headers: readonly string[];
  /** Names and values in turn, decoded. */
  readonly query: readonly string[];
  /** What of `requestUri` is the trigger's address: `/2016-08-15/proxy/<service>/<function>/`; null on other hosts. */
  readonly basePath: string | null;
};

/** What a function answered an HTTP call with; the body goes beside it. `headers` as in HttpHandlerCall. */
export type HttpHandlerHead = { readonly status: number; readonly headers: readonly string[] };
