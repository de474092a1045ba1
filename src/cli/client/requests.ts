// What the server keeps of one request. Asked by `yunmen why` and `yunmen logs`.
import { encodeRfc3986 } from '../../wire/percent-encoding.ts';
import { failed, wrongUsage } from '../errors.ts';
import { isRecord, type JsonRecord, readNumber } from './json.ts';
import { type ApiTarget, callRoa, readAnswer } from './openapi.ts';

/** Errors: wrong usage for what is no request id. */
export function checkRequestId(text: string): void {
  if (/^[0-9A-Za-z-]{8,64}$/.test(text)) return;
  throw wrongUsage(`'${text.slice(0, 80)}' is no request id; it is in the header X-Ca-Request-Id or X-Fc-Request-Id`);
}

/** Errors: failed (exit 1) when nothing is known of it, or no more. */
export async function fetchRequest(target: ApiTarget, requestId: string): Promise<JsonRecord> {
  const answer = await callRoa(target, {
    method: 'GET',
    path: `/yunmen/requests/${encodeRfc3986(requestId)}`,
    action: 'GetRequest',
    version: 'yunmen',
  });
  if (answer.status === 404) {
    throw failed(
      `nothing is kept of request ${requestId}: failed requests are kept for 30 days, as far as 64 MB hold them`,
      { code: 'NotFoundRequest' },
    );
  }
  return readAnswer(answer);
}

/** `wait 0.1, code 2.6, load 0.9, initializer 0, handler 0.4 ms`; null when no function was called or it was warm. */
export function coldStartText(record: JsonRecord): string | null {
  const { coldStart } = record;
  if (!isRecord(coldStart)) return null;
  const process = coldStart['isSpare'] === true ? 'code' : 'start';
  const parts = ['wait', process, 'load', 'initializer', 'handler'];
  const text = parts.map((name) => `${name} ${readNumber(coldStart, `${name}Ms`) ?? 0}`).join(', ');
  return `${text} ms${process === 'code' ? ' (a process was waiting)' : ''}`;
}
