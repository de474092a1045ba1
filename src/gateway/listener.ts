// Between node:http and the pipeline: a request value out of an IncomingMessage, a reply value into a ServerResponse.
// Called by gateway.ts; composition makes the server with listenerOptions().
import type { ServerOptions, ServerResponse } from 'node:http';
import { constants, type Http2ServerResponse } from 'node:http2';
import type { Readable, Writable } from 'node:stream';
import { type BodyBudget, NoRoomForBody, uncountedBytes } from '../base/body-budget.ts';
import { RelayedBody } from './backends/relayed-body.ts';
import type { GatewayReply, GatewayRequest, PipelineDeps } from './context.ts';
import { ClientGone } from './errors.ts';
import { type BodyTaker, FrontMessage } from './front-message.ts';
import { ambiguityOf, type Framing, framingOf } from './http-edges.ts';
import { headersByName, plainHeaders } from './http2-head.ts';
import { type BodySource, BodyTooLarge, BodyTooSlow } from './request-body.ts';
import type { GatewaySettings } from './settings.ts';

/** A request of HTTP/1.1, or of HTTP/2 by node's compatibility layer. */
export type Incoming = Readable & {
  /** The connection, or the stream of HTTP/2, broke off before all of it came. */
  readonly aborted?: boolean;
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion: string;
  readonly rawHeaders: string[];
  readonly socket: { readonly remoteAddress?: string | undefined };
};
export type Outgoing = ServerResponse | Http2ServerResponse;

/** The stream of a request of HTTP/2; null for HTTP/1.1. */
function streamOf(response: Outgoing): Http2ServerResponse['stream'] | null {
  return 'stream' in response ? response.stream : null;
}

/** The limits of a listener, so that ours apply and not node's own. */
export function listenerLimits(settings: GatewaySettings): ServerOptions {
  return {
    maxHeaderSize: settings.uriLimitBytes + settings.headerLimitBytes + 16 * 1024,
    requireHostHeader: false,
    noDelay: true,
    keepAliveTimeout: 65_000,
    headersTimeout: settings.headTimeoutMs,
    connectionsCheckingInterval: Math.min(5_000, settings.headTimeoutMs),
    requestTimeout: 0, // bodies are bounded by settings.bodyTimeoutMs
  };
}

/** How the gateway's node:http server must be made, so that our limits and codes apply and not node's own. */
export function listenerOptions(settings: GatewaySettings): ServerOptions {
  return {
    ...listenerLimits(settings),
    // A connection at rest ends as one that stalls does: a time-out of its own would be set and unset with each request.
    keepAliveTimeout: 0,
    IncomingMessage: FrontMessage,
  };
}

/**
 * Whether nothing of its body can come any more that would be the whole: a stream of HTTP/2 that broke off before anybody read was
 * drained by node and has told its end, and what is read then looks like a body that is complete.
 */
function isGone({ destroyed, readableEnded, aborted }: Incoming): boolean {
  return destroyed || readableEnded || aborted === true;
}

/** The body as it is asked for; the rest stays with the kernel. Leaving early leaves the connection as it is. */
async function* chunksOf(message: Incoming, limitBytes: number): AsyncGenerator<Buffer, void, undefined> {
  let size = 0;
  try {
    for await (const chunk of message.iterator({ destroyOnReturn: false })) {
      const bytes: Buffer = chunk;
      size += bytes.length;
      if (size > limitBytes) throw new BodyTooLarge();
      yield bytes;
    }
  } catch (error) {
    throw error instanceof BodyTooLarge ? error : new ClientGone();
  }
}

const noBytes = Buffer.alloc(0);

/** The body of a request of node:http. */
class HttpBody implements BodySource {
  readonly isPresent: boolean;
  readonly announcedBytes: number | null;
  receivedBytes = 0;
  readonly #message: Incoming;
  readonly #response: Outgoing;
  readonly #deps: PipelineDeps;
  readonly #isAwaited: boolean;

