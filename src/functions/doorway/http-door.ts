// The doorway's HTTP: signed calls of an instance, carried to the APIs with a word about whose instance it is. What may
// be called, and by whom, control decides; only the paths of those APIs lead anywhere. Made by doorway.ts.
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { randomHex } from '../../base/ids.ts';
import { doorwayHeader, doorwayValue } from '../../wire/doorway.ts';
import type { FindVisitor, Visitor } from './visitor.ts';

export const httpDoorLimits = {
  connections: 512,
  connectionsPerVisitor: 32,
  headBytes: 32 * 1024,
  headMs: 10_000,
  idleMs: 30_000,
  /** Connections to the APIs. */
  upstream: 64,
} as const;

/** Where the APIs answer. */
export type ApiPlace = { readonly host: string; readonly port: number };

export type HttpDoorOptions = {
  findVisitor: FindVisitor;
  /** Null until they do. */
  apiPlace(): ApiPlace | null;
};

/** Function Compute's calls, and RPC calls at the root. HTTP triggers, metrics, downloads and the rest are not for functions. */
const served = /^(?:\/(?:\?|$)|\/(?:2016-08-15|2021-04-06|2023-03-30)\/(?!proxy(?:\/|$)))/;
/** Source: docs (RFC 9110, 7.6.1); with our own, which nobody but us may set. */
const notCarried = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade', doorwayHeader]);

export function createHttpDoor(options: HttpDoorOptions): Server {
  const agent = new Agent({ keepAlive: true, maxSockets: httpDoorLimits.upstream });
  const visits = new Map<string, number>();
  const server = createServer(
    {
      maxHeaderSize: httpDoorLimits.headBytes,
      headersTimeout: httpDoorLimits.headMs,
      keepAliveTimeout: httpDoorLimits.idleMs,
    },
    (incoming, outgoing) => serve(options, agent, incoming, outgoing),
  );
  server.maxConnections = httpDoorLimits.connections;
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (visits.get(address) ?? 0) + 1;
    if (count > httpDoorLimits.connectionsPerVisitor) {
      socket.destroy();
      return;
    }
    visits.set(address, count);
    socket.once('close', () => {
      const left = (visits.get(address) ?? 1) - 1;
      if (left === 0) visits.delete(address);
      else visits.set(address, left);
    });
  });
  server.on('close', () => agent.destroy());
  return server;
}

function serve(options: HttpDoorOptions, agent: Agent, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const visitor = options.findVisitor(incoming.socket.remoteAddress ?? '');
  const place = options.apiPlace();
  if (visitor === null || place === null) {
    refuse(outgoing, 503, 'ServiceUnavailable', 'the doorway is not ready');
  } else if (served.test(incoming.url ?? '')) {
    carry({ agent, place, visitor }, incoming, outgoing);
  } else {
    refuse(outgoing, 403, 'AccessDenied', `'${incoming.method}' against '${incoming.url}' is not for functions`);
  }
}

type Way = { readonly agent: Agent; readonly place: ApiPlace; readonly visitor: Visitor };

function carry({ agent, place, visitor }: Way, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const upstream = request({
    agent,
    host: place.host,
    port: place.port,
    method: incoming.method,
    path: incoming.url,
    headers: headersFor(incoming, visitor),
    setDefaultHeaders: false,
  });
  upstream.on('response', (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer.rawHeaders));
    answer.pipe(outgoing);
    answer.on('error', () => outgoing.destroy());
  });
  upstream.on('error', () => {
    if (outgoing.headersSent) outgoing.destroy();
    else refuse(outgoing, 502, 'InternalServerError', 'the doorway lost the server behind it');
  });
  outgoing.on('close', () => upstream.destroy());
  incoming.pipe(upstream);
}

/** As they were sent: signatures are over them. */
function headersFor(incoming: IncomingMessage, visitor: Visitor): string[] {
  return [...endToEnd(incoming.rawHeaders), doorwayHeader, doorwayValue(visitor.functionKey)];
}

/** Shape: name, value, name, value, … as node:http has it. */
function endToEnd(raw: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name = '', value = ''] = [raw[at], raw[at + 1]];
    if (!notCarried.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

/** In the spelling that clients of all versions of Function Compute read. */
function refuse(outgoing: ServerResponse, status: number, code: string, message: string): void {
  const requestId = randomHex(16);
  const body = JSON.stringify({
    RequestId: requestId,
    Code: code,
    Message: message,
    ErrorCode: code,
    ErrorMessage: message,
  });
  outgoing.writeHead(status, { 'content-type': 'application/json', 'x-fc-request-id': requestId });
  outgoing.end(body);
}
