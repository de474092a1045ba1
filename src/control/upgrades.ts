// WebSockets of the API listener: an upgrade is answered like any call, by 101 when the action has opened a session for it.
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import { type Duplex, Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { headerText } from '../wire/openapi-signature.ts';
import { parseQuery, splitTarget } from '../wire/percent-encoding.ts';
import { acceptWebSocketKey } from '../wire/websocket.ts';
import { ExecSession } from './fc/exec-session.ts';
import type { Answer, Received } from './received.ts';

export type Upgrades = {
  /** Ends every session. */
  close(): void;
};

/** Only these are upgraded: to others the header says nothing, as before. */
export function isUpgrade({ url = '', headers }: IncomingMessage): boolean {
  return /^websocket$/i.test(headers.upgrade ?? '') && /\/instances\/[^/?]+\/exec\/?(\?|$)/.test(url);
}

export function serveUpgrades(server: Server, clock: Clock, answer: (received: Received) => Promise<Answer>): Upgrades {
  /** Bounded by who opens them. */
  const sessions = new Set<ExecSession>();
  const serve = async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const gone = new AbortController();
    const onClose = () => gone.abort(new Error('the caller has gone'));
    socket.on('error', () => {}); // 'close' follows
    socket.once('close', onClose);
    const { session, ...rest } = await answer(receive(request, gone.signal));
    const key = request.headers['sec-websocket-key'];
    if (session === undefined) {
      refuse(socket, rest);
      return;
    }
    if (gone.signal.aborted || key === undefined) {
      session.stream.destroy();
      refuse(socket, { status: 400, headers: {}, body: '{"ErrorMessage":"the WebSocket has no key"}' });
      return;
    }
    socket.write(
      head101({
        ...rest.headers,
        upgrade: 'websocket',
        connection: 'Upgrade',
        'sec-websocket-accept': acceptWebSocketKey(key),
      }),
    );
    const running = new ExecSession(socket, head, { ...session, clock });
    sessions.add(running);
    socket.once('close', () => sessions.delete(running));
  };
  server.on('upgrade', (request, socket, head) => void serve(request, socket, head));
  return {
    close() {
      for (const session of sessions) session.end();
    },
  };
}

function head101(headers: Readonly<Record<string, string>>): string {
  return `HTTP/1.1 101 Switching Protocols\r\n${renderHeaders(headers)}\r\n`;
}

function refuse(socket: Duplex, { status, headers, body }: Answer): void {
  const bytes = Buffer.from(body);
  const all = { ...headers, 'content-length': String(bytes.length), connection: 'close' };
  socket.end(
    Buffer.concat([
      Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${renderHeaders(all)}\r\n`),
      bytes,
    ]),
  );
}

function renderHeaders(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value.replace(/[\r\n]/g, ' ')}\r\n`)
    .join('');
}

function receive(request: IncomingMessage, signal: AbortSignal): Received {
  const { path, query } = splitTarget(request.url ?? '/');
  return {
    method: request.method ?? 'GET',
    path,
    query: query === null ? [] : parseQuery(query, true),
    headers: request.headers,
    requestId: randomUUID(),
    host: headerText(request.headers, 'host'),
    localPort: request.socket.localPort ?? 80,
    peerAddress: request.socket.remoteAddress ?? '',
    signal,
    stream: Readable.from([]),
    isUpgrade: true,
    readBody: () => Promise.resolve(Buffer.alloc(0)),
  };
}
