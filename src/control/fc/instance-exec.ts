// InstanceExec: runs a command in one of a function's instances, over a WebSocket.
import type { FcAction } from '../action.ts';
import { fcError } from '../errors.ts';
import { queryValue } from '../received.ts';
import type { FcCall } from './call.ts';
import { getFunction, namedFunction } from './names.ts';
import { checkQualifier } from './qualifiers.ts';
import { refuseSetting } from './setting-rules.ts';
import { terminalSize } from './terminal-size.ts';

/** Source: sdk (the client in Node sends these when it is told nothing else). */
const defaults = { command: '/bin/bash', tty: true, stdin: true, stdout: true, stderr: false, idleTimeout: 120 };
const idleTimeoutMost = 86_400;
const argumentsMost = 64;
const commandBytesMost = 64 * 1024;
const usualSize = { rows: 24, columns: 80 };

function flag({ received }: FcCall, name: 'tty' | 'stdin' | 'stdout' | 'stderr'): boolean {
  const text = (queryValue(received.query, name) ?? '').toLowerCase();
  if (text === '') return defaults[name];
  return text === 'true' || text === 'false' ? text === 'true' : refuseSetting(name, 'true | false', text);
}

function readIdleTimeout({ received }: FcCall): number {
  const text = queryValue(received.query, 'idleTimeout') ?? '';
  const seconds = text === '' ? defaults.idleTimeout : Number(text);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= idleTimeoutMost) return seconds;
  return refuseSetting('idleTimeout', `1-${idleTimeoutMost}`, text);
}

function readCommand({ received }: FcCall): readonly string[] {
  const command = received.query.filter(([name]) => name === 'command').map(([, value]) => value);
  if (command.length === 0 || (command.length === 1 && command[0] === '')) return [defaults.command];
  const bytes = command.reduce((total, each) => total + Buffer.byteLength(each), 0);
  if (
    command.length > argumentsMost ||
    bytes > commandBytesMost ||
    command[0] === '' ||
    command.some((each) => each.includes('\0'))
  ) {
    throw fcError(
      'InvalidArgument',
      `the command must be 1-${argumentsMost} texts of at most ${commandBytesMost} bytes in all`,
    );
  }
  return command;
}

/** `rows` and `columns` are ours: the size of the terminal that it begins with. */
export const instanceExec: FcAction = async (call) => {
  const { deps, received, path } = call;
  if (received.isUpgrade !== true) throw fcError('InvalidArgument', 'InstanceExec is called over a WebSocket');
  const asked = queryValue(received.query, 'qualifier') || path['qualifier'] || '';
  const options = {
    stdin: flag(call, 'stdin'),
    stdout: flag(call, 'stdout'),
    stderr: flag(call, 'stderr'),
    idleMs: readIdleTimeout(call) * 1000,
  };
  const number = (name: string) => Number(queryValue(received.query, name));
  const terminal = flag(call, 'tty') ? (terminalSize(number('rows'), number('columns')) ?? usualSize) : null;
  const command = readCommand(call);
  const functionKey = await deps.store.read(async (tx) => {
    const row = await getFunction(tx, namedFunction(call));
    if (asked !== '') await checkQualifier(tx, row, asked);
    return row.key;
  });
  const opened = await deps.openExec({
    functionKey,
    qualifier: asked === '' ? null : asked,
    instanceId: path['instanceId'] ?? '',
    command,
    terminal,
  });
  if (!opened.ok) throw fcError(opened.code, opened.message);
  return { kind: 'session', stream: opened.stream, options };
};
