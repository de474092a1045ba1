// Reads the head of a backend's answer, strictly: what two readers could understand differently is refused, not repaired.
// Called by response-reader.ts.

import { headerName, notInHeaderValue } from '../../wire/header-grammar.ts';
import { BackendFault } from './fault.ts';

/** How long the body is: none, counted, in chunks, or until the connection ends. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' };

export type ResponseHead = {
  readonly status: number;
  /** Name, value, …, as latin1, in order; without hop-by-hop headers and without Content-Length. */
  readonly headers: string[];
  /** Content-Length as announced, also where no body follows (HEAD, 304); null without one. */
  readonly announcedBytes: number | null;
  readonly framing: Framing;
  /** The connection may carry another request afterwards. */
  readonly isReusable: boolean;
  /** `Keep-Alive: timeout=…` in ms; null without one. */
  readonly keepAliveMs: number | null;
};

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const blanksAround = /^[\t ]+|[\t ]+$/g;

/** Belong to one connection and are never relayed. Source: docs (RFC 9110 7.6.1). */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

function bad(reason: string): BackendFault {
  return new BackendFault('response', `the response head is no HTTP/1.1: ${reason}`);
}

/** What the headers said about the connection and the body. */
type Facts = { length: number | null; chunked: boolean; connection: string; keepAlive: string };

function take(facts: Facts, lowerName: string, value: string): void {
  switch (lowerName) {
    case 'content-length':
      if (facts.length !== null || !/^\d{1,15}$/.test(value)) throw bad('Content-Length is repeated or no number');
      facts.length = Number(value);
      return;
    case 'transfer-encoding':
      if (facts.chunked || value.toLowerCase() !== 'chunked') throw bad('Transfer-Encoding is not just chunked');
      facts.chunked = true;
      return;
    case 'connection':
      facts.connection += `,${value.toLowerCase()}`;
      return;
    case 'keep-alive':
      facts.keepAlive = value;
      return;
  }
}

/** Headers that Connection names belong to the connection too. */
function withoutNamed(headers: string[], connection: string): string[] {
  const named = connection.split(',').map((item) => item.trim());
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (!named.includes(name.toLowerCase())) kept.push(name, headers[i + 1] ?? '');
  }
  return kept;
}

function framingOf(status: number, isHead: boolean, facts: Facts): Framing {
  if (isHead || status === 204 || status === 304 || status < 200) return { kind: 'none' };
  if (facts.chunked) return { kind: 'chunked' };
  return facts.length === null ? { kind: 'until-close' } : { kind: 'length', bytes: facts.length };
}

/**
 * Reads a head: status line and headers as latin1 text, without the blank line behind them.
 *
 * Errors: BackendFault `response` for folded lines, bare CR or LF, control characters, blanks before a colon, both
 * Content-Length and Transfer-Encoding, a repeated Content-Length, a coding other than chunked.
 */
export function parseHead(text: string, isHead: boolean): ResponseHead {
  const lines = text.split('\r\n');
  const first = statusLine.exec(lines[0] ?? '');
  if (first === null) throw bad('bad status line');
  const status = Number(first[2]);
  const facts: Facts = { length: null, chunked: false, connection: '', keepAlive: '' };
  let headers: string[] = [];
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] ?? '';
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon));
    if (!headerName.test(name)) throw bad('bad header name');
    if (notInHeaderValue.test(line)) throw bad('a header holds a line break or control character');
    let value = line.slice(colon + 1);
    const last = value.charCodeAt(value.length - 1);
    value =
      value.startsWith(' ') && value.charCodeAt(1) > 32 && last > 32 ? value.slice(1) : value.replace(blanksAround, '');
    const lowerName = name.toLowerCase();
    if (lowerName === 'content-length' || hopByHop.has(lowerName)) take(facts, lowerName, value);
    else headers.push(name, value);
  }
  const isOld = first[1] === '0';
  if (facts.chunked && (facts.length !== null || isOld)) throw bad('Transfer-Encoding beside what contradicts it');
  const { connection } = facts;
  const isPlain = connection === '' || connection === ',keep-alive' || connection === ',close';
  if (!isPlain) headers = withoutNamed(headers, connection);
  const closes = isOld || (connection !== '' && /(^|,)[\t ]*close[\t ]*(,|$)/.test(connection));
  const framing = framingOf(status, isHead, facts);
  // A 204 or 304 that announces a body may be followed by one, which would be taken for the next answer.
  const isSuspect =
    !isHead && framing.kind === 'none' && (facts.chunked || (status !== 304 && (facts.length ?? 0) > 0));
  const timeout = facts.keepAlive === '' ? null : /(?:^|[,\s])timeout=(\d{1,6})/i.exec(facts.keepAlive);
  return {
    status,
    headers,
    announcedBytes: facts.length,
    framing,
    isReusable: !closes && !isSuspect && framing.kind !== 'until-close',
    keepAliveMs: timeout === null ? null : Number(timeout[1]) * 1000,
  };
}
