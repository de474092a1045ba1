// What node:http would answer by itself, answered as the gateway answers: our code, our request id, a record.
// Made part of a server by gateway.ts; composition calls Gateway.attach().
import type { EventEmitter } from 'node:events';
import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import { type Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { GatewayReply, GatewayRequest } from './context.ts';
import { type Refusal, refuse } from './errors.ts';
import type { BodySource } from './request-body.ts';

/** What the edges need of the gateway. */
export type EdgeHandlers = {
  readonly handle: (
    message: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ) => void;
  /** True when an answer that ends the connection is under way. */
  readonly isEnding: (socket: Duplex) => boolean;
  /** Answers a request that could not be read; its `fault` says why. */
  readonly run: (request: GatewayRequest) => Promise<GatewayReply | null>;
};

type ParserError = Error & { readonly code?: string; readonly rawPacket?: Buffer };

/** How long a connection may stay open after its last answer was written; milliseconds. */
const lingerMs = 2_000;

/** Takes over the events at which a server of node:http, or one of node:http2 for its HTTP/1.1 connections, has answers of its own. */
export function attachEdges(server: EventEmitter, handlers: EdgeHandlers): void {
  // The parser fails again on whatever still arrives.
  const answered = new WeakSet<Duplex>();
  server.on('clientError', (error: ParserError, socket: Duplex) => {
    if (answered.has(socket) || handlers.isEnding(socket)) return;
    answered.add(socket);
    void answerUnreadable(error, socket, handlers);
  });
  server.on('connect', (message: IncomingMessage | Http2ServerRequest, socket: Duplex | Http2ServerResponse) => {
    // In HTTP/2 a stream like any other comes with it.
    if (socket instanceof Http2ServerResponse) handlers.handle(message, socket);
    else if (!('stream' in message)) answerConnect(message, socket, handlers);
  });
  // 100 Continue is sent when the body is first read: a request that is refused before is never asked for its body.
  server.on('checkContinue', handlers.handle);
  server.on('checkExpectation', handlers.handle);
}

/** CONNECT comes with its parser detached; what follows the head is dropped and the connection ends with the answer. */
function answerConnect(message: IncomingMessage, socket: Duplex, handlers: EdgeHandlers): void {
  socket.on('error', () => socket.destroy());
  // Sent while an answer is on its way: the connection has no parser any more and cannot have two answers.
  if (isAnswering(socket) !== 'idle') return void socket.destroy();
  const response = new ServerResponse(message);
  response.shouldKeepAlive = false;
  if (!isSocket(socket)) return void socket.destroy();
  response.assignSocket(socket);
  response.once('finish', () => {
    response.detachSocket(socket);
    endSoon(socket);
  });
  handlers.handle(message, response);
}

/** The connection, which is a socket whenever node:http accepted it from one. */
function isSocket(stream: Duplex): stream is IncomingMessage['socket'] {
  return 'remoteAddress' in stream;
}

const noBody: BodySource = {
  isPresent: false,
  announcedBytes: null,
  receivedBytes: 0,
  read: async () => Buffer.alloc(0),
  chunks: async function* () {},
};

async function answerUnreadable(error: ParserError, socket: Duplex, handlers: EdgeHandlers): Promise<void> {
  if (isUnused(error, socket)) return void socket.destroy();
  const answering = isAnswering(socket);
  const refusal = isSocket(socket) && socket.writable ? faultOf(error, answering) : null;
  if (refusal === null || !isSocket(socket)) return void socket.destroy();
  const reply = await handlers.run({
    method: methodOf(error.rawPacket),
    target: '',
    rawHeaders: [],
    peerAddress: socket.remoteAddress ?? '',
    isTls: 'encrypted' in socket,
    body: noBody,
    fault: refusal,
    holdAnswer: () => true,
    onGone: () => () => {},
  });
  if (reply === null || !socket.writable) return void socket.destroy();
  socket.write(rawReply(reply), 'latin1');
  endSoon(socket);
}

/** A connection that was opened ahead of need, as browsers do, and came to nothing: no request failed. */
function isUnused({ code }: ParserError, socket: Duplex): boolean {
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' && isSocket(socket) && socket.bytesRead === 0;
}

/** Ends after what was written has gone out; what the client still sends is dropped, for a while. */
function endSoon(socket: Duplex): void {
  socket.on('error', () => socket.destroy());
  socket.end();
  socket.resume();
  const cut = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(cut));
}

