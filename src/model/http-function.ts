// HTTP calls of functions: what a call is, what comes back, and the trigger that lets it in. Control publishes triggers;
// the data process's HTTP entry, the gateway and functions/ speak of calls.
import { functionKey } from './function.ts';

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

/** `jwt` and newer ones are refused when a trigger is made. Source: docs (function-invocation.md 2). */
export const httpTriggerAuthTypes = ['anonymous', 'function'] as const;
/** Source: docs (function-invocation.md 2). */
export const httpTriggerMethods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'] as const;

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
  /** First label of the hosts of its URL: `{urlPrefix}.{region}.fcapp.run`, `{urlPrefix}.localhost`. Lower case, unique. */
  readonly urlPrefix: string;
};

/** Shape: `<functionKey>@<qualifier>`, also for LATEST. */
export function httpTriggerKey(trigger: Pick<HttpTrigger, 'serviceName' | 'functionName' | 'qualifier'>): string {
  return `${functionKey(trigger.serviceName, trigger.functionName)}@${trigger.qualifier}`;
}
