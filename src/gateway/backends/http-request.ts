// Writes the HTTP request that a backend gets: path, query, headers. Called by http.ts and function-http.ts.
import type { ApiMethod } from '../../model/api.ts';
import { headerName } from '../../wire/header-grammar.ts';
import { decodeUtf8Piece, encodeForm } from '../../wire/query.ts';
import type { Mapped } from '../context.ts';
import { refuse } from '../errors.ts';
import { writeHeaderText } from '../header-text.ts';
import { traceParentFor } from '../trace.ts';
import type { BackendAddress } from './backend-state.ts';
import { fillVariables } from './stage-variables.ts';

/** One header value, in bytes. */
const headerValueLimit = 64 * 1024;

/** Belong to the connection, or are the gateway's own to write; what an API maps there is not sent. */
const heldBack: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-ca-request-id',
]);

export function backendMethod(method: ApiMethod, mapped: Mapped): string {
  return method === 'ANY' ? mapped.outgoing.method : method;
}

/**
 * What stands at a `[name]`, always one segment. One of the client's is sent as it was written: `%2F` and `%252F` read alike when
 * they are decoded for matching, and must not become one here. Everything else is a text, all of it escaped.
 */
function segmentAt(name: string, mapped: Mapped): string {
  const value = checked(name, mapped.outgoing.pathParameters.get(name));
  const at = mapped.plan.writtenSegments.get(name);
  if (at === undefined) return encodeURIComponent(value.toWellFormed());
  return encodeLiteral(mapped.rawPath.split('/')[1 + mapped.baseLength + at] ?? '');
}

const variable = /\[([^\]/]+)\]/g;

/**
 * The backend's path: the pattern with its `[name]` filled, or the request's own path when there is none.
 *
 * A last `/*` takes what the request has behind its own (behind the group's base path without one). A value `.` or `..`
 * is refused, since it would lead out of the pattern.
 * Errors: I400PA, I404SR. Source: docs; the empty pattern and `/*` are assumed.
 */
export function backendPath(pattern: string, basePath: string, mapped: Mapped): string {
  if (pattern === '') return basePath === '' ? ownPath(mapped) : basePath;
  const filled = fillVariables(pattern, mapped);
  const own = filled.startsWith('/') ? filled : `/${filled}`;
  if (!own.includes('[') && !own.endsWith('/*')) return basePath + encodeLiteral(own);
  const isOpen = own.endsWith('/*');
  const path = (isOpen ? own.slice(0, -2) : own)
    .split(variable)
    .map((piece, index) => (index % 2 === 0 ? encodeLiteral(piece) : segmentAt(piece, mapped)))
    .join('');
  return basePath + path + (isOpen ? restOfPath(mapped) : '');
}

function checked(name: string, value = ''): string {
  if (value !== '.' && value !== '..') return value;
  throw refuse(
    'I400PA',
    { Reason: value },
    {
      side: 'client',
      field: name,
      expected: 'a value that is no dot segment',
      got: value,
      message: `The path parameter ${name} is "${value}", which would change the path of the backend.`,
    },
  );
}