type Answering = 'idle' | 'waiting' | 'begun';

/**
 * Whether an answer is on its way on the connection: a second one must never be written into the first.
 * node:http keeps the response of a connection under this name; there is no public one.
 */
function isAnswering(socket: Duplex): Answering {
  const response: unknown = Reflect.get(socket, '_httpMessage');
  if (!(response instanceof ServerResponse)) return 'idle';
  return response.headersSent ? 'begun' : 'waiting';
}

/** Codes of node's parser by what is wrong. Source: live (node 26). */
const headerFaults: Readonly<Record<string, string>> = {
  HPE_INVALID_HEADER_TOKEN: '*',
  HPE_CR_EXPECTED: '*',
  HPE_LF_EXPECTED: '*',
  HPE_INVALID_CONTENT_LENGTH: 'Content-Length',
  HPE_UNEXPECTED_CONTENT_LENGTH: 'Content-Length',
  HPE_INVALID_TRANSFER_ENCODING: 'Transfer-Encoding',
};

/** Where the parser's words would lead astray. Source: live (node 26). */
const wordings: Readonly<Record<string, string>> = {
  HPE_INVALID_CONSTANT: 'Expected HTTP/ after the target',
  HPE_INVALID_EOF_STATE: 'the connection ended within the request',
  HPE_PAUSED_H2_UPGRADE: 'HTTP/2 is served over TLS only',
};

/** Null: nobody is there to be answered, or an answer has already begun. */
function faultOf(error: ParserError, answering: Answering): Refusal | null {
  const code = error.code ?? '';
  if (answering === 'begun') return null;
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return answering === 'idle' ? tooSlow() : null;
  if (code === 'HPE_HEADER_OVERFLOW') return tooLong(error.rawPacket);
  if (!code.startsWith('HPE_')) return null;
  const detail = wordings[code] ?? error.message.replace(/^Parse Error: /, '').slice(0, 200);
  // Only a request whose head was read has a response: what is wrong is in its body.
  if (answering === 'waiting') return badBody(detail);
  const header = headerFaults[code];
  if (header !== undefined) {
    return refuse(
      'I400HD',
      { HeaderName: header, Reason: detail },
      { side: 'client', field: header, got: detail, message: `The request's headers cannot be read: ${detail}.` },
    );
  }
  if (code === 'HPE_INVALID_METHOD') {
    const method = methodOf(error.rawPacket);
    return refuse(
      'I405UM',
      { Reason: method },
      { side: 'client', field: 'method', got: method, message: whyNoMethod(error.rawPacket) },
    );
  }
  return refuse(
    'I400RU',
    { Reason: detail },
    {
      side: 'client',
      field: 'request line',
      got: detail,
      message: `The request line cannot be read: ${detail}. Escape blanks and everything outside ASCII.`,
    },
  );
}

/** The first bytes of a TLS handshake: its type, and the version of its records. Source: docs (RFC 8446 5.1). */
function whyNoMethod(packet: Buffer | undefined): string {
  return packet?.[0] === 0x16 && packet[1] === 3
    ? 'A TLS handshake came to the port of plain HTTP: write http:// in the address, or name the port of TLS.'
    : 'The request line names no known method.';
}

function badBody(detail: string): Refusal {
  return refuse(
    'I400BD',
    { Reason: detail },
    { side: 'client', field: 'body', got: detail, message: `The chunks of the body cannot be read: ${detail}.` },
  );
}

