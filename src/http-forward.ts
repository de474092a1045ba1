// Passes calls of HTTP triggers that came to the APIs' listener on to the http listener of the data processes, as they
// are, and their answers back while they come. Made by server.ts for control.
import { Agent, type IncomingMessage, type ServerResponse, request as startRequest } from 'node:http';
import { pipeline } from 'node:stream';
import { forwardedHeader } from './http-listener.ts';

export type ForwardHttp = (request: IncomingMessage, response: ServerResponse) => void;

/** `urlOf`: the http listener's address; null before it listens. */
export function createHttpForward(urlOf: () => string | null, token: string): { forward: ForwardHttp; close(): void } {
  const agent = new Agent({ keepAlive: true });
  const forward: ForwardHttp = (request, response) => {
    const url = urlOf();
    if (url === null) {
      response.writeHead(503).end();
      return;
    }
    const { hostname, port } = new URL(url);
    const peer = (request.socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
    const passed = startRequest({
      agent,
      host: reachable(hostname),
      port,
      method: request.method ?? 'GET',
      path: request.url ?? '/',
      headers: [...withoutOurs(request.rawHeaders), forwardedHeader, `${token} ${peer}`],
    });
    passed.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      response.flushHeaders();
      // A caller or a function that breaks off ends both; nothing is left to say to either.
      pipeline(answer, response, () => {});
    });
    passed.on('error', () => {
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end();
    });
    response.once('close', () => passed.destroy());
    // A caller that breaks off ends what was begun for it.
    pipeline(request, passed, () => {});
  };
  return { forward, close: () => agent.destroy() };
}

/** An address that listens everywhere is called where we are. */
function reachable(hostname: string): string {
  const bare = hostname.replace(/^\[|\]$/g, '');
  if (bare === '0.0.0.0') return '127.0.0.1';
  return bare === '::' ? '::1' : bare;
}

/** What a caller says in our name is not passed on; the connection is another. */
function withoutOurs(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (!/^(x-yunmen-.*|connection|keep-alive|upgrade)$/i.test(name)) kept.push(name, rawHeaders[at + 1] ?? '');
  }
  return kept;
}
