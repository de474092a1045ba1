// What a process has sent before it ended, when a write to it finds out first. Used by endpoint.ts.
import { readSync } from 'node:fs';
import type { Socket } from 'node:net';

const chunkBytes = 65_536;
/** A socket's buffer holds less. */
const chunkLimit = 64;

/**
 * A write to a process that has just ended destroys the socket, unread bytes and all: the answers to requests that ended well
 * before. They are read then, and given to `onChunk` before the socket closes. Uses the handle's descriptor, which
 * Node does not document; without it nothing is read.
 */
export function readLeft(socket: Socket, onChunk: (chunk: Buffer) => void): void {
  const destroy = socket.destroy.bind(socket);
  socket.destroy = (error?: Error) => {
    socket.destroy = destroy;
    if (error !== undefined) for (const chunk of leftIn(socket)) onChunk(chunk);
    return destroy(error);
  };
}

function leftIn(socket: Socket): Buffer[] {
  const { fd = -1 } = (socket as { _handle?: { fd?: number } })._handle ?? {};
  const chunks: Buffer[] = [];
  if (fd < 0) return chunks;
  try {
    while (chunks.length < chunkLimit) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const size = readSync(fd, chunk);
      if (size === 0) break;
      chunks.push(chunk.subarray(0, size));
    }
  } catch {
    // Nothing is left: the other side has reset the connection, or is still there.
  }
  return chunks;
}
