// Reads what an event function returned as the gateway does: leniently where the cloud is, and with the exact reason
// where it is not the agreed shape. Called by the gateway's function backends and by HTTP triggers (functions/http/).

import { headerName, notInHeaderValue } from './header-grammar.ts';
import { jsonMember } from './json-member.ts';

/** `headers`: name, value, … as UTF-8 text. `body` null: empty. */
export type FunctionAnswer = {
  readonly ok: true;
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Buffer | string;
};

/** `reason` goes on the wire and holds nothing that the function said; `got` is at most 200 characters of it. */
export type WrongShape = {
  readonly ok: false;
  readonly field: string;
  readonly reason: string;
  readonly expected: string;
  readonly got: string;
};

const agreedShape = '{"isBase64Encoded":false,"statusCode":200,"headers":{},"body":"…"}';
const gotLimit = 200;

function shorten(text: string): string {
  return text.length <= gotLimit ? text : `${text.slice(0, gotLimit - 1)}…`;
}

/**
 * Reads a result document.
 *
 * `statusCode`: number or numeric text, 200 to 599. `isBase64Encoded`: boolean or its text; missing = false.
 * `headers`: object, null or missing. `body`: text as is; object, array, number, boolean → its own JSON text without
 * the white space; null or missing → empty.
 * Source: docs, live; statusCode must be there: assumed; header values that are numbers,
 * booleans or lists are accepted: assumed.
 */
export function readFunctionResult(result: Buffer): FunctionAnswer | WrongShape {
  const text = result.toString('utf8');
  const wrong = (field: string, reason: string, expected: string, got: string): WrongShape => ({
    ok: false,
    field,
    reason,
    expected,
    got: shorten(got),
  });
  if (text.trim() === '') return wrong('result', 'result is empty', agreedShape, '(nothing)');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return wrong('result', 'result is not JSON', agreedShape, text); // SyntaxError only; the text itself is shown.
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return wrong('result', `result is ${nameOf(value)}, not an object`, agreedShape, text);
  }
  const document = value as { readonly [name: string]: unknown };
  const { statusCode, isBase64Encoded, headers, body } = ownMembers(document);
  if (statusCode === undefined) return wrong('statusCode', 'statusCode is missing', agreedShape, text);
  const status = readStatus(statusCode);
  if (status === null) {
    return wrong('statusCode', 'statusCode is no HTTP status', 'a number from 200 to 599', JSON.stringify(statusCode));
  }
  const isBase64 = readFlag(isBase64Encoded);
  if (isBase64 === null) {
    return wrong('isBase64Encoded', 'isBase64Encoded is no boolean', 'true or false', JSON.stringify(isBase64Encoded));
  }
  const read = readHeaders(headers);
  if (typeof read === 'string') return wrong('headers', read, 'an object of texts', JSON.stringify(headers));
  const bytes = readBody(body, isBase64, text);
  if (bytes === null) {
    return wrong('body', 'isBase64Encoded is true but body is not Base64', 'Base64 text', JSON.stringify(body));
  }
  return { ok: true, status, headers: read, body: bytes };
}

function ownMembers(document: { readonly [name: string]: unknown }) {
  const own = (name: string) => (Object.hasOwn(document, name) ? document[name] : undefined);
  return {
    statusCode: own('statusCode'),
    isBase64Encoded: own('isBase64Encoded'),
    headers: own('headers'),
    body: own('body'),
  };
}

function nameOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return `a ${typeof value === 'string' ? 'text' : typeof value}`;
}

const numericText = /^\s*\d{3}\s*$/;

function readStatus(value: unknown): number | null {
  const status = typeof value === 'string' && numericText.test(value) ? Number(value) : value;
  if (typeof status !== 'number' || !Number.isInteger(status)) return null;
  return status >= 200 && status <= 599 ? status : null;
}

function readFlag(value: unknown): boolean | null {
  if (value === undefined || value === null) return false;
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'string') return null;
  const lower = value.trim().toLowerCase();
  if (lower === 'true') return true;
  return lower === 'false' || lower === '' ? false : null;
}

/** The headers as name, value, …; or what is wrong with them. */
function readHeaders(value: unknown): string[] | string {
  if (value === undefined || value === null) return [];
  if (typeof value !== 'object' || Array.isArray(value)) return `headers is ${nameOf(value)}, not an object`;
  const headers: string[] = [];
  for (const [name, given] of Object.entries(value)) {
    if (!headerName.test(name)) return 'headers holds a name that is no header name';
    for (const item of Array.isArray(given) ? given : [given]) {
      if (item === null) continue;
      if (typeof item === 'object') return 'headers holds a value that is no text';
      const text = String(item);
      if (notInHeaderValue.test(text)) return 'headers holds a value with a line break or control character';
      headers.push(name, text);
    }
  }
  return headers;
}

const base64Text = /^[A-Za-z0-9+/\-_\s]*={0,2}\s*$/;

/** Null when it is said to be Base64 and is not. */
function readBody(body: unknown, isBase64: boolean, text: string): Buffer | string | null {
  if (body === undefined || body === null) return '';
  if (isBase64) return typeof body === 'string' && base64Text.test(body) ? Buffer.from(body, 'base64') : null;
  if (typeof body === 'string') return body;
  // The document's own words: parsing and writing again would lose the order of keys and the spelling of numbers.
  return jsonMember(text, 'body') ?? JSON.stringify(body);
}
