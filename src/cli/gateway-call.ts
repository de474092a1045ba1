// Makes the request of `yunmen call` and of the examples that `dev` prints, and shows it as a curl line. Pure.
import { isFormType, signRequest } from '../wire/gateway-signature.ts';
import { messageOf, wrongUsage } from './errors.ts';

export type AppKey = { readonly appKey: string; readonly appSecret: string };

export type CallInput = {
  /** null: POST when there is data, else GET. */
  readonly method: string | null;
  readonly url: URL;
  /** As curl's -d: pieces of a form joined with `&`, or one raw body. */
  readonly data: readonly Buffer[];
  readonly headers: readonly (readonly [string, string])[];
  /** Value of the Host header; null: the URL's. */
  readonly host: string | null;
  readonly stage: string | null;
  /** null: not signed. */
  readonly app: AppKey | null;
  /** Epoch ms; null leaves the header out, so that the request can be repeated. */
  readonly timestamp: number | null;
  readonly nonce: string | null;
};

export type GatewayCall = {
  readonly method: string;
  readonly url: URL;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  /** The pieces of a form body, for display; null for other bodies. */
  readonly formPieces: readonly string[] | null;
  /** null when the call is not signed. */
  readonly stringToSign: string | null;
};

const formType = 'application/x-www-form-urlencoded; charset=utf-8';
const jsonType = 'application/json; charset=utf-8';

/**
 * Completes and signs a call.
 *
 * Without a Content-Type, data that begins with `{` or `[` is JSON, other data is a form.
 * Errors: exit 2 when the target or the form cannot be signed.
 */
export function prepareCall(input: CallInput): GatewayCall {
  const given = new Map(input.headers.map(([name]) => [name.toLowerCase(), true]));
  const hasBody = input.data.length > 0;
  const contentType = findHeader(input.headers, 'content-type') ?? (hasBody ? guessType(input.data) : undefined);
  const isForm = isFormType(contentType);
  const formPieces = hasBody && isForm ? input.data.map((piece) => escapeUnsafe(piece.toString('utf8'))) : null;
  const body = formPieces === null ? Buffer.concat(input.data) : Buffer.from(formPieces.join('&'));
  const method = (input.method ?? (hasBody ? 'POST' : 'GET')).toUpperCase();
  const headers: Record<string, string> = {};
  if (!given.has('accept')) headers['Accept'] = 'application/json';
  if (contentType !== undefined && !given.has('content-type')) headers['Content-Type'] = contentType;
  for (const [name, value] of input.headers) headers[name] = value;
  const target = input.url.pathname + input.url.search;
  const signed = input.app === null ? null : sign({ ...input, app: input.app }, method, target, headers, body);
  if (signed === null && input.stage !== null) headers['X-Ca-Stage'] = input.stage;
  const host: readonly (readonly [string, string])[] = [['Host', input.host ?? input.url.host]];
  return {
    method,
    url: input.url,
    headers: [...host, ...Object.entries(signed?.headers ?? headers)],
    body,
    formPieces,
    stringToSign: signed?.stringToSign ?? null,
  };
}

function sign(
  input: CallInput & { readonly app: AppKey },
  method: string,
  target: string,
  headers: Record<string, string>,
  body: Buffer,
) {
  try {
    return signRequest({
      method,
      target,
      headers,
      body,
      appKey: input.app.appKey,
      appSecret: input.app.appSecret,
      ...(input.stage === null ? {} : { stage: input.stage }),
      ...(input.timestamp === null ? {} : { timestamp: input.timestamp }),
      ...(input.nonce === null ? {} : { nonce: input.nonce }),
    });
  } catch (error) {
    throw wrongUsage(messageOf(error));
  }
}

/**
 * The call as a command line for a POSIX shell that sends the same bytes.
 *
 * Shape: one option a line, joined with ` \` and a line feed. A Host that the URL implies is left out; a body that is no text
 * is shown as `--data-binary @body` (the caller has to have it in a file).
 */
export function curlText(call: GatewayCall): string {
  const parts = [`curl -i ${quote(call.url.href)}`];
  const implied = call.body.length > 0 ? 'POST' : 'GET';
  if (call.method === 'HEAD') parts[0] = `curl -I ${quote(call.url.href)}`;
  else if (call.method !== implied) parts.push(`-X ${quote(call.method)}`);
  for (const [name, value] of call.headers) {
    if (name === 'Host' && value === call.url.host) continue;
    // `Name;` is how curl sends a header without a value; `Name:` would remove it.
    parts.push(`-H ${quote(value === '' ? `${name};` : `${name}: ${value}`)}`);
  }
  if (call.formPieces !== null) parts.push(...call.formPieces.map((piece) => `-d ${quote(piece)}`));
  else if (call.body.length > 0)
    parts.push(`--data-binary ${isText(call.body) ? quote(call.body.toString('utf8')) : '@body'}`);
  return parts.join(' \\\n  ');
}

/** Quotes for a POSIX shell; plain words stay. */
export function quote(text: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function guessType(data: readonly Buffer[]): string {
  return /^\s*[[{]/.test(data[0]?.toString('utf8', 0, 64) ?? '') ? jsonType : formType;
}

/** Escapes what a form may not hold raw (blanks, controls, non-ASCII); everything else stays as typed, like curl's -d. */
function escapeUnsafe(piece: string): string {
  return piece.toWellFormed().replace(/[^!-~]+/g, (run) => encodeURIComponent(run));
}

function isText(body: Buffer): boolean {
  return Buffer.from(body.toString('utf8')).equals(body) && !body.includes(0) && body[0] !== 0x40;
}

function findHeader(headers: readonly (readonly [string, string])[], lowerName: string): string | undefined {
  return headers.find(([name]) => name.toLowerCase() === lowerName)?.[1];
}
