// Where the server inside an instance is reached, and the wait until it listens. Used by http-road.ts.
import { connect, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';

/** A port of the host's loopback: the instance has no network of its own. */
export type ServerAddress = { readonly kind: 'loopback'; readonly port: number };

export function connectServer({ port }: ServerAddress): Socket {
  return connect({ host: '127.0.0.1', port, noDelay: true });
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
    socket.once('connect', () => {
      socket?.destroy();
      if (isOver) return;
      isOver = true;
      onListening();
    });
    socket.once('error', () => {
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