/** Source: assumed; the table of codes has none for this. */
function tooSlow(): Refusal {
  return refuse(
    'I400RU',
    { Reason: 'request did not arrive in time' },
    { side: 'client', field: 'request line', message: 'The head of the request did not arrive in time.' },
  );
}

const whiteSpace = /[ \r\n\t]/;

/** The URI or the headers: the parser does not tell, but a URI holds no white space and headers of this length do. */
function tooLong(packet: Buffer | undefined): Refusal {
  const text = packet?.toString('latin1') ?? '';
  const rest = /^[A-Z]+ /.test(text) ? text.slice(text.indexOf(' ') + 1) : text;
  if (!whiteSpace.test(rest)) {
    return refuse(
      'I413UL',
      {},
      {
        side: 'client',
        field: 'request target',
        message: 'The path and query together, or one header without a blank in it, are far longer than the limit.',
      },
    );
  }
  return refuse(
    'I400HD',
    { HeaderName: '*', Reason: 'all headers together are too long' },
    { side: 'client', field: '*', message: 'The headers together are longer than the limit.' },
  );
}

/** The word that stands where the method should; empty when the packet does not begin with one. */
function methodOf(packet: Buffer | undefined): string {
  return /^[\r\n]*([A-Za-z-]{1,20})(?= )/.exec(packet?.toString('latin1', 0, 40) ?? '')?.[1] ?? '';
}

function rawReply({ status, headers }: GatewayReply): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\nDate: ${new Date().toUTCString()}\r\n`;
  for (let i = 0; i + 1 < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${text}Content-Length: 0\r\nConnection: close\r\n\r\n`;
}

/** What the head says of the body; repeated Transfer-Encoding and Expect as one list, of Content-Length the first. */
export type Framing = {
  readonly length: string | undefined;
  readonly encoding: string | undefined;
  readonly expectation: string | undefined;
};

const noFraming: Framing = { length: undefined, encoding: undefined, expectation: undefined };

/** Reads it without having all headers sorted by name, which costs more than all else that is done with them here. */
export function framingOf(rawHeaders: readonly string[]): Framing {
  let framing = noFraming;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (name.length !== 14 && name.length !== 17 && name.length !== 6) continue;
    const value = rawHeaders[i + 1] ?? '';
    const { length, encoding, expectation } = framing;
    switch (name.toLowerCase()) {
      case 'content-length':
        framing = { length: length ?? value, encoding, expectation };
        break;
      case 'transfer-encoding':
        framing = { length, encoding: joined(encoding, value), expectation };
        break;
      case 'expect':
        framing = { length, encoding, expectation: joined(expectation, value) };
        break;
    }
  }
  return framing;
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

/** What a message that node:http accepted says in a way that others may read differently; null when nothing is. */
export function ambiguityOf({ encoding, expectation }: Framing, httpVersion: string): Refusal | null {
  if (encoding !== undefined && (encoding.toLowerCase() !== 'chunked' || httpVersion !== '1.1')) {
    return refuse(
      'I400HD',
      { HeaderName: 'Transfer-Encoding', Reason: 'only chunked is supported, in HTTP/1.1' },
      {
        side: 'client',
        field: 'Transfer-Encoding',
        expected: 'chunked',
        got: encoding.slice(0, 100),
        message: 'Transfer-Encoding may only be "chunked", and only in HTTP/1.1.',
      },
    );
  }
  if (expectation !== undefined && expectation.toLowerCase() !== '100-continue') {
    return refuse(
      'I400HD',
      { HeaderName: 'Expect', Reason: 'only 100-continue is supported' },
      {
        side: 'client',
        field: 'Expect',
        expected: '100-continue',
        got: expectation.slice(0, 100),
        message: 'Expect may only be "100-continue".',
      },
    );
  }
  return null;
}
