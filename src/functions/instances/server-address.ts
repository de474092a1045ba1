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

/** everywhere: as the cloud demands. loopback: on 127.0.0.1 alone. Source: docs. */
export type ListensOn = 'everywhere' | 'loopback';

/** What the relay says first of a server that listens on 127.0.0.1 alone. */
const onLoopback = '-'.charCodeAt(0);

/** Calls `onListening` once when the server accepts a connection; the function that is given ends the wait. */
export function whenListening(address: ServerAddress, clock: Clock, onListening: (on: ListensOn) => void): () => void {
  let isOver = false;
  let pauseMs = firstPauseMs;
  let cancelWait = () => {};
  const end = (on: ListensOn) => {
    if (isOver) return;
    isOver = true;
    onListening(on);
  };
  const attempt = () => {
    const socket = connectServer(address);
    let listens = false;
    cancelWait = () => socket.destroy();
    // A relay is connected at once, and says a byte when the server listens.
    socket.once(address.kind === 'relay' ? 'data' : 'connect', (said?: Buffer) => {
      listens = true;
      socket.destroy();
      if (address.kind === 'relay') end(said?.[0] === onLoopback ? 'loopback' : 'everywhere');
      else cancelWait = whetherEverywhere(address.port, end);
    });
    socket.on('error', () => {}); // told by its end, too
    socket.once('close', () => {
      if (isOver || listens) return;
      cancelWait = clock.after(pauseMs, attempt);
      pauseMs = Math.min(pauseMs * 1.5, longestPauseMs);
    });
  };
  attempt();
  return () => {
    isOver = true;
    cancelWait();
  };
}

/** On Linux, who listens everywhere answers at 127.0.0.2 too. The function that is given ends the wait. */
function whetherEverywhere(port: number, onKnown: (on: ListensOn) => void): () => void {
  if (process.platform !== 'linux') {
    onKnown('everywhere');
    return () => {};
  }
  const socket = connect({ host: '127.0.0.2', port });
  const know = (on: ListensOn) => {
    socket.destroy();
    onKnown(on);
  };
  socket.once('connect', () => know('everywhere'));
  // Any other failure says nothing of the server.
  socket.on('error', (error: NodeJS.ErrnoException) => know(error.code === 'ECONNREFUSED' ? 'loopback' : 'everywhere'));
  return () => socket.destroy();
}
