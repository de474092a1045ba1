// Step 1, Received: reads the request line and headers, and applies the limits. Called by pipeline.ts.
import { isIP } from 'node:net';
import { newRequestId } from '../base/ids.ts';
import { apiMethods } from '../model/api.ts';
import { decodePath, noParameters, parseParameters } from '../wire/query.ts';
import { clientAddress, forwardedFor } from './client-address.ts';
import type { Begun, GatewayRequest, PipelineDeps, Received } from './context.ts';
import { refuse } from './errors.ts';
import { readHeaderText } from './header-text.ts';
import { RequestBody } from './request-body.ts';
import { splitPath } from './segment-trie.ts';
import type { Snapshot } from './snapshot.ts';
import { toBegun, toReceived } from './states.ts';

/** Gives the request its id. Never fails, so that every answer carries one. */
export function begin(request: GatewayRequest, snapshot: Snapshot, deps: PipelineDeps): Begun {
  return toBegun({
    requestId: newRequestId(),
    at: deps.clock.now(),
    startedAt: deps.clock.monotonic(),
    request,
    snapshot,
    deps,
    method: request.method.toUpperCase(),
    clientIp: clientAddress(request, deps.trustedProxies),
  });
}

const knownMethods: ReadonlySet<string> = new Set(apiMethods.filter((method) => method !== 'ANY'));

/** Errors: the request's fault, I405UM, I413UL, I400HD, I400MH, I400RU, I400PA, I400CT, I413RL, I508LD. */
export function receive(begun: Begun): Received {
  const { request, deps, method } = begun;
  if (request.fault) throw request.fault;
  if (!knownMethods.has(method)) throw unsupportedMethod(method);
  checkLength(request.target.length, deps.settings.uriLimitBytes);
  const headers = readHeaders(request.rawHeaders, deps.settings.headerLimitBytes);
  const target = splitTarget(request, headers.get('host'));
  const path = readPath(target.rawPath);
  const gateway = headers.get('x-ca-api-gateway');
  if (gateway !== undefined) checkLoop(forwardedFor(request.rawHeaders), deps.settings.hopLimit);
  const contentType = headers.get('content-type');
  if (contentType !== undefined) checkContentType(contentType);
  return toReceived(begun, {
    headers,
    hostHeader: target.authority,
    host: hostName(target.authority),
    rawPath: target.rawPath,
    path,
    segments: splitPath(path),
    rawQuery: target.rawQuery,
    query: readQuery(target.rawQuery),
    body: new RequestBody(request.body, contentType, deps.settings.bodyLimitBytes),
  });
}

/** A request that a gateway sent on has an address in X-Forwarded-For for each time. Source: assumed. */
function checkLoop(list: string, limit: number): void {
  const hops = list === '' ? 0 : list.split(',').length;
  if (hops <= limit) return;
  throw refuse(
    'I508LD',
    {},
    {
      side: 'api-owner',
      field: 'X-Forwarded-For',
      expected: `at most ${limit} addresses`,
      got: `${hops} addresses`,
      message: `The request came through gateways and proxies ${hops} times already: a backend seems to lead back here.`,
    },
  );
}

function unsupportedMethod(method: string): Error {
  return refuse(
    'I405UM',
    { Reason: method },
    { side: 'client', field: 'method', got: method, message: `The method ${method} is not one that APIs may have.` },
  );
}

function checkLength(length: number, limit: number): void {
  if (length <= limit) return;
  throw refuse(
    'I413UL',
    {},
    {
      side: 'client',
      field: 'request target',
      expected: `at most ${limit} bytes`,
      got: `${length} bytes`,
      message: `The path and query together are longer than the limit of ${limit} bytes.`,
    },
  );
}

/** First value of each name. Errors: I400HD for a second Host (smuggling) and over the limit. */
function readHeaders(raw: readonly string[], limitBytes: number): Map<string, string> {
  const headers = new Map<string, string>();
  let bytes = 0;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    bytes += name.length + value.length;
    const lowerName = name.toLowerCase();
    if (!headers.has(lowerName)) headers.set(lowerName, readHeaderText(value));
    else if (lowerName === 'host') throw badHeader('Host', 'is given twice');
  }
  if (bytes > limitBytes) throw badHeader('*', `all headers together exceed ${limitBytes} bytes`);
  return headers;
}

