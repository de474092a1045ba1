// One HTTP request to the server inside an instance: its answer whole, or as it comes. Used by http-road.ts.
import { type Agent, type ClientRequest, type IncomingMessage, request as startRequest } from 'node:http';
import type { ResponseSink } from '../../model/invocation.ts';
import { responseHeadLimitBytes } from '../../wire/http-params.ts';
import type { Asking } from './road.ts';

export type ServerRequest = {
  readonly method: string;
  /** Path and query as they are sent. */
  readonly target: string;
  /** Names and values in turn, `Host` among them; without a content length. */
  readonly headers: readonly string[];
  readonly body: Buffer;
};

export type ServerAnswer =
  | {
      readonly kind: 'answer';
      readonly status: number;
      /** As received, names and values in turn. */
      readonly headers: readonly string[];
      /** Empty when it went to the sink. */
      readonly body: Buffer;
      readonly isStreamed: boolean;
    }
  | { readonly kind: 'bad-response'; readonly reason: string }
  | { readonly kind: 'too-large'; readonly isWhole: false }
  /** The connection broke, or could not be made. */
  | { readonly kind: 'broken' };

export type ServerCallOptions = {
  readonly agent: Agent;
  readonly bodyLimitBytes: number;
  /** Takes an answer that comes in chunks while it comes; null: every answer is kept whole. */
  readonly sink: ResponseSink | null;
};

/** Asked once more on a broken connection. Source: docs. */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
const noBytes = Buffer.alloc(0);

/** `onAnswer` is called once, never before this has returned, and never after cancel(). */
export function callServer(
  request: ServerRequest,
  options: ServerCallOptions,
  onAnswer: (answer: ServerAnswer) => void,
): Asking {
  let isOver = false;
  let current: ClientRequest | null = null;
  let retriesLeft = idempotent.has(request.method) ? 1 : 0;
  const finish = (answer: ServerAnswer) => {
    if (isOver) return;
    isOver = true;
    onAnswer(answer);
  };
  const send = () => {
    current = startRequest({
      agent: options.agent,
      method: request.method,
      path: request.target,
      headers: framed(request),
    });
    current.on('response', (response) => receive(response, options, finish));
    // A server may answer this way unasked; nobody could take it.
    current.on('upgrade', (_response, socket) => {
      socket.destroy();
      finish({ kind: 'bad-response', reason: 'the server switched protocols unasked' });
    });
    current.on('error', (error: NodeJS.ErrnoException) => {
      if (isOver) return;
      if (error.code?.startsWith('HPE_') === true) {
        finish({ kind: 'bad-response', reason: `the server's answer is no HTTP: ${error.message}` });
      } else if (retriesLeft > 0) {
        retriesLeft -= 1;
        send();
      } else finish({ kind: 'broken' });
    });
    current.end(request.body);
  };
  send();
  return {
    cancel() {
      isOver = true;
      current?.destroy();
    },
  };
}

/** The body's length is always said: not every server of a function reads chunks. */
function framed({ method, headers, body }: ServerRequest): string[] {
  const isBare = body.length === 0 && (method === 'GET' || method === 'HEAD');
  return isBare ? [...headers] : [...headers, 'Content-Length', String(body.length)];
}

function receive(response: IncomingMessage, options: ServerCallOptions, finish: (answer: ServerAnswer) => void): void {
  const status = response.statusCode ?? 0;
  const headers = response.rawHeaders;
  const fail = (answer: ServerAnswer) => {
    finish(answer);
    response.destroy();
  };
  response.on('error', () => finish({ kind: 'broken' }));
  const headBytes = headers.reduce((sum, text) => sum + text.length, 0);
  if (headBytes > responseHeadLimitBytes) {
    fail({
      kind: 'bad-response',
      reason: `the response headers of ${headBytes} bytes exceed ${responseHeadLimitBytes}`,
    });
    return;
  }
  if (status < 200 || status > 599) {
    fail({ kind: 'bad-response', reason: `the response has the status ${status}` });
    return;
  }
  const sink = response.headers['transfer-encoding'] === undefined ? null : options.sink;
  if (sink !== null) {
    sink.head({ status, headers });
    stream(response, sink);
    response.on('end', () => finish({ kind: 'answer', status, headers, body: noBytes, isStreamed: true }));
    return;
  }
  const parts: Buffer[] = [];
  let received = 0;
  response.on('data', (part: Buffer) => {
    received += part.length;
    if (received > options.bodyLimitBytes) fail({ kind: 'too-large', isWhole: false });
    else parts.push(part);
  });
  response.on('end', () => {
    const body = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
    finish({ kind: 'answer', status, headers, body, isStreamed: false });
  });
}

/** As fast as the caller takes it. */
function stream(response: IncomingMessage, sink: ResponseSink): void {
  response.on('data', (part: Buffer) => {
    if (sink.write(part)) return;
    response.pause();
    void sink.drained().then(() => response.resume());
  });
}
