// `x-fc-http-params`: an HTTP call as FC 2's HTTP handlers get it, and what they answer it with. As JSON in frames
// (wire/frames.ts), in base64 as a header of the runtime API.
import type { HttpHandlerCall, HttpHandlerHead } from '../model/http-handler.ts';

/** The cloud's own names. Source: docs. */
export type HttpParams = {
  readonly method: string;
  readonly path: string;
  readonly requestURI: string;
  readonly clientIP: string;
  readonly host: string;
  readonly headersMap: Readonly<Record<string, readonly string[]>>;
  readonly queriesMap: Readonly<Record<string, readonly string[]>>;
};

export type HttpAnswerParams = {
  readonly status: number;
  readonly headersMap: Readonly<Record<string, readonly string[]>>;
};

/** Names and values of a response together, bytes; beyond it the answer is no good. Source: docs. */
export const responseHeadLimitBytes = 8_192;

export function writeHttpParams(call: HttpHandlerCall): HttpParams {
  return {
    method: call.method,
    path: call.path,
    requestURI: call.requestUri,
    clientIP: call.clientIp,
    host: call.host,
    headersMap: gather(call.headers, true),
    queriesMap: gather(call.query),
  };
}

/** Repeated names get one list. A header's name is the same in any case: its first spelling stays. */
function gather(flat: readonly string[], isHeader = false): Record<string, string[]> {
  const lists = new Map<string, { name: string; values: string[] }>();
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const [name = '', value = ''] = [flat[at], flat[at + 1]];
    const key = isHeader ? name.toLowerCase() : name;
    const list = lists.get(key);
    if (list === undefined) lists.set(key, { name, values: [value] });
    else list.values.push(value);
  }
  // fromEntries defines `__proto__` as any other name.
  return Object.fromEntries([...lists.values()].map(({ name, values }) => [name, values]));
}

/** Null when the members are missing or of the wrong type. A single text stands for a list of one. */
export function readHttpAnswerParams(value: unknown): HttpAnswerParams | null {
  if (!isObject(value)) return null;
  const { status, headersMap = {} } = value;
  if (typeof status !== 'number' || !isObject(headersMap)) return null;
  const lists: [string, string[]][] = [];
  for (const [name, given] of Object.entries(headersMap)) {
    const list: unknown[] = Array.isArray(given) ? given : [given];
    if (!list.every((each) => typeof each === 'string')) return null;
    lists.push([name, list]);
  }
  return { status, headersMap: Object.fromEntries(lists) };
}

const nameForm = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const plainValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const brokenValue = /[\r\n\0]/;

/**
 * The head of the response; or why it cannot be sent. Names and values outside of what HTTP can carry are dropped.
 *
 * Source: docs (what is not ASCII is dropped); the range of the status is assumed.
 */
export function readHttpHead(
  answer: HttpAnswerParams,
): { readonly ok: true; readonly head: HttpHandlerHead } | { readonly ok: false; readonly reason: string } {
  const { status, headersMap } = answer;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    return { ok: false, reason: `the response has the status ${status}` };
  }
  const headers: string[] = [];
  let bytes = 0;
  for (const [name, values] of Object.entries(headersMap)) {
    for (const value of values) {
      bytes += name.length + value.length;
      if (brokenValue.test(value)) return { ok: false, reason: `the response header ${name} holds a line end` };
      if (nameForm.test(name) && plainValue.test(value)) headers.push(name, value);
    }
  }
  if (bytes > responseHeadLimitBytes) {
    return { ok: false, reason: `the response headers of ${bytes} bytes exceed ${responseHeadLimitBytes}` };
  }
  return { ok: true, head: { status, headers } };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
