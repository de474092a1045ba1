// The server's own log: one line an event on stderr, for people (text) or machines (JSON).

import { replaceControls } from './control-characters.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes one event. Never hand it a secret. */
export type Log = {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
};

/**
 * A log that writes lines with `write`.
 *
 * Shape: text `12:00:01.234 warn message key=value`, or JSON `{"at":"…Z","level":"warn","message":"…",…}`.
 * A value that holds line ends is indented below its line in text form. Control characters, which a function's output may hold to steer the
 * terminal, are shown as `\x1b` there.
 */
export function createLog(write: (line: string) => void, format: 'text' | 'json', now: () => number): Log {
  const emit = (level: LogLevel, message: string, fields: LogFields = {}) => {
    const at = new Date(now()).toISOString();
    write(
      format === 'json'
        ? `${JSON.stringify({ at, level, message, ...fields })}\n`
        : textLine(at, level, message, fields),
    );
  };
  return {
    debug: (message, fields) => emit('debug', message, fields),
    info: (message, fields) => emit('info', message, fields),
    warn: (message, fields) => emit('warn', message, fields),
    error: (message, fields) => emit('error', message, fields),
  };
}

function visible(mark: string): string {
  return `\\x${mark.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

function textLine(at: string, level: LogLevel, message: string, fields: LogFields): string {
  let line = `${at.slice(11, 23)} ${level} ${message}`;
  let below = '';
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || value === undefined) continue;
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    if (text.includes('\n')) below += `\n  ${name}:\n    ${text.trimEnd().replaceAll('\n', '\n    ')}`;
    else line += ` ${name}=${/[\s"]/.test(text) ? JSON.stringify(text) : text}`;
  }
  return replaceControls(`${line}${below}\n`.replaceAll('\r\n', '\n'), visible);
}
