// One of our own processes, started as a child and joined by a channel on its fd 3. Used by server.ts.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { Channel, type ChannelHandlers } from './base/channel.ts';

export type OwnProcess = {
  readonly name: string;
  readonly pid: number;
  readonly channel: Channel;
  /** How it ended, e.g. `exit code 1` or `signal SIGKILL`. Resolves once. */
  readonly exited: Promise<string>;
  kill(signal: NodeJS.Signals): void;
};

/** Starts the program in another way, e.g. as another user. */
export type BeginProcess = (file: string, args: readonly string[], options: SpawnOptions) => ChildProcess;

/**
 * Starts `src/<name>-process` on the Node that runs us.
 *
 * The child has its own session, so that Ctrl-C at a terminal reaches only us and we end it in order.
 * Its stdout goes to our stderr: stdout belongs to `--json`.
 */
export async function startOwnProcess(
  name: 'data' | 'launcher',
  handlers: ChannelHandlers,
  begin: BeginProcess = (file, args, options) => spawn(file, args, options),
): Promise<OwnProcess> {
  const extension = import.meta.filename.endsWith('.ts') ? 'ts' : 'js';
  const entry = new URL(`./${name}-process.${extension}`, import.meta.url).pathname;
  const child = begin(process.execPath, [entry], { stdio: ['ignore', 2, 2, 'pipe'], detached: true });
  const exited = exitOf(child);
  await once(child, 'spawn');
  const stream = child.stdio[3];
  if (!(stream instanceof Duplex) || child.pid === undefined) throw new Error(`cannot reach the ${name} process`);
  return {
    name,
    pid: child.pid,
    channel: new Channel(stream, handlers),
    exited,
    kill: (signal) => child.kill(signal),
  };
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
}

/** The child's side: its channel to the process that started it. Without that process it ends itself through onClose. */
export function parentChannel(handlers: ChannelHandlers): Channel {
  process.on('SIGINT', () => {}); // a Ctrl-C that reaches us anyway is the parent's to handle
  return new Channel(new Socket({ fd: 3, readable: true, writable: true }), handlers);
}
