// What the data process and the launcher say to each other, read from JSON. Used by serve.ts and client.ts.
import type { Interpreter } from '../choose-interpreter.ts';
import { languageIds } from '../languages.ts';
import type { Assignment, Exit, LaunchSpec, Started } from './port.ts';

type Fields = Readonly<Record<string, unknown>>;

/** `c-` and hex: it becomes a path and a mark, so nothing else may be in it. */
const instanceIdForm = /^c-[0-9a-f]{8}-[0-9a-f]{20}$/;

/** Errors: throws with the name of the field that is wrong. */
export function parseLaunchSpec(data: unknown): LaunchSpec {
  const fields = fieldsOf(data);
  const argv = list(fields, 'argv').map((each) => textOf(each, 'argv'));
  if (argv[0] === undefined || !argv[0].startsWith('/')) throw new Error('argv must begin with an absolute path');
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(fieldsOf(fields['environment']))) environment[name] = textOf(value, name);
  return {
    instanceId: instanceId(fields),
    argv,
    environment,
    codeDirectory: absolute(fields, 'codeDirectory'),
    socketDirectory: absolute(fields, 'socketDirectory'),
    socketPath: absolute(fields, 'socketPath'),
    readOnly: list(fields, 'readOnly').map((each) => {
      const bind = fieldsOf(each);
      return { from: absolute(bind, 'from'), to: absolute(bind, 'to') };
    }),
    token: textOf(fields['token'], 'token'),
    memoryMb: numberOf(fields['memoryMb'], 'memoryMb'),
  };
}

export function parseAssignment(data: unknown): Assignment {
  const fields = fieldsOf(data);
  return {
    instanceId: instanceId(fields),
    codeDirectory: absolute(fields, 'codeDirectory'),
    memoryMb: numberOf(fields['memoryMb'], 'memoryMb'),
    startLine: textOf(fields['startLine'], 'startLine'),
  };
}

/** Of the launcher's answer to its owner. */
export function parseTier(data: unknown): string {
  return textOf(fieldsOf(data)['tier'], 'tier');
}

export function parseStop(data: unknown): { readonly instanceId: string; readonly graceMs: number } {
  const fields = fieldsOf(data);
  return { instanceId: instanceId(fields), graceMs: numberOf(fields['graceMs'], 'graceMs') };
}

export function parseSetFrozen(data: unknown): { readonly instanceId: string; readonly isFrozen: boolean } {
  const fields = fieldsOf(data);
  return { instanceId: instanceId(fields), isFrozen: fields['isFrozen'] === true };
}

export function parseStarted(data: unknown): Started {
  return { pid: numberOf(fieldsOf(data)['pid'], 'pid'), address: null };
}

export function parseExit(data: unknown): Exit {
  const fields = fieldsOf(data);
  const { code, signal } = fields;
  return {
    instanceId: instanceId(fields),
    code: typeof code === 'number' ? code : null,
    signal: typeof signal === 'string' ? signal : null,
    isOutOfMemory: fields['isOutOfMemory'] === true,
    peakMemoryKb: numberOf(fields['peakMemoryKb'], 'peakMemoryKb'),
  };
}

/** Why something is not there; null: it is. */
export function parseFailure(data: unknown): string | null {
  return data === null ? null : textOf(data, 'failure');
}

export function parseInterpreters(data: unknown): readonly Interpreter[] {
  if (!Array.isArray(data)) throw new Error('interpreters must be a list');
  return data.map((each) => {
    const fields = fieldsOf(each);
    const language = languageIds.find((id) => id === fields['language']);
    if (language === undefined) throw new Error('an interpreter of an unknown language');
    const shows = fields['shows'] === undefined ? [] : list(fields, 'shows').map((path) => absolute({ path }, 'path'));
    return {
      language,
      version: textOf(fields['version'], 'version'),
      path: absolute(fields, 'path'),
      prefix: absolute(fields, 'prefix'),
      ...(shows.length === 0 ? {} : { shows }),
      ...(fields['libraries'] === undefined ? {} : { libraries: librariesOf(fieldsOf(fields['libraries'])) }),
    };
  });
}

function librariesOf(fields: Fields): Record<string, string> {
  return Object.fromEntries(Object.keys(fields).map((id) => [id, absolute(fields, id)]));
}

function fieldsOf(data: unknown): Fields {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) throw new Error('an object is missing');
  return data as Fields;
}

function list(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw new Error(`${name} must be a list`);
  return value;
}

function textOf(value: unknown, name: string): string {
  if (typeof value !== 'string' || value.includes('\0')) throw new Error(`${name} must be text`);
  return value;
}

function numberOf(value: unknown, name: string): number {
  if (typeof value !== 'number' || !(value >= 0)) throw new Error(`${name} must be a number`);
  return value;
}

function absolute(fields: Fields, name: string): string {
  const value = textOf(fields[name], name);
  if (!value.startsWith('/')) throw new Error(`${name} must be an absolute path`);
  return value;
}

function instanceId(fields: Fields): string {
  const value = textOf(fields['instanceId'], 'instanceId');
  if (!instanceIdForm.test(value)) throw new Error('instanceId is malformed');
  return value;
}