  constructor(message: Incoming, response: Outgoing, framing: Framing, deps: PipelineDeps) {
    const { length, encoding, expectation } = framing;
    const isChunked = encoding !== undefined || streamOf(response)?.endAfterHeaders === false;
    this.announcedBytes = length === undefined ? null : Number(length);
    this.isPresent = isChunked || (this.announcedBytes !== null && this.announcedBytes > 0);
    this.#message = message;
    this.#response = response;
    this.#deps = deps;
    this.#isAwaited = expectation !== undefined;
  }

  read(limitBytes: number): Promise<Buffer> {
    const room = new BodyRoom(this.#deps.bodies, this.#response);
    const count = (bytes: number) => {
      this.receivedBytes += bytes;
    };
    return readAll(this.#message, limitBytes, { room, count, begin: (onLate) => this.#begin(onLate) });
  }

  async *chunks(limitBytes: number): AsyncGenerator<Buffer, void, undefined> {
    if (isGone(this.#message)) throw new ClientGone();
    let onLate = nothing;
    const cancel = this.#begin(() => onLate());
    const source = chunksOf(this.#message, limitBytes);
    try {
      while (true) {
        const next = await new Promise<IteratorResult<Buffer>>((resolve, reject) => {
          onLate = () => reject(new BodyTooSlow());
          source.next().then(resolve, reject);
        });
        if (next.done === true) return;
        this.receivedBytes += next.value.length;
        yield next.value;
      }
    } finally {
      cancel();
      void source.return(); // it may wait for what never comes
    }
  }

  /** Asks for it where the client waits to be asked; `onLate` hears when it takes too long. The result cancels that. */
  #begin(onLate: () => void): () => void {
    if (this.#isAwaited) this.#response.writeContinue();
    return this.#deps.clock.after(this.#deps.settings.bodyTimeoutMs, onLate);
  }
}

/** What one body takes of the budget of all, until its answer is out or its connection gone. */
class BodyRoom {
  readonly #budget: BodyBudget;
  readonly #response: Outgoing;
  #taken = 0;

  constructor(budget: BodyBudget, response: Outgoing) {
    this.#budget = budget;
    this.#response = response;
  }

  /** False: there is none. `size`: of the body so far, with the chunk of `bytes`. */
  take(size: number, bytes: number): boolean {
    if (size <= uncountedBytes) return true;
    if (!this.#budget.take(bytes)) return false;
    if (this.#taken === 0) this.#response.once('close', () => this.#budget.giveBack(this.#taken));
    this.#taken += bytes;
    return true;
  }
}

/** `count` is told each chunk's bytes; `begin` is called once, and its result when the body is there or will not be. */
type Reading = {
  readonly room: BodyRoom;
  readonly count: (bytes: number) => void;
  readonly begin: (onLate: () => void) => () => void;
};

/** All of the body. */
function readAll(message: Incoming, limitBytes: number, { room, count, begin }: Reading): Promise<Buffer> {
  if (isGone(message)) return Promise.reject(new ClientGone());
  return new Promise((resolve, reject) => {
    const taker = new WholeBody(limitBytes, { room, count }, (body) => {
      settled();
      if (body instanceof Error) reject(body);
      else resolve(body);
    });
    const settled = begin(() => taker.late());
    if (!(message instanceof FrontMessage) || !message.giveBodyTo(taker)) streamTo(taker, message);
  });
}

/** Puts a body together. `settle` is called once. */
class WholeBody implements BodyTaker {
  readonly #limitBytes: number;
  readonly #reading: Pick<Reading, 'room' | 'count'>;
  readonly #settle: (body: Buffer | Error) => void;
  #first: Buffer | null = null;
  #more: Buffer[] | null = null;
  #size = 0;
  #isSettled = false;

  constructor(limitBytes: number, reading: Pick<Reading, 'room' | 'count'>, settle: (body: Buffer | Error) => void) {
    this.#limitBytes = limitBytes;
    this.#reading = reading;
    this.#settle = settle;
  }

  data(chunk: Buffer): boolean {
    if (this.#isSettled) return false;
    this.#size += chunk.length;
    this.#reading.count(chunk.length);
    if (this.#size > this.#limitBytes) return this.#fail(new BodyTooLarge());
    if (!this.#reading.room.take(this.#size, chunk.length)) return this.#fail(new NoRoomForBody());
    if (this.#first === null) this.#first = chunk;
    else if (this.#more === null) this.#more = [this.#first, chunk];
    else this.#more.push(chunk);
    return true;
  }

  end(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#settle(this.#more === null ? (this.#first ?? noBytes) : Buffer.concat(this.#more, this.#size));
  }

  broken(): void {
    if (!this.#isSettled) this.#fail(new ClientGone()); // made only when it says something new
  }

  late(): void {
    if (!this.#isSettled) this.#fail(new BodyTooSlow());
  }

  #fail(error: Error): false {
    this.#isSettled = true;
    this.#first = this.#more = null;
    this.#settle(error);
    return false;
  }
}

function streamTo(taker: BodyTaker, message: Incoming): void {
  const onData = (chunk: Buffer) => {
    if (taker.data(chunk)) return;
    message.off('data', onData);
    message.pause();
  };
  message.on('data', onData);
  message.on('end', () => taker.end());
  message.on('error', () => taker.broken());
  message.on('close', () => taker.broken());
}

const nothing = () => {};
const cancelled = constants.NGHTTP2_CANCEL;

/** The request as the pipeline wants it. Nothing of the body is read yet; one that takes too long ends the connection. */
export function requestOf(message: Incoming, response: Outgoing, deps: PipelineDeps): GatewayRequest {
  const stream = streamOf(response);
  const { stallTimeoutMs } = deps.settings;
  // Traffic of other streams, or pings, keep the connection; each stream has to move by itself.
  if (stream !== null && stallTimeoutMs > 0) stream.setTimeout(stallTimeoutMs, () => stream.close(cancelled));
  const framing = framingOf(message.rawHeaders);
  return {
    method: message.method ?? '',
    target: message.url ?? '',
    rawHeaders: stream === null ? message.rawHeaders : plainHeaders(message.rawHeaders),
    peerAddress: message.socket.remoteAddress ?? '',
    isTls: stream === null ? 'encrypted' in message.socket : stream.session?.encrypted === true,
    body: new HttpBody(message, response, framing, deps),
    fault: ambiguityOf(framing, message.httpVersion),
    holdAnswer: (bytes) => holdAnswer(response, bytes, deps),
    onGone: (run) => {
      if (isClosed(response)) {
        run();
        return nothing;
      }
      const onClose = () => {
        if (!isFinished(response)) run();
      };
      response.once('close', onClose);
      return () => response.off('close', onClose);
    },
  };
}

/** Whether nothing can be written any more. The compatibility layer of HTTP/2 does not tell. */
function isClosed(response: Outgoing): boolean {
  return (streamOf(response) ?? response).destroyed;
}

/**
 * Takes memory for an answer of so many bytes, until it is out or the caller had all the time that it may have. False: there is none.
 */
function holdAnswer(response: Outgoing, bytes: number, { answers, clock, settings }: PipelineDeps): boolean {
  if (bytes <= uncountedBytes || isClosed(response)) return true;
  if (!answers.take(bytes)) return false;
  const cancel = clock.after(settings.answerTimeoutMs, () => breakOff(response));
  response.once('close', () => {
    cancel();
    answers.giveBack(bytes);
  });
  return true;
}

/** Whether all of the answer went out. The compatibility layer of HTTP/2 only knows that it was all written. */
function isFinished(response: Outgoing): boolean {
  return streamOf(response) === null ? response.writableFinished : response.writableEnded;
}

/** What a client is told: it may use the connection again for so long. Less than settings.stallTimeoutMs. Source: assumed. */
const keepAlive = 'timeout=65';

/** Bodies of bytes up to this size are joined with their head. */
const joinedLimitBytes = 16 * 1024;

/**
 * Writes a reply. Statuses without a body get none, whatever the backend said.
 *
 * A body that is still on its way is written as it comes, and waits while the caller takes no more. `onEnd` hears how that went
 * before the caller has the last of it; for whole bodies it is not called.
 */
export function sendReply(
  response: Outgoing,
  reply: GatewayReply,
  isHead: boolean,
  onEnd: (error: Error | null) => void,
): void {
  const { status, headers, body } = reply;
  const hasBody = status !== 204 && status !== 304;
  const announced = announcedLength(reply, isHead || !hasBody);
  if (announced !== null) headers.push('Content-Length', String(announced));
  if (reply.closes) headers.push('Connection', 'close');
  else if (isKeptAlive(response)) headers.push('Keep-Alive', keepAlive);
  if ('stream' in response) response.writeHead(status, headersByName(headers));
  else response.writeHead(status, headers);
  if (body instanceof RelayedBody) {
    relay(response, body, hasBody && !isHead, onEnd);
    return;
  }
  if (!hasBody || isHead || body.length === 0) response.end();
  // Text goes out in one piece with the head; bytes would be written apart from it.
  else if (typeof body !== 'string' && body.length <= joinedLimitBytes) response.end(body.toString('latin1'), 'latin1');
  else if (typeof body === 'string' && !nonAscii.test(body)) response.end(body, 'latin1');
  else response.end(asBytesWhereNeeded(headers, body));
}

/** Of HTTP/1.1, where the end of each answer shows. */
function isKeptAlive(response: Outgoing): boolean {
  return !('stream' in response) && response.shouldKeepAlive && response.useChunkedEncodingByDefault;
}

/** Content-Length; null: none, or in chunks. What follows no body says what the backend said, where that is known. */
function announcedLength({ status, body, announcedBytes }: GatewayReply, isBodiless: boolean): number | null {
  if (isBodiless && announcedBytes !== undefined && announcedBytes !== null && status !== 204) return announcedBytes;
  if (status === 204 || status === 304) return null;
  if (body instanceof RelayedBody) return body.announcedBytes;
  return typeof body === 'string' ? Buffer.byteLength(body) : body.length;
}

/** node:http writes the head and a body of text in one piece, as UTF-8: header bytes outside ASCII would be encoded twice. */
function asBytesWhereNeeded(headers: readonly string[], body: string | Buffer): string | Buffer {
  return typeof body === 'string' && headers.some((text) => nonAscii.test(text)) ? Buffer.from(body) : body;
}

const nonAscii = /[^\0-\x7f]/;

/** A broken answer must not look whole: node resets a stream of HTTP/2 that is destroyed without an error, and clients take it for the end. */
function breakOff(response: Outgoing): void {
  const stream = streamOf(response);
  if (stream === null) response.destroy();
  else stream.close(constants.NGHTTP2_INTERNAL_ERROR);
}

function relay(response: Outgoing, body: RelayedBody, isWanted: boolean, onEnd: (error: Error | null) => void): void {
  const out: Writable = response;
  let isSettled = false;
  const settle = (error: Error | null) => {
    if (!isSettled) onEnd(error);
    isSettled = true;
  };
  response.on('drain', () => body.resume());
  response.once('close', () => {
    if (isSettled) return;
    settle(new ClientGone());
    body.cancel();
  });
  body.consume({
    data: (chunk) => !isWanted || out.write(chunk),
    end: () => {
      settle(null);
      response.end();
    },
    failed: (error) => {
      settle(error);
      breakOff(response);
    },
  });
}
