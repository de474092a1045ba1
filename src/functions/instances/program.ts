// The user's own program as an instance: what is run, whether it can be, and what is said when it does not serve.
// Called by start-plan.ts and instance.ts.
import { accessSync, constants, statSync } from 'node:fs';
import type { FunctionConfig } from '../../model/function.ts';
import type { Exit, Relay } from '../launcher/port.ts';
import type { ProgramForm } from '../runtimes.ts';
import type { StartFailure } from './instance-port.ts';
import { apiPort, type RoadPlan } from './road-plan.ts';

/** What is run. */
export type ProgramPlan = {
  /** As the instance sees it; begins with an absolute path. */
  readonly argv: readonly string[];
  /** On the host, when it is a file of the code: it must be there and executable. */
  readonly file: string | null;
  /** Where it has to listen; null when it listens nowhere. */
  readonly port: number | null;
};

/** From the start of the process until it accepts connections, ms. Source: docs, unconfirmed. */
export const programStartMs = 120_000;
/** How much of what the program wrote is told when it does not serve. */
const outputLimit = 1_000;
/** What finds a command by its name; every system has it there. */
const finder = '/usr/bin/env';

/** Source: docs: `bootstrap` in the code; of go1 the file that the handler names. */
export function planProgram(
  config: FunctionConfig,
  form: ProgramForm,
  { codePath, isRelayed }: { readonly codePath: string; readonly isRelayed: boolean },
): { readonly program: ProgramPlan; readonly road: RoadPlan } {
  const { server } = config;
  const port = server?.port ?? 9000;
  const healthCheck = server?.healthCheck ?? null;
  const command = form === 'server' ? [...(server?.command ?? []), ...(server?.args ?? [])] : [];
  const own = form === 'server' ? 'bootstrap' : config.handler;
  const [first = ''] = command;
  const named = server?.command.length ? inCode(first) : own;
  const rest = server?.command.length ? command.slice(1) : command;
  return {
    program: {
      argv: named === null ? startByName(command) : [`${codePath}/${named}`, ...rest],
      file: named === null ? null : `${config.code.directory}/${named}`,
      port: form === 'server' ? port : null,
    },
    road: form === 'server' ? { kind: 'http', port, healthCheck, isRelayed } : { kind: 'runtime-api', isRelayed },
  };
}

/** What the launcher has to relay, of an instance with a network of its own. */
export function relayOf(road: RoadPlan): Relay | null {
  if (road.kind === 'frames' || !road.isRelayed) return null;
  return road.kind === 'http' ? { kind: 'in', port: road.port } : { kind: 'out', port: apiPort };
}

/** The path within the code when a command names a file there: `./run`, `bin/run`, `/code/run`. */
function inCode(command: string): string | null {
  if (command.startsWith('/code/')) return command.slice('/code/'.length);
  if (command.startsWith('/')) return null;
  return command.includes('/') ? command.replace(/^(\.\/)+/, '') : null;
}

function startByName(command: readonly string[]): readonly string[] {
  const [first = '', ...rest] = command;
  return first.startsWith('/') ? [first, ...rest] : [finder, '--', first, ...rest];
}

/** Null when the program can be run, as far as its file tells. */
export function checkProgram({ file, argv }: ProgramPlan): StartFailure | null {
  if (file === null) return null;
  const mode = modeOf(file);
  if (mode === null) {
    const message = `the start command '${argv.join(' ')}' names a file that is not in the code package`;
    return { kind: 'refused', code: 'CAFileNotFound', message };
  }
  if ((mode & 0o111) !== 0 && mayExecute(file)) return null;
  return {
    kind: 'refused',
    code: 'CAFilePermission',
    message: `the start command '${argv.join(' ')}' names a file without the permission to be executed (chmod 755 it before packing)`,
  };
}

/** Null when it is no file. */
function modeOf(file: string): number | null {
  try {
    const info = statSync(file);
    return info.isFile() ? info.mode : null;
  } catch {
    return null; // it is not there, or what it names is no path
  }
}

function mayExecute(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // EACCES
  }
}

/** Source: assumed, after what the cloud's users report (`CAExited`, `FunctionNotStarted`). */
export function describeProgramFailure(
  { argv, port }: ProgramPlan,
  how: { readonly exit: Exit | null; readonly limitMs: number; readonly output: string },
): StartFailure {
  const { exit, limitMs, output } = how;
  const logs = output === '' ? 'it wrote nothing' : `Logs: ${output.slice(-outputLimit).trim()}`;
  const command = `with start command '${argv.join(' ')}'`;
  if (exit !== null) {
    const how = exit.isOutOfMemory ? 'out of memory' : (exit.signal ?? `code ${exit.code}`);
    return {
      kind: 'refused',
      code: 'CAExited',
      message: `Function instance exited unexpectedly (${how}) ${command}. ${logs}`,
    };
  }
  const where =
    port === null
      ? 'asked for no request'
      : `did not listen on the port that FC_SERVER_PORT says (here in place of ${port})`;
  return {
    kind: 'refused',
    code: 'FunctionNotStarted',
    message: `Function instance ${command} ${where} within ${limitMs / 1000} seconds. ${logs}`,
  };
}