const notInPath = /[^!-~]|[?#"<>\\^`{|}]/g;

/** Text of a definition, or of a path that a client wrote, as it may stand in a request line: RFC 3986 has none of these marks in a path. */
function encodeLiteral(text: string): string {
  return text.replace(notInPath, (mark) => encodeURIComponent(mark.toWellFormed()));
}

/** The client's own path, but for marks that no path may hold: to some servers `\` is a slash. */
function ownPath({ rawPath }: Mapped): string {
  if (rawPath.includes('.') || rawPath.includes('%2')) refuseDots(rawPath.split('/'));
  return encodeLiteral(rawPath);
}

function refuseDots(pieces: readonly string[]): void {
  if (pieces.some((piece) => /^(\.|%2e){1,2}$/i.test(piece))) checked('*', '..');
}

/** What `/*` of the API matched, as the client wrote it, but for marks that no path may hold. */
function restOfPath(mapped: Mapped): string {
  const from = mapped.baseLength + mapped.api.pattern.segments.length;
  const rest = mapped.rawPath.split('/').slice(1 + from);
  refuseDots(rest);
  return rest.length === 0 ? '' : `/${encodeLiteral(rest.join('/'))}`;
}

/**
 * The query with its `?`, or nothing. What is sent through keeps the client's spelling and repetitions; what was mapped is written anew.
 */
export function backendQuery(mapped: Mapped): string {
  const { query } = mapped.outgoing;
  const { sentThrough } = mapped.plan;
  if (sentThrough === null) return query.size === 0 ? '' : `?${encodeQuery(query)}`;
  const { exceptQuery } = sentThrough;
  if (exceptQuery.size === 0 && query.size === mapped.query.size) {
    return mapped.rawQuery === '' ? '' : `?${mapped.rawQuery}`;
  }
  const pieces = mapped.rawQuery.split('&').filter((piece) => isSentOn(nameOf(piece), mapped, exceptQuery));
  for (const [name, value] of query) if (exceptQuery.has(name)) pieces.push(encodeQuery([[name, value]]));
  return pieces.length === 0 ? '' : `?${pieces.join('&')}`;
}

/** What a step took out of the query (a code of simple authentication) is not there any more. */
function isSentOn(name: string, { outgoing }: Mapped, exceptQuery: ReadonlySet<string>): boolean {
  return !exceptQuery.has(name) && outgoing.query.has(name);
}

function nameOf(piece: string): string {
  const equals = piece.indexOf('=');
  return decodeUtf8Piece(equals === -1 ? piece : piece.slice(0, equals)) ?? '';
}

/** Blanks as `%20`: servers agree about that, and not about `+` outside forms. */
function encodeQuery(pairs: Iterable<readonly [string, string]>): string {
  return encodeForm(pairs).replaceAll('+', '%20');
}

/** What the backend gets as Host: its own, or the client's where the group passes that on. Source: docs. */
export function backendHost({ group, hostHeader }: Mapped, address: BackendAddress): string {
  return group.options?.passesHost === true ? writeHeaderText(hostHeader, headerValueLimit) : address.origin.hostHeader;
}

/** Headers of the backend request as `Name: value\r\n` lines in latin1, without those of the connection and the body. */
export function backendHeaders(mapped: Mapped): string {
  const { headers, moreHeaders } = mapped.outgoing;
  let lines = '';
  let own = 0;
  for (const [name, value] of headers) {
    const lowerName = name.toLowerCase();
    if (heldBack.has(lowerName)) continue;
    if (!headerName.test(name)) throw badName(mapped, name);
    if (lowerName === 'x-real-ip') own |= 1;
    else if (lowerName === 'x-forwarded-proto') own |= 2;
    else if (lowerName === 'ca-host') own |= 4;
    else if (lowerName === 'traceparent') own |= 8;
    lines += `${name}: ${writeHeaderText(value, headerValueLimit)}\r\n`;
  }
  for (const [name, value] of moreHeaders) {
    if (!heldBack.has(name.toLowerCase())) lines += `${name}: ${writeHeaderText(value, headerValueLimit)}\r\n`;
  }
  lines += `X-Ca-Request-Id: ${mapped.requestId}\r\n`;
  if ((own & 1) === 0) lines += `X-Real-IP: ${mapped.clientIp}\r\n`;
  if ((own & 2) === 0) lines += `X-Forwarded-Proto: ${mapped.request.isTls ? 'https' : 'http'}\r\n`;
  if ((own & 4) === 0) lines += `CA-Host: ${writeHeaderText(mapped.hostHeader, headerValueLimit)}\r\n`;
  if ((own & 8) === 0) lines += `traceparent: ${traceParentFor(mapped)}\r\n`;
  return lines;
}

function badName(mapped: Mapped, name: string): Error {
  return refuse(
    'X500AM',
    {},
    {
      side: 'api-owner',
      field: 'ServiceParameters',
      got: name.slice(0, 100),
      message: `The API ${mapped.api.apiName} maps to a backend header with a name that is no header name.`,
    },
  );
}
