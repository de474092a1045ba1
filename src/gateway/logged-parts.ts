// What a record holds of a request and its answer where the group wants more logged than all records hold (UserLogConfig): query,
// headers, the beginnings of the bodies, the claims of a token. Secrets are masked. Called by request-record.ts and gateway.ts.
import { hidden, isSecretName } from '../base/secret-names.ts';
import type { LoggedNames, LogOptions } from '../model/group-options.ts';
import type { LoggedParts, RequestRecord } from '../model/record.ts';
import { type IsHidden, maskPairs, maskText } from '../wire/masked-text.ts';
import { decodeUtf8Piece } from '../wire/query.ts';
import { RelayedBody } from './backends/relayed-body.ts';
import type { GatewayReply, Progress } from './context.ts';
import { readHeaderText } from './header-text.ts';

/** Of a body, in bytes. Source: docs. */
export const loggedBodyBytes = 1024;
/** Of a query, of headers, of claims, in characters. Source: assumed. */
const textLimit = 8192;

/** Names that hold a secret by what they are called, or by what the group and the API use them for. */
function hiddenNames({ group, api }: Progress): IsHidden {
  const own = [group?.options?.codePlace?.name, api?.auth.openId?.idTokenParamName].map((name) => name?.toLowerCase());
  return (name) => isSecretName(name) || own.includes(name.toLowerCase());
}

function isLogged(names: LoggedNames, name: string): boolean {
  return names === 'all' || names.includes(name);
}

function isNothing(names: LoggedNames): boolean {
  return names !== 'all' && names.length === 0;
}

/** `a=1&token=(hidden)`; of a query or a form, as it was written. */
function maskedQuery(text: string, names: LoggedNames, isHidden: IsHidden): string {
  const pieces: string[] = [];
  for (const piece of text.split('&')) {
    const equals = piece.indexOf('=');
    const written = equals === -1 ? piece : piece.slice(0, equals);
    const name = decodeUtf8Piece(written) ?? written;
    if (!isLogged(names, name)) continue;
    pieces.push(equals !== -1 && isHidden(name) ? `${written}=${hidden}` : piece);
  }
  return pieces.join('&').slice(0, textLimit);
}

/** JSON text of the headers' values by lower-case name; of a repeated one all, joined. `raw`: name, value, … as node:http has them. */
function maskedHeaders(raw: readonly string[], names: LoggedNames, isHidden: IsHidden): string {
  const values = new Map<string, string>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    if (!isLogged(names, name)) continue;
    const value = isHidden(name) ? hidden : maskedValue(readHeaderText(raw[i + 1] ?? ''), isHidden);
    const before = values.get(name);
    values.set(name, before === undefined || value === hidden ? value : `${before}, ${value}`);
  }
  return JSON.stringify(Object.fromEntries(values)).slice(0, textLimit);
}

/** Says what the client sent, secrets too; the record's own explanation has it masked. */
const stringToSign = /^(Invalid Signature, Server StringToSign:).*/s;

/** Of a header: addresses may have secrets in their query. */
function maskedValue(text: string, isHidden: IsHidden): string {
  return maskPairs(text.replace(stringToSign, `$1${hidden}`), isHidden);
}

/** The beginning of a body as text. */
function maskedBody(bytes: Buffer, isForm: boolean, isHidden: IsHidden): string {
  // As a stream, so that a character that is cut at the end is left out.
  const text = new TextDecoder().decode(bytes.subarray(0, loggedBodyBytes), { stream: true });
  if (isForm) return maskedQuery(text, 'all', isHidden);
  return maskText(text, isHidden);
}

function maskedClaims(claims: Readonly<Record<string, unknown>>, names: LoggedNames, isHidden: IsHidden): string {
  const kept = Object.entries(claims).filter(([name]) => isLogged(names, name));
  const shown = kept.map(([name, value]) => [name, isHidden(name) ? hidden : value]);
  return JSON.stringify(Object.fromEntries(shown)).slice(0, textLimit);
}

function requestBodyOf({ body }: Progress, isHidden: IsHidden): string | null {
  const bytes = body?.excerpt() ?? null;
  return body === undefined || bytes === null || bytes.length === 0 ? null : maskedBody(bytes, body.isForm, isHidden);
}

function responseBodyOf(reply: GatewayReply | null, isHidden: IsHidden): string | null {
  if (reply === null) return null;
  const { body } = reply;
  if (body instanceof RelayedBody) {
    body.keepExcerpt(loggedBodyBytes);
    return null;
  }
  if (body.length === 0) return null;
  return maskedBody(typeof body === 'string' ? Buffer.from(body.slice(0, loggedBodyBytes)) : body, false, isHidden);
}

/** Null where the group logs no more than all do. Of a body that is still to come the beginning is kept for withResponseBody(). */
export function loggedParts(progress: Progress, reply: GatewayReply | null): LoggedParts | null {
  const log = progress.group?.options?.log ?? null;
  return log === null ? null : partsOf(progress, reply, log);
}

function partsOf(progress: Progress, reply: GatewayReply | null, log: LogOptions): LoggedParts {
  const isHidden = hiddenNames(progress);
  const { rawQuery, request, claims } = progress;
  const headersOf = (raw: readonly string[], names: LoggedNames) =>
    isNothing(names) ? null : maskedHeaders(raw, names, isHidden);
  return {
    requestQueryString: isNothing(log.query) || !rawQuery ? null : maskedQuery(rawQuery, log.query, isHidden),
    requestHeaders: headersOf(request.rawHeaders, log.requestHeaders),
    requestBody: log.requestBody ? requestBodyOf(progress, isHidden) : null,
    responseHeaders: reply === null ? null : headersOf(reply.headers, log.responseHeaders),
    responseBody: log.responseBody ? responseBodyOf(reply, isHidden) : null,
    jwtClaims: claims === undefined || isNothing(log.jwtClaims) ? null : maskedClaims(claims, log.jwtClaims, isHidden),
  };
}

/** The record with the beginning of a body that went through after it was made. */
export function withResponseBody(record: RequestRecord, reply: GatewayReply): RequestRecord {
  const { logged } = record;
  const bytes = logged !== null && reply.body instanceof RelayedBody ? reply.body.excerpt() : null;
  if (logged === null || bytes === null) return record;
  return { ...record, logged: { ...logged, responseBody: maskedBody(bytes, false, isSecretName) } };
}
