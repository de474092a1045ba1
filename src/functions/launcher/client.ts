// The data process's side of the launcher: the Launcher port over its socket.
import { once } from 'node:events';
import { connect } from 'node:net';
import { Channel } from '../../base/channel.ts';
import { parseExit, parseInterpreters, parseStarted } from './messages.ts';
import type { Exit, Launcher } from './port.ts';
import { launcherSocketName } from './socket-name.ts';

export type LauncherClient = Launcher & {
  /** Leaves: the launcher then ends every instance. */
  close(): void;
};

/**
 * Connects and proves itself.
 *
 * `onGone` is called once if the launcher goes before close().
 * Errors: rejects when it cannot be reached or does not take the token.
 */
export async function connectLauncher(options: {
  readonly runDir: string;
  readonly token: string;
  onGone(): void;
}): Promise<LauncherClient> {
  const socket = connect(`${options.runDir}/${launcherSocketName}`);
  await once(socket, 'connect');
  let onExited: (exit: Exit) => void = () => {};
  let isProven = false;
  let isClosing = false;
  const channel = new Channel(socket, {
    onCall: (name) => Promise.reject(new Error(`the data process does not answer '${name}'`)),
    onNote: (name, { data }) => {
      if (name === 'exited') onExited(parseExit(data));
    },
    onClose: () => {
      if (isProven && !isClosing) options.onGone();
    },
  });
  await channel.call('authenticate', { token: options.token });
  isProven = true;
  return {
    start: async (spec) => parseStarted((await channel.call('start', spec)).data),
    stop: async (instanceId, graceMs) => {
      await channel.call('stop', { instanceId, graceMs });
    },
    setFrozen: async (instanceId, isFrozen) => {
      await channel.call('setFrozen', { instanceId, isFrozen });
    },
    interpreters: async () => parseInterpreters((await channel.call('interpreters', null)).data),
    onExited: (listener) => {
      onExited = listener;
    },
    close: () => {
      isClosing = true;
      channel.close();
    },
  };
}