function badHeader(name: string, reason: string): Error {
  return refuse(
    'I400HD',
    { HeaderName: name, Reason: reason },
    { side: 'client', field: name, message: `The request's header ${name} cannot be accepted: ${reason}.` },
  );
}

const absoluteForm = /^https?:\/\/([^/?]*)/i;

/** Takes `/path?query` or `http://host/path?query` apart; the host in an absolute target wins. Source: docs (RFC 9112 3.2.2). */
function splitTarget(
  { method, target }: GatewayRequest,
  hostHeader: string | undefined,
): { authority: string; rawPath: string; rawQuery: string } {
  let rest = target;
  let authority = hostHeader;
  if (target.includes('#')) throw badTarget('a fragment (#) is never sent');
  if (!target.startsWith('/')) {
    const absolute = absoluteForm.exec(target);
    if (absolute === null && method === 'CONNECT') throw unsupportedMethod(method);
    if (absolute === null) throw badPath(target);
    authority = absolute[1] ?? '';
    rest = target.slice(absolute[0].length);
    if (!rest.startsWith('/')) rest = `/${rest}`;
  }
  if (authority === undefined) throw noHost();
  const mark = rest.indexOf('?');
  if (mark === -1) return { authority, rawPath: rest, rawQuery: '' };
  return { authority, rawPath: rest.slice(0, mark), rawQuery: rest.slice(mark + 1) };
}

function noHost(): Error {
  return refuse(
    'I400MH',
    { HeaderName: 'Host' },
    { side: 'client', field: 'Host', message: 'The request has no Host header, so it leads to no group.' },
  );
}

function badTarget(reason: string): Error {
  return refuse(
    'I400RU',
    { Reason: reason },
    { side: 'client', field: 'request target', message: `The request target is no URI: ${reason}.` },
  );
}

function badPath(path: string): Error {
  const shown = path.slice(0, 200);
  return refuse(
    'I400PA',
    { Reason: shown },
    {
      side: 'client',
      field: 'path',
      expected: 'ASCII starting with /, other characters as %XX escapes of UTF-8',
      got: shown,
      message: 'The path is not a valid URI path: escape everything outside ASCII, and write % as %25.',
    },
  );
}

function readPath(rawPath: string): string {
  const path = decodePath(rawPath);
  if (path === null) throw badPath(rawPath);
  return path;
}

function readQuery(rawQuery: string) {
  if (rawQuery === '') return noParameters;
  // A raw non-ASCII byte arrives as latin1; clients that send such bytes mean UTF-8.
  const query = parseParameters(readHeaderText(rawQuery));
  if (query !== null) return query;
  throw refuse(
    'I400RU',
    { Reason: 'query is not URL-encoded' },
    {
      side: 'client',
      field: 'query',
      expected: 'name=value pairs with % escapes of two hex digits',
      message: 'The query holds a % that is not followed by two hexadecimal digits.',
    },
  );
}

const mediaType = /^[!#$%&'*+.^_`|~\w-]+\/[!#$%&'*+.^_`|~\w-]+[ \t]*(;|$)/;

function checkContentType(contentType: string): void {
  if (contentType === '' || mediaType.test(contentType)) return;
  const shown = contentType.slice(0, 200);
  throw refuse(
    'I400CT',
    { Reason: shown },
    {
      side: 'client',
      field: 'Content-Type',
      expected: 'type/subtype, perhaps with parameters',
      got: shown,
      message: 'The Content-Type header is not a media type.',
    },
  );
}

/** Host without port and brackets, lower case. */
function hostName(authority: string): string {
  if (authority.startsWith('[')) return authority.slice(1, Math.max(1, authority.indexOf(']'))).toLowerCase();
  const colon = authority.indexOf(':');
  return (colon === -1 ? authority : authority.slice(0, colon)).toLowerCase();
}

/** True for hosts that name the machine and not a group. */
export function isMachineHost(host: string): boolean {
  return host === 'localhost' || isIP(host) !== 0;
}
