// What a request is at each step of pipeline.ts: every type is the former plus what its step learned.

import type { BodyBudget } from '../base/body-budget.ts';
import type { Clock } from '../base/clock.ts';
import type { IpRanges } from '../base/ip-ranges.ts';
import type { ClaimNonce } from '../base/nonce-store.ts';
import type { CountCall } from '../base/window-counters.ts';
import type { StageName } from '../model/api.ts';
import type { PauseOf } from '../model/debugging.ts';
import type { ParameterPlace } from '../model/group-options.ts';
import type { HttpFunctions } from '../model/http-function.ts';
import type { InvokeFunction } from '../model/invocation.ts';
import type { PublishedGrant, PublishedGroup } from '../model/published.ts';
import type { RecordedColdStart, RequestRecord } from '../model/record.ts';
import type { Parameters } from '../wire/query.ts';
import type { BackendState, OutboundOptions } from './backends/backend-state.ts';
import type { RelayedBody } from './backends/relayed-body.ts';
import type { CompiledApi } from './compile-api.ts';
import type { Refusal } from './errors.ts';
import type { MappingPlan } from './mapping-plan.ts';
import type { BodySource, RequestBody } from './request-body.ts';
import type { GatewaySettings } from './settings.ts';
import type { Snapshot } from './snapshot.ts';

/** What the gateway needs from its neighbours. */
export type GatewayDeps = {
  readonly clock: Clock;
  readonly invoke: InvokeFunction;
  /** Functions that are called by HTTP; absent: event functions of FC 3 alone are served. */
  readonly httpFunctions?: HttpFunctions;
  /** What stops the clock of calls to a function; absent: nothing does. */
  readonly pauseOf?: PauseOf;
  readonly claimNonce: ClaimNonce;
  /** Counts a call against the limits of traffic controls and groups. */
  readonly count: CountCall;
  /** Asked before each request: null, or when it may begin. Absent: always. */
  readonly enter?: () => Promise<void> | null;
  /** Called once for each finished request; must not throw or block. */
  readonly report: (record: RequestRecord) => void;
  /** Called with errors that are bugs; the caller got X500ER. */
  readonly reportBug: (error: unknown, requestId: string) => void;
  readonly settings: GatewaySettings;
  /** How backends are reached; without it the rules of `start`, and no VPC. */
  readonly outbound?: OutboundOptions;
};

/** The same with what gateway.ts makes for all requests. */
export type PipelineDeps = GatewayDeps & {
  readonly backends: BackendState;
  /** Who may say in X-Forwarded-For whom it calls for. */
  readonly trustedProxies: IpRanges;
  /** The memory that bodies may take together. */
  readonly bodies: BodyBudget;
  /** The same for whole answers that are not out yet. */
  readonly answers: BodyBudget;
  /** Where callers are who do not come from the internet. */
  readonly intranet: IpRanges;
};

/** One HTTP request as a value; listener.ts makes it from node:http, tests by hand. */
export type GatewayRequest = {
  readonly method: string;
  /** As on the request line. */
  readonly target: string;
  /** Name, value, name, value …; values as latin1, as node:http has them. */
  readonly rawHeaders: readonly string[];
  readonly peerAddress: string;
  readonly isTls: boolean;
  readonly body: BodySource;
  /** Why it cannot be served, found before the pipeline; receive.ts throws it. */
  readonly fault?: Refusal | null;
  /** Takes memory for a whole answer of so many bytes until it is out. False: there is none, and nothing was taken. */
  holdAnswer(bytes: number): boolean;
  /** Calls `run` once if the caller goes away before the answer; returns its own undo. */
  onGone(run: () => void): () => void;
};

/** One HTTP answer as a value. `headers`: name, value, …; values as latin1. */
export type GatewayReply = {
  readonly status: number;
  readonly headers: string[];
  readonly body: Buffer | string | RelayedBody;
  /** Content-Length as the backend announced it, for answers without a body (to HEAD; 304). */
  readonly announcedBytes?: number | null;
  /** Close the connection after it: the request's body was not read. */
  readonly closes: boolean;
};

