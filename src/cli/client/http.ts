// One HTTP request over node:http(s), with a time-out and a bounded answer. Every client command goes through it.
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { failed, messageOf, systemCode, unreachable } from '../errors.ts';

export type HttpRequest = {
  readonly method: string;
  readonly url: URL;
  /** Sent in this order and spelling; `Host` here overrides the one of the URL. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
};

export type HttpAnswer = {
  readonly status: number;
  readonly statusText: string;
  readonly httpVersion: string;
  /** Lower-case name → value; repeated headers are joined with a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

/** Largest answer that is read; a longer one fails the command. */
const answerLimitBytes = 64 * 1024 * 1024;
const notThere = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT']);

/**
 * Sends a request and reads the whole answer.
 *
 * Errors: exit 3 when nobody answers at the address; exit 1 when the connection breaks, the time is over or the answer is too long.
 */
export function sendRequest(request: HttpRequest): Promise<HttpAnswer> {
  const send = request.url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const outgoing = send(request.url, {
      method: request.method,
      headers: request.headers.flatMap(([name, value]) => [name, Buffer.from(value, 'utf8').toString('latin1')]),
      agent: false,
      setDefaultHeaders: false,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
    const timer = setTimeout(() => {
      outgoing.destroy(failed(`no answer from ${request.url.origin} within ${request.timeoutMs / 1000} s`));
    }, request.timeoutMs);
    const fail = (error: unknown) => {
      clearTimeout(timer);
      reject(describeFailure(error, request.url));
    };
    outgoing.on('error', fail);
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      let length = 0;
      incoming.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > answerLimitBytes) outgoing.destroy(failed(`the answer is longer than ${answerLimitBytes} bytes`));
        else chunks.push(chunk);
      });
      incoming.on('error', fail);
      incoming.on('end', () => {
        clearTimeout(timer);
        resolve({
          status: incoming.statusCode ?? 0,
          statusText: incoming.statusMessage ?? '',
          httpVersion: incoming.httpVersion,
          headers: joinHeaders(incoming.headersDistinct),
          body: Buffer.concat(chunks),
        });
      });
    });
    outgoing.end(request.body);
  });
}

function describeFailure(error: unknown, url: URL): unknown {
  const code = systemCode(error);
  if (code !== null && notThere.has(code)) return unreachable(`cannot reach ${url.origin} (${code})`, error);
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return failed(`${url.origin} closed the connection before answering (${messageOf(error)})`, { cause: error });
  }
  return error;
}

function joinHeaders(headers: NodeJS.Dict<string[]>): Record<string, string> {
  const joined: Record<string, string> = {};
  for (const [name, values] of Object.entries(headers)) {
    // Header bytes are UTF-8 by the gateway's rule; node hands them over as latin1.
    if (values !== undefined) joined[name] = Buffer.from(values.join(', '), 'latin1').toString('utf8');
  }
  return joined;
}
