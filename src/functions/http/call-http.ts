// An HTTP call of a function in the form that its runtime wants: passed through to a server, given to an HTTP handler of
// FC 2, or as a document to an event handler of FC 3. Called by http-door.ts and by the gateway's backend.
import type { FunctionConfig } from '../../model/function.ts';
import type { CallHttpFunction, HttpFunctionOutcome, HttpFunctionRequest } from '../../model/http-function.ts';
import type { HttpHandlerHead } from '../../model/http-handler.ts';
import type { InvocationOutcome, InvokeFunction } from '../../model/invocation.ts';
import { kindOfHttpResult, writeHttpEvent } from '../../wire/function-http-event.ts';
import { readFunctionResult } from '../../wire/function-result.ts';
import type { FindFunction } from '../plane.ts';
import { findRuntime } from '../runtimes.ts';

/** What an HTTP handler never sees, and what of its answer is dropped. Source: docs. */
const hiddenFromHandlers =
  /^(accept-encoding|connection|keep-alive|proxy-authorization|te|trailer|transfer-encoding|content-length|x-fc-.*)$/i;
const droppedFromHandlers =
  /^(connection|content-length|content-encoding|date|keep-alive|proxy-authenticate|server|trailer|transfer-encoding|upgrade|x-fc-.*)$/i;

export type CallHttpDeps = {
  readonly find: FindFunction;
  readonly invoke: InvokeFunction;
  /** Epoch ms. */
  readonly now: () => number;
};

export function createCallHttp({ find, invoke, now }: CallHttpDeps): CallHttpFunction {
  return async (request, signal) => {
    const found = find(request.target);
    if (!found.ok) return { kind: 'refused', code: found.code, message: found.message };
    const { config } = found;
    const form = formOf(config);
    const { target, requestId, wantsLogTail, span, sink } = request;
    const facts = { target, requestId, wantsLogTail, ...(span === undefined ? {} : { span }) };
    const passed = sink === null ? { http: request.call } : { http: request.call, sink };
    switch (form) {
      case 'server':
        return withHead(await invoke({ ...facts, event: request.body, ...passed }, signal), null);
      case 'handler': {
        const http = { ...request.call, headers: without(request.call.headers, hiddenFromHandlers) };
        return withHead(await invoke({ ...facts, event: request.body, http }, signal), droppedFromHandlers);
      }
      case 'event':
        return withResult(await invoke({ ...facts, event: eventOf(request, config, now()) }, signal));
    }
  };
}

/** Whether a call of this function becomes an event; false for one that is not there, whose call says so. */
export function takesEvents(find: FindFunction, target: HttpFunctionRequest['target']): boolean {
  const found = find(target);
  return found.ok && formOf(found.config) === 'event';
}

/** FC 3 has no HTTP handlers: its built-in runtimes get events. Source: docs. */
function formOf({ runtime, serviceName }: FunctionConfig): 'server' | 'handler' | 'event' {
  const row = findRuntime(runtime);
  if (row?.kind === 'container' || (row?.kind === 'program' && row.form === 'server')) return 'server';
  return serviceName === null ? 'event' : 'handler';
}

function without(flat: readonly string[], dropped: RegExp): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const [name = '', value = ''] = [flat[at], flat[at + 1]];
    if (!dropped.test(name)) kept.push(name, value);
  }
  return kept;
}

function withHead(outcome: InvocationOutcome, dropped: RegExp | null): HttpFunctionOutcome {
  if (outcome.kind !== 'success') return outcome;
  const { http, body, ...facts } = outcome;
  if (http === undefined) throw new Error('an HTTP call was answered without a head');
  const head = dropped === null ? http : { ...http, headers: without(http.headers, dropped) };
  return { kind: 'answer', head, body, facts };
}

function eventOf(request: HttpFunctionRequest, config: FunctionConfig, at: number): Buffer {
  const { call, body, rawPath, requestId, triggerId } = request;
  const headers = joined(without(call.headers, /^x-fc-/i), canonicalName);
  const contentType = headers.get('Content-Type') ?? null;
  return writeHttpEvent({
    method: call.method,
    rawPath,
    path: call.path,
    headers,
    query: joined(call.query, (name) => name),
    body,
    contentType,
    domainName: call.host.replace(/:\d+$/, ''),
    sourceIp: call.clientIp,
    userAgent: headers.get('User-Agent') ?? '',
    requestId,
    at,
    accountId: config.accountId,
    triggerId,
  });
}

/** `content-type` → `Content-Type`. Source: docs (a captured sample). */
function canonicalName(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

function joined(flat: readonly string[], nameOf: (name: string) => string): Map<string, string> {
  const values = new Map<string, string>();
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = nameOf(flat[at] ?? '');
    const before = values.get(name);
    values.set(name, before === undefined ? (flat[at + 1] ?? '') : `${before},${flat[at + 1]}`);
  }
  return values;
}

const asJson: HttpHandlerHead = { status: 200, headers: ['Content-Type', 'application/json'] };

/** Source: docs; what is no document goes out as it is: unconfirmed there. */
function withResult(outcome: InvocationOutcome): HttpFunctionOutcome {
  if (outcome.kind !== 'success') return outcome;
  const { body, http: _none, ...facts } = outcome;
  if (kindOfHttpResult(body) !== 'document') return { kind: 'answer', head: asJson, body, facts };
  const result = readFunctionResult(body);
  if (!result.ok) return { kind: 'refused', code: 'BadResponse', message: `the function's ${result.reason}` };
  const sent = Buffer.isBuffer(result.body) ? result.body : Buffer.from(result.body);
  const headers = without(result.headers.map(asLatin1), droppedFromHandlers);
  const hasType = headers.some((text, at) => at % 2 === 0 && text.toLowerCase() === 'content-type');
  const typed = hasType ? headers : ['Content-Type', 'application/json', ...headers];
  return { kind: 'answer', head: { status: result.status, headers: typed }, body: sent, facts };
}

/** Header texts are UTF-8 in the document, and bytes on the wire. */
function asLatin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}
