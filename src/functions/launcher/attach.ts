// The other end of a session in an instance: a connection to sandd that the instance's process gets when its data process
// says so (Launcher.exec). Used by control, which carries the bytes.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { attachedBytes, encodeAttach, parseAttached } from './sandd-messages.ts';
import { launcherSocketName } from './socket-name.ts';

/** Within it sandd has answered, or is of no use, ms. */
const answerMs = 5_000;

/**
 * Connects. `session` is what exec() is then called with, within five seconds; what comes is read by wire/exec-frames.ts.
 *
 * Errors: rejects when sandd cannot be reached or does not take the token.
 */
export async function attachSession(place: {
  readonly runDir: string;
  readonly token: string;
  readonly session: number;
}): Promise<Socket> {
  const socket = connect(`${place.runDir}/${launcherSocketName}`);
  const signal = AbortSignal.timeout(answerMs);
  try {
    await once(socket, 'connect', { signal });
    const closed = once(socket, 'close', { signal }).then(() => {
      throw new Error('the launcher closed the connection of a session');
    });
    closed.catch(() => {}); // it may have answered before
    socket.write(encodeAttach(place.session, place.token));
    await Promise.race([readAnswer(socket, signal), closed]);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Takes the answer and no byte of what follows. */
async function readAnswer(socket: Socket, signal: AbortSignal): Promise<void> {
  for (;;) {
    const answer = socket.read(attachedBytes) as Buffer | null;
    if (answer !== null) return parseAttached(answer);
    await once(socket, 'readable', { signal });
  }
}
