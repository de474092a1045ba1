// The data process's side of the launcher: the Launcher port over its socket.
import { once } from 'node:events';
import { connect } from 'node:net';
import { Channel } from '../../base/channel.ts';
import { parseExit, parseFailure, parseInterpreters, parseStarted, parseTier } from './messages.ts';
import { type Exit, type Launcher, parseIsolationTier } from './port.ts';
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
  const { data } = await channel.call('authenticate', { token: options.token });
  const tier = parseIsolationTier(parseTier(data));
  isProven = true;
  return {
    // In a sandbox that stands, bubblewrap mounts nothing any more.
    spareTiers: tier === 'none' ? [tier] : [],
    start: async (spec) => parseStarted((await channel.call('start', spec)).data),
    startSpare: async (spec) => parseStarted((await channel.call('startSpare', spec)).data),
    assign: async (assignment) => {
      await channel.call('assign', assignment);
    },
    stop: async (instanceId, graceMs) => {
      await channel.call('stop', { instanceId, graceMs });
    },
    setFrozen: async (instanceId, isFrozen) => {
      await channel.call('setFrozen', { instanceId, isFrozen });
    },
    interpreters: async () => parseInterpreters((await channel.call('interpreters', null)).data),
    builtBootstraps: async () => parseFailure((await channel.call('builtBootstraps', null)).data),
    onExited: (listener) => {
      onExited = listener;
    },
    close: () => {
      isClosing = true;
      channel.close();
    },
  };
}
