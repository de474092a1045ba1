// What a group may be told to do beyond its APIs (ModifyApiGroup): as control publishes it and the gateway works by it.

/** Where a text of the caller's is. `name` of a header in lower case. */
export type ParameterPlace = { readonly location: 'HEADER' | 'QUERY'; readonly name: string };

/** Which named things are logged: all, or those of the list (headers in lower case). */
export type LoggedNames = 'all' | readonly string[];

/** What records of requests hold beyond what all hold. Secrets are masked whatever it says. */
export type LogOptions = {
  readonly query: LoggedNames;
  readonly requestHeaders: LoggedNames;
  readonly responseHeaders: LoggedNames;
  readonly jwtClaims: LoggedNames;
  readonly requestBody: boolean;
  readonly responseBody: boolean;
};

export type GroupOptions = {
  /** Client headers that reach backends in every request mode. */
  readonly passedHeaders: readonly { readonly name: string; readonly lowerName: string }[];
  /** HTTP backends get the client's Host and not their own. Absent: no. */
  readonly passesHost?: boolean;
  /** Where codes of simple authentication may be, besides their usual places. */
  readonly codePlace: ParameterPlace | null;
  /** Where the id of the caller's own trace is, for the log. */
  readonly tracePlace: ParameterPlace | null;
  readonly log: LogOptions | null;
  /** No `Server` header in answers. */
  readonly hidesServer: boolean;
  /** Null: the server's limit for groups. */
  readonly callsPerSecond: number | null;
};
