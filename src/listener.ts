// An HTTP listener of the data process: opened on one address, closed in order within a bound.
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';

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
  readonly server: ServerOptions;
  /** Called with the server before it listens. */
  readonly prepare?: (server: Server) => void;
};

/** Errors: rejects with a sentence that names the address when it cannot be bound. */
export async function listen(options: ListenOptions, onRequest: RequestListener): Promise<Listener> {
  const server = createServer(options.server, onRequest);
  options.prepare?.(server);
  await bind(server, options);
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return { url: `http://${host}:${port}`, close: (graceMs) => closeServer(server, graceMs) };
}

function bind(server: Server, { host, port }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the port is taken' : error.message;
      reject(new Error(`cannot listen on ${host}:${port}: ${why}`, { cause: error }));
    });
    server.listen({ host, port, backlog: 4096 }, resolve);
  });
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