export type Begun = {
  readonly requestId: string;
  /** Epoch ms. */
  readonly at: number;
  /** Monotonic ms. */
  readonly startedAt: number;
  readonly request: GatewayRequest;
  readonly snapshot: Snapshot;
  readonly deps: PipelineDeps;
  /** Upper case. */
  readonly method: string;
  readonly clientIp: string;
};

export type Received = Begun & {
  /** First value of each header, by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** The Host header as sent. */
  readonly hostHeader: string;
  /** Lower case, without port. */
  readonly host: string;
  readonly rawPath: string;
  /** Percent-decoded, `%2F` and `%5C` kept. */
  readonly path: string;
  /** path split at `/`, without the leading empty one. */
  readonly segments: readonly string[];
  readonly rawQuery: string;
  readonly query: Parameters;
  /** Read when a step first needs it. */
  readonly body: RequestBody;
};

/** `api` is what the request matched in `stage` of `group`. */
export type Matched = Received & {
  readonly kind: 'matched';
  readonly group: PublishedGroup;
  readonly stage: StageName;
  readonly api: CompiledApi;
  /** What the placeholders of a wildcard domain stand for. */
  readonly hostParameters: ReadonlyMap<string, string>;
  /** Reached by the domain that the gateway gave the group, which is for testing only. */
  readonly isOwnDomain: boolean;
  /** Reached by a domain that is for callers of the intranet only. */
  readonly isIntranetDomain: boolean;
  /** How many leading segments are the group's base path. */
  readonly baseLength: number;
};

/** A plain request for a domain that wants HTTPS; `location` is where it goes on. */
export type Redirect = Received & {
  readonly kind: 'redirect';
  readonly group: PublishedGroup;
  readonly location: string;
};

/** A browser's preflight that no API of the group handles. */
export type Preflight = Received & { readonly kind: 'preflight'; readonly group: PublishedGroup };

/** Who calls. */
export type Caller =
  | { readonly kind: 'anonymous' }
  | {
      readonly kind: 'app';
      readonly appId: number;
      readonly appName: string;
      readonly appKey: string;
      /** Where the code of simple authentication was; null when the request is signed. */
      readonly code: ParameterPlace | null;
    };

export type Identified = Matched & { readonly caller: Caller };

/** Allowed to go on. The grant that allowed an app; null for callers that need none. */
export type Admitted = Identified & { readonly grant: PublishedGrant | null };

/** What the backend is asked, whatever kind it is. Names keep their order; none repeats. */
export type BackendRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  /** Further lines of the client's headers that are sent through, for backends that take several of one name. */
  readonly moreHeaders: readonly (readonly [name: string, value: string])[];
  readonly query: ReadonlyMap<string, string>;
  readonly pathParameters: ReadonlyMap<string, string>;
  /** `raw`: the client's bytes as they come (Base64 in a function's event); the backend reads or streams them. */
  readonly body: { readonly kind: 'text'; readonly text: string } | { readonly kind: 'raw' };
};

export type Mapped = Admitted & { readonly plan: MappingPlan; readonly outgoing: BackendRequest };

/** A backend's answer, before the gateway's own headers. */
export type BackendAnswer = {
  readonly status: number;
  /** Name, value, …, as latin1, without hop-by-hop headers. */
  readonly headers: readonly string[];
  readonly body: Buffer | string | RelayedBody;
  readonly announcedBytes?: number | null;
};
export type Replied = Mapped & {
  readonly answer: BackendAnswer;
  readonly backendMs: number;
  /** Of a function that was not warm. */
  readonly coldStart?: RecordedColdStart | undefined;
  readonly claims?: Claims | undefined;
};

/** What is known of a request that may have stopped anywhere. */
/** Of a token that was checked. */
export type Claims = Readonly<Record<string, unknown>>;

export type Progress = Begun & Partial<Omit<Replied, keyof Begun | 'kind'>>;
