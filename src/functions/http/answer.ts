// What goes back to the caller of an HTTP trigger: the function's answer with the platform's headers, or an error.
// Called by http-door.ts.
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CorsRule } from '../../model/http-function.ts';
import type { HttpHandlerHead } from '../../model/http-handler.ts';
import type { InvocationFacts, ResponseSink } from '../../model/invocation.ts';

/** What a function may not say. Source: docs. */
const dropped = /^(x-fc-.*|connection|content-length|transfer-encoding|date|keep-alive|server|content-disposition)$/i;

/** What the platform adds to every answer of one request; names and values in turn. */
export type OwnHeaders = readonly string[];

/**
 * Source: docs: a browser downloads what comes from a default domain. On the APIs' listener
 * nothing of a function may run as the console's, so there the policy is added.
 */
export function platformHeaders(how: {
  requestId: string;
  isDefaultDomain: boolean;
  isApiListener: boolean;
}): string[] {
  const headers = ['X-Fc-Request-Id', how.requestId];
  if (how.isDefaultDomain || how.isApiListener) headers.push('Content-Disposition', 'attachment');
  if (how.isApiListener) headers.push('Content-Security-Policy', 'sandbox');
  return headers;
}

const exposed = [
  'Date',
  'X-Fc-Request-Id',
  'x-fc-error-type',
  'x-fc-code-checksum',
  'x-fc-invocation-duration',
  'x-fc-max-memory-usage',
  'x-fc-log-result',
  'x-fc-invocation-code-version',
].join(',');

/** What a trigger without a rule says: every page may call, with whatever it asks for. Source: seen in the vendor's local server. */
const openToAll: CorsRule = {
  allowOrigins: ['*'],
  allowMethods: [],
  allowHeaders: [],
  exposeHeaders: [],
  allowCredentials: false,
  maxAge: 3_600,
};

/** For a call with `Origin`; nothing for an origin that the rule does not name, so that its page does not get the answer. */
export function corsHeaders({ method, headers }: IncomingMessage, rule: CorsRule = openToAll): string[] {
  const { origin } = headers;
  if (origin === undefined || !rule.allowOrigins.some((pattern) => isOrigin(pattern, origin))) return [];
  const shown = rule.exposeHeaders.length === 0 ? exposed : rule.exposeHeaders.join(',');
  const cors = ['Access-Control-Allow-Origin', origin, 'Access-Control-Expose-Headers', shown];
  if (rule.allowCredentials) cors.push('Access-Control-Allow-Credentials', 'true');
  const asked = headers['access-control-request-method'];
  const named = headers['access-control-request-headers'];
  if (asked !== undefined) cors.push('Access-Control-Allow-Methods', rule.allowMethods.join(',') || asked);
  if (named !== undefined) cors.push('Access-Control-Allow-Headers', rule.allowHeaders.join(',') || named);
  if (method === 'OPTIONS') cors.push('Access-Control-Max-Age', String(rule.maxAge));
  return cors;
}

/** `*` stands for anything, as in `https://*.example.com`. */
function isOrigin(pattern: string, origin: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.at(-1);
  if (last === undefined) return pattern === origin;
  if (!origin.startsWith(first) || !origin.endsWith(last) || origin.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of rest.slice(0, -1)) {
    const found = origin.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= origin.length - last.length;
}

/** What FC 2 tells of an invocation. Source: docs, for HTTP triggers assumed. */
export function factHeaders(facts: InvocationFacts, wantsLog: boolean): string[] {
  const headers = [
    'X-Fc-Code-Checksum',
    facts.codeChecksum,
    'X-Fc-Instance-Id',
    facts.instanceId,
    'X-Fc-Invocation-Duration',
    String(Math.round(facts.durationMs)),
    'X-Fc-Invocation-Service-Version',
    facts.versionId,
    'X-Fc-Max-Memory-Usage',
    facts.maxMemoryMb.toFixed(2),
  ];
  if (wantsLog && facts.logTail !== null) headers.push('X-Fc-Log-Result', facts.logTail.toString('base64'));
  return headers;
}

/** The function's headers without those that it may not say, then the platform's; of a name said by both the platform's. */
export function mergeHeaders(given: readonly string[], own: OwnHeaders): string[] {
  const taken = new Set<string>();
  for (let at = 0; at < own.length; at += 2) taken.add((own[at] ?? '').toLowerCase());
  const merged: string[] = [];
  for (let at = 0; at + 1 < given.length; at += 2) {
    const [name = '', value = ''] = [given[at], given[at + 1]];
    if (!dropped.test(name) && !taken.has(name.toLowerCase())) merged.push(name, value);
  }
  merged.push(...own);
  return merged;
}

export function sendWhole(response: ServerResponse, head: HttpHandlerHead, body: Buffer): void {
  const hasNoBody = head.status === 204 || head.status === 304;
  const length = hasNoBody ? [] : ['Content-Length', String(body.length)];
  response.writeHead(head.status, [...head.headers, ...length]);
  response.end(hasNoBody ? undefined : body);
}

/** The same body for the clients of all versions. Source: assumed superset. */
export function errorBody(requestId: string, code: string, message: string): Buffer {
  const body = { RequestId: requestId, Code: code, Message: message, ErrorCode: code, ErrorMessage: message };
  return Buffer.from(JSON.stringify(body));
}

/** Writes an answer while it comes; `hasBegun` tells whether the head is out. */
export class ResponseWriter implements ResponseSink {
  readonly #response: ServerResponse;
  readonly #own: OwnHeaders;
  hasBegun = false;
  /** Of the body, so far. */
  bytes = 0;

  constructor(response: ServerResponse, own: OwnHeaders) {
    this.#response = response;
    this.#own = own;
  }

  head({ status, headers }: HttpHandlerHead): void {
    this.hasBegun = true;
    this.#response.writeHead(status, mergeHeaders(headers, this.#own));
    this.#response.flushHeaders();
  }

  write(chunk: Buffer): boolean {
    this.bytes += chunk.length;
    return this.#response.destroyed || this.#response.write(chunk);
  }

  async drained(): Promise<void> {
    if (this.#response.destroyed) return;
    const gone = new AbortController();
    const end = () => gone.abort();
    this.#response.once('close', end);
    try {
      await once(this.#response, 'drain', { signal: gone.signal });
    } catch {
      // AbortError: the caller has gone, and what follows is thrown away.
    } finally {
      this.#response.off('close', end);
    }
  }
}
