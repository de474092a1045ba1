// An HTTP listener of the data process: opened on one address, closed in order within a bound.
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import {
  createSecureServer,
  type Http2SecureServer,
  type SecureServerOptions,
  type ServerHttp2Session,
} from 'node:http2';
import { type AddressInfo, createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';

export type Listener = {
  /** `http://host:port`, with the port really bound. */
  readonly url: string;
  /** Stops accepting, waits for requests under way at most `graceMs`, then cuts what is left. */
  close(graceMs: number): Promise<void>;
};

export type ListenOptions = {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Other processes listen on the same port; connections are shared out. */
  readonly isShared: boolean;
  readonly server: ServerOptions;
  /** Called with the server before it listens. */
  readonly prepare?: (server: Server) => void;
};

/** Errors: rejects with a sentence that names the address when it cannot be bound. */
export async function listen(options: ListenOptions, onRequest: RequestListener): Promise<Listener> {
  const server = createServer(options.server, onRequest);
  options.prepare?.(server);
  await bind(server, options);
  return { url: urlOf('http', server, options), close: (graceMs) => closeServer(server, graceMs) };
}

export type TlsListenOptions = Omit<ListenOptions, 'server' | 'prepare'> & {
  readonly server: SecureServerOptions;
  readonly prepare: (server: Http2SecureServer) => void;
};

/** A listener for HTTP/2 and HTTP/1.1 over TLS. Errors: as listen(). */
export async function listenTls(options: TlsListenOptions): Promise<Listener> {
  const server = createSecureServer(options.server);
  options.prepare(server);
  // The server does not close its connections by itself.
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  await bind(server, options);
  return {
    url: urlOf('https', server, options),
    close: (graceMs) =>
      new Promise((resolve) => {
        const cut = setTimeout(() => {
          for (const socket of sockets) socket.destroy();
        }, graceMs);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        for (const session of sessions) session.close();
      }),
  };
}

function urlOf(
  scheme: 'http' | 'https',
  server: Server | Http2SecureServer,
  { host }: { readonly host: string },
): string {
  const { port } = server.address() as AddressInfo;
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

type Place = Pick<ListenOptions, 'host' | 'port' | 'isShared'>;

function bind(server: NetServer, { host, port, isShared }: Place): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the port is taken' : error.message;
      reject(new Error(`cannot listen on ${host}:${port}: ${why}`, { cause: error }));
    });
    server.listen({ host, port, backlog: 4096, reusePort: isShared }, resolve);
  });
}

/**
 * For the first of several that will share a port: two servers of one user could share it too, and each would get half of the
 * other's requests. Errors: as listen().
 */
export async function refuseTakenPort(place: Pick<ListenOptions, 'host' | 'port'>): Promise<void> {
  if (place.port === 0) return;
  const trial = createNetServer();
  await bind(trial, { ...place, isShared: false });
  await new Promise((resolve) => trial.close(resolve));
}

function closeServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
