// Where the server inside an instance is reached, and the wait until it listens. Used by http-road.ts.
import { connect, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';

/** loopback: a port of the host, whose network the instance shares. relay: a unix socket that leads into its own network. */
export type ServerAddress =
  | { readonly kind: 'loopback'; readonly port: number }
  | { readonly kind: 'relay'; readonly path: string };

export function connectServer(address: ServerAddress): Socket {
  if (address.kind === 'relay') return connect({ path: address.path });
  return connect({ host: '127.0.0.1', port: address.port, noDelay: true });
}

/** Between two attempts, ms: soon after the start, less often when it takes long. */
const firstPauseMs = 4;
const longestPauseMs = 100;

/** Calls `onListening` once when the server accepts a connection; the function that is given ends the wait. */
export function whenListening(address: ServerAddress, clock: Clock, onListening: () => void): () => void {
  let isOver = false;
  let pauseMs = firstPauseMs;
  let cancelPause = () => {};
  let socket: Socket | null = null;
  const attempt = () => {
    socket = connectServer(address);
    // A relay is connected at once, and says a byte when the server listens.
    socket.once(address.kind === 'relay' ? 'data' : 'connect', () => {
      socket?.destroy();
      if (isOver) return;
      isOver = true;
      onListening();
    });
    socket.on('error', () => {}); // told by its end, too
    socket.once('close', () => {
      if (isOver) return;
      cancelPause = clock.after(pauseMs, attempt);
      pauseMs = Math.min(pauseMs * 1.5, longestPauseMs);
    });
  };
  attempt();
  return () => {
    isOver = true;
    cancelPause();
    socket?.destroy();
  };
}
