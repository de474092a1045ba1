// HTTP calls of functions: what is asked, what comes back, and the trigger that lets it in. Control publishes triggers;
// the data process's HTTP entry, the gateway and functions/ speak of calls.
import type { FunctionTarget } from './api.ts';
import { functionKey } from './function.ts';
import type { HttpHandlerCall, HttpHandlerHead } from './http-handler.ts';
import type { CallerSignal, CallerSpan, InvocationFacts, InvocationOutcome, ResponseSink } from './invocation.ts';

/** An HTTP call of a function, whatever form its handler has. */
export type HttpFunctionRequest = {
  readonly target: FunctionTarget;
  readonly requestId: string;
  readonly call: HttpHandlerCall;
  readonly body: Buffer;
  /** Path as sent, without the trigger's prefix and the query. */
  readonly rawPath: string;
  readonly triggerId: string;
  readonly wantsLogTail: boolean;
  /** Absent: the caller names none. */
  readonly span?: CallerSpan;
  readonly sink: ResponseSink | null;
};

export type HttpFunctionOutcome =
  | {
      readonly kind: 'answer';
      readonly head: HttpHandlerHead;
      /** Empty when it went to the sink. */
      readonly body: Buffer;
      readonly facts: InvocationFacts;
    }
  | Extract<InvocationOutcome, { kind: 'function-error' | 'refused' }>;

/** How neighbours make HTTP calls of functions. `signal` aborts when the caller has gone. */
export type CallHttpFunction = (request: HttpFunctionRequest, signal: CallerSignal) => Promise<HttpFunctionOutcome>;

/** What neighbours ask of functions that are called by HTTP. */
export type HttpFunctions = {
  readonly call: CallHttpFunction;
  /** True: a call becomes an event document, and its result is read as one. */
  takesEvents(target: FunctionTarget): boolean;
  /** The function behind a URL with a host of its own; null when there is none. */
  targetOf(host: string): (FunctionTarget & { readonly triggerId: string }) | null;
  /** Whose function it is; empty when there is none. */
  accountOf(target: FunctionTarget): string;
};

/** A signed call of an HTTP trigger, as control is asked whether it is right. */
export type SignedHttpCall = {
  readonly method: string;
  /** Path and query as they were signed. */
  readonly requestUri: string;
  /** Names in lower case; several values joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
};

export type HttpAuthentication =
  /** `payloadHash`: what the body must hash to (SHA-256, lower-case hex); null when the signature says nothing of it. */
  | { readonly ok: true; readonly payloadHash: string | null }
  | { readonly ok: false; readonly status: number; readonly code: string; readonly message: string };

/** Newer ones are refused when a trigger is made. Source: docs. */
export const httpTriggerAuthTypes = ['anonymous', 'function', 'jwt'] as const;
/** Source: docs. */
export const httpTriggerMethods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'] as const;

export const tokenPlaces = ['header', 'cookie', 'query', 'form'] as const;
export type TokenPlace = (typeof tokenPlaces)[number];

/** How callers with the authType `jwt` are known. Source: docs for the members; of `whitelist` and `blacklist` the meaning is assumed. */
export type JwtRule = {
  /** Public keys as JSON Web Keys. */
  readonly keys: readonly Readonly<Record<string, unknown>>[];
  /** Where a token is looked for, in order. `prefix`: a word and a blank before it, such as Bearer; empty: none. */
  readonly lookup: readonly { readonly place: TokenPlace; readonly name: string; readonly prefix: string }[];
  /** Claims that the function is told, and where. */
  readonly pass: readonly { readonly place: TokenPlace; readonly claim: string; readonly target: string }[];
  /** Paths that need no token (`free`), or the only ones that do (`guarded`); a `*` at the end stands for anything. Null: all need one. */
  readonly paths: { readonly are: 'free' | 'guarded'; readonly patterns: readonly string[] } | null;
};

/** Which pages of other origins may call. An empty list stands for what the caller asks for. Source: sdk for the members. */
export type CorsRule = {
  /** `*` stands for anything in an origin. */
  readonly allowOrigins: readonly string[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly allowCredentials: boolean;
  /** Seconds. */
  readonly maxAge: number;
};

/** An HTTP trigger as published. Key: httpTriggerKey(). One per function and qualifier. */
export type HttpTrigger = {
  readonly triggerId: string;
  readonly triggerName: string;
  /** null for an FC 3 function. */
  readonly serviceName: string | null;
  readonly functionName: string;
  /** Version or alias that it belongs to; `LATEST` when none was named. */
  readonly qualifier: string;
  readonly authType: (typeof httpTriggerAuthTypes)[number];
  /** Upper case. */
  readonly methods: readonly string[];
  /** True: the public URL answers 403. */
  readonly disablesInternetUrl: boolean;
  /** Missing: the authType is another. */
  readonly jwt?: JwtRule | undefined;
  /** Missing: every origin is answered by its own echo. */
  readonly cors?: CorsRule | undefined;
  /** First label of the hosts of its URL: `{urlPrefix}.{region}.fcapp.run`, `{urlPrefix}.localhost`. Lower case, unique. */
  readonly urlPrefix: string;
};

/** Shape: `<functionKey>@<qualifier>`, also for LATEST. */
export function httpTriggerKey(trigger: Pick<HttpTrigger, 'serviceName' | 'functionName' | 'qualifier'>): string {
  return `${functionKey(trigger.serviceName, trigger.functionName)}@${trigger.qualifier}`;
}
