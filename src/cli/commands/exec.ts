// `yunmen exec`: a command, or a shell, in a running instance of a function.
import { constants } from 'node:os';
import { Readable } from 'node:stream';
import { type ExecConnection, listInstances, openExec } from '../client/exec.ts';
import { formatName } from '../client/functions.ts';
import { findApiTarget, type TargetFlags } from '../client/local-server.ts';
import { failed } from '../errors.ts';
import type { CliDeps } from '../server-port.ts';
import { parseName } from './function.ts';

export type ExecFlags = TargetFlags & {
  readonly service?: string;
  readonly qualifier?: string;
  readonly instance?: string;
  /** False: none, though standard input is one. */
  readonly tty?: boolean;
};

/** Whichever there is; an image may have neither. */
const shell = ['/bin/sh', '-c', 'if command -v bash > /dev/null 2>&1; then exec bash; else exec sh; fi'];
/** As shells tell of a command that a signal has ended. */
const signalBase = 128;

/** Exit code of the command; 128 and more when a signal ended it; 1 when it could not be run. */
export async function exec(
  nameText: string,
  command: readonly string[],
  flags: ExecFlags,
  deps: CliDeps,
): Promise<number> {
  const name = parseName(nameText, flags.service);
  const target = await findApiTarget(flags, deps.env, deps.cwd);
  const qualifier = flags.qualifier ?? null;
  const running = await listInstances(target, name, qualifier);
  const instanceId = flags.instance ?? running.at(-1);
  if (instanceId === undefined) {
    throw failed(
      `no instance of ${formatName(name)} runs; one comes with the next call (yunmen invoke ${formatName(name)})`,
    );
  }
  const terminal = flags.tty === false ? null : terminalOf(deps);
  const connection = await openExec(target, name, {
    ...{ instanceId, qualifier, command: command.length === 0 ? shell : command },
    terminal: terminal?.size() ?? null,
    onOutput: (bytes) => void deps.stdout.write(bytes),
    onErrors: (bytes) => void deps.stderr.write(bytes),
  });
  const restore = carry(connection, terminal, deps);
  try {
    const { code, reason } = await connection.closed;
    return exitCodeOf(reason) ?? fail(code, reason, deps);
  } finally {
    restore();
  }
}

type Terminal = {
  size(): { readonly rows: number; readonly columns: number };
  onResize(listener: () => void): () => void;
};

/** Null when standard input or output is none. */
function terminalOf({ stdin }: CliDeps): Terminal | null {
  const { stdout } = process;
  if (stdin !== undefined || !process.stdin.isTTY || !stdout.isTTY) return null;
  return {
    size: () => ({ rows: stdout.rows, columns: stdout.columns }),
    onResize(listener) {
      stdout.on('resize', listener);
      return () => void stdout.off('resize', listener);
    },
  };
}

/** Sends what is typed, key by key in a terminal. Gives what puts the terminal back. */
function carry(connection: ExecConnection, terminal: Terminal | null, deps: CliDeps): () => void {
  const input = deps.stdin === undefined ? process.stdin : Readable.from(deps.stdin);
  const cancelResize = terminal?.onResize(() => connection.resize(terminal.size()));
  if (terminal !== null) process.stdin.setRawMode(true);
  input.on('data', (chunk: Buffer | string) => {
    if (!connection.write(Buffer.from(chunk))) input.pause();
  });
  connection.onDrain(() => input.resume());
  input.on('end', () => connection.endInput());
  return () => {
    cancelResize?.();
    if (terminal !== null) process.stdin.setRawMode(false);
    input.removeAllListeners('data');
    input.destroy();
  };
}

/** Null: the reason tells of no end. */
function exitCodeOf(reason: string): number | null {
  const code = /^exit code (\d+)$/.exec(reason)?.[1];
  if (code !== undefined) return Number(code);
  const signal = /^killed by (SIG\w+)$/.exec(reason)?.[1];
  if (signal === undefined) return null;
  return signalBase + (Object.entries(constants.signals).find(([each]) => each === signal)?.[1] ?? 0);
}

function fail(code: number, reason: string, { stderr }: CliDeps): number {
  stderr.write(`the session ended: ${reason === '' ? `code ${code}` : reason}\n`);
  return 1;
}
