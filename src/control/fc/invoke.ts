// InvokeFunction: hands the raw body to the function and puts what is known of the run into headers. Synchronous only.
import { assertNever } from '../../base/assert-never.ts';
import type { CallContent } from '../../model/alias-route.ts';
import { namesAlias } from '../../model/function.ts';
import type { InvocationFacts } from '../../model/invocation.ts';
import { readCallerSpan } from '../../wire/caller-span.ts';
import { headerText } from '../../wire/openapi-signature.ts';
import type { FcAction } from '../action.ts';
import { fcError } from '../errors.ts';
import type { FcCall } from './call.ts';
import { namedFunction } from './names.ts';
import { refuseSetting } from './setting-rules.ts';

/** Header values in any case. Errors: InvalidArgument in the words that clients compare. Source: sdk. */
function choice<Choice extends string>(call: FcCall, name: string, allowed: readonly Choice[]): Choice | null {
  const given = headerText(call.received.headers, `x-fc-${name.replace(/(?<=.)[A-Z]/g, '-$&').toLowerCase()}`);
  if (given === '') return null;
  const found = allowed.find((known) => known.toLowerCase() === given.toLowerCase());
  return found ?? refuseSetting(name, allowed.join(' | '), given);
}

/** Whether the log's tail is wanted. Only synchronous calls are served. */
function readTypes(call: FcCall): boolean {
  const isAsync = choice(call, 'InvocationType', ['Sync', 'Async']) === 'Async';
  const logType = choice(call, 'LogType', isAsync ? ['None'] : ['Tail', 'None']);
  if (isAsync) throw fcError('InvalidArgument', 'InvocationType Async is not supported by this server; use Sync');
  return logType === 'Tail';
}

/**
 * Source: docs. Durations in ms, memory in MB with a fraction. Ours alone, in the shape of
 * Server-Timing: `x-yunmen-cold-start: wait;dur=0.1, start;dur=21.0, load;dur=3.0, initializer;dur=0.0, handler;dur=0.4`;
 * with a process that was waiting `code` (and environment) in the place of `start`.
 */
function factHeaders(
  facts: InvocationFacts,
  shows: { readonly logTail: boolean; readonly coldStart: boolean },
): Record<string, string> {
  const headers: Record<string, string> = {
    'x-fc-code-checksum': facts.codeChecksum,
    'x-fc-instance-id': facts.instanceId,
    'x-fc-invocation-duration': String(Math.round(facts.durationMs)),
    'x-fc-max-memory-usage': String(Math.round(facts.maxMemoryMb * 100) / 100),
    'x-fc-invocation-service-version': facts.versionId,
    'x-fc-invocation-code-version': facts.versionId,
  };
  if (shows.logTail) headers['x-fc-log-result'] = (facts.logTail ?? Buffer.alloc(0)).toString('base64');
  if (facts.runtimeNote !== null) headers['x-yunmen-runtime'] = facts.runtimeNote.replace(/[^\x20-\x7e]/g, '?');
  const { coldStart } = facts;
  if (shows.coldStart && coldStart !== null) {
    const process = coldStart.isSpare ? { code: coldStart.codeMs } : { start: coldStart.startMs };
    const all = {
      wait: coldStart.waitMs,
      ...process,
      load: coldStart.loadMs,
      initializer: coldStart.initializerMs,
      handler: facts.durationMs,
    };
    const text = Object.entries(all).map(([name, ms]) => `${name};dur=${ms.toFixed(1)}`);
    headers['x-yunmen-cold-start'] = text.join(', ');
  }
  return headers;
}

/** What aliases may go by; what proves the caller is nobody's business but ours. */
function contentOf({ received: { headers, query } }: FcCall): CallContent {
  const shown = Object.entries(headers).filter(([name]) => !/^authorization$|-security-token$/.test(name));
  return { headers: Object.fromEntries(shown), query };
}

export const invokeFunction: FcAction = async (call) => {
  const wantsLogTail = readTypes(call);
  const { deps, received, raw } = call;
  const qualifier = call.qualifier === 'LATEST' ? null : call.qualifier;
  const span = readCallerSpan(received.headers);
  const shows = { logTail: wantsLogTail, coldStart: deps.settings.showColdStart };
  const outcome = await deps.invoke(
    {
      target: { ...namedFunction(call), qualifier, ...(namesAlias(qualifier) ? { content: contentOf(call) } : {}) },
      requestId: received.requestId,
      event: raw,
      wantsLogTail,
      ...(span === null ? {} : { span }),
    },
    received.signal,
  );
  switch (outcome.kind) {
    case 'success':
      return {
        kind: 'bytes',
        body: outcome.body,
        headers: { ...factHeaders(outcome, shows), 'content-type': 'application/octet-stream' },
      };
    case 'function-error':
      return {
        kind: 'bytes',
        body: outcome.body,
        headers: {
          ...factHeaders(outcome, shows),
          'x-fc-error-type': outcome.errorType,
          'content-type': 'application/json',
        },
      };
    case 'refused':
      throw fcError(outcome.code, outcome.message);
    default:
      return assertNever(outcome);
  }
};
